//! What the end of a request does to the scores of its workers.

use std::time::Duration;

use quorate_core::aggregate::{Exclusion, OutlierRule, Strategy};
use quorate_core::coordinator::{Input, Score, WorkerResult};
use quorate_core::outcome::{Failure, Status};
use quorate_core::policy::Overrides;
use rust_decimal::Decimal;

use crate::support::{Harness, of_queries, result, worker};

const FULL: Score = Score::ONE;

/// Which of these values lower the scores of their workers, all of which have a record.
fn judged(overrides: Overrides, values: &[&str]) -> Vec<bool> {
    let names: Vec<String> = (0..values.len()).map(|number| format!("w{number}")).collect();
    let mut harness = Harness::new();
    for name in &names {
        harness.live(&[name]);
    }
    let (_, task) = harness.ask_with(overrides);
    for (name, value) in names.iter().zip(values) {
        harness.says(&task, name, value);
    }
    let bad = |name: &String| {
        let record = &harness.worker(name).reliability;
        assert_eq!(record.outliers, u64::from(record.score < FULL));
        record.score < FULL
    };
    names.iter().map(bad).collect()
}

#[test]
fn a_value_is_bad_beyond_the_fence_and_six_percent_of_the_median() {
    let relative = |percent| Some(OutlierRule::Relative(Decimal::new(percent, 2)));
    let cases: [(Option<OutlierRule>, &[&str], &[bool]); 9] = [
        (None, &["100", "106", "94"], &[false, false, false]),
        (None, &["100", "106.01", "100"], &[false, true, false]),
        (None, &["100", "100", "93.99"], &[false, false, true]),
        // With a caller's rule, only a value beyond its fence and more than 6 % from the median is bad.
        (relative(0), &["100", "100", "106"], &[false, false, false]),
        (relative(0), &["100", "100", "107"], &[false, false, true]),
        (relative(20), &["100", "100", "119"], &[false, false, false]),
        // With half of the values or more beyond the fence, nobody can tell who is right.
        (None, &["100", "200"], &[false, false]),
        (None, &["100", "200", "300", "200"], &[false, false, false, false]),
        (None, &["100", "n/a", "100"], &[false, false, false]),
    ];
    for (max_deviation, values, bad) in cases {
        let overrides = Overrides { max_deviation, ..Overrides::default() };
        assert_eq!(judged(overrides, values), bad, "{max_deviation:?} {values:?}");
    }
}

#[test]
fn a_vote_is_bad_if_more_than_half_gave_another() {
    let majority = Overrides { strategy: Some(Strategy::Majority), ..Overrides::default() };
    let cases: [(&[&str], &[bool]); 6] = [
        (&["cat", "cat", "dog"], &[false, false, true]),
        (&["cat", "cat", "5"], &[false, false, true]),
        (&["5", "5", "cat"], &[false, false, true]),
        (&["cat", "dog", "cow"], &[false, false, false]),
        (&["cat", "cat", "dog", "cow"], &[false, false, false, false]),
        (&["100", "100", "106"], &[false, false, false]),
    ];
    for (values, bad) in cases {
        assert_eq!(judged(majority, values), bad, "{values:?}");
    }
}

#[test]
fn a_value_that_is_too_old_for_the_caller_is_not_judged() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (_, task) = harness.ask_with(Overrides { max_age: Some(Duration::ZERO), ..Overrides::default() });
    for (name, value) in [("a", "100"), ("b", "100"), ("c", "900")] {
        let mut aged = result(&task, name, Ok(value));
        aged.age = (name == "c").then_some(Duration::from_secs(1));
        harness.input(&Input::Result(aged));
    }
    assert_eq!(harness.score("c"), FULL);
}

#[test]
fn a_permanent_liar_is_used_until_it_is_quarantined_and_never_again() {
    let mut harness = Harness::with(|config| config.quarantine_below = Some(Score::from_millionths(700_000)));
    harness.live(&["a", "b", "c", "liar"]);
    let mut used = Vec::new();
    for round in 0..200 {
        let (ticket, task) = harness.ask();
        for (name, value) in [("a", "100"), ("b", "101"), ("c", "99"), ("liar", "150")] {
            harness.says(&task, name, value);
        }
        match harness.outcome(ticket).observations[3].excluded {
            None => used.push(round),
            excluded => assert_eq!(excluded, Some(Exclusion::Quarantined)),
        }
    }
    assert_eq!(used, (0..6).collect::<Vec<_>>());
    assert_eq!(harness.worker("liar").reliability.outliers, 200, "it is judged without being used");
}

