//! Who should be there by the operator's word: those that are not are missing, and nobody waits for them.

use std::collections::BTreeSet;

use quorate_core::coordinator::{Config, Expected, PresenceState, QueryPolicy};
use quorate_core::outcome::{Cause, Outcome, Status};
use quorate_core::pattern::Pattern;
use quorate_core::policy::Overrides;

use crate::support::{Harness, missing, worker};

fn expected(names: &[&str], least: u32) -> Expected {
    Expected { workers: names.iter().map(|name| worker(name)).collect(), least }
}

/// These workers are live and answer.
fn answered_by(names: &[&str], change: impl FnOnce(&mut Config)) -> std::sync::Arc<Outcome> {
    let mut harness = Harness::with(change);
    harness.live(names);
    let (ticket, task) = harness.ask();
    for name in names {
        harness.says(&task, name, "1");
    }
    harness.outcome(ticket)
}

fn status(outcome: &Outcome) -> Status {
    outcome.verdict.as_ref().expect("an answer").status
}

#[test]
fn a_worker_that_should_be_there_and_is_not_is_missing_and_not_waited_for() {
    let outcome = answered_by(&["kraken", "other"], |config| config.expected = expected(&["coinbase", "kraken"], 0));
    assert_eq!((outcome.cause, missing(&outcome).as_str()), (Cause::AllAnswered, "coinbase"));
    assert_eq!(outcome.absent, [worker("coinbase")]);
    assert_eq!((outcome.expected(), status(&outcome)), (3, Status::Partial));
    assert_eq!(outcome.reliability_note(), "Partial response: 2/3 workers succeeded; 1 not there");
}

#[test]
fn the_least_number_of_workers_lowers_the_status_if_fewer_are_there() {
    for (least, names, unnamed, expects, is) in [
        (2, &["a", "b"][..], 0, 2, Status::Complete),
        (3, &["a", "b"], 1, 3, Status::Partial),
        (5, &["a", "b"], 3, 5, Status::LowReliability),
    ] {
        let outcome = answered_by(names, |config| config.expected = expected(&[], least));
        assert_eq!((outcome.unnamed, outcome.expected(), status(&outcome)), (unnamed, expects, is), "{least}");
    }
    // Those that are missing by name count among them.
    let outcome = answered_by(&["a"], |config| config.expected = expected(&["b"], 3));
    assert_eq!((missing(&outcome).as_str(), outcome.unnamed, outcome.expected()), ("b", 1, 3));
}

#[test]
fn a_worker_that_answers_all_the_same_is_not_missing() {
    let mut harness = Harness::with(|config| config.expected = expected(&["a", "b"], 0));
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "b", "1");
    harness.says(&task, "a", "1");
    let outcome = harness.outcome(ticket);
    assert_eq!((missing(&outcome).as_str(), outcome.absent.len(), outcome.expected()), ("", 0, 2));
}

#[test]
fn each_policy_says_who_should_be_there_for_its_queries() {
    let mut harness = Harness::with(|config| {
        let policy =
            QueryPolicy { pattern: Pattern::new("BTC/*"), policy: config.policy, expected: expected(&["coinbase"], 2) };
        config.policies.push(policy.into());
        config.policy.min_responses = 3;
    });
    harness.live(&["kraken"]);
    let shown: Vec<_> = harness
        .coordinator
        .staffing()
        .into_iter()
        .map(|it| (it.pattern.as_str().to_owned(), it.live, it.needed, it.lacking(), it.can_serve(), it.is_short()))
        .collect();
    assert_eq!(
        shown,
        [("BTC/*".to_owned(), 1, 2, 1, true, true), ("*".to_owned(), 1, 3, 0, false, true)],
        "one worker that is there, and one that is not"
    );
    harness.live(&["coinbase", "bitstamp"]);
    assert!(harness.coordinator.staffing().iter().all(|it| it.can_serve() && !it.is_short()));
    harness.presence("coinbase", PresenceState::Left);
    let missing: BTreeSet<_> = harness.coordinator.staffing().into_iter().flat_map(|it| it.missing).collect();
    assert_eq!(missing, [worker("coinbase")].into());
    let ticket = harness.submit_with(None, "ETH/USD", Overrides::default());
    assert!(harness.waits(ticket));
}

#[test]
fn a_worker_that_expired_without_a_farewell_is_lost_for_as_long_as_it_is_kept() {
    let mut harness = Harness::with(|config| config.keep_gone = std::time::Duration::from_secs(30));
    harness.live(&["a", "b"]);
    harness.presence("b", PresenceState::Left);
    harness.at_ms(11_000);
    assert!(harness.coordinator.is_lost(&worker("a")) && !harness.coordinator.is_lost(&worker("b")));
    harness.at_ms(31_000);
    assert!(!harness.coordinator.is_lost(&worker("a")));
}
