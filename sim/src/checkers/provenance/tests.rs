//! Tests of `provenance`.

use quorate_core::coordinator::PresenceState;
use quorate_core::id::Ticket;

use super::super::support::{Run, id, number, presence, result, scenario, submit, worker};
use super::*;
use crate::Depth;

fn run() -> Run {
    let mut run = Run::new(&scenario(), Depth::Machines, new);
    run.begin(&[1, 2, 3]);
    run.earn_records(&[1, 2, 3]);
    run
}

/// Workers 1 and 2 answer, worker 3 does not.
fn ask(tamper: impl Fn(&mut Outcome) + 'static) -> Run {
    let mut run = run();
    run.tamper_outcome(tamper);
    run.drive(submit(1, "b"));
    run.result(1, "b", Ok(number("5")));
    run.drive(submit(2, "a"));
    run.result(2, "a", Ok(number("2")));
    run.result(1, "a", Err("no".into()));
    run.result(2, "a", Ok(number("22")));
    run.pass(1000);
    run.wake();
    run
}

#[test]
fn what_was_received_finds_nothing() {
    ask(|_| {}).finds_nothing();
}

type Tampered<'a> = (fn(&mut Observation), &'a str);

#[test]
fn whatever_was_not_received_is_not() {
    let first = |outcome: &Outcome| outcome.observations.len() == 2;
    let tampered: [Tampered<'_>; 5] = [
        (|observation| observation.observed = Ok(number("9")), "not what came in first"),
        (|observation| observation.observed = Err("oh".into()), "not what came in first"),
        // Of another request, and a second word.
        (|observation| observation.observed = Ok(number("5")), "not what came in first"),
        (|observation| observation.observed = Ok(number("22")), "not what came in first"),
        (|observation| observation.response_time = Duration::ZERO, "not what came in first"),
    ];
    for (tamper, words) in tampered {
        ask(move |outcome| {
            if first(outcome) {
                tamper(&mut outcome.observations[1]);
            }
        })
        .objects(words);
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
    .objects("not what came in first");
}

#[test]
fn whoever_answered_is_listed_and_whoever_did_not_is_missing() {
    ask(|outcome| drop(outcome.observations.pop())).objects("is not listed");
    ask(|outcome| drop(outcome.missing.pop())).objects("are missing, not");
    ask(|outcome| outcome.missing.push(worker(7))).objects("are missing, not");
    ask(|outcome| outcome.missing.insert(0, worker(1))).objects("answered and is missing");
    ask(|outcome| outcome.missing.reverse()).objects("in order");
    ask(|outcome| outcome.observations.reverse()).objects("in order");
}

#[test]
fn somebody_must_have_sent_it() {
    let mut run = run();
    run.drive(submit(1, "a"));
    for number_of in 1..=3 {
        run.drive(Input::Result(result(number_of, "a", Ok(number("1")))));
    }
    run.objects("nobody sent");
}

#[test]
fn what_is_sent_for_another_request_is_not_sent_for_this() {
    let mut run = run();
    run.drive(submit(1, "a"));
    for number_of in 1..=3 {
        run.sent(&result(number_of, "b", Ok(number("1"))));
        run.drive(Input::Result(result(number_of, "a", Ok(number("1")))));
    }
    run.objects("nobody sent");
}

#[test]
fn words_may_be_cut_and_what_is_no_value_is_a_failure() {
    let long: Observed = Ok(Value::Text("x".repeat(5000).into()));
    let err = |text: &str| Err(text.into());
    assert!(is_observed(&long, &err("value is longer than 4096 bytes")));
    assert!(is_observed(&err("a long story"), &err("a long")));
    assert!(!is_observed(&err("a long story"), &err("another")));
    assert!(!is_observed(&Ok(number("1")), &err("no")));
    assert!(!is_observed(&err("no"), &Ok(number("1"))));
}

#[test]
fn a_value_is_as_old_as_it_was_said_to_be() {
    for (age, words) in
        [(Some(1500), None), (Some(1400), Some("not what came in first")), (None, Some("not what came"))]
    {
        let mut run = run();
        run.drive(submit(1, "a"));
        let mut aged = result(1, "a", Ok(number("1")));
        aged.age = Some(Duration::from_millis(1500));
        run.sent(&aged);
        run.drive(Input::Result(aged));
        run.tamper_outcome(move |outcome| outcome.observations[0].age = age.map(Duration::from_millis));
        run.pass(1000);
        run.wake();
        match words {
            None => run.finds_nothing(),
            Some(words) => run.objects(words),
        }
    }
}

/// Results that are told at once with others may have come before or after the end.
fn at_once(tamper: impl Fn(&mut Outcome) + 'static) -> Run {
    let mut run = run();
    run.drive(presence(3, PresenceState::Left));
    for number_of in 1..=3 {
        run.sent(&result(number_of, "a", Ok(number("1"))));
    }
    run.tamper_outcome(tamper);
    run.put(submit(1, "a"));
    run.put(Input::Result(result(1, "a", Ok(number("1")))));
    run.settle();
    run.put(Input::Result(result(2, "a", Ok(number("1")))));
    run.put(Input::Result(result(3, "a", Ok(number("1")))));
    run.settle();
    run
}

#[test]
fn what_came_together_with_the_end_need_not_be_listed() {
    at_once(|_| {}).finds_nothing();
}

#[test]
fn of_what_came_together_the_first_is_listed() {
    at_once(|outcome| outcome.observations[1].worker = worker(3)).objects("what came before is not");
}

#[test]
fn a_result_on_the_subject_of_another_task_is_not_used() {
    let mut run = run();
    run.drive(submit(1, "a"));
    let mut misdirected = result(1, "a", Ok(number("1")));
    misdirected.task = Some(TaskId(99));
    run.sent(&misdirected);
    run.drive(Input::Result(misdirected));
    run.tamper_outcome(|outcome| {
        outcome.missing.remove(0);
        outcome.observations.push(Observation {
            worker: worker(1),
            observed: Ok(number("1")),
            response_time: Duration::from_millis(1),
            age: None,
            weight: None,
            excluded: None,
        });
    });
    run.pass(1000);
    run.wake();
    run.objects("not what came in first");
}

#[test]
fn a_worker_that_is_not_admitted_is_not_used() {
    let mut scenario = scenario();
    scenario.cluster.settings.admitted = Some(vec![1]);
    for tampers in [false, true] {
        let mut run = Run::new(&scenario, Depth::Machines, new);
        run.begin(&[1]);
        run.drive(submit(1, "a"));
        run.result(2, "a", Ok(number("1")));
        run.tamper_outcome(move |outcome| {
            if tampers {
                let mut copy = outcome.observations[0].clone();
                copy.worker = worker(2);
                outcome.observations.push(copy);
            }
        });
        run.result(1, "a", Ok(number("1")));
        if tampers { run.objects("not what came in first") } else { run.finds_nothing() }
    }
}

#[test]
fn an_id_that_is_asked_again_begins_anew() {
    let mut run = run();
    run.drive(submit(1, "a"));
    run.result(1, "a", Ok(number("1")));
    run.drive(Input::Cancel(Ticket(1)));
    run.drive(submit(2, "a"));
    run.tamper_outcome(|outcome| assert_eq!(outcome.request, id("a")));
    for number_of in 1..=3 {
        run.result(number_of, "a", Ok(number("2")));
    }
    run.finds_nothing();
}
