//! Who drives a feed.

use quorate_core::feed::{Holder, Input, LEASE_TTL, Output, RETRY};
use quorate_core::outcome::Status;
use quorate_core::time::Timestamp;

use crate::support::{Harness, at_ms, definition, head, ms, named, outcome};

fn just_before(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos() - 1)
}

#[test]
fn nothing_is_read_or_asked_before_the_lease_is_taken() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.at_ms(100_000);
    harness.is_quiet();
    assert!(!harness.drives());
    harness.at_ms(100_000);
    harness.leased();
    assert_eq!(harness.counters().leases_taken, 1);
}

#[test]
fn a_lease_is_renewed_every_third_of_its_time() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.leased();
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    for renewal in 1..=20 {
        let due = at_ms(5_000 * renewal);
        harness.at(just_before(due));
        harness.is_quiet();
        harness.at(due);
        harness.appends_lease_after(renewal);
        harness.leased();
        assert!(harness.drives());
    }
    assert_eq!((harness.counters().leases_taken, harness.counters().failovers), (1, 0));
}

#[test]
fn a_holder_stops_before_anybody_else_may_take_over() {
    let mut harness = Harness::new(definition("a"));
    harness.answers("100");
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.leases = false;
    harness.at_ms(5_000);
    harness.appends_lease_after(1);
    harness.ended(round, None);
    harness.at(just_before(at_ms(15_000)));
    assert!(harness.drives(), "the time of the last renewal is not up");
    let asked = harness.outputs().len();
    assert_eq!(asked, 1, "one round is in progress");
    harness.at_ms(15_000);
    assert!(!harness.drives());
    harness.at_ms(60_000);
    harness.is_quiet();
}

#[test]
fn a_holder_whose_renewals_are_slow_counts_from_when_they_began() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.at_ms(14_999);
    harness.leased();
    assert!(harness.drives());
    harness.at_ms(15_000);
    assert!(!harness.drives());
    let mut late = Harness::silent([definition("a")]);
    late.appends_lease_after(0);
    late.at_ms(15_000);
    late.leased();
    assert!(!late.drives(), "others may have seen the entry for as long as it is good for");
    late.appends_lease_after(1);
    late.leased();
    assert!(late.drives());
}

#[test]
fn a_lease_is_taken_over_when_it_was_seen_unchanged_for_its_time_and_not_before() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.at_ms(700);
    harness.lease_lost(40, Holder::Other);
    let mut seen = at_ms(700);
    for (sequence, after) in [(41, 4_000), (42, 14_999), (43, 3)] {
        seen = seen.after(ms(after));
        harness.at(seen);
        harness.lease_seen(sequence, Holder::Other);
        harness.lease_seen(sequence, Holder::Other);
    }
    harness.at(seen.after(LEASE_TTL / 2));
    harness.lease_seen(43, Holder::Other);
    harness.lease_seen(41, Holder::Nobody);
    harness.is_quiet();
    harness.at(just_before(seen.after(LEASE_TTL)));
    harness.is_quiet();
    harness.at(seen.after(LEASE_TTL));
    harness.appends_lease_after(43);
    harness.sequence = 43;
    harness.leased();
    assert_eq!((harness.counters().leases_taken, harness.counters().failovers), (1, 1));
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
}

#[test]
fn an_entry_that_the_store_names_again_is_not_a_change() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.lease_seen(40, Holder::Other);
    harness.at_ms(3_000);
    harness.lease_lost(40, Holder::Other);
    harness.at(just_before(at_ms(15_000)));
    harness.is_quiet();
    harness.at_ms(15_000);
    harness.appends_lease_after(40);
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.lease_lost(40, Holder::Other);
    harness.at_ms(2_000);
    harness.lease_seen(41, Holder::Nobody);
    harness.appends_lease_after(41);
}

#[test]
fn a_lease_that_is_lost_to_nobody_is_tried_again_after_a_pause() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    for (sequence, holder) in [(7, Holder::Nobody), (9, Holder::Me), (0, Holder::Nobody), (3, Holder::Nobody)] {
        harness.lease_lost(sequence, holder);
        let due = harness.now().after(RETRY);
        harness.at(just_before(due));
        let read = harness.outputs();
        assert!(read.is_empty(), "{read:?}");
        harness.at(due);
        harness.appends_lease_after(sequence);
    }
}

#[test]
fn an_unclear_append_is_tried_again_after_a_pause() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    for _ in 0..100 {
        harness.input(&Input::LeaseUnclear(named("a")));
        let due = harness.now().after(RETRY);
        harness.at(just_before(due));
        harness.is_quiet();
        harness.at(due);
        harness.appends_lease_after(0);
    }
}

#[test]
fn an_unclear_takeover_waits_for_a_holder_that_has_renewed_meanwhile() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.lease_lost(40, Holder::Other);
    harness.at_ms(15_000);
    harness.appends_lease_after(40);
    harness.lease_seen(41, Holder::Other);
    harness.input(&Input::LeaseUnclear(named("a")));
    harness.at_ms(29_999);
    harness.is_quiet();
    harness.at_ms(30_000);
    harness.appends_lease_after(41);
}

#[test]
fn an_own_entry_that_no_append_is_known_to_have_left_is_renewed_before_it_is_relied_on() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.at_ms(14_000);
    harness.input(&Input::LeaseUnclear(named("a")));
    harness.at_ms(15_000);
    harness.appends_lease_after(0);
    harness.lease_lost(1, Holder::Me);
    assert!(!harness.drives(), "the entry may be from the first append");
    harness.at_ms(16_000);
    harness.appends_lease_after(1);
    harness.sequence = 1;
    harness.leased();
    assert!(harness.drives());
    assert_eq!(harness.counters().leases_taken, 1);
}

#[test]
fn a_late_success_does_not_hide_that_the_lease_has_been_lost_since() {
    let mut harness = Harness::silent([definition("a")]);
    harness.appends_lease_after(0);
    harness.wakes_late(at_ms(20_000));
    harness.lease_seen(9, Holder::Other);
    harness.leased();
    assert!(!harness.drives());
    harness.at_ms(34_999);
    harness.is_quiet();
    harness.at_ms(35_000);
    harness.appends_lease_after(9);
}

#[test]
fn who_takes_a_lease_again_reads_what_has_come_meanwhile() {
    let mut harness = Harness::reported(definition("a"));
    harness.lease_seen(50, Holder::Other);
    harness.at_ms(14_000);
    harness.is_quiet();
    harness.lease_seen(51, Holder::Nobody);
    assert_eq!(harness.outputs(), [Output::Read(named("a"))]);
    harness.finds(60, Some(head(60, 9, "100")));
    harness.at_ms(15_000);
    assert_eq!(harness.answers("200").expect("a record").round, 10);
}

#[test]
fn a_record_carries_the_lease_under_which_it_was_stored() {
    let mut harness = Harness::new(definition("a"));
    assert_eq!(harness.answers("100").expect("a record").lease, 1);
    harness.at_ms(1_000);
    harness.sequence = 70;
    let round = harness.asked();
    harness.at_ms(5_000);
    harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
    assert_eq!(harness.stores().expect("a record").lease, 71);
}
