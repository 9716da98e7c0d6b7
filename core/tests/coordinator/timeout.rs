//! Time passes: deadlines to the nanosecond, redispatches, stalls, and clocks that lie.

use std::time::Duration;

use quorate_core::coordinator::Input;
use quorate_core::outcome::{Cause, Failure};
use quorate_core::policy::Overrides;
use quorate_core::time::Timestamp;

use crate::support::{Harness, TIMEOUT_MS, missing, observers, result};

const DEADLINE: Timestamp = Timestamp::from_millis(TIMEOUT_MS);

#[test]
fn a_result_counts_until_the_deadline_and_not_at_it() {
    let last = Timestamp::from_nanos(DEADLINE.as_nanos() - 1);
    for (at, in_time) in [(last, true), (DEADLINE, false)] {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let (ticket, task) = harness.ask();
        harness.says(&task, "a", "1");
        // The adapter's timer is late: the result wakes the machine.
        harness.coordinator.handle_input(at, &Input::Result(result(&task, "b", Ok("3"))));
        harness.at(at);
        let outcome = harness.outcome(ticket);
        assert_eq!(harness.value(ticket), if in_time { "2" } else { "1" });
        assert_eq!(outcome.cause, if in_time { Cause::AllAnswered } else { Cause::DeadlinePassed });
        assert_eq!(harness.counters().results_late, u64::from(!in_time));
    }
}

#[test]
fn a_request_is_answered_at_its_deadline_with_what_there_is() {
    let mut harness = Harness::new();
    harness.live(&["a", "b", "c"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "b", "5");
    harness.at_ms(50_000);
    assert_eq!(harness.answered_at(ticket), DEADLINE);
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("b", "a c"));
    assert_eq!(outcome.elapsed, Duration::from_millis(TIMEOUT_MS));
    let timeouts = |name: &str| harness.worker(name).reliability.timeouts;
    assert_eq!((timeouts("a"), timeouts("b"), timeouts("c")), (1, 0, 1));
}

#[test]
fn a_deadline_without_a_usable_value_says_so_and_one_with_too_few_names_the_shortfall() {
    let cases = [(false, Failure::DeadlineExceeded), (true, Failure::InsufficientResponses { usable: 1, required: 2 })];
    for (one_answers, failure) in cases {
        let mut harness = Harness::new();
        harness.live(&["a", "b"]);
        let (ticket, task) = harness.ask_with(Overrides { min_responses: Some(2), ..Overrides::default() });
        if one_answers {
            harness.says(&task, "a", "1");
        }
        harness.at(DEADLINE);
        assert_eq!(harness.outcome(ticket).verdict, Err(failure));
        assert_eq!(harness.outcome(ticket).observations.len(), usize::from(one_answers));
    }
}

#[test]
fn a_redispatch_carries_the_time_that_is_left() {
    let mut harness = Harness::with(|config| config.redispatch_permille = 250);
    harness.live(&["a", "b"]);
    let (ticket, first) = harness.ask();
    harness.says(&first, "a", "1");
    harness.at_ms(249);
    harness.no_task();
    harness.at_ms(250);
    let second = harness.task();
    assert_eq!((second.id, second.attempt, second.ttl), (first.id, 2, Duration::from_millis(750)));
    harness.says(&second, "b", "3");
    assert_eq!(harness.value(ticket), "2");
    assert_eq!((harness.counters().redispatched, harness.counters().redispatch_rescued), (1, 1));
    harness.at_ms(5000);
    harness.no_task();
}

#[test]
fn a_redispatch_is_the_last_attempt() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    harness.ask();
    harness.at_ms(999);
    assert_eq!(harness.task().attempt, 2);
    harness.at_ms(2000);
    harness.no_task();
}

#[test]
fn there_is_no_redispatch_if_it_is_off_or_useless() {
    for permille in [0, 1000, u32::MAX] {
        let mut harness = Harness::with(|config| config.redispatch_permille = permille);
        harness.live(&["a"]);
        let (ticket, _) = harness.ask();
        harness.at_ms(5000);
        harness.no_task();
        assert_eq!(harness.answered_at(ticket), DEADLINE, "{permille}");
    }
}

#[test]
fn unknown_workers_are_asked_again_only_while_none_has_answered() {
    for answered in [false, true] {
        let mut harness = Harness::with(|config| config.stall = Duration::from_millis(800));
        let (_, task) = harness.ask();
        if answered {
            harness.says(&task, "quiet", "1");
        }
        harness.at_ms(600);
        assert_eq!(harness.counters().redispatched, u64::from(!answered));
    }
}

#[test]
fn while_nobody_is_known_a_pause_after_the_last_answer_completes() {
    let mut harness = Harness::with(|config| config.stall = Duration::from_millis(300));
    let (ticket, task) = harness.ask();
    harness.at_ms(100);
    harness.says(&task, "a", "1");
    harness.at_ms(399);
    harness.says(&task, "b", "1.02");
    harness.at_ms(698);
    assert!(harness.waits(ticket));
    harness.at_ms(699);
    let outcome = harness.outcome(ticket);
    assert_eq!((outcome.cause, harness.value(ticket).as_str()), (Cause::Stalled, "1.01"));
    assert_eq!(outcome.reliability_note(), "All workers responded successfully");
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.says(&task, "b", "1");
    assert_eq!(harness.outcome(ticket).cause, Cause::AllAnswered, "the workers are known by now");
}

