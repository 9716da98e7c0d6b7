//! What a round comes to.

use quorate_core::feed::{Definition, Reason};
use quorate_core::outcome::{Failure, Status};

use crate::support::{HEARTBEAT_MS, Harness, INTERVAL_MS, definition, head};

/// Why the second round is recorded, after the first one reported `old`.
fn second(definition: Definition, old: &str, new: &str) -> Option<Reason> {
    let interval = definition.min_interval;
    let mut harness = Harness::new(definition);
    harness.answers(old);
    let now = harness.now();
    harness.at(now.after(interval));
    harness.answers(new).map(|record| record.reported.expect("a reason"))
}

#[test]
fn the_first_value_is_reported_whatever_it_is() {
    for (value, status) in [("0", Status::Complete), ("red", Status::Partial), ("-1", Status::LowReliability)] {
        let record = Harness::new(definition("a")).ends(Ok((value, status))).expect("a record");
        assert_eq!((record.round, record.reported, record.last_report.clone()), (1, Some(Reason::First), None));
        assert_eq!(record.previous, None);
        let report = record.report().expect("a report");
        assert_eq!((report.round, report.value.to_string().as_str()), (1, value));
    }
}

#[test]
fn a_value_is_reported_if_it_has_moved_by_the_deviation_or_more() {
    let moved = Some(Reason::Deviation);
    for (old, new, reported) in [
        ("100", "101", moved),
        ("100", "99", moved),
        ("100", "100.999999999999999999", None),
        ("100", "99.000000000000000001", None),
        ("-100", "-101", moved),
        ("0", "0", None),
        ("0", "0.000000000000000000001", moved),
        ("red", "red", None),
        ("red", "blue", moved),
        ("red", "1", moved),
        ("1", "red", moved),
    ] {
        assert_eq!(second(definition("a"), old, new), reported, "{old} {new}");
    }
}

#[test]
fn without_a_deviation_only_the_heartbeat_reports() {
    let feed = Definition { deviation: None, ..definition("a") };
    assert_eq!(second(feed.clone(), "1", "1000"), None);
    assert_eq!(second(feed, "red", "blue"), None);
}

#[test]
fn a_value_is_reported_again_when_the_heartbeat_has_passed_exactly() {
    let mut harness = Harness::reported(definition("a"));
    for second in 1..10 {
        harness.at_ms(second * INTERVAL_MS);
        assert_eq!(harness.answers("100"), None, "at {second} s");
    }
    harness.at_ms(HEARTBEAT_MS);
    let record = harness.answers("100").expect("a record");
    assert_eq!((record.round, record.reported), (2, Some(Reason::Heartbeat)));
    assert_eq!((harness.counters().quiet, harness.counters().reported), (9, 2));
}

#[test]
fn the_heartbeat_counts_from_the_beginning_of_the_last_reported_round() {
    let mut harness = Harness::new(definition("a"));
    harness.at_ms(900);
    harness.answers("100");
    for second in 1..10 {
        harness.at_ms(second * INTERVAL_MS);
        assert_eq!(harness.answers("100"), None);
    }
    harness.at_ms(HEARTBEAT_MS);
    assert_eq!(harness.answers("100").expect("a record").reported, Some(Reason::Heartbeat));
}

#[test]
fn a_report_by_deviation_begins_the_heartbeat_again() {
    let mut harness = Harness::reported(definition("a"));
    for second in 1..=14 {
        harness.at_ms(second * INTERVAL_MS);
        let reported = harness.answers("200").and_then(|record| record.reported);
        assert_eq!(
            reported,
            match second {
                1 => Some(Reason::Deviation),
                11 => Some(Reason::Heartbeat),
                _ => None,
            }
        );
    }
}

#[test]
fn a_disputed_or_failed_round_is_recorded_and_not_reported() {
    for verdict in [Ok(("500", Status::Disputed)), Err(Failure::NoWorkers), Err(Failure::DeadlineExceeded)] {
        let mut harness = Harness::new(definition("a"));
        let first = harness.ends(verdict).expect("a record");
        assert_eq!((first.round, first.reported, first.report()), (1, None, None));
        harness.at_ms(1_000);
        let second = harness.answers("100").expect("a record");
        assert_eq!((second.round, second.reported), (2, Some(Reason::First)));
        harness.at_ms(2_000);
        let third = harness.ends(verdict).expect("a record");
        assert_eq!((third.round, third.reported), (3, None));
        assert_eq!(third.last_report, second.report());
        assert_eq!(third.report(), second.report(), "the last report stands");
        harness.at_ms(3_000);
        assert_eq!(harness.answers("100"), None, "it is compared with the last report");
        harness.at_ms(4_000);
        let fourth = harness.answers("200").expect("a record");
        assert_eq!((fourth.round, fourth.last_report), (4, second.report()));
        assert_eq!(harness.counters().unreported, 2);
    }
}

#[test]
fn failed_rounds_do_not_delay_the_heartbeat() {
    let mut harness = Harness::reported(definition("a"));
    for second in 1..10 {
        harness.at_ms(second * INTERVAL_MS);
        assert_eq!(harness.ends(Err(Failure::NoWorkers)).expect("a record").reported, None);
    }
    harness.at_ms(HEARTBEAT_MS);
    let record = harness.answers("100").expect("a record");
    assert_eq!((record.round, record.reported), (11, Some(Reason::Heartbeat)));
}

#[test]
fn records_count_up_by_one_and_name_the_one_before() {
    let mut harness = Harness::reading(definition("a"));
    harness.finds(70, Some(head(70, 41, "100")));
    let mut before = head(70, 41, "100").link;
    for (second, value) in (1..=20).zip([1, 2].into_iter().cycle()) {
        harness.at_ms(second * INTERVAL_MS);
        harness.sequence = 70 + second;
        let record = harness.answers(&value.to_string()).expect("a record");
        assert_eq!((record.round, record.previous), (41 + second, Some(before)));
        before.sequence = harness.sequence;
        before.digest = [harness.sequence as u8; 32];
    }
}
