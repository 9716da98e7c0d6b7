//! A worker answers: what is used, what is dropped and counted, and what it says about the worker.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::aggregate::{Exclusion, OutlierRule, Strategy};
use quorate_core::coordinator::{Input, Presence, PresenceState, Score, Task, WorkerResult};
use quorate_core::outcome::{Cause, Failure, Status};
use quorate_core::policy::Overrides;
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::support::{Harness, missing, observers, request, result, worker};

#[test]
fn a_request_completes_when_the_last_expected_worker_answers() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask();
    harness.at_ms(5);
    harness.says(&task, "c", "1");
    harness.says(&task, "a", "2");
    assert!(harness.waits(ticket));
    harness.at_ms(9);
    harness.says(&task, "b", "6");
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), outcome.cause), ("3", Cause::AllAnswered));
    assert_eq!(outcome.elapsed, Duration::from_millis(9));
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("a b c", ""));
    assert_eq!((outcome.expected(), outcome.succeeded, outcome.failed()), (3, 3, 0));
}

#[test]
fn a_failure_counts_as_an_answer() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.fails(&task, "a");
    harness.says(&task, "b", "7");
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), outcome.cause, outcome.failed()), ("7", Cause::AllAnswered, 1));
    assert_eq!(outcome.observations[0].observed, Err("no price".into()));
    assert_eq!(harness.worker("a").reliability.failures, 1);
}

#[test]
fn the_note_and_the_status_are_counted_over_the_expected_workers() {
    let cases = [
        (["1", "1", "1"], "All workers responded successfully", Status::Complete),
        (["1", "1", ""], "Partial response: 2/3 workers succeeded", Status::Partial),
        (["1", "1", "fail"], "Partial response: 2/3 workers succeeded", Status::Partial),
        (["1", "", ""], "Low reliability: only 1/3 workers succeeded", Status::LowReliability),
        (["1", "fail", "fail"], "Low reliability: only 1/3 workers succeeded", Status::LowReliability),
    ];
    for (words, note, status) in cases {
        let mut harness = Harness::new();
        harness.live(&["a", "b", "c"]);
        let (ticket, task) = harness.ask();
        for (name, word) in ["a", "b", "c"].into_iter().zip(words) {
            match word {
                "" => {}
                "fail" => harness.fails(&task, name),
                value => harness.says(&task, name, value),
            }
        }
        harness.at_ms(1000);
        let outcome = harness.outcome(ticket);
        assert_eq!(outcome.reliability_note(), note);
        assert_eq!(outcome.verdict.as_ref().map(|answer| answer.status), Ok(status), "{words:?}");
        let counters = harness.counters();
        let counted = (counters.answered_complete, counters.answered_partial, counters.answered_low_reliability);
        let is = |expected| u64::from(status == expected);
        assert_eq!(counted, (is(Status::Complete), is(Status::Partial), is(Status::LowReliability)), "{words:?}");
    }
}

