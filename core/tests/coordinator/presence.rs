//! Workers come, go, and fall silent.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::coordinator::{PresenceState, WorkerState};
use quorate_core::outcome::{Cause, Failure};

use crate::support::{Harness, missing, observers, worker};

#[test]
fn a_worker_is_expected_until_it_has_not_been_heard_for_the_presence_time() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
    harness.live(&["a", "b"]);
    harness.at_ms(4000);
    harness.live(&["b"]);
    harness.at_ms(9999);
    assert_eq!(harness.coordinator.live_workers(), 2);
    harness.at_ms(10_000);
    assert_eq!(harness.coordinator.live_workers(), 1);
    assert_eq!(harness.worker("a").state, WorkerState::Expired);
    harness.at_ms(14_000);
    assert_eq!(harness.coordinator.live_workers(), 0);
    harness.live(&["a"]);
    assert_eq!(harness.coordinator.live_workers(), 1, "it is back");
}

#[test]
fn a_worker_heard_only_through_a_result_is_expected_next_time_and_expires() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
    let (_, task) = harness.ask();
    harness.at_ms(100);
    harness.says(&task, "quiet", "1");
    assert!(!harness.worker("quiet").announced);
    harness.at_ms(2000);
    let (ticket, task) = harness.ask();
    harness.says(&task, "quiet", "2");
    assert_eq!(harness.outcome(ticket).cause, Cause::AllAnswered);
    harness.at_ms(11_999);
    assert_eq!(harness.coordinator.live_workers(), 1);
    harness.at_ms(12_000);
    assert_eq!(harness.worker("quiet").state, WorkerState::Expired);
}

#[test]
fn a_late_result_is_a_sign_of_life_too() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_millis(400));
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    harness.at_ms(1000);
    assert_eq!(harness.worker("a").state, WorkerState::Expired);
    harness.says(&task, "a", "1");
    assert_eq!((harness.worker("a").state, harness.worker("a").reliability.late), (WorkerState::Live, 1));
    harness.at_ms(1400);
    assert_eq!(harness.worker("a").state, WorkerState::Expired);
}

#[test]
fn a_late_result_makes_no_worker_known() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (_, ended) = harness.ask();
    harness.says(&ended, "a", "1");
    harness.says(&ended, "b", "1");
    for name in 0..900 {
        harness.says(&ended, &format!("invented-{name}"), "666");
    }
    assert_eq!((harness.counters().results_late, harness.coordinator.workers().count()), (900, 2));
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1");
    assert_eq!((harness.outcome(ticket).expected(), harness.outcome(ticket).cause), (2, Cause::AllAnswered));
}

#[test]
fn results_do_not_prolong_a_farewell() {
    // So a forged farewell silences a worker for one presence timeout at most.
    for state in [PresenceState::Left, PresenceState::Draining] {
        let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
        harness.live(&["a", "b"]);
        harness.presence("a", state);
        for second in 1..=9 {
            harness.at_ms(second * 1000);
            harness.live(&["b"]);
            let (_, task) = harness.ask();
            harness.says(&task, "a", "1");
            harness.says(&task, "b", "1");
            assert_ne!(harness.worker("a").state, WorkerState::Live, "after {second} s");
        }
        harness.at_ms(10_000);
        assert_eq!(harness.worker("a").state, WorkerState::Expired);
        let (_, task) = harness.ask();
        harness.says(&task, "a", "1");
        assert_eq!(harness.worker("a").state, WorkerState::Live);
        harness.says(&task, "b", "1");
        harness.at_ms(20_000);
        assert_eq!(
            harness.worker("a").state,
            WorkerState::Expired,
            "it expires like a worker known only by its results"
        );
    }
}

#[test]
fn presence_that_ran_out_while_the_coordinator_did_not_run_is_given_time_to_be_heard() {
    let mut harness = Harness::with(|config| {
        config.presence = Duration::from_secs(10);
        config.max_lag = Duration::from_secs(1);
    });
    harness.announces_as("a", "one", PresenceState::Live);
    harness.announces_as("a", "two", PresenceState::Live);
    harness.live(&["silent"]);
    // The coordinator is paused for 20 s; what was announced meanwhile arrives after that.
    harness.wakes_late_ms(20_000);
    assert_eq!(harness.coordinator.live_workers(), 2);
    harness.announces_as("a", "one", PresenceState::Left);
    assert_eq!(harness.worker("a").state, WorkerState::Live, "its other process is not forgotten");
    harness.announces_as("a", "two", PresenceState::Live);
    harness.at_ms(21_000);
    assert_eq!(harness.worker("silent").state, WorkerState::Expired);
    assert_eq!(harness.worker("a").state, WorkerState::Live);
    harness.at_ms(30_000);
    assert_eq!(harness.worker("a").state, WorkerState::Expired, "in time again");
}

