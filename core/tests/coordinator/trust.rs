//! What an answer rests on: outliers, disputes, agreement, weights and ages.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::aggregate::{Exclusion, Millionths, OutlierRule, Strategy};
use quorate_core::coordinator::{Input, Score, Task};
use quorate_core::outcome::{Cause, Failure, Outcome, Status};
use quorate_core::policy::{OnDispute, Overrides};
use rust_decimal::Decimal;

use crate::support::{Harness, observers, result, worker};

fn beyond_a_tenth() -> OutlierRule {
    OutlierRule::Relative(Decimal::new(1, 1))
}

/// Rejects an answer with which less than 60 % of the used values agree.
fn two_thirds() -> Overrides {
    Overrides {
        strategy: Some(Strategy::Median),
        min_agreement: Some(Millionths::new(600_000)),
        on_dispute: Some(OnDispute::Reject),
        ..Overrides::default()
    }
}

fn by_weight() -> Overrides {
    Overrides { strategy: Some(Strategy::WeightedMedian), ..Overrides::default() }
}

/// A worker's value of this age arrives.
fn says_aged(harness: &mut Harness, task: &Task, name: &str, value: &str, age: Option<Duration>) {
    let mut aged = result(task, name, Ok(value));
    aged.age = age;
    harness.input(&Input::Result(aged));
}

fn exclusions(outcome: &Outcome) -> Vec<Option<Exclusion>> {
    outcome.observations.iter().map(|observation| observation.excluded).collect()
}

fn weights(outcome: &Outcome) -> Vec<Option<u64>> {
    outcome.observations.iter().map(|observation| observation.weight.map(Millionths::get)).collect()
}

#[test]
fn outliers_are_shown_excluded_and_held_against_their_worker() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask_with(Overrides { max_deviation: Some(beyond_a_tenth()), ..Overrides::default() });
    for (name, value) in [("a", "100"), ("b", "102"), ("c", "500")] {
        harness.says(&task, name, value);
    }
    let outcome = harness.outcome(ticket);
    assert_eq!(harness.value(ticket), "101");
    assert_eq!(
        outcome.observations.iter().map(|it| it.excluded).collect::<Vec<_>>(),
        [None, None, Some(Exclusion::Outlier)]
    );
    let answer = outcome.verdict.as_ref().expect("an answer");
    assert_eq!((answer.used, answer.status), (2, Status::Partial));
    assert_eq!(harness.worker("c").reliability.outliers, 1);
    assert_eq!(harness.worker("a").reliability.outliers, 0);
}

#[test]
fn workers_that_do_not_agree_are_a_dispute() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask_with(Overrides { max_deviation: Some(beyond_a_tenth()), ..Overrides::default() });
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "100");
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.verdict.as_ref().map(|answer| (answer.status, answer.used)), Ok((Status::Disputed, 2)));
    assert_eq!(harness.counters().answered_disputed, 1);
    assert_eq!(harness.worker("b").reliability.outliers, 0);
}

#[test]
fn an_answer_says_how_many_agree_with_it() {
    let cases = [
        (None, 2, Status::Partial),
        (Some(Decimal::ZERO), 1, Status::Partial),
        (Some(Decimal::new(5, 1)), 3, Status::Complete),
    ];
    for (tolerance, agreeing, status) in cases {
        let mut harness = Harness::new();
        harness.live(&["a", "b", "c"]);
        let overrides = Overrides { strategy: Some(Strategy::Median), tolerance, ..Overrides::default() };
        let (ticket, task) = harness.ask_with(overrides);
        for (name, value) in [("a", "100"), ("b", "101"), ("c", "150")] {
            harness.says(&task, name, value);
        }
        let outcome = harness.outcome(ticket);
        let answer = outcome.verdict.as_ref().expect("an answer");
        assert_eq!((answer.used, answer.agreeing, answer.status), (3, agreeing, status), "{tolerance:?}");
        let spread = answer.spread.expect("numbers");
        assert_eq!((spread.min, spread.max), (Decimal::from(100), Decimal::from(150)));
        assert_eq!((spread.interquartile, spread.mad), (Some(Decimal::from(25)), Decimal::ONE));
    }
}

#[test]
fn too_little_agreement_is_a_dispute_and_still_an_answer() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let overrides = Overrides { on_dispute: Some(OnDispute::Answer), ..two_thirds() };
    let (ticket, task) = harness.ask_with(overrides);
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        harness.says(&task, name, value);
    }
    let outcome = harness.outcome(ticket);
    let verdict = outcome.verdict.as_ref().map(|answer| (answer.status, answer.used, answer.agreeing));
    assert_eq!(verdict, Ok((Status::Disputed, 3, 1)));
    assert_eq!(harness.value(ticket), "2");
}

#[test]
fn a_dispute_that_is_rejected_fails_with_the_evidence_and_is_remembered() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let ticket = harness.submit_with(Some("r"), "BTC/USD", two_thirds());
    let task = harness.task();
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
        harness.says(&task, name, value);
    }
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.verdict, Err(Failure::Disputed { agreeing: 1, used: 3 }));
    assert_eq!((observers(&outcome).as_str(), outcome.succeeded), ("a b c", 3));
    assert_eq!((harness.counters().failed_disputed, harness.counters().answered_disputed), (1, 0));
    assert_eq!(harness.worker("a").reliability.score, Score::ONE, "a worker that sent a value is not penalized");

    let again = harness.submit_with(Some("r"), "BTC/USD", two_thirds());
    harness.no_task();
    assert_eq!(harness.outcome(again), outcome);
    assert_eq!(harness.counters().requests_replayed, 1);
}

