//! The coordinator is about to stop.

use quorate_core::coordinator::{Input, Refusal, Task};
use quorate_core::id::Ticket;

use crate::support::Harness;

#[test]
fn an_idle_coordinator_is_drained_at_once() {
    let mut harness = Harness::new();
    assert!(!harness.coordinator.is_draining());
    harness.input(&Input::Drain);
    assert!(harness.coordinator.is_draining());
    assert_eq!(harness.drained(), 1);
}

#[test]
fn requests_in_flight_finish_first_and_drained_is_reported_once() {
    let endings: [fn(&mut Harness, &Task, Ticket); 3] = [
        |harness, task, _| harness.says(task, "a", "1"),
        |harness, _, ticket| harness.input(&Input::Cancel(ticket)),
        |harness, _, _| harness.at_ms(1000),
    ];
    for ending in endings {
        let mut harness = Harness::new();
        harness.live(&["a"]);
        let (first, first_task) = harness.ask();
        let (second, second_task) = harness.ask();
        harness.input(&Input::Drain);
        harness.input(&Input::Drain);
        let refused = harness.submit("r3", "BTC/USD");
        assert_eq!(harness.refusal(refused), Refusal::Draining);
        harness.says(&first_task, "a", "1");
        assert_eq!((harness.value(first).as_str(), harness.drained()), ("1", 0));
        ending(&mut harness, &second_task, second);
        assert_eq!(harness.drained(), 1);
        harness.at_ms(100_000);
        harness.input(&Input::Drain);
        assert_eq!(harness.drained(), 1);
    }
}

#[test]
fn a_retry_still_joins_while_draining() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.input(&Input::Drain);
    let retry = harness.submit("r1", "BTC/USD");
    harness.says(&task, "a", "1");
    assert_eq!(harness.value(retry), "1");
}