#[test]
fn a_worker_that_repeats_itself_after_it_expired_expires_again() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_millis(300));
    harness.live(&["a", "silent"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.at_ms(500);
    assert_eq!(harness.coordinator.live_workers(), 0);
    harness.says(&task, "a", "1");
    assert_eq!(harness.worker("a").state, WorkerState::Live);
    harness.at_ms(800);
    assert_eq!(harness.worker("a").state, WorkerState::Expired);
}

#[test]
fn a_worker_that_leaves_is_no_longer_waited_for() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.presence("b", PresenceState::Left);
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("a", "b"));
    assert_eq!(outcome.cause, Cause::AllAnswered);
    assert_eq!(outcome.reliability_note(), "Partial response: 1/2 workers succeeded");
    assert_eq!(harness.worker("b").reliability.timeouts, 0);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    assert_eq!(missing(&harness.outcome(ticket)), "", "it is not expected again");
}

#[test]
fn a_leave_ends_every_request_that_waited_for_nobody_else() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (first, first_task) = harness.ask();
    let (second, _) = harness.ask();
    let (third, third_task) = harness.ask();
    harness.says(&first_task, "a", "1");
    harness.says(&third_task, "a", "1");
    harness.presence("b", PresenceState::Left);
    assert!(!harness.waits(first) && harness.waits(second) && !harness.waits(third));
    harness.presence("a", PresenceState::Left);
    assert_eq!(harness.outcome(second).verdict, Err(Failure::InsufficientResponses { usable: 0, required: 1 }));
    assert_eq!(harness.coordinator.in_flight(), 0);
}

#[test]
fn an_answer_that_arrives_after_its_workers_farewell_is_used() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (ticket, task) = harness.ask();
    harness.presence("b", PresenceState::Left);
    harness.says(&task, "b", "3");
    assert_eq!(harness.worker("b").state, WorkerState::Left, "a last result does not bring it back");
    harness.says(&task, "a", "1");
    let outcome = harness.outcome(ticket);
    assert_eq!((harness.value(ticket).as_str(), missing(&outcome).as_str()), ("2", ""));
}

#[test]
fn a_draining_worker_is_awaited_for_what_it_has_and_not_asked_for_more() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    let (before, before_task) = harness.ask();
    harness.presence("b", PresenceState::Draining);
    let (after, after_task) = harness.ask();
    harness.says(&before_task, "a", "1");
    harness.says(&after_task, "a", "1");
    assert!(harness.waits(before) && !harness.waits(after));
    harness.says(&before_task, "b", "3");
    assert_eq!(harness.value(before), "2");
    assert_eq!(harness.worker("b").state, WorkerState::Draining, "a result does not make it live");
}

#[test]
fn an_expired_worker_is_still_awaited_by_the_requests_that_expected_it() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_millis(100));
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.at_ms(600);
    assert_eq!(harness.coordinator.live_workers(), 0);
    harness.says(&task, "a", "1");
    assert_eq!(harness.value(ticket), "1");
}

#[test]
fn the_farewell_of_an_unknown_worker_is_ignored() {
    let mut harness = Harness::new();
    harness.presence("stranger", PresenceState::Left);
    assert!(!harness.knows("stranger"));
    assert_eq!(harness.counters().workers_not_admitted, 0);
    assert_eq!(harness.coordinator.poll_timeout(), None);
}

#[test]
fn only_admitted_workers_are_known() {
    let mut harness = Harness::with(|config| config.admitted = Some(BTreeSet::from([worker("a")])));
    harness.live(&["a", "mallory"]);
    assert!(harness.knows("a") && !harness.knows("mallory"));
    assert_eq!(harness.counters().workers_not_admitted, 1);
}

