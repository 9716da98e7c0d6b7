//! The events of a coordinator. `coordinator_model.rs` checks that every input leads to the events that the model
//! expects, and that a coordinator without events otherwise does the same.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::coordinator::{
    Blame, Config, Event, Input, PresenceState, ResultFate, Score, Task, WorkerResult, WorkerState,
};
use quorate_core::id::{TaskId, Ticket};

use crate::support::{Harness, request, result, worker};

fn with(change: impl FnOnce(&mut Config)) -> Harness {
    Harness::with(|config| {
        config.events = true;
        change(config);
    })
}

fn changed(name: &str, state: WorkerState, quarantined: bool) -> Event {
    Event::Worker { worker: worker(name), state, quarantined, suspect: false }
}

fn fate(name: &str, id: &str, fate: ResultFate) -> Event {
    Event::Result { request: request(id), worker: worker(name), fate }
}

/// The fates of results since the last call.
fn fates(harness: &mut Harness) -> Vec<ResultFate> {
    let fate = |event| if let Event::Result { fate, .. } = event { Some(fate) } else { None };
    harness.events().into_iter().filter_map(fate).collect()
}

#[test]
fn a_request_emits_dispatched_joined_redispatched_and_replayed() {
    let mut harness = with(|config| config.redispatch_permille = 500);
    harness.live(&["a"]);
    harness.events();
    harness.submit("r", "q");
    harness.submit("r", "q");
    let dispatched = Event::Dispatched { ticket: Ticket(0), request: request("r") };
    assert_eq!(harness.events(), [dispatched, Event::Joined { ticket: Ticket(1), request: request("r") }]);
    let task = harness.task();
    harness.at_ms(500);
    assert_eq!(harness.events(), [Event::Redispatched { request: request("r"), attempt: 2 }]);
    harness.says(&task, "a", "1");
    assert_eq!(harness.events(), [fate("a", "r", ResultFate::Accepted)]);
    harness.submit("r", "q");
    assert_eq!(harness.events(), [Event::Replayed { ticket: Ticket(2), request: request("r") }]);
    harness.submit("r", "another query");
    assert_eq!(harness.events(), [], "a refusal has no event");
}

#[test]
fn every_result_emits_its_fate() {
    let mut harness = with(|config| {
        config.admitted = Some(BTreeSet::from(["a", "b"].map(worker)));
        config.max_in_flight_bytes = 3000;
    });
    harness.live(&["a", "b"]);
    harness.submit("r", "q");
    let task = harness.task();
    harness.events();
    let answer = |name, value| result(&task, name, Ok(value));
    let elsewhere = |task| WorkerResult { task, ..answer("a", "1") };
    let long = "x".repeat(2500);
    let results = [
        (WorkerResult { request: request("s"), ..answer("a", "1") }, ResultFate::Unknown),
        (elsewhere(Some(TaskId(77))), ResultFate::Misdirected),
        (answer("stranger", "1"), ResultFate::NotAdmitted),
        (answer("a", "1"), ResultFate::Accepted),
        (answer("a", "1"), ResultFate::Duplicate),
        (elsewhere(None), ResultFate::Misdirected),
        (answer("a", "2"), ResultFate::Equivocal),
        (answer("a", "2"), ResultFate::Duplicate),
        (answer("b", &long), ResultFate::NoRoom),
        (answer("b", "1"), ResultFate::Late),
    ];
    for (result, expected) in results {
        harness.input(&Input::Result(result.clone()));
        assert_eq!(fates(&mut harness), [expected], "{result:?}");
    }
}

#[test]
fn each_change_of_a_workers_state_is_emitted_once() {
    let mut harness = with(|config| config.presence = Duration::from_secs(1));
    harness.live(&["b", "a", "a"]);
    assert_eq!(harness.events(), [changed("b", WorkerState::Live, false), changed("a", WorkerState::Live, false)]);
    harness.presence("a", PresenceState::Draining);
    assert_eq!(harness.events(), [changed("a", WorkerState::Draining, false)]);
    harness.presence("a", PresenceState::Left);
    assert_eq!(harness.events(), [changed("a", WorkerState::Left, false)]);
    harness.at_ms(1000);
    let expired = ["a", "b"].map(|name| changed(name, WorkerState::Expired, false));
    assert_eq!(harness.events(), expired, "in the order of their names");
    harness.presence("stranger", PresenceState::Left);
    assert_eq!(harness.events(), []);
}

#[test]
fn the_start_and_the_end_of_a_quarantine_are_emitted() {
    let mut harness = with(|config| config.quarantine_below = Some(Score::from_millionths(999_000)));
    harness.live(&["a", "b", "c"]);
    let mut changes = Vec::new();
    for round in 0..200 {
        let (_, task) = harness.ask();
        // It is wrong once, and is trusted again later.
        for (name, value) in [("a", "100"), ("b", "100"), ("c", if round == 1 { "900" } else { "100" })] {
            harness.says(&task, name, value);
        }
        let of_workers = |event: &Event| matches!(event, Event::Worker { .. });
        changes.extend(harness.events().into_iter().filter(of_workers));
    }
    let quarantined = |is_so| changed("c", WorkerState::Live, is_so);
    let known = ["a", "b", "c"].map(|name| changed(name, WorkerState::Live, false));
    assert_eq!(changes[..3], known);
    assert_eq!(changes[3..], [quarantined(true), quarantined(false)]);
}

#[test]
fn no_events_are_emitted_unless_they_are_on() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    assert_eq!(harness.events(), []);
}

#[test]
fn a_lowered_score_is_emitted_with_its_reason_and_a_raised_one_is_not() {
    let mut harness = with(|config| config.usual_samples = 1);
    harness.live(&["a", "b", "c"]);
    let emitted = |harness: &mut Harness| -> Vec<Event> {
        harness.events().into_iter().filter(|event| matches!(event, Event::Blamed { .. })).collect()
    };
    let mut before = Score::ONE;
    let mut blamed = |harness: &mut Harness, task: &Task, blame| {
        let after = harness.worker("c").reliability.score;
        let expected = Event::Blamed { request: task.request.clone(), worker: worker("c"), blame, before, after };
        assert!(after < before, "{blame:?}");
        before = after;
        assert_eq!(emitted(harness), [expected]);
    };
    let (_, task) = harness.ask();
    for name in ["a", "b", "c"] {
        harness.says(&task, name, "100");
    }
    assert_eq!(emitted(&mut harness), []);
    for (said, blame) in [(Ok("900"), Blame::Outlier), (Err("no route"), Blame::Failure)] {
        let (_, task) = harness.ask();
        for name in ["a", "b"] {
            harness.says(&task, name, "100");
        }
        harness.input(&Input::Result(result(&task, "c", said)));
        blamed(&mut harness, &task, blame);
    }
    let (ticket, task) = harness.ask();
    for name in ["a", "b"] {
        harness.says(&task, name, "100");
    }
    harness.at_ms(1000);
    assert_eq!(harness.task().attempt, 2);
    assert!(!harness.waits(ticket), "its deadline has passed");
    blamed(&mut harness, &task, Blame::Silence);
    let (_, task) = harness.ask();
    for value in ["100", "101"] {
        harness.says(&task, "c", value);
    }
    blamed(&mut harness, &task, Blame::Equivocation);
}