#[test]
fn workers_that_are_all_quarantined_return_by_agreeing_with_each_other() {
    let mut harness = Harness::with(|config| config.quarantine_below = Some(Score::from_millionths(900_000)));
    harness.live(&["a", "b", "c"]);
    for fails in [false, true, true] {
        let (_, task) = harness.ask();
        for name in ["a", "b", "c"] {
            harness.result(&task, name, if fails { Err("the source is down") } else { Ok("100") });
        }
    }
    assert!(harness.coordinator.is_quarantined(&worker("a")));
    let mut verdicts = Vec::new();
    for _ in 0..4 {
        let (ticket, task) = harness.ask();
        for name in ["a", "b", "c"] {
            harness.says(&task, name, "100");
        }
        verdicts.push(harness.outcome(ticket).verdict.clone().map(|answer| answer.status));
    }
    assert_eq!(verdicts[0], Err(Failure::InsufficientResponses { usable: 0, required: 1 }));
    assert_eq!(verdicts[3], Ok(Status::Complete));
}

#[test]
fn nobody_is_blamed_for_a_query_that_it_never_answered() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1");
    for _ in 0..50 {
        let ticket = harness.submit_with(None, "who/knows", Overrides::default());
        let task = harness.task();
        harness.fails(&task, "a");
        let now = harness.now();
        harness.at(now.after(Duration::from_secs(1)));
        assert!(!harness.waits(ticket));
        harness.task();
        harness.live(&["a", "b"]);
    }
    assert_eq!((harness.score("a"), harness.score("b")), (FULL, FULL));
    let record = &harness.worker("b").reliability;
    assert_eq!((record.timeouts, harness.worker("a").reliability.failures), (50, 50), "but it is still counted");
}

#[test]
fn a_refusal_for_lack_of_room_lowers_no_score_and_a_failure_does() {
    for (refuses, score) in [(true, FULL), (false, Score::from_millionths(937_500))] {
        let mut harness = Harness::new();
        harness.live(&["a"]);
        let (_, task) = harness.ask();
        harness.at_ms(40);
        harness.says(&task, "a", "1");
        let usual = harness.worker("a").reliability.response_times();
        let (ticket, task) = harness.ask();
        if refuses {
            harness.refuses(&task, "a");
        } else {
            harness.fails(&task, "a");
        }
        assert_eq!(harness.outcome(ticket).failed(), 1);
        let record = &harness.worker("a").reliability;
        assert_eq!((record.failures, record.score), (1, score));
        assert_eq!(record.response_times() == usual, refuses, "only a failure says how long the worker takes");
    }
}

#[test]
fn a_late_refusal_does_not_say_how_long_the_worker_takes() {
    for refuses in [true, false] {
        let mut harness = Harness::new();
        harness.live(&["a"]);
        let (_, task) = harness.ask();
        harness.at_ms(2_000);
        if refuses {
            harness.refuses(&task, "a");
        } else {
            harness.fails(&task, "a");
        }
        let record = &harness.worker("a").reliability;
        assert_eq!((record.late, record.response_times().is_none()), (1, refuses));
    }
}

#[test]
fn a_value_from_an_overloaded_worker_is_judged_like_any_other() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask();
    for (name, value) in [("a", "100"), ("b", "100"), ("c", "900")] {
        let result = WorkerResult { overloaded: true, ..result(&task, name, Ok(value)) };
        harness.input(&Input::Result(result));
    }
    assert_eq!(harness.outcome(ticket).succeeded, 3);
    let record = &harness.worker("c").reliability;
    assert_eq!((record.successes, record.outliers), (1, 1));
    assert!(record.score < FULL && record.response_times().is_some());
}

#[test]
fn a_worker_is_held_to_the_queries_it_has_answered_as_far_as_they_are_kept() {
    for (kept, blamed) in [(2, false), (3, true)] {
        let mut harness = Harness::with(|config| config.kept_queries = kept);
        harness.live(&["a"]);
        for query in ["one", "two", "three", "two"] {
            harness.submit_with(None, query, Overrides::default());
            let task = harness.task();
            harness.says(&task, "a", "1");
        }
        harness.submit_with(None, "one", Overrides::default());
        let task = harness.task();
        harness.fails(&task, "a");
        assert_eq!(harness.score("a") < FULL, blamed, "{kept}");
    }
}

#[test]
fn silence_and_failure_count_where_the_operators_own_time_was_given() {
    let of_query = |harness: &mut Harness, overrides, fails: bool| {
        harness.live(&["a", "b"]);
        let (_, task) = harness.ask_with(overrides);
        if fails {
            harness.fails(&task, "a");
        }
        let now = harness.now();
        harness.at(now.after(Duration::from_secs(3)));
        while harness.has_task() {}
    };
    for (timeout, blamed) in [(None, true), (Some(1), false), (Some(1_999), false), (Some(2_000), true)] {
        for fails in [false, true] {
            let mut harness = Harness::with(|config| {
                let policy = quorate_core::policy::Policy { timeout: Duration::from_secs(2), ..config.policy };
                config.policies.push(of_queries("BTC/*", policy));
                config.usual_samples = 1;
            });
            harness.live(&["a", "b"]);
            let (_, task) = harness.ask();
            harness.says(&task, "a", "1");
            harness.says(&task, "b", "1");
            let overrides = Overrides { timeout: timeout.map(Duration::from_millis), ..Overrides::default() };
            of_query(&mut harness, overrides, fails);
            assert_eq!(harness.score("a") < FULL, blamed, "{timeout:?} {fails}");
        }
    }
}
