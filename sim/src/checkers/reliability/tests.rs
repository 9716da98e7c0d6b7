//! Tests of `reliability`.

use std::sync::Arc;

use quorate_core::aggregate::Exclusion;
use quorate_core::coordinator::{Coordinator, Input, Output, PresenceState};
use quorate_core::id::Ticket;
use quorate_core::outcome::Outcome;

use super::after;
use crate::checkers::rig::{COORDINATOR, Rig, live, presence, result, scenario, submit};
use crate::event::What;

#[test]
fn a_score_moves_a_sixteenth_of_the_way_rounded_up() {
    let moves = [(1_000_000, true, 1_000_000), (1_000_000, false, 937_500), (1, false, 0), (0, true, 62_500)];
    for (score, good, expected) in moves {
        assert_eq!(after(score, good), expected);
    }
    assert_eq!(after(937_500, false), 937_500 - 58_594);
}

/// Five requests that one worker answers, one does not, and one answers twice, with other values.
fn life(rig: &mut Rig) {
    rig.coordinator(0, Input::BusUp);
    for name in ["w1", "w2", "w3"] {
        rig.coordinator(0, Input::Presence(live(name)));
    }
    for number in 1..6 {
        let at = number * 1_000;
        for name in ["w1", "w2", "w3"] {
            rig.coordinator(at, Input::Presence(live(name)));
        }
        rig.coordinator(at, submit(number));
        rig.coordinator(at + 1, result("w1", number, None, 5));
        rig.coordinator(at + 2, result("w3", number, None, 5));
        rig.coordinator(at + 2, result("w3", number, None, 6));
        if number == 4 {
            rig.coordinator(at + 3, Input::Presence(presence("w2", PresenceState::Left)));
        }
        rig.wake_coordinator(at + 500);
        rig.wake_coordinator(at + 999);
    }
    rig.coordinator(6_000, result("w2", 2, None, 6));
}

#[test]
fn the_records_of_a_coordinator_are_what_happened() {
    let mut rig = Rig::new(super::new);
    life(&mut rig);
    rig.expect_fine();
}

#[test]
fn a_batch_of_inputs_is_judged_as_one() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator(0, Input::Presence(live("w1")));
    rig.coordinator(0, Input::Presence(live("w2")));
    for number in 1..5 {
        rig.coordinator(1, submit(number));
    }
    for number in 1..5 {
        rig.begin_coordinator(result("w1", number, None, 5));
        rig.begin_coordinator(result("w1", number, None, 6));
        rig.begin_coordinator(result("w2", number, None, 5));
    }
    rig.settle_coordinator();
    rig.expect_fine();
}

#[test]
fn a_score_that_moves_without_a_reason_or_does_not_move_is_found() {
    let mut rig = Rig::new(super::new);
    life(&mut rig);
    // Another machine, whose workers have done nothing wrong.
    let mut other = Coordinator::new(scenario().cluster.settings.config(), 1);
    other.handle_input(rig.now(), Input::BusUp);
    other.handle_input(rig.now(), Input::Presence(live("w3")));
    rig.coordinator = other;
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w3", 9, None, 5)));
    rig.settled_coordinator();
    rig.expect_violation("the record of w3");
}

#[test]
fn values_are_cordoned_by_the_score_alone() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator(0, Input::Presence(live("w1")));
    rig.coordinator(1, submit(1));
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w1", 1, None, 5)));
    rig.coordinator.handle_input(rig.now(), result("w1", 1, None, 5));
    let Some(Output::Ended(outcome)) = rig.coordinator.poll_output() else { panic!("the request has ended") };
    let answer = Output::Answer { ticket: Ticket(1), reply: Ok(Arc::new(cordoned(&outcome))) };
    rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &answer));
    rig.expect_violation("is cordoned in");
}

fn cordoned(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    outcome.observations[0].excluded = Some(Exclusion::Cordoned);
    outcome
}