#[test]
fn a_full_registry_forgets_the_longest_gone_and_otherwise_admits_nobody() {
    let mut harness = Harness::with(|config| config.limits.max_workers = 3);
    harness.live(&["a", "b", "c"]);
    harness.live(&["d"]);
    assert!(!harness.knows("d"));
    assert_eq!(harness.counters().workers_not_admitted, 1);
    let (_, task) = harness.ask();
    harness.says(&task, "d", "1");
    assert_eq!(harness.counters().workers_not_admitted, 2, "a result does not admit it either");

    harness.presence("b", PresenceState::Left);
    harness.at_ms(1);
    harness.presence("a", PresenceState::Left);
    harness.live(&["d"]);
    assert!(harness.knows("d") && harness.knows("a") && !harness.knows("b"));
    assert_eq!(harness.coordinator.workers().count(), 3);
}

#[test]
fn workers_are_listed_in_order() {
    let mut harness = Harness::new();
    harness.live(&["b", "c", "a"]);
    let names: Vec<_> = harness.coordinator.workers().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_worker_stays_while_another_process_of_its_name_is_live() {
    let mut harness = Harness::new();
    harness.announces_as("a", "old", PresenceState::Live);
    harness.announces_as("a", "new", PresenceState::Live);
    harness.announces_as("a", "old", PresenceState::Draining);
    assert_eq!(harness.worker("a").state, WorkerState::Live);
    let (ticket, task) = harness.ask();
    harness.announces_as("a", "old", PresenceState::Left);
    assert_eq!(harness.worker("a").state, WorkerState::Live);
    harness.says(&task, "a", "1");
    assert!(harness.outcome(ticket).missing.is_empty(), "the request went on waiting for the new process");
    harness.announces_as("a", "new", PresenceState::Left);
    assert_eq!(harness.worker("a").state, WorkerState::Left);
}

#[test]
fn a_process_that_died_silently_does_not_keep_its_name_alive() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
    harness.announces_as("a", "died", PresenceState::Live);
    harness.at_ms(6_000);
    harness.announces_as("a", "new", PresenceState::Live);
    harness.at_ms(10_000);
    harness.announces_as("a", "new", PresenceState::Left);
    assert_eq!(harness.worker("a").state, WorkerState::Left);
}

#[test]
fn a_process_that_died_silently_is_forgotten_while_its_name_lives_on() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
    harness.live(&["b"]);
    harness.announces_as("a", "died", PresenceState::Live);
    for second in (2..3600).step_by(2) {
        harness.at_ms(second * 1000);
        harness.announces_as("a", "new", PresenceState::Live);
    }
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.live(&["b"]);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "a", "2");
    assert_eq!(harness.worker("a").reliability.equivocations, 1, "one process is left to contradict itself");
}

#[test]
fn the_processes_of_one_name_that_are_told_apart_are_bounded() {
    let mut harness = Harness::new();
    let processes: Vec<_> = (0..65).map(|process| process.to_string()).collect();
    for process in &processes {
        harness.announces_as("a", process, PresenceState::Live);
    }
    for process in &processes[..63] {
        harness.announces_as("a", process, PresenceState::Left);
    }
    assert_eq!(harness.worker("a").state, WorkerState::Live);
    harness.announces_as("a", &processes[63], PresenceState::Left);
    assert_eq!(harness.worker("a").state, WorkerState::Left, "the 65th is not kept");
}

#[test]
fn a_name_that_left_is_taken_up_by_a_program_that_does_not_announce_itself() {
    let mut harness = Harness::with(|config| config.presence = Duration::from_secs(10));
    harness.live(&["a", "b"]);
    harness.presence("a", PresenceState::Left);
    harness.at_ms(9_000);
    harness.live(&["b"]);
    harness.at_ms(11_000);
    assert_eq!(harness.worker("a").state, WorkerState::Expired);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    assert_eq!(harness.worker("a").state, WorkerState::Live);
}

#[test]
fn two_processes_of_one_name_do_not_contradict_each_other() {
    let mut harness = Harness::new();
    harness.live(&["b"]);
    harness.announces_as("a", "old", PresenceState::Live);
    harness.announces_as("a", "new", PresenceState::Live);
    let (_, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "a", "2");
    assert_eq!((harness.counters().results_equivocal, harness.counters().results_duplicate), (0, 1));
}
