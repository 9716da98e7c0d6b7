//! Which workers have a record, and what newcomers may do: they cannot outvote, outnumber or displace the others.

use std::time::Duration;

use quorate_core::aggregate::{Exclusion, Strategy};
use quorate_core::coordinator::{Input, PresenceState, Score, Task};
use quorate_core::outcome::{Cause, Outcome};
use quorate_core::policy::Overrides;

use crate::support::{Harness, missing, observers, result, worker};

/// Three workers that have a record.
fn with_records(change: impl FnOnce(&mut quorate_core::coordinator::Config)) -> Harness {
    let mut harness = Harness::with(change);
    harness.live(&["a", "b", "c"]);
    let (_, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b", "c"]);
    harness
}

fn answer(harness: &mut Harness, task: &Task, names: &[&str]) {
    for name in names {
        harness.says(task, name, "100");
    }
}

fn says_shared(harness: &mut Harness, task: &Task, name: &str, value: &str) {
    let mut shared = result(task, name, Ok(value));
    shared.task = None;
    harness.input(&Input::Result(shared));
}

fn excluded(outcome: &Outcome, name: &str) -> Option<Exclusion> {
    outcome.observations.iter().find(|said| said.worker.as_str() == name).expect("it answered").excluded
}

#[test]
fn two_thousand_invented_names_do_not_change_an_answer() {
    for shared in [true, false] {
        let mut harness = with_records(|_| {});
        for round in 0..5_u64 {
            harness.at_ms(1000 * (round + 1));
            harness.live(&["a", "b", "c"]);
            for name in 0..2_000 {
                harness.presence(&format!("invented-{name}"), PresenceState::Live);
            }
            let (ticket, task) = harness.ask();
            for name in 0..2_000 {
                let name = format!("invented-{name}");
                if shared {
                    says_shared(&mut harness, &task, &name, "666");
                } else {
                    harness.says(&task, &name, "666");
                }
            }
            answer(&mut harness, &task, &["a", "b", "c"]);
            harness.at_ms(1000 * (round + 1) + 999);
            if harness.waits(ticket) {
                harness.at_ms(1000 * (round + 2));
            }
            let outcome = harness.outcome(ticket);
            assert_eq!(harness.value(ticket), "100", "round {round}");
            assert!(outcome.expected() <= 6, "round {round}: {} are expected", outcome.expected());
            for name in ["a", "b", "c"] {
                assert_eq!(excluded(&outcome, name), None);
            }
        }
        assert!(harness.coordinator.workers().count() < 3 + 32 + 60, "new names come at a bounded rate");
        for name in ["a", "b", "c"] {
            assert!(harness.worker(name).proven);
        }
    }
}

#[test]
fn a_fresh_deployment_starts_with_all_that_are_live() {
    let mut harness = Harness::new();
    let names: Vec<String> = (0..40).map(|name| format!("w{name:02}")).collect();
    for name in &names {
        harness.presence(name, PresenceState::Live);
    }
    let (ticket, task) = harness.ask();
    for name in &names[1..] {
        harness.says(&task, name, "100");
    }
    harness.fails(&task, "w00");
    assert_eq!((harness.outcome(ticket).expected(), harness.value(ticket).as_str()), (40, "100"));
    assert!(harness.worker("w00").proven, "an expected worker that answered is a founder, even with a failure");
}

#[test]
fn unannounced_workers_are_discovered_a_few_at_a_time() {
    let mut harness = Harness::new();
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut expected = Vec::new();
    for round in 0..4 {
        harness.at_ms(round * 2000);
        let (ticket, task) = harness.ask();
        answer(&mut harness, &task, &names);
        harness.at_ms(round * 2000 + 1000);
        expected.push(harness.outcome(ticket).expected());
    }
    assert_eq!(expected, [3, 7, 7, 7], "an open request expects three newcomers; the others become known");
}

#[test]
fn the_value_of_a_newcomer_is_shown_and_compared_until_it_was_good() {
    let mut harness = with_records(|_| {});
    for (value, proven) in [("120", false), ("102", true)] {
        let (ticket, task) = harness.ask();
        harness.says(&task, "stranger", value);
        answer(&mut harness, &task, &["a", "b", "c"]);
        harness.says(&task, "stranger", value);
        let outcome = harness.outcome(ticket);
        assert_eq!(
            (harness.value(ticket).as_str(), excluded(&outcome, "stranger")),
            ("100", Some(Exclusion::Newcomer))
        );
        assert_eq!(harness.worker("stranger").proven, proven, "{value}");
    }
    let (ticket, task) = harness.ask();
    harness.says(&task, "stranger", "104");
    answer(&mut harness, &task, &["a", "b", "c"]);
    assert_eq!(harness.value(ticket), "101", "now it has a record");
}

#[test]
fn a_newcomer_decides_where_nobody_with_a_record_has_a_value() {
    let mut harness = with_records(|_| {});
    let (ticket, task) = harness.ask();
    harness.says(&task, "specialist", "7");
    harness.fails(&task, "a");
    harness.fails(&task, "b");
    assert!(harness.waits(ticket));
    harness.fails(&task, "c");
    assert_eq!(harness.value(ticket), "7");
    assert!(!harness.worker("specialist").proven, "its value was not compared with any other");
}

#[test]
fn a_newcomer_does_not_decide_while_one_with_a_record_may_still_answer() {
    // Neither a quorum that it meets first nor a deadline too soon for the others lets it decide.
    let overrides = Overrides { quorum: Some(1), timeout: Some(Duration::from_millis(1)), ..Overrides::default() };
    let mut harness = with_records(|_| {});
    let (ticket, task) = harness.ask_with(overrides);
    harness.says(&task, "stranger", "666");
    assert!(harness.waits(ticket));
    harness.at_ms(1);
    let outcome = harness.outcome(ticket);
    assert!(outcome.verdict.is_err(), "{outcome:?}");
    assert_eq!(excluded(&outcome, "stranger"), Some(Exclusion::Newcomer));
}

#[test]
fn while_nobody_has_a_record_those_expected_decide_and_no_more_may_join() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    for name in ["s1", "s2", "s3", "s4"] {
        harness.says(&task, name, "666");
    }
    answer(&mut harness, &task, &["a", "b"]);
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), observers(&outcome).as_str()), ("100", "a b s1 s2"));
    assert_eq!(harness.counters().workers_not_admitted, 2);
    assert!(harness.knows("s4"), "it may be tried later");
}

