//! Tests of `presence`.

use std::time::Duration;

use quorate_core::coordinator::{Config, Coordinator, Input, PresenceState};

use crate::checkers::rig::{COORDINATOR, Rig, live, presence, result, scenario, submit};
use crate::event::What;

#[test]
fn who_comes_goes_and_falls_silent_is_expected_or_not() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator(0, Input::Presence(live("w1")));
    rig.coordinator(100, Input::Presence(live("w2")));
    rig.coordinator(200, submit(1));
    rig.coordinator(201, result("w1", 1, None, 5));
    rig.coordinator(202, result("w3", 1, None, 5));
    rig.coordinator(203, Input::Presence(presence("w2", PresenceState::Draining)));
    rig.coordinator(300, submit(2));
    rig.coordinator(301, result("w2", 2, None, 5));
    rig.coordinator(302, result("w2", 77, None, 5));
    rig.coordinator(303, Input::Presence(presence("w2", PresenceState::Left)));
    rig.coordinator(304, Input::Presence(presence("w9", PresenceState::Left)));
    rig.wake_coordinator(1_300);
    rig.begin_coordinator(result("w1", 1, None, 5));
    rig.begin_coordinator(result("w4", 99, None, 5));
    rig.begin_coordinator(Input::Presence(live("w5")));
    rig.begin_coordinator(submit(3));
    rig.settle_coordinator();
    for at in [3_202, 3_303, 4_300, 4_301] {
        rig.wake_coordinator(at);
    }
    for number in 10..20 {
        rig.coordinator(5_000, Input::Presence(live(&format!("w{number}"))));
    }
    rig.coordinator(5_000, submit(4));
    rig.wake_coordinator(6_000);
    rig.expect_fine();
}

#[test]
fn the_farewell_of_one_process_of_several_changes_nothing() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator(0, Input::Presence(live("w1")));
    let mut other = live("w1");
    other.instance = "another".into();
    rig.coordinator(0, Input::Presence(other));
    rig.coordinator(1, Input::Presence(presence("w1", PresenceState::Left)));
    rig.expect_fine();
    assert_eq!(rig.coordinator.live_workers(), 1);
}

#[test]
fn expecting_somebody_for_too_long_is_found() {
    let mut rig = Rig::new(super::new);
    let config = scenario().cluster.settings.config();
    rig.coordinator = Coordinator::new(Config { presence: Duration::from_secs(4), ..config }, 1);
    rig.coordinator(0, Input::Presence(live("w1")));
    rig.wake_coordinator(2_999);
    rig.expect_fine();
    rig.wake_coordinator(3_000);
    rig.expect_violation("w1 should be (Expired");
}

#[test]
fn an_announcement_that_is_not_taken_is_found() {
    let mut rig = Rig::new(super::new);
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::Presence(live("w1"))));
    rig.settled_coordinator();
    rig.expect_violation("w1 is Live, and not known");
}

#[test]
fn a_result_that_is_no_sign_of_life_is_found() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator(0, Input::Presence(live("w1")));
    rig.coordinator(1, submit(1));
    // The machine hears it, and the events say that it does so later.
    rig.at_ms(5);
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w1", 1, None, 5)));
    rig.at_ms(2);
    rig.coordinator.handle_input(rig.now(), result("w1", 1, None, 5));
    rig.settle_coordinator();
    rig.expect_fine();
    rig.at_ms(9);
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w1", 1, None, 5)));
    rig.coordinator.handle_input(rig.now(), result("w1", 1, None, 5));
    let mut other = Coordinator::new(scenario().cluster.settings.config(), 1);
    std::mem::swap(&mut rig.coordinator, &mut other);
    rig.settle_coordinator();
    rig.expect_violation("w1 is Live, and not known");
}

#[test]
fn who_is_named_must_have_been_live() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, Input::BusUp);
    rig.coordinator.handle_input(rig.now(), Input::Presence(live("w1")));
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &submit(1)));
    rig.coordinator.handle_input(rig.now(), submit(1));
    rig.at_ms(1_000);
    rig.tell(COORDINATOR, What::CoordinatorWoken(rig.now()));
    rig.coordinator.handle_timeout(rig.now());
    rig.settle_coordinator();
    rig.expect_violation("expects w1, which was not live");
}
