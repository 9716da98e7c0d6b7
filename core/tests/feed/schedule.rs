//! When a round is asked.

use quorate_core::feed::{Definition, Head, Input, RETRY, Reason, Seen};
use quorate_core::outcome::{Failure, Status};
use quorate_core::time::Timestamp;

use crate::support::{Harness, INTERVAL_MS, at_ms, definition, head, ms, named, outcome};

#[test]
fn rounds_begin_every_interval_however_long_they_take() {
    let mut harness = Harness::reported(definition("a"));
    for second in 1..=100 {
        harness.at(Timestamp::from_nanos(second * INTERVAL_MS * 1_000_000 - 1));
        harness.is_quiet();
        harness.at_ms(second * INTERVAL_MS);
        let round = harness.asked();
        harness.at_ms(second * INTERVAL_MS + second * 9);
        harness.ended(round, Some(outcome(Ok(("100", Status::Complete)))));
        if let Some(record) = harness.stores() {
            harness.stored(&record);
        }
    }
    assert_eq!(harness.counters().reported, 11);
}

#[test]
fn a_round_that_begins_late_does_not_delay_those_after_it() {
    let mut harness = Harness::reported(definition("a"));
    for second in 1..=100 {
        harness.wakes_late(at_ms(second * INTERVAL_MS + 999));
        harness.answers("100");
    }
    assert_eq!(harness.counters().rounds, 101);
    harness.at_ms(101 * INTERVAL_MS - 1);
    harness.is_quiet();
    harness.at_ms(101 * INTERVAL_MS);
    harness.asked();
}

#[test]
fn missed_rounds_are_not_made_up_for() {
    let mut harness = Harness::reported(definition("a"));
    harness.wakes_late(at_ms(12_345));
    harness.answers("100");
    harness.at_ms(13_344);
    harness.is_quiet();
    harness.at_ms(13_345);
    harness.asked();
}

#[test]
fn a_round_that_takes_longer_than_the_interval_is_followed_by_the_next_at_once() {
    let mut harness = Harness::reported(definition("a"));
    harness.at_ms(1_000);
    let round = harness.asked();
    harness.at_ms(4_500);
    harness.is_quiet();
    harness.ended(round, Some(outcome(Ok(("100", Status::Complete)))));
    assert_ne!(harness.asked(), round);
}

#[test]
fn a_report_is_late_by_less_than_the_interval() {
    let feed = Definition { heartbeat: ms(10_000), min_interval: ms(3_000), ..definition("a") };
    let mut harness = Harness::reported(feed);
    for second in [3, 6, 9] {
        harness.at_ms(second * 1_000);
        assert_eq!(harness.answers("100"), None);
    }
    harness.at_ms(12_000);
    assert_eq!(harness.answers("100").expect("a record").reported, Some(Reason::Heartbeat));
}

#[test]
fn a_feed_whose_interval_is_its_heartbeat_reports_every_round() {
    let feed = Definition::new(named("a"), definition("a").query, ms(1_000));
    let mut harness = Harness::reported(feed);
    for second in 1..=20 {
        harness.wakes_late(at_ms(second * 1_000 + second * 40));
        assert_eq!(harness.answers("100").expect("a record").reported, Some(Reason::Heartbeat));
    }
}

#[test]
fn a_refused_round_is_asked_again_after_a_pause_and_has_no_number() {
    let mut harness = Harness::new(Definition { min_interval: ms(10_000), ..definition("a") });
    let refused = harness.asked();
    harness.ended(refused, None);
    harness.at(Timestamp::from_nanos(RETRY.as_nanos() as u64 - 1));
    harness.is_quiet();
    harness.at_ms(1_000);
    assert_eq!(harness.answers("1").expect("a record").round, 1);
    assert_eq!(harness.counters().refused, 1);
    harness.at_ms(10_999);
    harness.is_quiet();
    harness.at_ms(11_000);
    harness.asked();
}

#[test]
fn the_record_of_another_coordinator_stands_for_the_round_that_is_due() {
    let mut harness = Harness::reading(definition("a"));
    harness.finds_of(7, Some(head(7, 3, "100")), ms(400));
    harness.at_ms(599);
    harness.is_quiet();
    harness.at_ms(600);
    assert_eq!(harness.answers("100"), None);
}

#[test]
fn the_heartbeat_goes_on_from_a_report_of_another_coordinator() {
    for (ago, reported) in [(8_999, None), (9_000, Some(Reason::Heartbeat)), (u64::MAX, Some(Reason::Heartbeat))] {
        let mut harness = Harness::reading(definition("a"));
        let record = Seen { head: head(7, 3, "100"), ended_ago: ms(0), reported_ago: ms(ago) };
        harness.input(&Input::Newest { feed: named("a"), sequence: 7, record: Some(record) });
        harness.at_ms(1_000);
        assert_eq!(harness.answers("100").and_then(|record| record.reported), reported, "{ago}");
    }
}

/// A round that left no report is followed by the next after a tenth of the heartbeat, which has its bounds, or after the
/// interval if that is shorter.
#[test]
fn a_round_that_left_no_report_is_asked_again_soon() {
    let hour = 3_600_000;
    for (heartbeat, interval, again) in [
        (10_000, 10_000, 1_000),
        (60_000, 60_000, 6_000),
        (hour, hour, 60_000),
        (5_000, 5_000, 1_000),
        (10_000, 400, 400),
    ] {
        let feed = Definition { heartbeat: ms(heartbeat), min_interval: ms(interval), ..definition("a") };
        let mut harness = Harness::new(feed.clone());
        harness.ends(Err(Failure::NoWorkers)).expect("a record");
        harness.at_ms(again - 1);
        harness.is_quiet();
        harness.at_ms(again);
        harness.ends(Ok(("1", Status::Disputed))).expect("a record");
        harness.at_ms(2 * again);
        assert_eq!(harness.answers("1").expect("a record").reported, Some(Reason::First), "{heartbeat}");
        harness.at_ms(2 * again + interval - 1);
        harness.is_quiet();

        // So does a coordinator that finds the record of such a round.
        let mut harness = Harness::reading(feed);
        harness.finds_of(7, Some(Head { report: None, ..head(7, 3, "1") }), ms(0));
        harness.at_ms(again - 1);
        harness.is_quiet();
        harness.at_ms(again);
        harness.asked();
    }
}