#[test]
fn newcomers_take_turns() {
    let mut harness = with_records(|config| config.max_newcomers = 2);
    harness.live(&["n1", "n2", "n3", "n4", "n5"]);
    let mut turns = Vec::new();
    for _ in 0..5 {
        let (ticket, task) = harness.ask();
        answer(&mut harness, &task, &["a", "b", "c"]);
        for name in ["n1", "n2", "n3", "n4", "n5"] {
            harness.says(&task, name, "666");
        }
        let outcome = harness.outcome(ticket);
        turns.push(observers(&outcome).replace("a b c ", ""));
    }
    assert_eq!(turns, ["n1 n2", "n3 n4", "n1 n5", "n2 n3", "n4 n5"]);
}

#[test]
fn newcomers_are_no_more_than_those_with_a_record() {
    let mut harness = Harness::with(|config| config.max_newcomers = 5);
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b"]);
    harness.at_ms(10_000);
    harness.live(&["a", "b", "n1", "n2", "n3", "n4", "n5"]);
    let (ticket, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b"]);
    harness.says(&task, "n6", "666");
    harness.at_ms(11_000);
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("a b", "n1 n2"));
}

#[test]
fn without_places_for_newcomers_nobody_joins_those_with_a_record() {
    let mut harness = with_records(|config| config.max_newcomers = 0);
    harness.live(&["n1"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "n1", "100");
    answer(&mut harness, &task, &["a", "b", "c"]);
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), outcome.cause), ("a b c", Cause::AllAnswered));
}

#[test]
fn new_names_become_known_at_a_bounded_rate_once_somebody_has_a_record() {
    let mut harness = with_records(|config| {
        config.admit_burst = 4;
        config.admit_every = Duration::from_millis(100);
    });
    let mut offered = 0;
    for (at, known) in [(0, 7), (99, 7), (100, 8), (350, 10), (10_000, 14)] {
        harness.at_ms(at);
        harness.live(&["a", "b", "c"]);
        for _ in 0..10 {
            harness.presence(&format!("new-{offered}"), PresenceState::Live);
            offered += 1;
        }
        assert_eq!(harness.coordinator.workers().count(), known, "at {at} ms");
    }
    assert_eq!(harness.counters().workers_not_admitted, offered - 11, "the rejected names are counted");
}

