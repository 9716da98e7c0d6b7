//! The worker's machine: each task is worked on once, within bounds, and answered on every reply subject it came with.

use std::collections::VecDeque;
use std::time::Duration;

use quorate_core::coordinator::PresenceState;
use quorate_core::id::RequestId;
use quorate_core::offer::Offer;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input, JobId, Output, ReplyTo, Task, WorkResult, Worker};

struct Harness {
    worker: Worker,
    now: Timestamp,
    outputs: VecDeque<Output>,
}

impl Harness {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self { worker: Worker::new(config), now: Timestamp::ZERO, outputs: VecDeque::new() }
    }

    fn input(&mut self, input: &Input) {
        self.worker.handle_input(self.now, input);
        self.drain_outputs();
    }

    /// Moves the clock, waking the worker at each of its timeouts on the way.
    fn at_ms(&mut self, millis: u64) {
        let at = Timestamp::from_millis(millis);
        while let Some(wake) = self.worker.poll_timeout().filter(|wake| *wake < at) {
            self.worker.handle_timeout(wake);
            self.drain_outputs();
        }
        self.jump_ms(millis);
    }

    /// Moves the clock in one step.
    fn jump_ms(&mut self, millis: u64) {
        self.now = Timestamp::from_millis(millis);
        self.worker.handle_timeout(self.now);
        self.drain_outputs();
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.worker.poll_output() {
            self.outputs.push_back(output);
        }
    }

    fn task_to(&mut self, request: &str, query: &str, ttl: Option<Duration>, reply: Option<&str>) {
        self.input(&Input::Task(task(request, query, ttl, reply)));
    }

    fn task_marked(&mut self, request: &str, trace: Option<Trace>) {
        let task = task(request, "BTC/USD", Some(Duration::from_secs(1)), Some("inbox"));
        self.input(&Input::Task(Task { trace, ..task }));
    }

    fn task(&mut self, request: &str) {
        self.task_to(request, "BTC/USD", Some(Duration::from_secs(1)), Some("inbox"));
    }

    fn done(&mut self, job: JobId, value: &str) {
        self.done_aged(job, value, None);
    }

    /// A job is done, and its source states the age of the value.
    fn done_aged(&mut self, job: JobId, value: &str, age: Option<Duration>) {
        self.input(&Input::Done { job, observed: Ok(Value::number(value).expect("a number")), age, trace: None });
    }

    fn next(&mut self) -> Output {
        self.outputs.pop_front().expect("an output")
    }

    fn started(&mut self) -> JobId {
        match self.next() {
            Output::Start { job, .. } => job,
            other => panic!("no start but {other:?}"),
        }
    }

    fn answer(&mut self) -> WorkResult {
        match self.next() {
            Output::Answer(result) => result,
            other => panic!("no answer but {other:?}"),
        }
    }

    fn nothing(&self) {
        assert!(self.outputs.is_empty(), "{:?}", self.outputs);
    }
}

/// Where the answer to a task with this reply subject goes.
fn to(subject: Option<&str>) -> ReplyTo {
    subject.map_or(ReplyTo::Shared, |subject| ReplyTo::Task(subject.into()))
}

fn task(request: &str, query: &str, ttl: Option<Duration>, reply: Option<&str>) -> Task {
    Task {
        request: RequestId::new(request).expect("a request id"),
        query: Query::new(query).expect("a query"),
        ttl,
        reply: to(reply),
        trace: None,
    }
}

fn text(result: &WorkResult) -> String {
    match &result.observed {
        Ok(value) => value.to_string(),
        Err(words) => words.to_string(),
    }
}

#[test]
fn a_task_is_started_and_its_answer_goes_where_it_asks() {
    for reply in [Some("inbox"), None] {
        let mut harness = Harness::new();
        harness.task_to("r1", "ETH/USD", Some(Duration::from_secs(1)), reply);
        let Output::Start { job, query, time_left, .. } = harness.next() else { panic!("no start") };
        assert_eq!((query.as_str(), time_left), ("ETH/USD", Duration::from_secs(1)));
        harness.at_ms(7);
        harness.done(job, "42.50");
        let answer = harness.answer();
        assert_eq!((answer.request.as_str(), &answer.reply), ("r1", &to(reply)));
        assert_eq!((text(&answer).as_str(), answer.response_time), ("42.50", Duration::from_millis(7)));
        harness.nothing();
    }
}

