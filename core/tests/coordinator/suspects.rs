//! Workers that are silent for longer than they usually take: no request waits for them until its deadline.

use std::time::Duration;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Event, PresenceState, WorkerState};
use quorate_core::outcome::{Cause, Status};
use quorate_core::policy::Overrides;

use crate::support::{Harness, missing, worker};

const USUAL: u64 = 100;

/// Five workers that usually answer at once. Ten requests have been answered, in the first hundred milliseconds.
fn with_history() -> Harness {
    let mut harness = Harness::with(|config| config.events = true);
    for round in 0..10 {
        harness.at_ms(10 * round);
        harness.live(&["a", "b", "c", "d", "e"]);
        let (_, task) = harness.ask();
        for name in ["a", "b", "c", "d", "e"] {
            harness.says(&task, name, "100");
        }
    }
    harness.at_ms(100);
    harness.events();
    harness
}

/// Asks at this time, and all but `e` answer at once.
fn ask_without_e(harness: &mut Harness, at_ms: u64) -> quorate_core::id::Ticket {
    ask_with_overrides(harness, at_ms, Overrides::default())
}

fn ask_with_overrides(harness: &mut Harness, at_ms: u64, overrides: Overrides) -> quorate_core::id::Ticket {
    harness.at_ms(at_ms);
    let (ticket, task) = harness.ask_with(overrides);
    for name in ["a", "b", "c", "d"] {
        harness.says(&task, name, "100");
    }
    ticket
}

#[test]
fn only_the_first_request_waits_for_a_dead_worker_until_its_deadline() {
    let mut harness = with_history();
    let tickets: Vec<_> = (0..50).map(|request| ask_without_e(&mut harness, 200 + 10 * request)).collect();
    harness.at_ms(2_000);
    for (request, ticket) in tickets.into_iter().enumerate() {
        let outcome = harness.outcome(ticket);
        assert_eq!(missing(&outcome), "e");
        if request == 0 {
            assert_eq!((outcome.cause, outcome.suspects.len()), (Cause::DeadlinePassed, 0));
        } else {
            assert_eq!((outcome.cause, &outcome.suspects), (Cause::AllButSuspects, &outcome.missing), "{request}");
            assert_eq!(outcome.elapsed, Duration::from_millis(USUAL), "{request}");
            assert_eq!(
                outcome.reliability_note(),
                "Partial response: 4/5 workers succeeded; 1 not waited for, silent for longer than usual"
            );
        }
        assert_eq!(outcome.verdict.as_ref().expect("an answer").status, Status::Partial);
    }
    assert_eq!((harness.counters().workers_suspected, harness.counters().suspects_early), (1, 49));
    let suspect =
        |suspect| Event::Worker { worker: worker("e"), state: WorkerState::Live, quarantined: false, suspect };
    assert!(harness.events().contains(&suspect(true)));
}

#[test]
fn a_suspect_recovers_with_an_answer_in_time_or_late_and_with_an_announcement() {
    for sign in 0..3 {
        let mut harness = with_history();
        let (_, late) = {
            harness.at_ms(200);
            let (ticket, task) = harness.ask();
            harness.says(&task, "a", "100");
            (ticket, task)
        };
        ask_without_e(&mut harness, 250);
        harness.at_ms(320);
        assert!(harness.worker("e").suspect);
        match sign {
            0 => {
                let (_, task) = harness.ask();
                harness.says(&task, "e", "100");
            }
            1 => {
                harness.at_ms(1_300);
                harness.says(&late, "e", "100");
            }
            _ => harness.presence("e", PresenceState::Live),
        }
        assert!(!harness.worker("e").suspect, "{sign}");
    }
}

