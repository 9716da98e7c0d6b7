//! Which policy a request has: its query's or the default, with the request's own fields on top.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::aggregate::{Millionths, Strategy};
use quorate_core::coordinator::{Config, Input, Policies, Refusal};
use quorate_core::id::Ticket;
use quorate_core::outcome::Failure;
use quorate_core::policy::{OnDispute, Overrides, Policy, PolicyError};

use crate::support::{Harness, TIMEOUT_MS, of_queries, worker};

/// The default policy takes the average, that of `*/USD` the maximum, and that of `BTC/*` the minimum of at least three
/// values within 2 s.
fn by_query(config: &mut Config) {
    let policy = |strategy| {
        let mut policy = config.policy;
        policy.rule.strategy = strategy;
        policy
    };
    let bitcoin = Policy { min_responses: 3, timeout: Duration::from_secs(2), ..policy(Strategy::Min) };
    config.policies = vec![
        of_queries("*/USD", policy(Strategy::Max)),
        of_queries("BTC/*", bitcoin),
        of_queries("BTC/EUR", policy(Strategy::Majority)),
    ];
}

/// Asks two workers, which answer 1 and 5.
fn ask(query: &str, overrides: Overrides) -> (Harness, Ticket) {
    let mut harness = Harness::with(by_query);
    harness.live(&["a", "b"]);
    let ticket = harness.submit_with(None, query, overrides);
    let task = harness.task();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "5");
    (harness, ticket)
}

#[test]
fn the_first_pattern_that_covers_a_query_decides() {
    for (query, strategy, value) in [
        ("ETH/USD", Strategy::Max, "5"),
        ("BTC/USD", Strategy::Max, "5"),
        ("ETH/EUR", Strategy::Average, "3"),
        ("btc/eur", Strategy::Average, "3"),
    ] {
        let (harness, ticket) = ask(query, Overrides::default());
        assert_eq!(harness.outcome(ticket).strategy, strategy, "{query}");
        assert_eq!(harness.value(ticket), value, "{query}");
    }
    let (harness, ticket) = ask("BTC/EUR", Overrides::default());
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.strategy, Strategy::Min);
    assert_eq!(outcome.verdict, Err(Failure::InsufficientResponses { usable: 2, required: 3 }));
}

#[test]
fn the_fields_of_a_request_override_its_querys_policy() {
    let (harness, ticket) = ask("BTC/EUR", Overrides { min_responses: Some(2), ..Overrides::default() });
    assert_eq!(harness.value(ticket), "1");
    let overrides = Overrides { strategy: Some(Strategy::Median), min_responses: Some(1), ..Overrides::default() };
    let (harness, ticket) = ask("BTC/EUR", overrides);
    assert_eq!(harness.value(ticket), "3");
}

#[test]
fn a_querys_policy_sets_its_timeout() {
    let mut harness = Harness::with(by_query);
    harness.submit_with(None, "BTC/EUR", Overrides::default());
    assert_eq!(harness.task().ttl, Duration::from_secs(2));
    harness.submit_with(None, "ETH/EUR", Overrides::default());
    assert_eq!(harness.task().ttl, Duration::from_millis(TIMEOUT_MS));
}

#[test]
fn a_request_is_checked_together_with_its_querys_policy() {
    let mut harness = Harness::with(by_query);
    let overrides = Overrides { quorum: Some(2), ..Overrides::default() };
    let ticket = harness.submit_with(None, "BTC/EUR", overrides);
    let max = Config::default().limits.max_workers;
    assert_eq!(harness.refusal(ticket), Refusal::Policy(PolicyError::Quorum { min: 3, max }));
    let ticket = harness.submit_with(None, "ETH/EUR", overrides);
    assert!(harness.waits(ticket));
}