#[test]
fn the_note_and_the_status_follow_what_was_used() {
    // The answers of five workers, with an age of an hour where they are marked as old.
    let cases = [
        ("1 1 1 1 99", "Partial response: 4/5 workers succeeded; 1 excluded as an outlier", Ok(Status::Partial)),
        (
            "1 old old old old",
            "Low reliability: only 1/5 workers succeeded; 4 excluded as stale",
            Ok(Status::LowReliability),
        ),
        (
            "1 1 1 red old",
            "Partial response: 3/5 workers succeeded; 1 excluded as not a number, 1 as stale",
            Ok(Status::Partial),
        ),
        ("1 1 1 fail red", "Partial response: 3/5 workers succeeded; 1 excluded as not a number", Ok(Status::Partial)),
        (
            "old old old old old",
            "Low reliability: only 0/5 workers succeeded; 5 excluded as stale",
            Err(Failure::InsufficientResponses { usable: 0, required: 1 }),
        ),
    ];
    for (words, note, status) in cases {
        let mut harness = Harness::new();
        let names = ["a", "b", "c", "d", "e"];
        harness.live(&names);
        let overrides = Overrides {
            max_age: Some(Duration::from_mins(1)),
            max_deviation: Some(OutlierRule::Relative(Decimal::new(1, 1))),
            ..Overrides::default()
        };
        let (ticket, task) = harness.ask_with(overrides);
        for (name, word) in names.into_iter().zip(words.split(' ')) {
            match word {
                "fail" => harness.fails(&task, name),
                "old" => {
                    let old = WorkerResult { age: Some(Duration::from_hours(1)), ..result(&task, name, Ok("1")) };
                    harness.input(&Input::Result(old));
                }
                value => harness.says(&task, name, value),
            }
        }
        let outcome = harness.outcome(ticket);
        assert_eq!(outcome.reliability_note(), note);
        assert_eq!(outcome.verdict.as_ref().map(|answer| answer.status).map_err(|failure| *failure), status, "{words}");
    }
}

#[test]
fn a_quorum_counts_only_values_that_can_be_used() {
    for (strategy, ends) in [(Strategy::Median, false), (Strategy::Majority, true)] {
        let mut harness = Harness::new();
        harness.live(&["a", "b", "c", "d"]);
        let overrides = Overrides {
            strategy: Some(strategy),
            quorum: Some(3),
            max_age: Some(Duration::from_mins(1)),
            ..Overrides::default()
        };
        let (ticket, task) = harness.ask_with(overrides);
        harness.says(&task, "a", "red");
        harness.says(&task, "b", "blue");
        harness.input(&Input::Result(WorkerResult {
            observed: Ok(Value::text("1").expect("short")),
            ..result(&task, "c", Ok("1"))
        }));
        assert_eq!(harness.waits(ticket), !ends, "{strategy}: two texts are not numbers, and one spells a number");
        if !ends {
            continue;
        }
        assert_eq!(harness.outcome(ticket).cause, Cause::QuorumMet);
        let (ticket, task) = harness.ask_with(overrides);
        for name in ["a", "b", "c"] {
            harness.input(&Input::Result(WorkerResult {
                age: Some(Duration::from_hours(1)),
                ..result(&task, name, Ok("1"))
            }));
        }
        assert!(harness.waits(ticket), "stale values are not used");
    }
}

#[test]
fn a_quorum_answers_early_and_failures_do_not_count_for_it() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c", "d"]);
    let (ticket, task) = harness.ask_with(Overrides { quorum: Some(2), ..Overrides::default() });
    harness.says(&task, "a", "1");
    harness.fails(&task, "b");
    assert!(harness.waits(ticket));
    harness.says(&task, "c", "3");
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), outcome.cause), ("2", Cause::QuorumMet));
    assert_eq!(missing(&outcome), "d");
    assert_eq!(harness.counters().quorum_early, 1);
    assert_eq!(harness.worker("d").reliability.timeouts, 0, "it still had time");
    harness.says(&task, "d", "9");
    assert_eq!(harness.counters().results_late, 1);
}

#[test]
fn a_quorum_that_the_outlier_rule_leaves_short_waits_for_more() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c", "d"]);
    let overrides = Overrides {
        quorum: Some(3),
        min_responses: Some(3),
        max_deviation: Some(OutlierRule::Relative(Decimal::new(1, 1))),
        ..Overrides::default()
    };
    let (ticket, task) = harness.ask_with(overrides);
    for (name, value) in [("a", "100"), ("b", "100"), ("c", "999")] {
        harness.says(&task, name, value);
    }
    assert!(harness.waits(ticket));
    harness.says(&task, "d", "100");
    assert_eq!(harness.value(ticket), "100");
}