#[test]
fn a_duplicate_does_not_prolong_the_pause() {
    let mut harness = Harness::with(|config| config.stall = Duration::from_millis(300));
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.at_ms(200);
    harness.says(&task, "a", "1");
    harness.at_ms(300);
    assert!(!harness.waits(ticket));
}

#[test]
fn a_pause_never_outlasts_the_deadline() {
    let mut harness = Harness::with(|config| config.stall = Duration::from_mins(5));
    let (silent, _) = harness.ask();
    let (answered, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.at_ms(5000);
    assert_eq!((harness.answered_at(silent), harness.answered_at(answered)), (DEADLINE, DEADLINE));
    assert_eq!(harness.outcome(silent).verdict, Err(Failure::DeadlineExceeded));
    assert_eq!(harness.outcome(answered).cause, Cause::DeadlinePassed);
}

#[test]
fn an_idle_machine_waits_for_nothing() {
    let mut harness = Harness::new();
    assert_eq!(harness.coordinator.poll_timeout(), None);
    harness.live(&["a"]);
    let (_, task) = harness.ask();
    assert_eq!(harness.coordinator.poll_timeout(), Some(Timestamp::from_millis(100)), "the usual time");
    harness.says(&task, "a", "1");
    harness.at_ms(10 * 60_000);
    assert_eq!(harness.coordinator.poll_timeout(), None);
    assert_eq!((harness.coordinator.in_flight(), harness.coordinator.remembered()), (0, 0));
}

#[test]
fn waking_too_often_does_no_harm() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, _) = harness.ask();
    for millis in 0..=TIMEOUT_MS {
        harness.at_ms(millis);
        harness.at_ms(millis);
    }
    assert_eq!(harness.answered_at(ticket), DEADLINE);
    assert_eq!(harness.counters().redispatched, 1);
}

#[test]
fn a_machine_that_is_woken_too_late_answers_once_and_uses_nothing_late() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    let late = Timestamp::from_millis(90_000);
    harness.coordinator.handle_input(late, &Input::Result(result(&task, "a", Ok("1"))));
    harness.at(late);
    assert_eq!(harness.outcome(ticket).verdict, Err(Failure::DeadlineExceeded));
    harness.no_task();
}

#[test]
fn nobody_is_blamed_for_a_pause_of_the_coordinator_itself() {
    let pauses = [(Duration::from_secs(1), 1), (Duration::from_nanos(1_000_000_001), 0), (Duration::from_secs(20), 0)];
    for (lag, timeouts) in pauses {
        let mut harness = Harness::with(|config| {
            config.redispatch_permille = 0;
            config.suspect_after = None;
        });
        harness.live(&["a"]);
        let (ticket, task) = harness.ask();
        let late = DEADLINE.after(lag);
        harness.coordinator.handle_input(late, &Input::Result(result(&task, "a", Ok("1"))));
        harness.at(late);
        let outcome = harness.outcome(ticket);
        assert_eq!((&outcome.verdict, outcome.cause), (&Err(Failure::DeadlineExceeded), Cause::DeadlinePassed));
        assert_eq!(harness.worker("a").reliability.timeouts, timeouts, "{lag:?}");
        // A request made after the pause counts against silent workers again.
        let after = late.after(Duration::from_millis(1));
        harness.at(after);
        harness.ask();
        harness.at(after.after(Duration::from_secs(1)));
        assert_eq!(harness.worker("a").reliability.timeouts, timeouts + 1, "{lag:?}");
    }
}

#[test]
fn a_pause_that_another_request_shows_counts_for_all_that_were_asked_before() {
    let mut harness = Harness::with(|config| config.redispatch_permille = 0);
    harness.live(&["a"]);
    harness.ask_with(Overrides { timeout: Some(Duration::from_secs(30)), ..Overrides::default() });
    harness.ask();
    harness.wakes_late_ms(20_000);
    harness.live(&["a"]);
    harness.at_ms(30_000);
    assert_eq!((harness.worker("a").reliability.timeouts, harness.counters().failed_deadline_exceeded), (0, 2));
}

#[test]
fn a_clock_that_goes_backwards_stands_still() {
    let mut harness = Harness::new();
    harness.live(&["a", "b"]);
    harness.at_ms(5000);
    let (ticket, task) = harness.ask();
    harness.coordinator.handle_timeout(Timestamp::ZERO);
    harness.coordinator.handle_input(Timestamp::ZERO, &Input::Result(result(&task, "a", Ok("1"))));
    assert!(harness.waits(ticket));
    harness.at_ms(5999);
    assert!(harness.waits(ticket));
    harness.at_ms(6000);
    assert_eq!(harness.outcome(ticket).elapsed, Duration::from_millis(TIMEOUT_MS));
}

#[test]
fn the_end_of_time_ends_everything_and_breaks_nothing() {
    let mut harness = Harness::new();
    harness.live(&["a"]);
    let (ticket, _) = harness.ask();
    harness.coordinator.handle_timeout(Timestamp::MAX);
    harness.at(Timestamp::MAX);
    assert_eq!(harness.outcome(ticket).verdict, Err(Failure::DeadlineExceeded));
    harness.live(&["a"]);
    let (ticket, task) = harness.ask();
    harness.says(&task, "a", "1");
    harness.at(Timestamp::MAX);
    assert!(!harness.waits(ticket));
    harness.input(&Input::BusDown);
    harness.input(&Input::BusUp);
    harness.at(Timestamp::MAX);
    assert_eq!((harness.coordinator.in_flight(), harness.coordinator.poll_timeout()), (0, None));
}
