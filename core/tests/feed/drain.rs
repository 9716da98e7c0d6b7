//! The coordinator is about to stop.

use quorate_core::feed::{Holder, Input, Output};
use quorate_core::outcome::Status;

use crate::support::{Harness, definition, definitions, named, outcome};

fn released() -> Output {
    Output::Release { feed: named("a"), after: 1 }
}

#[test]
fn without_feeds_it_is_drained_at_once_and_says_so_once() {
    let mut harness = Harness::silent([]);
    harness.input(&Input::Drain);
    harness.input(&Input::Drain);
    assert_eq!(harness.outputs(), [Output::Drained]);
}

#[test]
fn an_idle_feed_releases_its_lease_and_asks_no_more() {
    let mut harness = Harness::reported(definition("a"));
    harness.input(&Input::Drain);
    assert_eq!(harness.outputs(), [released(), Output::Drained]);
    assert_eq!(harness.feeds.poll_timeout(), None);
    harness.at_ms(100_000);
    harness.input(&definitions([definition("a"), definition("b")]));
    harness.is_quiet();
}

#[test]
fn a_round_in_progress_is_recorded_first() {
    let mut harness = Harness::new(definition("a"));
    let round = harness.asked();
    harness.input(&Input::Drain);
    harness.at_ms(3_000);
    harness.is_quiet();
    harness.ended(round, Some(outcome(Ok(("1", Status::Complete)))));
    let record = harness.stores().expect("a record");
    harness.is_quiet();
    harness.stored(&record);
    assert_eq!(harness.outputs(), [released(), Output::Drained]);
}

#[test]
fn whatever_became_of_the_last_record_it_drains() {
    let endings: [fn(&mut Harness); 2] =
        [|harness| harness.finds(9, None), |harness| harness.input(&Input::Unclear(named("a")))];
    for ending in endings {
        let mut harness = Harness::new(definition("a"));
        let round = harness.asked();
        harness.ended(round, Some(outcome(Ok(("1", Status::Complete)))));
        harness.stores().expect("a record");
        harness.input(&Input::Drain);
        harness.is_quiet();
        ending(&mut harness);
        assert_eq!(harness.outputs(), [released(), Output::Drained]);
    }
}

#[test]
fn an_append_of_the_lease_ends_first() {
    let endings: [fn(&mut Harness); 3] = [
        Harness::leased,
        |harness| harness.lease_lost(4, Holder::Other),
        |harness| harness.input(&Input::LeaseUnclear(named("a"))),
    ];
    for ending in endings {
        let mut harness = Harness::silent([definition("a")]);
        harness.appends_lease_after(0);
        harness.input(&Input::Drain);
        harness.is_quiet();
        ending(&mut harness);
        let has_lease = harness.counters().leases_taken == 1;
        let expected = if has_lease { vec![released(), Output::Drained] } else { vec![Output::Drained] };
        assert_eq!(harness.outputs(), expected);
    }
}
