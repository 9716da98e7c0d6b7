//! Tests of `provenance`.

use std::time::Duration;

use quorate_core::id::Ticket;

use super::*;
use crate::checkers::testing::inputs::{id, number, result, submit, worker};
use crate::checkers::testing::rig::Rig;

fn run() -> Rig {
    let mut run = Rig::new(new);
    run.begin(&[1, 2, 3]);
    run.earn_records(&[1, 2, 3]);
    run
}

/// Workers 1 and 2 answer, worker 3 does not.
fn ask(tamper: impl Fn(&mut Outcome) + 'static) -> Rig {
    let mut run = run();
    run.tamper_outcome(tamper);
    run.drive(&submit(1, "b"));
    run.result(1, "b", Ok(number("5")));
    run.drive(&submit(2, "a"));
    run.result(2, "a", Ok(number("2")));
    run.result(1, "a", Err("no".into()));
    run.result(2, "a", Ok(number("22")));
    run.pass(1000);
    run.wake();
    run
}

#[test]
fn observations_that_were_received_are_fine() {
    ask(|_| {}).expect_fine();
}

#[test]
fn observations_that_were_not_received_are_found() {
    let first = |outcome: &Outcome| outcome.observations.len() == 2;
    let tampered: [fn(&mut Observation); 6] = [
        |observation| observation.observed = Ok(number("9")),
        |observation| observation.observed = Err("oh".into()),
        // A value of another request, and a second result.
        |observation| observation.observed = Ok(number("5")),
        |observation| observation.observed = Ok(number("22")),
        |observation| observation.response_time = Duration::from_secs(1),
        |observation| observation.age = Some(Duration::ZERO),
    ];
    for tamper in tampered {
        ask(move |outcome| {
            if first(outcome) {
                tamper(&mut outcome.observations[1]);
            }
        })
        .expect_violation("not the accepted results");
    }
}

#[test]
fn nobody_is_listed_under_the_name_of_another() {
    ask(|outcome| {
        if outcome.observations.len() == 2 {
            outcome.observations[1].worker = worker(3);
            outcome.missing = vec![worker(2)];
        }
    })
    .expect_violation("not the accepted results");
}

#[test]
fn all_that_was_accepted_is_listed_in_order_and_nothing_else() {
    ask(|outcome| drop(outcome.observations.pop())).expect_violation("not the accepted results");
    ask(|outcome| outcome.missing.insert(0, worker(1))).expect_violation("as answered and as missing");
    ask(|outcome| outcome.observations.reverse()).expect_violation("out of order");
    let twice = |outcome: &mut Outcome| {
        outcome.missing.insert(0, worker(3));
    };
    ask(twice).expect_violation("out of order");
}

#[test]
fn an_observation_must_have_been_sent() {
    let mut run = run();
    run.drive(&submit(1, "a"));
    for number_of in 1..=3 {
        run.drive(&Input::Result(result(number_of, "a", Ok(number("1")))));
    }
    run.expect_violation("nobody sent");
}

#[test]
fn a_result_sent_for_another_request_does_not_count() {
    let mut run = run();
    run.drive(&submit(1, "a"));
    for number_of in 1..=3 {
        run.sent(&result(number_of, "b", Ok(number("1"))));
        run.drive(&Input::Result(result(number_of, "a", Ok(number("1")))));
    }
    run.expect_violation("nobody sent");
}

#[test]
fn failure_texts_may_be_cut_and_invalid_values_become_failures() {
    let long: Observed = Ok(Value::Text("x".repeat(5000).into()));
    let err = |text: &str| Err(text.into());
    assert!(is_observed(&long, &err("value is longer than 4096 bytes")));
    assert!(is_observed(&err("a long story"), &err("a long")));
    assert!(!is_observed(&err("a long story"), &err("another")));
    assert!(!is_observed(&Ok(number("1")), &err("no")));
    assert!(!is_observed(&err("no"), &Ok(number("1"))));
}

#[test]
fn a_retry_after_a_cancellation_starts_without_results() {
    let mut run = run();
    run.drive(&submit(1, "a"));
    run.result(1, "a", Ok(number("1")));
    run.drive(&Input::Cancel(Ticket(1)));
    run.drive(&submit(2, "a"));
    run.tamper_outcome(|outcome| assert_eq!(outcome.request, id("a")));
    for number_of in 1..=3 {
        run.result(number_of, "a", Ok(number("2")));
    }
    run.expect_fine();
}