#[test]
fn too_few_usable_values_fail_with_the_shortfall_and_the_evidence() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask_with(Overrides { min_responses: Some(3), ..Overrides::default() });
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "red");
    harness.fails(&task, "c");
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.verdict, Err(Failure::InsufficientResponses { usable: 1, required: 3 }));
    assert_eq!(observers(&outcome), "a b c");
    assert_eq!(outcome.observations[1].excluded, Some(Exclusion::NotANumber));
    assert_eq!(harness.counters().failed_insufficient_responses, 1);
}

#[test]
fn values_of_the_wrong_kind_only_are_a_shortfall_too() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "red");
    harness.says(&task, "b", "blue");
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.verdict, Err(Failure::InsufficientResponses { usable: 0, required: 1 }));
    assert!(outcome.observations.iter().all(|observation| observation.excluded == Some(Exclusion::NotANumber)));
}

#[test]
fn every_unusable_result_is_dropped_and_counted() {
    type Feed = fn(&mut Harness, &Task, &Task);
    let cases: [(&str, Feed); 6] = [
        ("results_unknown", |harness, open, _| {
            let mut unknown = result(open, "a", Ok("666"));
            unknown.request = request("never-asked");
            harness.input(&Input::Result(unknown));
        }),
        ("results_late", |harness, _, ended| harness.says(ended, "b", "666")),
        ("results_duplicate", |harness, open, _| harness.says(open, "a", "1")),
        ("results_equivocal", |harness, open, _| harness.says(open, "a", "666")),
        ("results_misdirected", |harness, open, ended| {
            let mut misdirected = result(open, "b", Ok("666"));
            misdirected.task = Some(ended.id);
            harness.input(&Input::Result(misdirected));
        }),
        ("workers_not_admitted", |harness, open, _| harness.says(open, "mallory", "666")),
    ];
    for (counter, feed) in cases {
        let admitted = BTreeSet::from([worker("a"), worker("b")]);
        let mut harness = Harness::with(|config| config.admitted = Some(admitted));
        harness.live(&["a", "b"]);
        let (_, ended) = harness.ask();
        harness.says(&ended, "a", "5");
        harness.fails(&ended, "b");
        let (ticket, open) = harness.ask();
        harness.says(&open, "a", "1");
        let before = harness.counters();
        feed(&mut harness, &open, &ended);
        for ((name, after), (_, before)) in harness.counters().iter().zip(before.iter()) {
            assert_eq!(after - before, u64::from(name == counter), "{name} in the case of {counter}");
        }
        assert!(harness.waits(ticket), "{counter}");
        harness.says(&open, "b", "3");
        assert_eq!(harness.value(ticket), "2", "{counter}");
        assert_eq!(observers(&harness.outcome(ticket)), "a b", "{counter}");
    }
}

#[test]
fn the_first_answer_counts_and_a_different_second_is_an_equivocation() {
    let cases = [
        (Ok("1"), Ok("1"), false),
        (Ok("1"), Ok("1.00"), false),
        (Ok("1"), Ok("2"), true),
        (Ok("1"), Ok("one"), true),
        (Ok("1"), Err("broken"), true),
        (Err("broken"), Err("still broken"), false),
        (Err("broken"), Ok("1"), true),
    ];
    for (first, second, equivocal) in cases {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let (ticket, task) = harness.ask();
        harness.result(&task, "a", first);
        let score = harness.worker("a").reliability.score;
        harness.result(&task, "a", second);
        let blamed = harness.worker("a").reliability.score < score;
        harness.says(&task, "b", "1");
        let outcome = harness.outcome(ticket);
        assert_eq!(outcome.observations[0].observed.is_ok(), first.is_ok(), "the first counts");
        assert_eq!(harness.counters().results_equivocal, u64::from(equivocal), "{first:?} then {second:?}");
        assert_eq!(harness.counters().results_duplicate, u64::from(!equivocal), "{first:?} then {second:?}");
        let record = &harness.worker("a").reliability;
        assert_eq!(record.equivocations, u64::from(equivocal));
        assert_eq!(blamed, equivocal);
    }
}