#[test]
fn a_task_that_is_not_offered_is_counted_and_leaves_nothing() {
    let mut harness = Harness::with(|config| {
        config.offer = Offer::new(["BTC/*"]).expect("an offer");
        (config.max_concurrent, config.max_queued) = (1, 0);
    });
    for request in ["r1", "r2"] {
        harness.task_to(request, "ETH/USD", None, Some("inbox"));
        harness.nothing();
    }
    assert_eq!((harness.worker.load(), harness.worker.poll_timeout()), ((0, 0), None));
    // The same request with a query that is offered is new.
    harness.task("r1");
    harness.started();
    harness.task_to("r3", "ETH/USD", None, Some("inbox"));
    harness.nothing();
    let counters = harness.worker.counters();
    assert_eq!((counters.tasks_received, counters.tasks_unoffered), (4, 3));
    assert_eq!((counters.tasks_repeated, counters.tasks_refused), (0, 0));
}

#[test]
fn a_task_that_is_asked_again_while_it_runs_or_waits_is_worked_on_once() {
    let mut harness = Harness::with(|config| config.max_concurrent = 1);
    harness.task("running");
    harness.task("waiting");
    let running = harness.started();
    for request in ["running", "waiting"] {
        harness.task(request);
        harness.task_to(request, "BTC/USD", None, Some("other inbox"));
    }
    harness.nothing();
    assert_eq!(harness.worker.load(), (1, 1));
    assert_eq!(harness.worker.counters().tasks_repeated, 4);
    assert_eq!(harness.worker.remembered(), 0, "neither is remembered");
    harness.done(running, "1");
    assert_eq!(harness.worker.remembered(), 1);
    let places = [harness.answer(), harness.answer()].map(|answer| answer.reply);
    assert_eq!(places, [to(Some("inbox")), to(Some("other inbox"))], "each reply subject once");
    let waiting = harness.started();
    harness.done(waiting, "2");
    assert_eq!([harness.answer(), harness.answer()].map(|answer| text(&answer)), ["2", "2"]);
    harness.nothing();
}

#[test]
fn an_answered_task_that_is_asked_again_gets_the_same_answer() {
    for observed in [Ok(Value::number("1").expect("a number")), Err("no price".into())] {
        let mut harness = Harness::new();
        harness.task("r1");
        let job = harness.started();
        harness.at_ms(5);
        harness.input(&Input::Done { job, observed, age: None, trace: None });
        let first = harness.answer();
        harness.at_ms(600);
        harness.task("r1");
        // The value has aged, which the next test is about.
        let age = first.observed.is_ok().then_some(Duration::from_millis(595));
        assert_eq!(harness.answer(), WorkResult { age, ..first });
        harness.nothing();
    }
}

#[test]
fn a_value_grows_older_while_its_answer_is_remembered() {
    for (age, later) in [(Some(250), Some(845)), (Some(0), Some(595)), (None, Some(595))] {
        let [age, later] = [age, later].map(|age| age.map(Duration::from_millis));
        let mut harness = Harness::new();
        harness.task("r1");
        let job = harness.started();
        harness.task_to("r1", "BTC/USD", Some(Duration::from_secs(1)), Some("other"));
        harness.at_ms(5);
        harness.done_aged(job, "1", age);
        let first = harness.answer();
        assert_eq!((first.age, harness.answer().age), (age, age));
        harness.at_ms(600);
        harness.task("r1");
        assert_eq!(harness.answer(), WorkResult { age: later, ..first });
    }
}

#[test]
fn a_failure_has_no_age_however_often_it_is_repeated() {
    let mut harness = Harness::new();
    harness.task("r1");
    let job = harness.started();
    harness.input(&Input::Done { job, observed: Err("no price".into()), age: None, trace: None });
    let first = harness.answer();
    harness.at_ms(600);
    harness.task("r1");
    assert_eq!((first.age, harness.answer()), (None, first));
}

