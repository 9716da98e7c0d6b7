//! What the store says.

use quorate_core::feed::{Head, Holder, Input, Output, RETRY, Reason, Record};
use quorate_core::outcome::Status;

use crate::support::{Harness, definition, head, named, outcome};

/// A machine that stores its second record, of 200, after it has reported 100.
fn storing() -> (Harness, Record) {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    let output = harness.output();
    let Output::Store { record, after } = output else { panic!("{output:?}") };
    assert_eq!((record.round, record.reported, after), (2, Some(Reason::Deviation), harness.sequence));
    (harness, record)
}

/// The sequence after which the next record is stored, and its round.
fn stores_after(harness: &mut Harness, value: &str) -> (u64, u64) {
    let round = harness.asked();
    harness.ended(round, Some(outcome(Ok((value, Status::Complete)))));
    match harness.output() {
        Output::Store { record, after } => (after, record.round),
        output => panic!("{output:?}"),
    }
}

#[test]
fn a_record_that_is_lost_gives_way_to_the_one_that_came_first() {
    let (mut harness, _) = storing();
    harness.finds(30, Some(head(30, 2, "300")));
    assert_eq!(harness.counters().lost, 1);
    harness.at_ms(1_999);
    harness.is_quiet();
    harness.at_ms(2_000);
    assert_eq!(stores_after(&mut harness, "400"), (30, 3));
}

#[test]
fn a_value_near_the_record_that_came_first_is_quiet() {
    let (mut harness, _) = storing();
    harness.finds(30, Some(head(30, 2, "200")));
    harness.at_ms(2_000);
    assert_eq!(harness.answers("200"), None);
}

#[test]
fn an_entry_that_is_no_record_is_stepped_over_soon() {
    let (mut harness, _) = storing();
    harness.finds(30, None);
    harness.is_quiet();
    harness.at_ms(2_000);
    assert_eq!(stores_after(&mut harness, "200"), (30, 2));
}

#[test]
fn a_record_of_which_the_store_says_nothing_is_looked_for() {
    let (mut harness, record) = storing();
    harness.input(&Input::Unclear(named("a")));
    harness.at_ms(1_999);
    harness.is_quiet();
    harness.at_ms(2_000);
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    let found = Head { report: record.report(), ..head(31, 2, "200") };
    harness.finds(31, Some(found));
    harness.at_ms(2_999);
    harness.is_quiet();
    harness.at_ms(3_000);
    assert_eq!(stores_after(&mut harness, "300"), (31, 3));
    assert_eq!(harness.counters().unclear, 1);
}

#[test]
fn a_round_whose_record_turns_out_not_to_be_stored_is_asked_again_at_once() {
    let (mut harness, _) = storing();
    harness.input(&Input::Unclear(named("a")));
    harness.at_ms(2_000);
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    let newest = harness.sequence;
    harness.finds(newest, Some(head(newest, 1, "100")));
    assert_eq!(stores_after(&mut harness, "200"), (newest, 2));
}

#[test]
fn the_newest_entry_is_asked_for_until_the_store_knows_it() {
    let mut harness = Harness::reading(definition("a"));
    for _ in 0..50 {
        harness.input(&Input::Unclear(named("a")));
        let due = harness.now().after(RETRY);
        harness.is_quiet();
        harness.at(due);
        assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    }
    harness.finds(3, None);
    assert_eq!(stores_after(&mut harness, "1"), (3, 1));
    assert_eq!(harness.counters().unclear, 0, "no record was in doubt");
}

#[test]
fn numbers_of_records_that_the_store_has_lost_are_not_used_again() {
    let (mut harness, _) = storing();
    let newest = harness.sequence;
    harness.finds(newest, Some(head(newest, 1, "100")));
    harness.sees(head(40, 9, "100"));
    harness.at_ms(2_000);
    let round = harness.asked();
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    let Output::Store { record, after } = harness.output() else { panic!("a record") };
    assert_eq!((record.round, after), (10, 40));
    // The store comes back with less than it had.
    harness.finds(12, Some(head(12, 5, "100")));
    harness.at_ms(3_000);
    let round = harness.asked();
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    let Output::Store { record, after } = harness.output() else { panic!("a record") };
    assert_eq!((record.round, after), (10, 12));
    assert_eq!(record.previous, Some(head(40, 9, "100").link), "the chain shows the loss");
}

#[test]
fn a_round_that_another_coordinator_has_recorded_is_given_up() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.sees(head(30, 2, "150"));
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    harness.is_quiet();
    assert_eq!(harness.counters().given_up, 1);
    harness.at_ms(2_000);
    assert_eq!(stores_after(&mut harness, "200"), (30, 3));
}

#[test]
fn what_the_watch_shows_late_changes_nothing() {
    let mut harness = Harness::reading(definition("a"));
    harness.finds(30, Some(head(30, 5, "100")));
    for late in [head(29, 4, "90"), head(30, 5, "100")] {
        harness.sees(late);
    }
    harness.at_ms(1_000);
    assert_eq!(stores_after(&mut harness, "200"), (30, 6));
    harness.sees(head(31, 6, "200"));
    harness.is_quiet();
}

#[test]
fn a_coordinator_that_knows_that_it_lost_its_lease_stores_nothing() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.lease_seen(90, Holder::Other);
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    harness.at_ms(15_000);
    harness.is_quiet();
    assert_eq!(harness.counters().given_up, 1);
}

#[test]
fn answers_that_nothing_waits_for_change_nothing() {
    let mut harness = Harness::reported(definition("a"));
    let before = harness.counters();
    harness.input(&Input::Unclear(named("a")));
    harness.finds(77, Some(head(77, 70, "1")));
    harness.input(&Input::Stored { feed: named("a"), head: head(78, 71, "1") });
    harness.input(&Input::Leased { feed: named("a"), sequence: 9_000 });
    harness.lease_lost(9_001, Holder::Other);
    harness.input(&Input::LeaseUnclear(named("a")));
    harness.input(&Input::Leased { feed: named("stranger"), sequence: 9_000 });
    harness.is_quiet();
    assert_eq!(harness.counters(), before);
    harness.at_ms(1_000);
    assert_eq!(harness.answers("200").expect("a record").round, 2);
}
