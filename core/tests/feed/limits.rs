//! Limits, and what many feeds cost.

use quorate_core::feed::{Definition, Input, MAX_FEEDS, MAX_ROUND, Output};
use quorate_core::outcome::Status;

use crate::support::{Harness, at_ms, definition, definitions, head, ms, outcome};

#[test]
fn the_last_number_is_used_and_none_after_it() {
    let mut harness = Harness::reading(definition("a"));
    harness.finds(5, Some(head(5, MAX_ROUND - 1, "100")));
    harness.at_ms(1_000);
    assert_eq!(harness.answers("200").expect("a record").round, MAX_ROUND);
    harness.at_ms(100_000);
    harness.is_quiet();
    assert!(harness.drives(), "nobody else needs to try");
}

#[test]
fn a_number_that_no_round_can_have_ends_nothing_badly() {
    for number in [MAX_ROUND, MAX_ROUND + 1, u64::MAX] {
        let mut harness = Harness::reported(definition("a"));
        harness.at_ms(1_000);
        let round = harness.asked();
        harness.sees(head(50, number, "1"));
        harness.ended(round, Some(outcome(Ok(("200", Status::Complete)))));
        harness.at_ms(100_000);
        harness.is_quiet();
    }
}

#[test]
fn the_first_feeds_count_if_there_are_too_many() {
    let named = |number: usize| definition(&format!("f{number}"));
    // A name that comes twice takes one place.
    let all = std::iter::once(named(0)).chain((0..MAX_FEEDS + 3).map(named));
    let mut harness = Harness::silent(all);
    assert_eq!(harness.feeds.driven(), (MAX_FEEDS, 0));
    let outputs = harness.outputs();
    assert_eq!(outputs.len(), MAX_FEEDS);
    let last = format!("f{}", MAX_FEEDS - 1);
    let leased = |output: &Output| matches!(output, Output::Lease { feed, .. } if feed.as_str() == last);
    assert!(outputs.iter().any(leased));
    harness.input(&definitions([]));
    assert_eq!(harness.feeds.driven(), (0, 0));
}

#[test]
fn a_thousand_feeds_take_a_few_steps_a_round_and_nothing_wakes_in_vain() {
    const FEEDS: u64 = 1_000;
    const SECONDS: u64 = 60;
    let feeds = (0..FEEDS).map(|number| Definition {
        heartbeat: ms(1_000),
        deviation: None,
        ..definition(&format!("f{number}"))
    });
    let mut harness = Harness::silent([]);
    harness.leases = true;
    harness.input(&definitions(feeds));
    let (before, mut wakes) = (harness.steps, 0);
    loop {
        let outputs = harness.outputs();
        if outputs.is_empty() {
            let wake = harness.feeds.poll_timeout().expect("rounds go on");
            if wake >= at_ms(SECONDS * 1_000) {
                break;
            }
            wakes += 1;
            harness.wakes_late(wake);
        }
        for output in outputs {
            match output {
                Output::Read(feed) => harness.input(&Input::Newest { feed, sequence: 0, record: None }),
                Output::Ask { feed, round, .. } => {
                    let outcome = Some(outcome(Ok(("1", Status::Complete))));
                    harness.input(&Input::Ended { feed, round, outcome });
                }
                Output::Store { record, .. } => harness.stored(&record),
                output => panic!("{output:?}"),
            }
        }
    }
    let counters = harness.counters();
    assert_eq!((counters.rounds, counters.reported), (FEEDS * SECONDS, FEEDS * SECONDS));
    // One wake-up for all rounds of a second, in which every fifth also renews all leases.
    assert_eq!(wakes, SECONDS - 1);
    // The end of each round, its record, and the first reading.
    assert_eq!(harness.steps - before, FEEDS * SECONDS * 2 + FEEDS + wakes);
}
