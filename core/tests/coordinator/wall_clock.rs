//! When an answer was given, and when the values that it rests on were observed.

use std::time::Duration;

use quorate_core::coordinator::{Input, WorkerResult};
use quorate_core::outcome::Observed;
use quorate_core::policy::Overrides;
use quorate_core::time::UnixTime;

use crate::support::{Harness, result};

/// The time of day, `millis` milliseconds after some moment of our days.
fn day(millis: i64) -> UnixTime {
    let nanos = 1_790_000_000_000_000_000 + millis * 1_000_000;
    UnixTime::from_nanos(u64::try_from(nanos).expect("after 1970"))
}

/// The workers `a`, `b` and `c` are live, and it is `day(0)`.
fn harness() -> Harness {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    harness.input(&Input::WallClock(day(0)));
    harness
}

#[test]
fn an_answer_says_when_it_was_given_and_when_its_values_were_observed() {
    let mut harness = harness();
    let (ticket, task) = harness.ask();
    harness.at_ms(100);
    harness.says(&task, "a", "1");
    harness.at_ms(150);
    let aged = |name, age| WorkerResult { age: Some(Duration::from_millis(age)), ..result(&task, name, Ok("1")) };
    harness.input(&Input::Result(aged("b", 700)));
    harness.at_ms(200);
    harness.input(&Input::Result(aged("c", 20)));
    let outcome = harness.outcome(ticket);
    assert_eq!(outcome.answered_at, day(200));
    assert_eq!(outcome.observed, Some(Observed { oldest: day(150 - 700), newest: day(180) }));
}

#[test]
fn only_used_values_count() {
    let mut harness = harness();
    let overrides = Overrides { max_age: Some(Duration::from_secs(1)), ..Overrides::default() };
    let (ticket, task) = harness.ask_with(overrides);
    harness.at_ms(40);
    harness.says(&task, "a", "1");
    harness.at_ms(50);
    let stale = WorkerResult { age: Some(Duration::from_secs(2)), ..result(&task, "b", Ok("1")) };
    harness.input(&Input::Result(stale));
    harness.fails(&task, "c");
    let outcome = harness.outcome(ticket);
    assert_eq!((outcome.answered_at, outcome.observed), (day(50), Some(Observed { oldest: day(40), newest: day(40) })));

    let (ticket, task) = harness.ask();
    for name in ["a", "b", "c"] {
        harness.fails(&task, name);
    }
    assert_eq!(harness.outcome(ticket).observed, None);
}

#[test]
fn a_clock_that_is_set_counts_from_then_on_and_a_retry_receives_what_was_said() {
    let mut harness = harness();
    let first = harness.submit("r", "BTC/USD");
    let task = harness.task();
    harness.at_ms(100);
    for name in ["a", "b", "c"] {
        harness.says(&task, name, "1");
    }
    harness.input(&Input::WallClock(day(-5_000)));
    harness.at_ms(300);
    let retry = harness.submit("r", "BTC/USD");
    assert_eq!(harness.outcome(first).answered_at, day(100));
    assert_eq!(harness.outcome(retry), harness.outcome(first));

    let (ticket, task) = harness.ask();
    for name in ["a", "b", "c"] {
        harness.says(&task, name, "1");
    }
    assert_eq!(harness.outcome(ticket).answered_at, day(-5_000 + 200));
}