#[test]
fn the_age_of_a_value_never_overflows() {
    let mut harness = Harness::new();
    harness.task("r1");
    let job = harness.started();
    harness.done_aged(job, "1", Some(Duration::MAX));
    harness.answer();
    harness.at_ms(600);
    harness.task("r1");
    assert_eq!(harness.answer().age, Some(Duration::MAX));
}

#[test]
fn the_same_id_with_another_query_is_another_task() {
    let mut harness = Harness::new();
    harness.task_to("r1", "BTC/USD", None, Some("inbox"));
    harness.task_to("r1", "ETH/USD", None, Some("inbox"));
    let (first, second) = (harness.started(), harness.started());
    harness.done(second, "2");
    assert_eq!(text(&harness.answer()), "2");
    harness.done(first, "1");
    assert_eq!(text(&harness.answer()), "1");
    assert_eq!(harness.worker.counters().tasks_repeated, 0);
}

#[test]
fn the_reply_subjects_of_one_answer_are_bounded() {
    let mut harness = Harness::new();
    harness.task("r1");
    let job = harness.started();
    for place in 0..100 {
        harness.task_to("r1", "BTC/USD", None, Some(&format!("inbox {place}")));
    }
    harness.done(job, "1");
    assert_eq!(harness.outputs.len(), 8);
}

#[test]
fn what_runs_and_what_waits_is_bounded_and_the_rest_is_refused_at_once() {
    let mut harness = Harness::with(|config| (config.max_concurrent, config.max_queued) = (2, 1));
    for request in ["r1", "r2", "r3", "r4"] {
        harness.task(request);
    }
    let (first, _) = (harness.started(), harness.started());
    let refused = harness.answer();
    assert_eq!((refused.request.as_str(), text(&refused).as_str()), ("r4", "worker is overloaded"));
    assert_eq!((refused.observed.is_err(), refused.reply), (true, to(Some("inbox"))));
    assert!(refused.overloaded);
    assert_eq!((harness.worker.load(), harness.worker.counters().tasks_refused), ((2, 1), 1));
    harness.done(first, "1");
    assert!(!harness.answer().overloaded);
    let third = harness.started();
    harness.input(&Input::Done { job: third, observed: Err("no price".into()), age: None, trace: None });
    assert!(!harness.answer().overloaded, "a failure of the source is no refusal");
    harness.task("r4");
    harness.started();
    assert_eq!(harness.worker.load(), (2, 0), "a refusal is not remembered");
    harness.nothing();
}

#[test]
fn waiting_tasks_start_in_the_order_they_came() {
    let mut harness = Harness::with(|config| config.max_concurrent = 1);
    for request in ["r1", "r2", "r3"] {
        harness.task(request);
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let job = harness.started();
        harness.done(job, "1");
        order.push(harness.answer().request.to_string());
    }
    assert_eq!(order, ["r1", "r2", "r3"]);
}

#[test]
fn the_time_to_live_is_accepted_within_bounds() {
    let cases = [
        (Some(Duration::ZERO), None),
        (Some(Duration::from_nanos(1)), Some(Duration::from_nanos(1))),
        (None, Some(Duration::from_secs(30))),
        (Some(Duration::MAX), Some(Duration::from_mins(10))),
    ];
    for (ttl, expected) in cases {
        let mut harness = Harness::new();
        harness.task_to("r1", "BTC/USD", ttl, None);
        match expected {
            None => harness.nothing(),
            Some(expected) => {
                assert!(matches!(harness.next(), Output::Start { time_left, .. } if time_left == expected), "{ttl:?}");
            }
        }
        assert_eq!(harness.worker.counters().tasks_expired, u64::from(expected.is_none()));
    }
}

