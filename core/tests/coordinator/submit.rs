//! A caller asks: admitted, joined, replayed or refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::aggregate::Strategy;
use quorate_core::coordinator::{Config, Input, PresenceState, Refusal, Task};
use quorate_core::id::Ticket;
use quorate_core::policy::{Overrides, PolicyError};
use quorate_core::trace::Trace;

use crate::support::{Harness, TIMEOUT_MS, missing, observers};

#[test]
fn a_request_is_published_once_with_all_its_time() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.submit("r1", "BTC/USD");
    let task = harness.task();
    assert_eq!(task.request.as_str(), "r1");
    assert_eq!(task.query.as_str(), "BTC/USD");
    assert_eq!(task.ttl, Duration::from_millis(TIMEOUT_MS));
    assert_eq!(task.attempt, 1);
    assert_eq!(harness.counters().requests_accepted, 1);
    assert_eq!(harness.coordinator.in_flight(), 1);
}

#[test]
fn the_workers_that_are_live_at_the_submission_are_expected() {
    let mut harness = Harness::new();
    harness.live(&["b", "a", "d"]);
    harness.presence("d", PresenceState::Draining);
    let (ticket, task) = harness.ask();
    harness.live(&["c"]);
    harness.says(&task, "a", "1");
    assert!(harness.waits(ticket));
    harness.says(&task, "b", "1");
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("a b", ""));
}

#[test]
fn a_request_may_override_the_policy_within_the_limits() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask_with(Overrides {
        strategy: Some(Strategy::Median),
        timeout: Some(Duration::from_millis(20)),
        ..Overrides::default()
    });
    assert_eq!(task.ttl, Duration::from_millis(20));
    for (worker, value) in [("a", "1"), ("b", "9"), ("c", "2")] {
        harness.says(&task, worker, value);
    }
    assert_eq!(harness.value(ticket), "2");
    assert_eq!(harness.outcome(ticket).strategy, Strategy::Median);
}

#[test]
fn every_refusal_names_its_reason_and_is_counted() {
    let bad = Overrides { min_responses: Some(0), ..Overrides::default() };
    let fine = Overrides::default();
    let up: fn(&mut Harness) = |_| {};
    let busy: fn(&mut Harness) = |harness| assert!(harness.submit("other", "ETH/USD") == Ticket(0));
    let draining: fn(&mut Harness) = |harness| harness.input(&Input::Drain);
    let down: fn(&mut Harness) = |harness| harness.input(&Input::BusDown);
    let taken: fn(&mut Harness) = |harness| assert!(harness.submit("r1", "ETH/USD") == Ticket(0));
    let cases = [
        (up, bad, Refusal::Policy(PolicyError::MinResponses { max: 1000 }), "refused_policy"),
        (busy, fine, Refusal::Overloaded, "refused_overloaded"),
        (draining, fine, Refusal::Draining, "refused_draining"),
        (down, fine, Refusal::BusDown, "refused_bus_down"),
        (taken, fine, Refusal::Conflict, "refused_conflict"),
    ];
    for (prepare, overrides, refusal, counter) in cases {
        let mut harness = Harness::with(|config| config.max_in_flight = 1);
        prepare(&mut harness);
        let in_flight = harness.coordinator.in_flight();
        let ticket = harness.submit_with(Some("r1"), "BTC/USD", overrides);
        assert_eq!(harness.refusal(ticket), refusal);
        assert_eq!(harness.coordinator.in_flight(), in_flight, "{refusal}");
        let refused: Vec<_> = harness.counters().iter().filter(|(name, _)| name.starts_with("refused_")).collect();
        for (name, count) in refused {
            assert_eq!(count, u64::from(name == counter), "{name} after: {refusal}");
        }
    }
}

#[test]
fn a_coordinator_that_has_not_seen_its_bus_refuses() {
    let mut harness = Harness::disconnected(|_| {});
    let ticket = harness.submit("r1", "BTC/USD");
    assert_eq!(harness.refusal(ticket), Refusal::BusDown);
    harness.input(&Input::BusUp);
    let ticket = harness.submit("r1", "BTC/USD");
    assert!(harness.waits(ticket), "a refusal is not remembered");
}

#[test]
fn a_request_that_ends_makes_room_for_another() {
    let mut harness = Harness::with(|config| config.max_in_flight = 2);
    harness.live(&["a"]);
    let (_, first) = harness.ask();
    let (second, _) = harness.ask();
    let refused = harness.submit("r3", "BTC/USD");
    assert_eq!(harness.refusal(refused), Refusal::Overloaded);
    harness.says(&first, "a", "1");
    let (third, _) = harness.ask();
    harness.input(&Input::Cancel(second));
    let (fourth, _) = harness.ask();
    assert!(harness.waits(third) && harness.waits(fourth));
}

#[test]
fn a_retry_joins_the_request_in_flight_and_gets_the_same_outcome() {
    let mut harness = Harness::with(|config| config.max_in_flight = 1);
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.at_ms(10);
    let second = harness.submit("r1", "BTC/USD");
    harness.no_task();
    harness.says(&task, "a", "42");
    assert!(Arc::ptr_eq(&harness.outcome(first), &harness.outcome(second)));
    assert_eq!(harness.counters().requests_joined, 1);
    assert_eq!(harness.counters().answered_complete, 1, "one request, however many callers wait for it");
}