#[test]
fn a_full_registry_never_forgets_a_live_worker_with_a_record() {
    let mut harness = with_records(|config| {
        config.limits.max_workers = 5;
        config.keep_gone = Duration::from_secs(30);
    });
    harness.live(&["n1", "n2"]);
    harness.live(&["n3"]);
    assert!(!harness.knows("n3"), "newcomers that were not tried are kept");

    // n1 and n2 take part in vain; n2 is gone, so it is displaced first.
    let (_, task) = harness.ask();
    harness.says(&task, "n1", "666");
    harness.says(&task, "n2", "666");
    answer(&mut harness, &task, &["a", "b", "c"]);
    harness.presence("n2", PresenceState::Left);
    harness.live(&["n3"]);
    assert!(harness.knows("n3") && harness.knows("n1") && !harness.knows("n2"));
    harness.live(&["n4"]);
    assert!(harness.knows("n4") && harness.knows("n3") && !harness.knows("n1"));

    // The others earn a record. A gone worker with a record is kept for a while.
    let (_, task) = harness.ask();
    answer(&mut harness, &task, &["n3", "n4", "a", "b", "c"]);
    harness.presence("b", PresenceState::Left);
    harness.live(&["n5"]);
    assert!(harness.knows("b") && !harness.knows("n5"));
    harness.at_ms(30_000);
    for name in ["a", "c", "n3", "n4", "n5"] {
        harness.live(&[name]);
    }
    assert!(harness.knows("n5") && !harness.knows("b"));
}

#[test]
fn the_first_worker_does_not_rule_over_those_that_start_with_it() {
    let mut harness = Harness::with(|config| config.policy.rule.strategy = Strategy::Median);
    harness.live(&["first"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "first", "666");
    assert_eq!(harness.value(ticket), "666");
    harness.at_ms(9_000);
    harness.live(&["a", "b", "c"]);
    for proven in [false, true] {
        assert_eq!(harness.worker("a").proven, proven);
        let (ticket, task) = harness.ask();
        harness.says(&task, "first", "666");
        answer(&mut harness, &task, &["a", "b", "c"]);
        assert_eq!(harness.value(ticket), "100");
    }
    assert!(harness.score("first") < Score::ONE);
    // A worker that was only heard is no founder: its answers may come from anybody.
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    harness.says(&task, "stranger", "666");
    harness.says(&task, "a", "100");
    let (ticket, task) = harness.ask();
    harness.says(&task, "stranger", "666");
    harness.says(&task, "a", "100");
    assert_eq!(excluded(&harness.outcome(ticket), "stranger"), Some(Exclusion::Newcomer));
}

#[test]
fn newcomers_earn_no_record_while_those_with_a_record_are_away() {
    let mut harness = with_records(|_| {});
    let strangers = ["x1", "x2", "x3", "x4", "x5"];
    harness.live(&strangers);
    for name in ["a", "b", "c"] {
        harness.presence(name, PresenceState::Left);
    }
    let (ticket, task) = harness.ask();
    for name in strangers {
        harness.says(&task, name, "666");
    }
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), observers(&outcome).as_str()), ("666", "x1 x2 x3"));
    assert!(strangers.iter().all(|name| !harness.worker(name).proven));
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask();
    for name in strangers {
        harness.says(&task, name, "666");
    }
    answer(&mut harness, &task, &["a", "b", "c"]);
    assert_eq!(harness.value(ticket), "100");
    // Workers with a record that have been away for an hour are no longer waited for.
    for name in ["a", "b", "c"] {
        harness.presence(name, PresenceState::Left);
    }
    harness.at(harness.now().after(Duration::from_hours(1)));
    harness.live(&strangers);
    let (_, task) = harness.ask();
    answer(&mut harness, &task, &strangers);
    assert!(strangers.iter().all(|name| harness.worker(name).proven));
}

#[test]
fn a_record_is_lost_with_the_score_and_earned_again() {
    let mut harness = with_records(|_| {});
    let mut proven = Vec::new();
    for round in 0..40 {
        let (_, task) = harness.ask();
        answer(&mut harness, &task, &["a", "b"]);
        harness.says(&task, "c", "666");
        proven.push(harness.worker("c").proven);
        assert_eq!(proven[round], harness.score("c") >= Score::LOST);
    }
    assert_eq!((proven[34], proven[35]), (true, false));
    for _ in 0..3 {
        let (_, task) = harness.ask();
        answer(&mut harness, &task, &["a", "b", "c"]);
    }
    assert!(harness.worker("c").proven);
}