#[test]
fn a_running_job_is_aborted_at_its_deadline_and_its_late_result_ignored() {
    let mut harness = Harness::new();
    harness.task("r1");
    let job = harness.started();
    harness.at_ms(999);
    harness.nothing();
    harness.at_ms(1000);
    assert_eq!(harness.next(), Output::Abort(job));
    harness.done(job, "1");
    harness.nothing();
    let counters = harness.worker.counters();
    assert_eq!((counters.tasks_expired, counters.succeeded), (1, 0));
    assert_eq!((harness.worker.load(), harness.worker.remembered()), ((0, 0), 0));
    assert_eq!(harness.worker.poll_timeout(), None);
}

#[test]
fn an_answer_at_the_deadline_is_too_late() {
    let mut harness = Harness::new();
    harness.task("r1");
    let job = harness.started();
    harness.now = Timestamp::from_millis(1000);
    harness.done(job, "1");
    assert_eq!(harness.next(), Output::Abort(job));
    harness.nothing();
}

#[test]
fn a_task_that_expires_while_it_waits_is_never_started() {
    // Woken at each timeout, or once and late.
    for step in [true, false] {
        let mut harness = Harness::with(|config| config.max_concurrent = 1);
        harness.task_to("running", "BTC/USD", Some(Duration::from_millis(500)), None);
        let running = harness.started();
        harness.task_to("dead", "BTC/USD", Some(Duration::from_millis(500)), None);
        harness.task_to("live", "ETH/USD", Some(Duration::from_millis(900)), None);
        if step {
            harness.at_ms(500);
        } else {
            harness.jump_ms(500);
        }
        assert_eq!(harness.next(), Output::Abort(running));
        let Output::Start { query, time_left, .. } = harness.next() else { panic!("no start") };
        assert_eq!((query.as_str(), time_left), ("ETH/USD", Duration::from_millis(400)));
        harness.nothing();
        assert_eq!(harness.worker.counters().tasks_expired, 2);
    }
}

#[test]
fn results_of_jobs_that_do_not_run_are_ignored() {
    let mut harness = Harness::with(|config| config.max_concurrent = 1);
    harness.task("r1");
    harness.task("r2");
    let job = harness.started();
    harness.done(JobId(999), "1");
    harness.done(JobId(job.0 + 1), "1");
    harness.nothing();
    harness.done(job, "1");
    harness.answer();
    harness.started();
    harness.done(job, "2");
    harness.nothing();
    assert_eq!(harness.worker.counters().succeeded, 1);
}

#[test]
fn answers_are_remembered_within_bounds_of_count_and_time() {
    let mut harness = Harness::with(|config| config.max_remembered = 2);
    for request in ["r1", "r2", "r3"] {
        harness.task(request);
        let job = harness.started();
        harness.done(job, "1");
        harness.answer();
    }
    assert_eq!(harness.worker.remembered(), 2);
    harness.task("r3");
    harness.answer();
    harness.task("r1");
    let again = harness.started();
    harness.done(again, "1");
    harness.answer();
    harness.at_ms(59_999);
    assert_eq!(harness.worker.remembered(), 2);
    harness.at_ms(60_000);
    assert_eq!((harness.worker.remembered(), harness.worker.poll_timeout()), (0, None));
}

#[test]
fn a_worker_announces_itself_when_the_bus_is_up_and_regularly_after_that() {
    let live = Output::Announce(PresenceState::Live);
    let mut harness = Harness::new();
    assert_eq!(harness.worker.poll_timeout(), None, "no announcement is due without a bus");
    harness.input(&Input::BusUp);
    assert_eq!(harness.next(), live);
    harness.at_ms(1999);
    harness.nothing();
    harness.at_ms(6000);
    assert_eq!([harness.next(), harness.next(), harness.next()], [live.clone(), live.clone(), live.clone()]);
    harness.input(&Input::BusDown);
    harness.at_ms(60_000);
    harness.nothing();
    assert_eq!(harness.worker.poll_timeout(), None);
    harness.input(&Input::BusUp);
    assert_eq!(harness.next(), live);
    harness.nothing();
}