#[test]
fn a_worker_that_answers_others_is_busy_and_not_suspect() {
    let mut harness = with_history();
    let slow = ask_without_e(&mut harness, 200);
    for at in [250, 340, 430, 520] {
        harness.at_ms(at);
        let (_, task) = harness.ask();
        for name in ["a", "b", "c", "d", "e"] {
            harness.says(&task, name, "100");
        }
    }
    harness.at_ms(600);
    assert!(!harness.worker("e").suspect && harness.waits(slow));
    harness.at_ms(620);
    assert!(harness.worker("e").suspect, "nothing has been heard of it for its usual time");
}

#[test]
fn a_request_waits_for_suspects_if_it_would_fail_or_be_disputed_without_them() {
    let needs = |overrides| {
        let mut harness = with_history();
        ask_without_e(&mut harness, 200);
        let ticket = ask_with_overrides(&mut harness, 210, overrides);
        harness.at_ms(1_209);
        harness.waits(ticket)
    };
    assert!(!needs(Overrides { min_responses: Some(4), ..Overrides::default() }));
    assert!(needs(Overrides { min_responses: Some(5), ..Overrides::default() }), "too few values");
    assert!(needs(Overrides { quorum: Some(5), ..Overrides::default() }), "no quorum");

    let mut harness = with_history();
    ask_without_e(&mut harness, 200);
    harness.at_ms(210);
    let overrides = Overrides { min_agreement: Some(Millionths::ONE), ..Overrides::default() };
    let (ticket, task) = harness.ask_with(overrides);
    for (name, value) in [("a", "100"), ("b", "100"), ("c", "100"), ("d", "300")] {
        harness.says(&task, name, value);
    }
    harness.at_ms(1_209);
    assert!(harness.waits(ticket), "no agreement");
    assert_eq!(harness.counters().suspects_in_vain, 1);
}

#[test]
fn most_of_those_that_were_asked_must_have_answered() {
    let mut harness = with_history();
    let mut tickets = Vec::new();
    for at in [200, 210] {
        harness.at_ms(at);
        let (ticket, task) = harness.ask();
        harness.says(&task, "a", "100");
        harness.says(&task, "b", "100");
        tickets.push(ticket);
    }
    harness.at_ms(1_209);
    assert_eq!((harness.waits(tickets[0]), harness.waits(tickets[1])), (false, true));
    assert_eq!(harness.outcome(tickets[0]).cause, Cause::DeadlinePassed);
}

#[test]
fn nobody_is_suspect_before_anybody_has_answered_or_during_an_outage_or_without_a_history() {
    let mut harness = with_history();
    harness.at_ms(200);
    harness.ask();
    harness.at_ms(700);
    assert!(["a", "b", "c", "d", "e"].iter().all(|name| !harness.worker(name).suspect), "nobody has answered");

    let mut harness = with_history();
    ask_without_e(&mut harness, 200);
    harness.input(&quorate_core::coordinator::Input::BusDown);
    harness.at_ms(700);
    assert!(!harness.worker("e").suspect, "the bus is down");

    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "100");
    harness.at_ms(700);
    assert!(!harness.worker("b").suspect, "it has no usual time yet");

    let mut harness = Harness::with(|config| config.suspect_after = None);
    for _ in 0..10 {
        harness.live(&["a", "b"]);
        let (_, task) = harness.ask();
        harness.says(&task, "a", "100");
        harness.says(&task, "b", "100");
    }
    let (_, task) = harness.ask();
    harness.says(&task, "a", "100");
    harness.at_ms(700);
    assert!(!harness.worker("b").suspect, "it is turned off");
}

#[test]
fn a_suspect_that_answers_within_its_usual_time_is_in_the_answer() {
    let mut harness = with_history();
    ask_without_e(&mut harness, 200);
    harness.at_ms(310);
    assert!(harness.worker("e").suspect);
    let (ticket, task) = harness.ask();
    for name in ["a", "b", "c", "d"] {
        harness.says(&task, name, "100");
    }
    harness.at_ms(400);
    harness.says(&task, "e", "100");
    let outcome = harness.outcome(ticket);
    assert_eq!((outcome.cause, outcome.observations.len()), (Cause::AllAnswered, 5));
}