#[test]
fn workers_that_the_operator_admits_have_a_record_from_the_start() {
    let admitted = ["a", "b", "c", "d", "e"];
    let mut harness = Harness::with(|config| {
        config.policy.rule.strategy = Strategy::Median;
        config.admitted = Some(admitted.iter().map(|name| worker(name)).collect());
    });
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "666");
    harness.at_ms(60_000);
    for n in 0..1000 {
        harness.presence(&format!("x{n}"), PresenceState::Live);
    }
    harness.live(&admitted);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "666");
    answer(&mut harness, &task, &["b", "c", "d", "e"]);
    assert_eq!((harness.value(ticket).as_str(), harness.outcome(ticket).expected()), ("100", 5));
    assert!(harness.worker("e").proven);
}

#[test]
fn results_of_a_worker_that_uses_reply_subjects_must_come_on_them() {
    let mut harness = with_records(|_| {});
    let (ticket, task) = harness.ask();
    for name in ["a", "b", "c"] {
        let mut forged = result(&task, name, Ok("666"));
        forged.task = None;
        harness.input(&Input::Result(forged));
    }
    answer(&mut harness, &task, &["a", "b", "c"]);
    assert_eq!((harness.value(ticket).as_str(), harness.counters().results_misdirected), ("100", 3));
    assert_eq!(harness.score("a"), Score::ONE);
}

#[test]
fn a_newcomer_that_is_silent_keeps_nobody_waiting_twice() {
    let mut harness = with_records(|_| {});
    harness.live(&["silent"]);
    let (ticket, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b", "c"]);
    assert!(harness.waits(ticket));
    harness.at_ms(1000);
    harness.task();
    let (ticket, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b"]);
    // It receives the task nevertheless, and may take part by answering.
    harness.says(&task, "silent", "100");
    answer(&mut harness, &task, &["c"]);
    assert_eq!((harness.outcome(ticket).expected(), harness.worker("silent").proven), (4, true));
}

#[test]
fn a_callers_short_timeout_does_not_clear_a_newcomers_silence() {
    let mut harness = with_records(|_| {});
    harness.live(&["silent"]);
    let (_, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b", "c"]);
    harness.at_ms(800);
    harness.task();
    let timeout = Some(Duration::from_millis(300));
    let (short, task) = harness.ask_with(Overrides { timeout, ..Overrides::default() });
    answer(&mut harness, &task, &["a", "b", "c"]);
    harness.at_ms(1000);
    harness.task();
    harness.at_ms(1100);
    assert_eq!(missing(&harness.outcome(short)), "silent");
    let (ticket, task) = harness.ask();
    answer(&mut harness, &task, &["a", "b", "c"]);
    assert_eq!(harness.outcome(ticket).expected(), 3);
}

#[test]
fn quarantined_workers_keep_no_newcomer_from_deciding() {
    let mut harness = with_records(|config| config.quarantine_below = Some(Score::from_millionths(950_000)));
    harness.live(&["n1", "n2", "n3"]);
    for fails in [true, false] {
        let (ticket, task) = harness.ask();
        for name in ["a", "b", "c"] {
            harness.result(&task, name, if fails { Err("the source is down") } else { Ok("666") });
        }
        answer(&mut harness, &task, &["n1", "n2", "n3"]);
        assert_eq!(harness.value(ticket), "100", "{fails}");
    }
    assert!(harness.coordinator.is_quarantined(&worker("a")));
}

#[test]
fn a_quorum_that_is_met_because_others_leave_ends_the_request() {
    let mut harness = with_records(|_| {});
    harness.live(&["n1", "n2"]);
    let (ticket, task) = harness.ask_with(Overrides { quorum: Some(1), ..Overrides::default() });
    harness.says(&task, "n1", "7");
    for name in ["a", "b", "c"] {
        assert!(harness.waits(ticket));
        harness.presence(name, PresenceState::Left);
    }
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), outcome.cause), ("7", Cause::QuorumMet));
    assert_eq!(missing(&outcome), "a b c n2");
}