#[test]
fn a_dispute_over_outliers_is_rejected_too() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let overrides = Overrides {
        max_deviation: Some(beyond_a_tenth()),
        on_dispute: Some(OnDispute::Reject),
        ..Overrides::default()
    };
    let (ticket, task) = harness.ask_with(overrides);
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "100");
    assert_eq!(harness.outcome(ticket).verdict, Err(Failure::Disputed { agreeing: 0, used: 2 }));
}

#[test]
fn too_few_values_fail_for_that_even_if_they_do_not_agree() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask_with(Overrides { min_responses: Some(3), ..two_thirds() });
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "100");
    let failure = Failure::InsufficientResponses { usable: 2, required: 3 };
    assert_eq!(harness.outcome(ticket).verdict, Err(failure));
}

#[test]
fn a_quorum_that_does_not_agree_waits_for_more_if_a_dispute_is_rejected() {
    for (on_dispute, waits) in [(OnDispute::Reject, true), (OnDispute::Answer, false)] {
        let mut harness = Harness::new();
        harness.live(&["a", "b", "c", "silent"]);
        let overrides = Overrides { quorum: Some(2), on_dispute: Some(on_dispute), ..two_thirds() };
        let (ticket, task) = harness.ask_with(overrides);
        harness.says(&task, "a", "1");
        harness.says(&task, "b", "2");
        assert_eq!(harness.waits(ticket), waits, "{on_dispute:?}");
        harness.says(&task, "c", "2");
        let outcome = harness.outcome(ticket);
        assert_eq!(outcome.cause, Cause::QuorumMet);
        let status = outcome.verdict.as_ref().map(|answer| answer.status);
        assert_eq!(status, Ok(if waits { Status::Partial } else { Status::Disputed }));
    }
}

#[test]
fn stale_values_are_shown_and_not_used() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c", "d"]);
    let max_age = Some(Duration::from_secs(5));
    let (ticket, task) = harness.ask_with(Overrides { max_age, ..Overrides::default() });
    let ages = [None, Some(5_000), Some(5_001), Some(0)].map(|age| age.map(Duration::from_millis));
    for ((name, value), age) in [("a", "1"), ("b", "2"), ("c", "900"), ("d", "3")].into_iter().zip(ages) {
        says_aged(&mut harness, &task, name, value, age);
    }
    let outcome = harness.outcome(ticket);
    assert_eq!(exclusions(&outcome), [None, None, Some(Exclusion::Stale), None]);
    assert_eq!(outcome.observations.iter().map(|observation| observation.age).collect::<Vec<_>>(), ages);
    assert_eq!((harness.value(ticket).as_str(), outcome.succeeded), ("2", 4));
    assert_eq!(harness.worker("c").reliability.score, Score::ONE, "its source is slow, and it says so");
}

#[test]
fn stale_values_only_are_a_shortfall_that_says_why() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask_with(Overrides { max_age: Some(Duration::ZERO), ..Overrides::default() });
    says_aged(&mut harness, &task, "a", "1", Some(Duration::from_nanos(1)));
    says_aged(&mut harness, &task, "b", "red", None);
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.verdict, Err(Failure::InsufficientResponses { usable: 0, required: 1 }));
    assert_eq!(exclusions(&outcome), [Some(Exclusion::Stale), Some(Exclusion::NotANumber)]);
}

#[test]
fn workers_weigh_their_score_as_it_was_before_the_request_is_judged() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1");
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.fails(&task, "b");
    let score = harness.worker("b").reliability.score;
    assert!(score < Score::ONE);
    let (ticket, task) = harness.ask_with(by_weight());
    harness.says(&task, "b", "1.04");
    harness.says(&task, "a", "1");
    let outcome = harness.outcome(ticket);
    assert_eq!(weights(&outcome), [Some(1_000_000), Some(score.millionths().into())]);
    assert_eq!(harness.value(ticket), "1", "a has more than half of the weight");
    assert!(harness.worker("b").reliability.score > score, "it is judged after the request");
}

#[test]
fn configured_weights_count_instead_of_scores_and_one_for_the_others() {
    let listed = BTreeMap::from([(worker("c"), Millionths::new(2_500_000))]);
    let mut harness = Harness::with(|config| config.weights = listed.into());
    harness.live(&["a", "b", "c"]);
    let (_, task) = harness.ask();
    for name in ["a", "b", "c"] {
        harness.fails(&task, name);
    }
    let (ticket, task) = harness.ask_with(by_weight());
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "9")] {
        harness.says(&task, name, value);
    }
    assert_eq!(weights(&harness.outcome(ticket)), [Some(1_000_000), Some(1_000_000), Some(2_500_000)]);
    assert_eq!(harness.value(ticket), "9");
}

#[test]
fn weights_are_shown_of_values_where_they_are_used() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    for (overrides, expected) in [(by_weight(), [None, Some(1_000_000)]), (Overrides::default(), [None, None])] {
        let (ticket, task) = harness.ask_with(overrides);
        harness.fails(&task, "a");
        harness.says(&task, "b", "1");
        assert_eq!(weights(&harness.outcome(ticket)), expected);
    }
}