#[test]
fn a_worker_that_cannot_know_its_first_answer_does_not_contradict_itself_when_asked_twice() {
    // Announced, replicated, asked twice, and whether a different second answer is held against the worker.
    let cases = [
        (true, false, false, true),
        (true, false, true, true),
        (true, true, false, true),
        (true, true, true, false),
        (false, false, false, true),
        (false, false, true, false),
    ];
    for (announced, replicated, asked_twice, equivocal) in cases {
        let mut harness = Harness::new();
        harness.live(&["silent"]);
        if announced {
            let state = PresenceState::Live;
            harness.input(&Input::Presence(Presence { replicated, ..Presence::new(worker("a"), "".into(), state) }));
        }
        let (_, task) = harness.ask();
        harness.says(&task, "a", "1");
        if asked_twice {
            harness.at_ms(500);
            assert_eq!(harness.task().attempt, 2);
        }
        harness.says(&task, "a", "2");
        let case = (announced, replicated, asked_twice);
        assert_eq!(harness.counters().results_equivocal, u64::from(equivocal), "{case:?}");
        assert_eq!(harness.counters().results_duplicate, u64::from(!equivocal), "{case:?}");
        assert_eq!(harness.worker("a").reliability.equivocations, u64::from(equivocal), "{case:?}");
    }
}

#[test]
fn a_worker_contradicts_itself_at_most_once_in_one_request() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    for value in 0..59 {
        harness.says(&task, "a", &value.to_string());
    }
    assert_eq!((harness.counters().results_equivocal, harness.counters().results_duplicate), (1, 57));
    let record = &harness.worker("a").reliability;
    assert_eq!((record.equivocations, record.score), (1, Score::from_millionths(937_500)));
}

#[test]
fn results_that_anybody_may_have_sent_are_no_equivocation() {
    // Whether the first and the second answer come on the reply subject, which only receivers of tasks know.
    for (first, second, equivocal, misdirected) in
        [(true, true, 1, 0), (false, true, 0, 0), (true, false, 0, 1), (false, false, 0, 0)]
    {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let (_, task) = harness.ask();
        for (on_reply_subject, value) in [(first, "666"), (second, "1")] {
            let mut said = result(&task, "a", Ok(value));
            said.task = said.task.filter(|_| on_reply_subject);
            harness.input(&Input::Result(said));
        }
        let counters = harness.counters();
        assert_eq!((counters.results_equivocal, counters.results_misdirected), (equivocal, misdirected));
        assert_eq!(counters.results_duplicate, 1 - equivocal - misdirected);
        assert_eq!(harness.worker("a").reliability.equivocations, equivocal, "{first} {second}");
    }
}

#[test]
fn a_worker_that_was_too_busy_for_the_first_attempt_may_answer_the_second() {
    let mut harness = Harness::new();
    harness.live(&["a", "silent"]);
    let (_, task) = harness.ask();
    harness.result(&task, "a", Err("worker is overloaded"));
    harness.at_ms(500);
    harness.task();
    harness.says(&task, "a", "1");
    assert_eq!((harness.counters().results_duplicate, harness.counters().results_equivocal), (1, 0));
}

#[test]
fn a_refusal_for_lack_of_room_contradicts_nothing() {
    for refuses_first in [true, false] {
        for asked_twice in [true, false] {
            let mut harness = Harness::new();
            harness.live(&["a", "silent"]);
            let (_, task) = harness.ask();
            for refuses in [refuses_first, !refuses_first] {
                if refuses {
                    harness.refuses(&task, "a");
                } else {
                    harness.says(&task, "a", "1");
                }
                if asked_twice {
                    harness.at_ms(500);
                }
            }
            assert_eq!(harness.has_task(), asked_twice);
            assert_eq!((harness.counters().results_duplicate, harness.counters().results_equivocal), (1, 0));
            assert_eq!(harness.score("a"), Score::ONE, "{refuses_first} {asked_twice}");
        }
    }
}

