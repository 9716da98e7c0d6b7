//! A caller goes away.

use quorate_core::coordinator::Input;
use quorate_core::id::Ticket;

use crate::support::Harness;

#[test]
fn a_cancelled_ticket_is_never_answered() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.input(&Input::Cancel(ticket));
    assert_eq!(harness.coordinator.in_flight(), 0);
    assert_eq!(harness.counters().cancelled, 1);
    harness.says(&task, "a", "1");
    harness.at_ms(100_000);
    assert!(harness.waits(ticket));
    assert_eq!(harness.counters().results_late, 1, "a result for a cancelled request is late, not unknown");
    assert_eq!(harness.worker("a").reliability.timeouts, 0, "nobody is blamed for a caller that left");
}

#[test]
fn a_request_goes_on_while_anybody_waits_for_it() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    let second = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.input(&Input::Cancel(first));
    assert_eq!(harness.counters().cancelled, 0);
    harness.says(&task, "a", "1");
    assert!(harness.waits(first));
    assert_eq!(harness.value(second), "1");
}

#[test]
fn a_cancelled_id_is_dispatched_again_for_the_same_query() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    let old = harness.task();
    harness.input(&Input::Cancel(first));
    let second = harness.submit("r1", "BTC/USD");
    let new = harness.task();
    assert_ne!(old.id, new.id);
    harness.says(&old, "a", "1");
    assert_eq!(harness.counters().results_misdirected, 1, "the result came on the reply subject of another task");
    harness.says(&new, "a", "2");
    assert_eq!(harness.value(second), "2");
}

#[test]
fn cancelling_what_does_not_wait_does_nothing() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.input(&Input::Cancel(Ticket(999)));
    let (answered, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.input(&Input::Cancel(answered));
    let (cancelled, _) = harness.ask();
    harness.input(&Input::Cancel(cancelled));
    harness.input(&Input::Cancel(cancelled));
    assert_eq!(harness.counters().cancelled, 1);
    assert_eq!(harness.coordinator.in_flight(), 0);
}

#[test]
fn a_cancelled_request_waits_for_nothing() {
    let mut harness = Harness::with(|config| config.remember = std::time::Duration::ZERO);
    let (ticket, _) = harness.ask();
    assert!(harness.coordinator.poll_timeout().is_some());
    harness.input(&Input::Cancel(ticket));
    assert_eq!(harness.coordinator.poll_timeout(), None);
}