#[test]
fn new_policies_hold_for_later_requests_and_leave_those_in_flight_alone() {
    let mut harness = Harness::with(by_query);
    harness.live(&["a", "b"]);
    let before = harness.submit_with(None, "BTC/USD", Overrides::default());
    let task = harness.task();
    let policy = Policy { on_dispute: OnDispute::Reject, ..Policy::default() };
    let median = Policy { rule: quorate_core::aggregate::Rule { strategy: Strategy::Median, ..policy.rule }, ..policy };
    harness.input(&Input::Policies(Box::new(Policies {
        policies: vec![of_queries("BTC/*", median)],
        weights: BTreeMap::from([(worker("a"), Millionths::ONE)]).into(),
    })));
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "5");
    assert_eq!((harness.value(before).as_str(), harness.outcome(before).strategy), ("5", Strategy::Max));

    let after = harness.submit_with(None, "BTC/USD", Overrides::default());
    let task = harness.task();
    harness.says(&task, "a", "2");
    harness.says(&task, "b", "2");
    assert_eq!((harness.value(after).as_str(), harness.outcome(after).strategy), ("2", Strategy::Median));
    let other = harness.submit_with(None, "ETH/USD", Overrides::default());
    assert_eq!(harness.task().ttl, Duration::from_millis(TIMEOUT_MS));
    assert!(harness.waits(other));
    assert_eq!(harness.coordinator.staffing().len(), 2, "the policy of */USD is gone");
}

#[test]
fn an_answer_is_rounded_to_the_even_neighbour_and_keeps_the_exact_number() {
    for (decimals, values, value, exact) in [
        (2, ["1", "1.01"], "1", Some("1.005")),
        (2, ["1.01", "1.02"], "1.02", Some("1.015")),
        (2, ["-1.01", "-1.02"], "-1.02", Some("-1.015")),
        (0, ["2", "3"], "2", Some("2.5")),
        (3, ["1.01", "1.02"], "1.015", None),
        (28, ["1", "2"], "1.5", None),
        (1, ["red", "red"], "red", None),
    ] {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let strategy = if values[0] == "red" { Strategy::Majority } else { Strategy::Average };
        let overrides = Overrides { decimals: Some(decimals), strategy: Some(strategy), ..Overrides::default() };
        let (ticket, task) = harness.ask_with(overrides);
        harness.says(&task, "a", values[0]);
        harness.says(&task, "b", values[1]);
        let outcome = harness.outcome(ticket);
        let answer = outcome.verdict.as_ref().expect("an answer");
        let found = (answer.value.to_string(), answer.exact.map(|exact| exact.to_string()));
        assert_eq!(found, (value.to_owned(), exact.map(str::to_owned)), "{decimals} {values:?}");
    }
}

#[test]
fn rounding_does_not_decide_who_agrees() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let overrides =
        Overrides { decimals: Some(0), tolerance: Some(rust_decimal::Decimal::ZERO), ..Overrides::default() };
    let (ticket, task) = harness.ask_with(overrides);
    harness.says(&task, "a", "0.6");
    harness.says(&task, "b", "0.6");
    let outcome = harness.outcome(ticket);
    let answer = outcome.verdict.as_ref().expect("an answer");
    assert_eq!((answer.value.to_string().as_str(), answer.agreeing), ("1", 2));
}

#[test]
fn a_request_weighs_its_values_by_the_weights_that_it_began_with() {
    let mut harness = Harness::with(|config| {
        config.policy.rule.strategy = Strategy::WeightedMedian;
        config.weights = BTreeMap::from([(worker("a"), Millionths::new(3_000_000))]).into();
    });
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    let weights = BTreeMap::from([(worker("c"), Millionths::new(9_000_000))]).into();
    harness.input(&Input::Policies(Box::new(Policies { policies: Vec::new(), weights })));
    harness.says(&task, "b", "5");
    harness.says(&task, "c", "7");
    assert_eq!(harness.value(ticket), "1", "three of five by the old weights");
    let (ticket, task) = harness.ask();
    for (name, value) in [("a", "1"), ("b", "5"), ("c", "7")] {
        harness.says(&task, name, value);
    }
    assert_eq!(harness.value(ticket), "7", "nine of eleven by the new ones");
}