#[test]
fn a_draining_worker_says_so_finishes_and_says_farewell_once() {
    let mut harness = Harness::with(|config| config.max_concurrent = 1);
    harness.input(&Input::BusUp);
    harness.next();
    harness.task("r1");
    let first = harness.started();
    harness.task("r2");
    harness.input(&Input::Drain);
    assert_eq!(harness.next(), Output::Announce(PresenceState::Draining));
    harness.input(&Input::Drain);
    harness.task("r3");
    harness.nothing();
    assert_eq!(harness.worker.counters().tasks_refused, 0, "a task sent before the notice is accepted");
    harness.at_ms(250);
    assert_eq!(harness.next(), Output::CloseIntake);
    harness.task("r4");
    harness.nothing();
    assert_eq!(harness.worker.counters().tasks_refused, 1);
    harness.done(first, "1");
    harness.answer();
    let second = harness.started();
    harness.task("r1");
    assert_eq!(text(&harness.answer()), "1", "a repeated task is still answered");
    harness.done(second, "2");
    harness.answer();
    let third = harness.started();
    harness.done(third, "3");
    harness.answer();
    assert_eq!(harness.next(), Output::Announce(PresenceState::Left));
    assert_eq!(harness.next(), Output::Drained);
    harness.input(&Input::Drain);
    harness.at_ms(600_000);
    harness.nothing();
    assert_eq!(harness.worker.poll_timeout(), None);
}

#[test]
fn a_worker_whose_intake_is_closed_does_not_say_farewell_while_it_works() {
    let mut harness = Harness::new();
    harness.input(&Input::BusUp);
    harness.next();
    harness.task_to("r1", "BTC/USD", Some(Duration::from_secs(10)), None);
    let job = harness.started();
    harness.input(&Input::Drain);
    let draining = Output::Announce(PresenceState::Draining);
    assert_eq!(harness.next(), draining);
    harness.at_ms(2_000);
    assert_eq!([harness.next(), harness.next()], [Output::CloseIntake, draining]);
    harness.done(job, "1");
    harness.answer();
    assert_eq!([harness.next(), harness.next()], [Output::Announce(PresenceState::Left), Output::Drained]);
}

#[test]
fn an_idle_worker_is_drained_after_its_grace() {
    let mut harness = Harness::new();
    harness.input(&Input::BusUp);
    harness.next();
    harness.input(&Input::Drain);
    assert_eq!(harness.next(), Output::Announce(PresenceState::Draining));
    harness.at_ms(249);
    harness.nothing();
    harness.at_ms(250);
    let last = [harness.next(), harness.next(), harness.next()];
    assert_eq!(last, [Output::CloseIntake, Output::Announce(PresenceState::Left), Output::Drained]);
    harness.nothing();
}

#[test]
fn a_job_that_is_asked_for_again_goes_on_for_as_long_as_it_is_wanted() {
    let mut harness = Harness::new();
    harness.task_to("r", "BTC/USD", Some(Duration::from_millis(100)), Some("first"));
    let job = harness.started();
    harness.at_ms(50);
    harness.task_to("r", "BTC/USD", Some(Duration::from_secs(10)), Some("second"));
    harness.nothing();
    harness.jump_ms(100);
    assert_eq!(harness.next(), Output::Abort(job), "the job is aborted at its deadline");
    let Output::Start { job: again, time_left, .. } = harness.next() else { panic!("not started again") };
    assert_ne!(again, job, "a late result of the first run must not count for the second");
    assert_eq!(time_left, Duration::from_millis(9950));
    assert_eq!(harness.worker.counters().tasks_expired, 0);
    harness.done(again, "1");
    assert_eq!([harness.answer().reply, harness.answer().reply], [to(Some("first")), to(Some("second"))]);
}

#[test]
fn a_late_result_of_an_aborted_job_is_not_taken_for_one_of_the_next() {
    let mut harness = Harness::new();
    harness.task("r1");
    let first = harness.started();
    harness.at_ms(500);
    harness.task("r1");
    // The source finishes in time, but its result comes just when the job is given up.
    harness.now = Timestamp::from_millis(1000);
    harness.done(first, "1");
    assert_eq!(harness.next(), Output::Abort(first));
    let second = harness.started();
    assert_ne!(first, second);
    harness.nothing();
    harness.done(second, "2");
    assert_eq!(text(&harness.answer()), "2");
}

