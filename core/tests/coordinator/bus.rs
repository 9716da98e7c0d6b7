//! The bus is lost and returns, and tasks reach nobody.

use std::time::Duration;

use quorate_core::coordinator::{Input, Task, UndeliveredCause};
use quorate_core::id::Ticket;
use quorate_core::outcome::{Cause, Failure};
use quorate_core::policy::Overrides;
use quorate_core::time::Timestamp;

use crate::support::{Harness, observers};

#[test]
fn a_task_that_reaches_nobody_fails_at_once() {
    let cases = [
        (UndeliveredCause::NoResponders, Failure::NoWorkers, "failed_no_workers"),
        (UndeliveredCause::Disconnected, Failure::BusDown, "failed_bus_down"),
        (UndeliveredCause::QueueFull, Failure::Overloaded, "failed_overloaded"),
    ];
    for (cause, failure, counter) in cases {
        let mut harness = Harness::new();
        let knows_nobody = cause == UndeliveredCause::NoResponders;
        harness.live(if knows_nobody { &[] } else { &["a"] });
        let (ticket, task) = harness.ask();
        harness.at_ms(3);
        harness.undelivered(&task, cause);
        let outcome = harness.outcome(ticket);
        assert_eq!((&outcome.verdict, outcome.cause), (&Err(failure), Cause::Undelivered));
        assert_eq!(outcome.elapsed, Duration::from_millis(3));
        assert!(failure.is_retryable());
        let failed: Vec<_> = harness.counters().iter().filter(|(name, _)| name.starts_with("failed_")).collect();
        for (name, count) in failed {
            assert_eq!(count, u64::from(name == counter), "{name}");
        }
        assert_eq!(harness.counters().tasks_undelivered, 1);
        assert!(knows_nobody || harness.worker("a").reliability.timeouts == 0);
    }
}

/// A request that expects `expected`, and a notice at 3 ms that its task reached nobody.
fn doubted(expected: &[&str]) -> (Harness, Ticket, Task) {
    let mut harness = Harness::new();
    harness.live(expected);
    let (ticket, task) = harness.ask_with(Overrides { timeout: Some(Duration::from_secs(9)), ..Overrides::default() });
    harness.at_ms(3);
    harness.undelivered(&task, UndeliveredCause::NoResponders);
    assert!(harness.waits(ticket), "anybody can forge this notice");
    (harness, ticket, task)
}

#[test]
fn a_notice_that_nobody_listens_is_doubted_where_workers_are_expected() {
    type Feed = fn(&mut Harness, &Task);
    let cases: [(&str, Option<u64>, Feed); 6] = [
        ("nothing", Some(503), |_, _| {}),
        ("an announcement of a worker that is not expected", Some(503), |harness, _| harness.live(&["stranger"])),
        ("another notice that nobody listens", Some(503), |harness, task| {
            harness.undelivered(task, UndeliveredCause::NoResponders);
        }),
        ("an announcement of an expected worker", None, |harness, _| harness.live(&["b"])),
        ("an answer", None, |harness, task| harness.fails(task, "a")),
        ("an outage", None, |harness, _| {
            harness.input(&Input::BusDown);
            harness.input(&Input::BusUp);
        }),
    ];
    for (what, ends, feed) in cases {
        let (mut harness, ticket, task) = doubted(&["a", "b"]);
        harness.at_ms(400);
        feed(&mut harness, &task);
        harness.at_ms(502);
        assert!(harness.waits(ticket), "{what}");
        harness.at_ms(2000);
        let counters = harness.counters();
        let counted =
            (counters.no_responders_doubted, counters.no_responders_refuted, counters.no_responders_confirmed);
        if let Some(millis) = ends {
            let outcome = harness.outcome(ticket);
            assert_eq!((&outcome.verdict, outcome.cause), (&Err(Failure::NoWorkers), Cause::Undelivered), "{what}");
            assert_eq!((harness.answered_at(ticket), counted), (Timestamp::from_millis(millis), (1, 0, 1)), "{what}");
            assert_eq!(harness.worker("a").reliability.timeouts, 0, "{what}");
        } else {
            assert!(harness.waits(ticket), "{what}");
            assert_eq!(counted, (1, 1, 0), "{what}");
            harness.undelivered(&task, UndeliveredCause::NoResponders);
            harness.at_ms(4000);
            assert!(harness.waits(ticket), "one grace for each request: {what}");
        }
    }
}

#[test]
fn a_doubted_notice_is_decided_by_the_deadline() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) =
        harness.ask_with(Overrides { timeout: Some(Duration::from_millis(100)), ..Overrides::default() });
    harness.at_ms(3);
    harness.undelivered(&task, UndeliveredCause::NoResponders);
    harness.at_ms(100);
    assert_eq!(harness.outcome(ticket).verdict, Err(Failure::NoWorkers));
}

#[test]
fn workers_are_called_when_the_bus_connects_and_for_doubted_notices_but_not_often() {
    let (mut harness, ..) = doubted(&["a"]);
    assert_eq!(harness.calls(), 1, "the bus came at 0 ms");
    for millis in 4..250 {
        harness.at_ms(millis);
        let (_, task) = harness.ask_with(Overrides { timeout: Some(Duration::from_secs(9)), ..Overrides::default() });
        harness.undelivered(&task, UndeliveredCause::NoResponders);
    }
    assert_eq!(harness.calls(), 1);
    harness.at_ms(250);
    assert_eq!(harness.calls(), 2, "half of a grace later");
    harness.at_ms(2000);
    assert_eq!(harness.calls(), 2);
    harness.input(&Input::BusDown);
    harness.input(&Input::BusUp);
    assert_eq!(harness.calls(), 3);
}