#[test]
fn a_worker_that_was_not_expected_is_shown_and_not_waited_for() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.live(&["joiner"]);
    harness.says(&task, "stranger", "3");
    assert!(harness.waits(ticket));
    harness.says(&task, "a", "1");
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), harness.value(ticket).as_str()), ("a stranger", "1"));
    assert_eq!(outcome.observations[1].excluded, Some(Exclusion::Newcomer));
    assert_eq!((outcome.expected(), missing(&outcome).as_str()), (2, ""));
}

#[test]
fn a_result_on_the_shared_subject_is_accepted() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    let mut shared = result(&task, "a", Ok("1"));
    shared.task = None;
    harness.input(&Input::Result(shared));
    assert_eq!(harness.value(ticket), "1");
}

#[test]
fn a_request_takes_no_more_workers_than_are_ever_known() {
    let mut harness = Harness::with(|config| config.limits.max_workers = 3);
    harness.live(&["a", "z"]);
    let (ticket, task) = harness.ask();
    for name in ["s1", "s2", "s3", "s4"] {
        harness.says(&task, name, "1");
    }
    assert_eq!(harness.counters().workers_not_admitted, 3);
    harness.says(&task, "a", "1");
    harness.says(&task, "z", "1");
    assert_eq!(observers(&harness.outcome(ticket)), "a s1 z");
}

#[test]
fn a_quarantined_worker_is_asked_and_shown_and_returns_once_it_behaves() {
    let mut harness = Harness::with(|config| config.quarantine_below = Some(Score::from_millionths(500_000)));
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "b", "1");
    harness.says(&task, "a", "1");
    let mut failures = 0;
    while !harness.coordinator.is_quarantined(&worker("b")) {
        let (_, task) = harness.ask();
        harness.fails(&task, "b");
        harness.says(&task, "a", "1");
        failures += 1;
        assert!(failures < 20, "never quarantined");
    }
    assert!(failures > 5, "one bad answer does not quarantine a worker");

    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    assert!(harness.waits(ticket), "it is still expected");
    harness.says(&task, "b", "1.02");
    let outcome = harness.outcome(ticket);
    assert_eq!(harness.value(ticket), "1");
    assert_eq!(outcome.observations[1].excluded, Some(Exclusion::Quarantined));

    let mut good = 1;
    while harness.coordinator.is_quarantined(&worker("b")) {
        let (_, task) = harness.ask();
        harness.says(&task, "a", "1");
        harness.says(&task, "b", "1.02");
        good += 1;
        assert!(good < 20, "the worker never becomes trusted again");
    }
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1.02");
    assert_eq!(harness.value(ticket), "1.01");
}

#[test]
fn quarantined_values_do_not_make_a_quorum() {
    let mut harness = Harness::with(|config| config.quarantine_below = Some(Score::ONE));
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1");
    let (_, task) = harness.ask();
    harness.fails(&task, "b");
    harness.says(&task, "a", "1");
    let (ticket, task) = harness.ask_with(Overrides { quorum: Some(1), ..Overrides::default() });
    harness.says(&task, "b", "9");
    assert!(harness.waits(ticket));
    harness.says(&task, "a", "1");
    assert_eq!(harness.value(ticket), "1");
}

#[test]
fn response_times_are_from_dispatch_to_arrival_whatever_the_worker_claims() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.at_ms(40);
    let mut boast = result(&task, "a", Ok("1"));
    boast.response_time = Duration::MAX;
    harness.input(&Input::Result(boast));
    assert_eq!(harness.outcome(ticket).observations[0].response_time, Duration::from_nanos(u64::MAX));
    let times = harness.worker("a").reliability.response_times().expect("an answer");
    assert_eq!(times.p50, Duration::from_millis(40));
}