#[test]
fn the_callers_that_wait_for_one_request_are_bounded() {
    let mut harness = Harness::with(|config| config.max_waiting = 2);
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    harness.submit("r1", "BTC/USD");
    let third = harness.submit("r1", "BTC/USD");
    assert_eq!(harness.refusal(third), Refusal::Overloaded);
    harness.input(&Input::Cancel(first));
    let fourth = harness.submit("r1", "BTC/USD");
    assert!(harness.waits(fourth), "one caller left and one joined");
}

#[test]
fn a_retry_after_the_end_gets_the_same_outcome_even_when_nothing_else_is_admitted() {
    let states: [fn(&mut Harness); 4] = [
        |_| {},
        |harness| harness.input(&Input::Drain),
        |harness| harness.input(&Input::BusDown),
        |harness| assert!(harness.submit("other", "BTC/USD") == Ticket(1)),
    ];
    for state in states {
        let mut harness = Harness::with(|config| config.max_in_flight = 1);
        harness.live(&["a"]);
        let first = harness.submit("r1", "BTC/USD");
        let task = harness.task();
        harness.says(&task, "a", "42");
        state(&mut harness);
        let published = harness.counters().requests_accepted;
        let retry = harness.submit("r1", "BTC/USD");
        assert!(Arc::ptr_eq(&harness.outcome(first), &harness.outcome(retry)));
        assert_eq!(harness.counters().requests_replayed, 1);
        assert_eq!(harness.counters().requests_accepted, published);
    }
}

#[test]
fn a_retry_receives_a_failure_that_the_workers_caused() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    harness.fails(&task, "a");
    let retry = harness.submit("r1", "BTC/USD");
    assert!(harness.outcome(first).verdict.is_err());
    assert!(Arc::ptr_eq(&harness.outcome(first), &harness.outcome(retry)));
}

#[test]
fn an_id_stands_for_one_query_in_flight_finished_and_cancelled() {
    let states: [fn(&mut Harness, &Task, Ticket); 3] = [
        |_, _, _| {},
        |harness, task, _| harness.says(task, "a", "1"),
        |harness, _, ticket| harness.input(&Input::Cancel(ticket)),
    ];
    for state in states {
        let mut harness = Harness::new();
        harness.live(&["a"]);
        let ticket = harness.submit("r1", "BTC/USD");
        let task = harness.task();
        state(&mut harness, &task, ticket);
        let other = harness.submit("r1", "ETH/USD");
        assert_eq!(harness.refusal(other), Refusal::Conflict);
        harness.no_task();
    }
}

#[test]
fn drawn_ids_are_unique_and_follow_from_the_seed() {
    let draw = |seed| {
        let mut harness = Harness::disconnected(|_| {});
        harness.coordinator = Coordinator::new(Config::default(), seed);
        harness.input(&Input::BusUp);
        (0..1000).map(|_| harness.ask().1.request.as_str().to_owned()).collect::<Vec<_>>()
    };
    let ids = draw(1);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert_eq!(ids, draw(1));
    let others = draw(2);
    assert!(ids.iter().all(|id| !others.contains(id)));
}

#[test]
fn task_ids_are_never_reused_though_slots_are() {
    let mut harness = Harness::with(|config| config.max_in_flight = 1);
    harness.live(&["a"]);
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let (_, task) = harness.ask();
        harness.says(&task, "a", "1");
        assert!(seen.insert(task.id));
    }
}

#[test]
fn followers_are_told_once_of_each_request_that_ends() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let first = harness.submit("r1", "BTC/USD");
    let joined = harness.submit("r1", "BTC/USD");
    let task = harness.task();
    assert!(harness.ended().is_empty());
    harness.says(&task, "a", "1");
    let replayed = harness.submit("r1", "BTC/USD");
    let [told] = harness.ended() else { panic!("expected one outcome, not {:?}", harness.ended()) };
    for ticket in [first, joined, replayed] {
        assert!(Arc::ptr_eq(told, &harness.outcome(ticket)), "{ticket:?}");
    }

    let given_up = harness.submit("r2", "BTC/USD");
    harness.input(&Input::Cancel(given_up));
    assert_eq!(harness.ended().len(), 1, "a request that was given up has no outcome");

    harness.submit("r3", "BTC/USD");
    harness.at_ms(2 * TIMEOUT_MS);
    assert!(harness.ended()[1].verdict.is_err(), "a failure is an outcome");
}

#[test]
fn both_attempts_carry_the_mark_of_the_caller_who_came_first() {
    let mark = |byte| Some(Trace([byte; 25]));
    for (first, second) in [(mark(1), mark(2)), (None, mark(2)), (mark(1), None)] {
        let mut harness = Harness::new();
        harness.live(&["a"]);
        harness.submit_marked(Some("r1"), "BTC/USD", Overrides::default(), first);
        assert_eq!(harness.task().trace, first);
        harness.submit_marked(Some("r1"), "BTC/USD", Overrides::default(), second);
        harness.at_ms(TIMEOUT_MS / 2);
        let again = harness.task();
        assert_eq!((again.attempt, again.trace), (2, first));
    }
}
