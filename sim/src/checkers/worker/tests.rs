//! Tests of `worker`.

use std::time::Duration;

use quorate_core::coordinator::PresenceState;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input, JobId, Output, WorkResult, Worker};

use crate::checkers::rig::{Rig, WORKER, query, request, task};
use crate::event::What;

fn done(job: u64) -> Input {
    Input::Done {
        job: JobId(job),
        observed: Ok(Value::Number(5.into())),
        age: Some(Duration::from_millis(70)),
        trace: None,
    }
}

fn answer(number: u64) -> Output {
    Output::Answer(WorkResult {
        request: request(number),
        reply: Some(format!("_INBOX.c1.{number}").into()),
        observed: Ok(Value::Number(5.into())),
        response_time: Duration::from_millis(2),
        age: Some(Duration::from_millis(70)),
        trace: None,
    })
}

/// A rig whose worker does one thing more, which its machine did not want.
fn after(inputs: Vec<(u64, Input)>, output: &Output) -> Rig {
    let mut rig = Rig::new(super::new);
    for (at, input) in inputs {
        rig.worker(at, input);
    }
    rig.expect_fine();
    rig.tell(WORKER, What::WorkerOutput(rig.now(), output));
    rig
}

#[test]
fn the_life_of_a_worker_is_fine() {
    let mut rig = Rig::new(super::new);
    rig.clock_offset_ms = 77;
    rig.worker(0, Input::BusUp);
    for number in 0..5 {
        rig.worker(1, task(number, 100));
    }
    rig.worker(2, task(0, 300));
    rig.worker(3, done(1));
    rig.worker(4, task(1, 300));
    rig.wake_worker(101);
    rig.worker(110, task(7, 100));
    rig.worker(111, done(3));
    rig.wake_worker(210);
    for number in 10..15 {
        rig.worker(300, task(number, 100));
        rig.worker(301, done(number));
    }
    rig.wake_worker(401);
    rig.worker(900, Input::BusDown);
    rig.wake_worker(1_000);
    rig.worker(1_100, Input::BusUp);
    rig.worker(1_200, task(20, 400));
    rig.worker(1_210, Input::Drain);
    rig.worker(1_211, task(21, 100));
    rig.wake_worker(1_311);
    rig.wake_worker(1_460);
    rig.worker(1_500, task(22, 100));
    rig.wake_worker(1_600);
    rig.expect_fine();
}

#[test]
fn a_job_that_is_started_for_nothing_or_twice_is_found() {
    let start =
        |job| Output::Start { job: JobId(job), query: query(), time_left: Duration::from_millis(500), trace: None };
    after(vec![(1, task(1, 500))], &start(0)).expect_violation("a second time");
    after(vec![(1, task(1, 500))], &start(1)).expect_violation("no task waits");
}

#[test]
fn an_answer_that_nobody_asked_for_or_a_second_one_is_found() {
    after(vec![(1, task(1, 500))], &answer(2)).expect_violation("nobody asked");
    after(vec![(1, task(1, 500)), (3, done(0))], &answer(1)).expect_violation("nobody asked");
}

#[test]
fn an_answer_after_the_deadline_is_found() {
    let mut rig = Rig::new(super::new);
    rig.worker(1, task(1, 500));
    rig.at_ms(501);
    rig.tell(WORKER, What::WorkerInput(rig.now(), &done(0)));
    rig.tell(WORKER, What::WorkerOutput(rig.now(), &answer(1)));
    rig.expect_violation("nobody needs");
}

#[test]
fn another_answer_to_who_asks_again_is_found() {
    let mut rig = Rig::new(super::new);
    rig.worker(1, task(1, 500));
    rig.worker(2, done(0));
    rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
    rig.tell(WORKER, What::WorkerOutput(rig.now(), &answer(1)));
    rig.expect_violation("owes");
}

#[test]
fn an_answer_that_is_not_given_is_found() {
    let mut rig = Rig::new(super::new);
    rig.worker(1, task(1, 500));
    rig.tell(WORKER, What::WorkerInput(rig.now(), &done(0)));
    rig.settled_worker();
    rig.expect_violation("does not answer");
}

#[test]
fn a_job_of_no_use_that_is_not_aborted_and_one_of_use_that_is_are_found() {
    let mut rig = Rig::new(super::new);
    rig.worker(1, task(1, 500));
    rig.at_ms(501);
    rig.tell(WORKER, What::WorkerWoken(rig.now()));
    rig.settled_worker();
    rig.expect_violation("does not abort");
    after(vec![(1, task(1, 500))], &Output::Abort(JobId(0))).expect_violation("is of use");
}

#[test]
fn more_jobs_than_allowed_and_places_left_idle_are_found() {
    let mut rig = Rig::new(super::new);
    rig.worker = Worker::new(Config::default());
    for number in 0..3 {
        rig.worker(1, task(number, 500));
    }
    rig.expect_violation("runs 3 jobs");
    let mut rig = Rig::new(super::new);
    rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
    rig.settled_worker();
    rig.expect_violation("lets 1 tasks wait");
}

#[test]
fn a_word_on_itself_at_the_wrong_time_or_missing_is_found() {
    let live = Output::Announce(PresenceState::Live);
    after(vec![(0, Input::BusUp)], &live).expect_violation("when None is due");
    let mut rig = Rig::new(super::new);
    rig.tell(WORKER, What::WorkerInput(rig.now(), &Input::BusUp));
    rig.settled_worker();
    rig.expect_violation("Announce(Live)");
    let mut rig = Rig::new(super::new);
    rig.worker(0, Input::BusUp);
    rig.at_ms(1_000);
    rig.tell(WORKER, What::WorkerWoken(rig.now()));
    rig.settled_worker();
    rig.expect_violation("Announce(Live)");
}

#[test]
fn draining_twice_is_found() {
    let mut rig = Rig::new(super::new);
    rig.worker(0, Input::Drain);
    rig.wake_worker(250);
    rig.expect_fine();
    rig.tell(WORKER, What::WorkerOutput(rig.now(), &Output::Drained));
    rig.expect_violation("a second time");
}