#[test]
fn the_latest_reply_subjects_under_one_id_are_answered() {
    let mut harness = Harness::new();
    for n in 1..=10 {
        harness.task_to("r", "BTC/USD", Some(Duration::from_secs(1)), Some(&format!("asker {n}")));
    }
    let job = harness.started();
    harness.done(job, "1");
    let answered: Vec<_> = (0..8).map(|_| harness.answer().reply).collect();
    harness.nothing();
    assert_eq!(answered.last(), Some(&to(Some("asker 10"))));
}

#[test]
fn draining_ends_when_the_last_job_expires() {
    let mut harness = Harness::with(|config| config.max_concurrent = 1);
    harness.task("r1");
    harness.task("r2");
    let job = harness.started();
    harness.input(&Input::Drain);
    harness.at_ms(250);
    assert_eq!(harness.next(), Output::CloseIntake);
    harness.jump_ms(1000);
    assert_eq!([harness.next(), harness.next()], [Output::Abort(job), Output::Drained]);
    harness.nothing();
}

#[test]
fn everything_is_counted() {
    let mut harness = Harness::with(|config| (config.max_concurrent, config.max_queued) = (1, 1));
    harness.task("good");
    let good = harness.started();
    harness.task("bad");
    harness.task("good");
    harness.task("refused");
    harness.task_to("dead", "BTC/USD", Some(Duration::ZERO), None);
    harness.at_ms(10);
    harness.done(good, "1");
    let Some(Output::Start { job, .. }) = harness.outputs.pop_back() else { panic!("no start") };
    harness.at_ms(30);
    harness.input(&Input::Done { job, observed: Err("no price".into()), age: None, trace: None });
    let counters = harness.worker.counters();
    assert_eq!((counters.tasks_received, counters.tasks_repeated, counters.tasks_refused), (5, 1, 1));
    assert_eq!((counters.tasks_expired, counters.succeeded, counters.failed), (1, 1, 1));
    assert_eq!(counters.processing_time, Duration::from_millis(40));
}

#[test]
fn absurd_times_break_nothing() {
    let mut harness = Harness::new();
    harness.jump_ms(5000);
    harness.task("r1");
    let job = harness.started();
    harness.now = Timestamp::ZERO;
    harness.done(job, "1");
    assert_eq!(harness.answer().response_time, Duration::ZERO, "a clock that goes backwards counts as standing still");
    harness.task("r2");
    let job = harness.started();
    harness.now = Timestamp::MAX;
    harness.worker.handle_timeout(harness.now);
    harness.drain_outputs();
    assert_eq!(harness.next(), Output::Abort(job));
    harness.task("r3");
    let job = harness.started();
    harness.done(job, "1");
    assert_eq!(harness.next(), Output::Abort(job), "at the end of time every deadline has passed");
    assert_eq!((harness.worker.load(), harness.worker.remembered()), ((0, 0), 0));
}

#[test]
fn a_start_carries_the_mark_of_its_task_and_every_answer_that_of_the_work() {
    let mark = |byte| Some(Trace([byte; 25]));
    let mut harness = Harness::new();
    harness.task_marked("r1", mark(1));
    let Output::Start { job, trace, .. } = harness.next() else { panic!("no start") };
    assert_eq!(trace, mark(1));
    // A repeated task is answered from the same work.
    harness.task_marked("r1", mark(2));
    harness.input(&Input::Done { job, observed: Err("no price".into()), age: None, trace: mark(9) });
    assert_eq!(harness.answer().trace, mark(9));
    harness.task_marked("r1", mark(3));
    assert_eq!(harness.answer().trace, mark(9));
}

#[test]
fn a_refusal_carries_the_mark_of_the_task_that_had_no_place() {
    let mut harness = Harness::with(|config| (config.max_concurrent, config.max_queued) = (1, 0));
    harness.task("r1");
    harness.started();
    harness.task_marked("r2", Some(Trace([2; 25])));
    assert_eq!(harness.answer().trace, Some(Trace([2; 25])));
}
