//! Other feeds than before.

use quorate_core::feed::{Definition, Holder, Input, Output};
use quorate_core::outcome::Status;
use quorate_core::query::Query;

use crate::support::{Harness, definition, definitions, head, ms, named, outcome};

fn another_query() -> Definition {
    Definition { query: Query::new("ETH/USD").expect("a query"), ..definition("a") }
}

#[test]
fn a_feed_that_is_added_begins_and_the_others_go_on() {
    let mut harness = Harness::reported(definition("a"));
    harness.leases = false;
    harness.input(&definitions([definition("a"), definition("b")]));
    assert_eq!(harness.outputs(), [Output::Lease { feed: named("b"), after: 0 }]);
    assert_eq!(harness.feeds.driven(), (2, 1));
    harness.at_ms(1_000);
    harness.asked();
}

#[test]
fn a_feed_that_is_removed_releases_its_lease_and_its_round_is_given_up() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.input(&definitions([]));
    assert_eq!(harness.outputs(), [Output::Release { feed: named("a"), after: 1 }]);
    assert_eq!(harness.feeds.driven(), (0, 0));
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    harness.at_ms(100_000);
    harness.is_quiet();
    assert_eq!((harness.counters().given_up, harness.feeds.poll_timeout()), (1, None));
}

#[test]
fn a_feed_that_is_removed_during_an_append_releases_the_lease_that_it_gets() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.input(&definitions([]));
    harness.is_quiet();
    harness.leased();
    assert_eq!(harness.outputs(), [Output::Release { feed: named("a"), after: 1 }]);
}

#[test]
fn a_feed_that_comes_back_keeps_the_answers_that_are_its_own() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.input(&definitions([]));
    harness.input(&definitions([definition("a")]));
    harness.is_quiet();
    harness.leased();
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    harness.input(&definitions([]));
    harness.input(&definitions([definition("a")]));
    harness.is_quiet();
    harness.finds(30, Some(head(30, 5, "100")));
    harness.at_ms(1_000);
    harness.asked();
}

#[test]
fn a_record_of_a_removed_feed_still_counts() {
    let mut harness = Harness::new(definition("a"));
    let round = harness.asked();
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    let record = harness.stores().expect("a record");
    harness.input(&definitions([]));
    harness.is_quiet();
    harness.stored(&record);
    assert_eq!(harness.outputs(), [Output::Release { feed: named("a"), after: 1 }]);
    assert_eq!(harness.counters().reported, 1);
}

#[test]
fn a_round_that_asks_something_else_is_given_up_and_the_new_question_asked_at_once() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let old = harness.asked();
    harness.at_ms(1_200);
    harness.input(&definitions([another_query()]));
    let output = harness.output();
    let Output::Ask { round, query, .. } = output else { panic!("{output:?}") };
    assert_eq!(query.as_str(), "ETH/USD");
    harness.ended(old, Some(outcome(Ok(("500", Status::Complete)))));
    harness.is_quiet();
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    assert_eq!(harness.stores().expect("a record").round, 2);
}

#[test]
fn a_round_goes_on_if_only_when_it_is_reported_changes() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.input(&definitions([Definition { deviation: Some("0.5".parse().expect("a number")), ..definition("a") }]));
    harness.is_quiet();
    harness.ended(round, Some(outcome(Ok(("149", Status::Complete)))));
    harness.is_quiet();
    harness.at_ms(2_000);
    assert!(harness.answers("150").is_some());
}

#[test]
fn a_shorter_interval_holds_from_now_on() {
    let slow = Definition { min_interval: ms(10_000), ..definition("a") };
    let mut harness = Harness::reported(slow);
    harness.at_ms(500);
    harness.input(&definitions([definition("a")]));
    harness.at_ms(1_499);
    harness.is_quiet();
    harness.at_ms(1_500);
    harness.asked();
}

#[test]
fn the_same_feeds_again_change_nothing() {
    let mut harness = Harness::reported(definition("a"));
    for _ in 0..10 {
        harness.input(&definitions([definition("a")]));
    }
    harness.is_quiet();
    harness.at_ms(1_000);
    assert!(harness.answers("200").is_some());
    assert_eq!(harness.counters().leases_taken, 1);
}

#[test]
fn of_two_feeds_with_one_name_the_first_counts() {
    let mut harness = Harness::new(definition("a"));
    harness.asked();
    harness.input(&definitions([definition("a"), another_query()]));
    harness.is_quiet();
    assert_eq!(harness.feeds.driven(), (1, 1));
}

#[test]
fn a_removed_feed_that_another_coordinator_drives_is_gone_at_once() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.lease_lost(5, Holder::Other);
    harness.input(&definitions([]));
    harness.is_quiet();
    harness.input(&Input::Drain);
    assert_eq!(harness.outputs(), [Output::Drained]);
}
