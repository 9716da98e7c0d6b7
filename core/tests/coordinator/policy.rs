//! Which policy a request has: its query's or the default, with the request's own fields on top.

use std::time::Duration;

use quorate_core::aggregate::Strategy;
use quorate_core::coordinator::{Config, Refusal};
use quorate_core::id::Ticket;
use quorate_core::outcome::Failure;
use quorate_core::policy::{Overrides, Policy, PolicyError};

use crate::support::{Harness, TIMEOUT_MS, of_queries};

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