#[test]
fn an_undelivered_redispatch_does_not_end_the_request() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, _) = harness.ask();
    harness.at_ms(500);
    let second = harness.task();
    harness.undelivered(&second, UndeliveredCause::NoResponders);
    assert!(harness.waits(ticket));
    harness.says(&second, "a", "1");
    assert_eq!(harness.value(ticket), "1");
}

#[test]
fn an_undelivered_task_that_somebody_has_answered_was_delivered() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.fails(&task, "a");
    harness.undelivered(&task, UndeliveredCause::NoResponders);
    assert!(harness.waits(ticket));
    harness.says(&task, "b", "1");
    assert_eq!(harness.value(ticket), "1");
}

#[test]
fn an_undelivered_task_of_an_ended_request_touches_no_other() {
    let mut harness = Harness::with(|config| config.max_in_flight = 1);
    harness.live(&["a"]);
    let (_, ended) = harness.ask();
    harness.says(&ended, "a", "1");
    let (ticket, _) = harness.ask();
    harness.undelivered(&ended, UndeliveredCause::NoResponders);
    assert!(harness.waits(ticket), "the same slot, another task");
    assert_eq!(harness.counters().tasks_undelivered, 0);
}

#[test]
fn too_few_answers_during_an_outage_fail_because_of_the_bus() {
    // When the bus is lost and when it returns, in milliseconds, and whether the only answer came before.
    let cases = [
        (Some(100), None, false, Err(Failure::BusDown)),
        (Some(100), Some(200), false, Err(Failure::BusDown)),
        (Some(100), None, true, Ok(())),
        (None, None, false, Err(Failure::DeadlineExceeded)),
    ];
    for (down, up, answered, verdict) in cases {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let (ticket, task) = harness.ask();
        if answered {
            harness.says(&task, "a", "1");
        }
        for (at, input) in [(down, Input::BusDown), (up, Input::BusUp)] {
            if let Some(at) = at {
                harness.at_ms(at);
                harness.input(&input);
            }
        }
        harness.at_ms(999);
        assert!(harness.waits(ticket));
        harness.at_ms(1000);
        let outcome = harness.outcome(ticket);
        assert_eq!(outcome.verdict.as_ref().map(|_| ()).map_err(|failure| *failure), verdict);
        assert_eq!(outcome.cause, Cause::DeadlinePassed);
        let charged = harness.worker("b").reliability.timeouts;
        assert_eq!(charged, u64::from(down.is_none()), "nobody is blamed for an outage");
    }
}

#[test]
fn an_outage_before_the_request_excuses_nobody() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.input(&Input::BusDown);
    harness.at_ms(5);
    harness.input(&Input::BusUp);
    harness.at_ms(6);
    let (ticket, _) = harness.ask();
    harness.at_ms(2000);
    assert_eq!(harness.outcome(ticket).verdict, Err(Failure::DeadlineExceeded));
    assert_eq!(harness.worker("a").reliability.timeouts, 1);
}

#[test]
fn a_failure_of_the_bus_is_not_remembered() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    harness.task();
    harness.input(&Input::BusDown);
    harness.at_ms(1000);
    assert_eq!(harness.outcome(first).verdict, Err(Failure::BusDown));
    harness.input(&Input::BusUp);
    let retry = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.says(&task, "a", "1");
    assert_eq!(harness.value(retry), "1");
}

#[test]
fn a_reconnect_brings_the_redispatch_forward_because_the_task_may_be_lost() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.at_ms(50);
    harness.input(&Input::BusDown);
    harness.at_ms(100);
    harness.input(&Input::BusUp);
    harness.at_ms(349);
    harness.no_task();
    harness.at_ms(350);
    let again = harness.task();
    assert_eq!((again.id, again.attempt, again.ttl), (task.id, 2, Duration::from_millis(650)));
    harness.at_ms(999);
    harness.no_task();
    assert_eq!((harness.counters().results_accepted, harness.counters().redispatch_rescued), (1, 0));
    harness.says(&again, "b", "3");
    assert_eq!(observers(&harness.outcome(ticket)), "a b");
    assert_eq!((harness.counters().results_accepted, harness.counters().redispatch_rescued), (2, 1));
}

#[test]
fn a_redispatch_that_falls_into_an_outage_waits_for_the_bus() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.ask();
    harness.at_ms(400);
    harness.input(&Input::BusDown);
    harness.at_ms(720);
    harness.no_task();
    assert_eq!(harness.counters().redispatched, 0);
    harness.input(&Input::BusUp);
    // Half of the remaining time, because that is less than the reconnect grace.
    harness.at_ms(859);
    harness.no_task();
    harness.at_ms(860);
    assert_eq!(harness.task().attempt, 2);
    assert_eq!(harness.counters().redispatched, 1);
}

#[test]
fn the_first_connection_is_no_reconnect() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.ask();
    harness.input(&Input::BusUp);
    harness.at_ms(499);
    harness.no_task();
}

#[test]
fn a_repeated_bus_up_is_no_reconnect_even_after_an_outage() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.input(&Input::BusDown);
    harness.input(&Input::BusUp);
    harness.ask();
    harness.input(&Input::BusUp);
    harness.at_ms(499);
    harness.no_task();
}

#[test]
fn answers_that_came_before_an_outage_are_used_when_the_rest_comes_after() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.input(&Input::BusDown);
    harness.at_ms(10);
    harness.input(&Input::BusUp);
    harness.says(&task, "b", "3");
    assert_eq!((harness.value(ticket).as_str(), harness.outcome(ticket).cause), ("2", Cause::AllAnswered));
}
