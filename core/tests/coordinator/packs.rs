//! Which tasks may be packed.

use std::time::Duration;

use quorate_core::coordinator::{Input, Presence, PresenceState};

use crate::support::{Harness, worker};

fn announces(harness: &mut Harness, name: &str, instance: &str, state: PresenceState, packs: bool) {
    let presence = Presence { packs, ..Presence::new(worker(name), instance.into(), state) };
    harness.input(&Input::Presence(presence));
}

fn live(harness: &mut Harness, name: &str, packs: bool) {
    announces(harness, name, "", PresenceState::Live, packs);
}

/// Whether the task of a further request may be packed.
fn may_be_packed(harness: &mut Harness) -> bool {
    harness.ask().1.may_be_packed
}

/// Workers that take packs, after the task that tells whether there are others.
fn packing(workers: &[&str], redispatch_permille: u32) -> Harness {
    let mut harness = Harness::with(|config| config.redispatch_permille = redispatch_permille);
    for name in workers {
        live(&mut harness, name, true);
    }
    assert!(!may_be_packed(&mut harness), "the first task goes out alone");
    harness
}

#[test]
fn tasks_are_packed_if_every_live_worker_takes_packs() {
    let mut harness = packing(&["a", "b"], 0);
    assert!(may_be_packed(&mut harness));
    live(&mut harness, "c", false);
    assert!(!may_be_packed(&mut harness));
    announces(&mut harness, "c", "", PresenceState::Draining, false);
    assert!(may_be_packed(&mut harness), "a draining worker is not asked");
    live(&mut harness, "c", true);
    assert!(may_be_packed(&mut harness), "it was updated");
}

#[test]
fn nothing_is_packed_for_nobody_or_for_a_worker_that_never_announced_itself() {
    let mut harness = Harness::new();
    for _ in 0..2 {
        assert!(!may_be_packed(&mut harness), "nobody is known");
    }
    let mut harness = packing(&["a"], 0);
    let (_, task) = harness.ask();
    assert!(task.may_be_packed);
    harness.says(&task, "old", "1");
    assert!(!may_be_packed(&mut harness));
}

#[test]
fn every_process_of_a_worker_must_take_packs() {
    let mut harness = packing(&[], 0);
    announces(&mut harness, "a", "new", PresenceState::Live, true);
    announces(&mut harness, "a", "old", PresenceState::Live, false);
    assert!(!may_be_packed(&mut harness));
    announces(&mut harness, "a", "old", PresenceState::Left, false);
    assert!(may_be_packed(&mut harness));
}

#[test]
fn once_a_second_a_task_goes_out_alone() {
    let mut harness = packing(&["a"], 0);
    for (at_ms, packed) in [(999, true), (1000, false), (1000, true), (1999, true), (2000, false), (9000, false)] {
        harness.at_ms(at_ms);
        live(&mut harness, "a", true);
        assert_eq!(may_be_packed(&mut harness), packed, "{at_ms}");
    }
}

#[test]
fn zero_turns_packs_off() {
    let mut harness = Harness::with(|config| config.single_every = Duration::ZERO);
    live(&mut harness, "a", true);
    for _ in 0..3 {
        assert!(!may_be_packed(&mut harness));
    }
}

#[test]
fn a_redispatch_may_be_packed_and_keeps_its_attempt() {
    let mut harness = packing(&["a"], 500);
    harness.at_ms(500);
    let again = harness.task();
    assert_eq!((again.attempt, again.may_be_packed), (2, true));
}
