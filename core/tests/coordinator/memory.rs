//! Ended requests are remembered, bounded in count, bytes and time; so is what is in flight.

use std::time::Duration;

use quorate_core::aggregate::Strategy;
use quorate_core::coordinator::{Input, Refusal, Task, UndeliveredCause};
use quorate_core::outcome::Cause;
use quorate_core::policy::Overrides;

use crate::support::{Harness, missing, request, result};

fn answered(harness: &mut Harness, id: &str) -> Task {
    harness.submit(id, "BTC/USD");
    let task = harness.task();
    harness.says(&task, "a", "1");
    task
}

#[test]
fn an_outcome_is_forgotten_when_its_time_is_over() {
    let mut harness = Harness::with(|config| config.remember = Duration::from_mins(1));
    harness.live(&["a"]);
    let task = answered(&mut harness, "r1");
    harness.at_ms(59_999);
    assert_eq!(harness.coordinator.remembered(), 1);
    harness.says(&task, "a", "1");
    assert_eq!((harness.counters().results_late, harness.counters().results_unknown), (1, 0));
    harness.at_ms(60_000);
    assert_eq!(harness.coordinator.remembered(), 0);
    harness.says(&task, "a", "1");
    assert_eq!((harness.counters().results_late, harness.counters().results_unknown), (1, 1));
    let again = harness.submit("r1", "ETH/USD");
    assert!(harness.waits(again), "a forgotten id stands for no query");
}

#[test]
fn the_oldest_is_forgotten_first_when_there_are_too_many() {
    let mut harness = Harness::with(|config| config.max_remembered = 3);
    harness.live(&["a"]);
    for id in ["r1", "r2", "r3", "r4", "r5"] {
        answered(&mut harness, id);
        assert!(harness.coordinator.remembered() <= 3);
    }
    for (id, replayed) in [("r3", true), ("r4", true), ("r5", true), ("r1", false), ("r2", false)] {
        let ticket = harness.submit(id, "BTC/USD");
        assert_eq!(!harness.waits(ticket), replayed, "{id}");
    }
}

#[test]
fn nothing_is_remembered_if_the_limit_is_zero() {
    for (count, time) in [(0, Duration::from_mins(1)), (10, Duration::ZERO)] {
        let mut harness = Harness::with(|config| (config.max_remembered, config.remember) = (count, time));
        harness.live(&["a"]);
        answered(&mut harness, "r1");
        assert_eq!(harness.coordinator.remembered(), 0);
        let again = harness.submit("r1", "BTC/USD");
        assert!(harness.waits(again));
    }
}

#[test]
fn a_retry_after_a_failure_of_the_bus_or_without_workers_is_dispatched_again() {
    for cause in [UndeliveredCause::NoResponders, UndeliveredCause::Disconnected, UndeliveredCause::QueueFull] {
        let mut harness = Harness::new();
        let first = harness.submit("r1", "BTC/USD");
        let task = harness.task();
        harness.undelivered(&task, cause);
        assert!(harness.outcome(first).verdict.as_ref().is_err_and(|failure| failure.is_retryable()));
        let retry = harness.submit("r1", "BTC/USD");
        let task = harness.task();
        harness.says(&task, "a", "1");
        harness.at_ms(300);
        assert_eq!(harness.value(retry), "1");
    }
}

#[test]
fn forgetting_an_earlier_request_does_not_forget_a_later_one_of_the_same_id() {
    let mut harness = Harness::with(|config| config.remember = Duration::from_mins(1));
    harness.live(&["a"]);
    let cancelled = harness.submit("r1", "BTC/USD");
    harness.task();
    harness.input(&Input::Cancel(cancelled));
    harness.at_ms(59_500);
    harness.live(&["a"]);
    let second = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.at_ms(60_400);
    let join = harness.submit("r1", "BTC/USD");
    harness.says(&task, "a", "2");
    assert_eq!((harness.value(second), harness.value(join)), ("2".to_owned(), "2".to_owned()));
    harness.at_ms(120_399);
    let replay = harness.submit("r1", "BTC/USD");
    assert_eq!(harness.value(replay), "2");
    harness.at_ms(120_400);
    assert_eq!(harness.coordinator.remembered(), 0);
}

#[test]
fn results_cannot_make_the_machine_remember_anything() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    let mut unknown = result(&task, "a", Ok("1"));
    for index in 0..1000 {
        unknown.request = request(&format!("never-asked-{index}"));
        harness.input(&Input::Result(unknown.clone()));
    }
    assert_eq!(harness.counters().results_unknown, 1000);
    assert_eq!((harness.coordinator.remembered(), harness.coordinator.in_flight()), (0, 1));
}

fn long() -> String {
    "x".repeat(4096)
}

#[test]
fn what_is_remembered_is_bounded_by_what_it_weighs() {
    let mut harness = Harness::with(|config| config.max_remembered_bytes = 100_000);
    let names: Vec<String> = (0..10).map(|index| format!("w{index}")).collect();
    harness.live(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let majority = Overrides { strategy: Some(Strategy::Majority), ..Overrides::default() };
    for number in 0..10 {
        let ticket = harness.submit_with(Some(&format!("r{number}")), "q", majority);
        let task = harness.task();
        for name in &names {
            harness.says(&task, name, &long());
        }
        // 640 bytes, 3 for the id and the query, and for each worker 192 and its text.
        assert_eq!(harness.outcome(ticket).bytes(), 640 + 3 + 10 * (192 + 4096));
    }
    assert_eq!((harness.coordinator.remembered(), harness.counters().forgotten_for_bytes), (2, 8));
    let again = harness.submit_with(Some("r9"), "q", majority);
    assert!(!harness.waits(again), "the newest are remembered");
    let forgotten = harness.submit_with(Some("r7"), "q", majority);
    assert!(harness.waits(forgotten), "it is asked again");
}

#[test]
fn what_is_in_flight_is_bounded_by_what_it_weighs() {
    // Room for two requests with two workers each, and for one text.
    let mut harness = Harness::with(|config| config.max_in_flight_bytes = 2 * (640 + 3 + 2 * 192) + 4096);
    harness.live(&["a", "b"]);
    let majority = Overrides { strategy: Some(Strategy::Majority), ..Overrides::default() };
    let ticket = harness.submit_with(Some("r1"), "q", majority);
    let task = harness.task();
    harness.submit_with(Some("r2"), "q", majority);
    harness.task();
    harness.says(&task, "a", &long());
    let refused = harness.submit_with(Some("r3"), "q", majority);
    assert_eq!(harness.refusal(refused), Refusal::Overloaded);
    harness.says(&task, "b", "x");
    let outcome = harness.outcome(ticket);
    assert_eq!((missing(&outcome).as_str(), outcome.cause), ("b", Cause::AllAnswered), "its answer is not kept");
    assert_eq!((harness.counters().results_no_room, harness.worker("b").reliability.timeouts), (1, 0));
    let taken = harness.submit_with(Some("r3"), "q", majority);
    assert!(harness.waits(taken), "there is room again");
}
