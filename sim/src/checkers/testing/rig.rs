//! A rig for the tests of a checker, which is shown the steps of real machines, unchanged or tampered with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Machine as _;
use quorate_core::coordinator::{Coordinator, Input, Output, PresenceState, WorkerResult};
use quorate_core::id::Ticket;
use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, JobId, Worker};
use quorate_runtime::driver::Held;

use super::inputs::{self, presence, result, submit, task_message};
use crate::Depth;
use crate::checkers::{Checker, Context};
use crate::edge::Edge;
use crate::event::{self, Body, Event, Message, Question, Reply, What};
use crate::host::Host;
use crate::scenario::{self, Fault, FaultKind, Scenario};

pub(crate) const COORDINATOR: Host = Host::Coordinator(1);
pub(crate) const WORKER: Host = Host::Worker(1);

/// Turns an output into those that the checker sees in its place.
type Tamper = Box<dyn FnMut(Output) -> Vec<Output>>;

/// A checker, and the coordinator and worker that it is shown.
pub(crate) struct Rig {
    checker: Box<dyn Checker>,
    pub(crate) scenario: Scenario,
    pub(crate) coordinator: Coordinator,
    pub(crate) worker: Worker,
    tamper: Tamper,
    at: u64,
    /// What the clocks of the hosts show when the run begins, in milliseconds.
    pub(crate) clock_offset_ms: u64,
    /// Whether the checker sees the tasks of the coordinator being sent.
    pub(crate) sends: bool,
    /// What the coordinator has put out in this pass.
    outputs: Vec<Output>,
    waiting: BTreeSet<Ticket>,
    running: BTreeSet<JobId>,
    violation: Option<String>,
}

impl Rig {
    pub(crate) fn new<C: Checker + 'static>(new: fn(&Context<'_>) -> C) -> Self {
        Self::at(&Scenario::quiet(), Depth::Machines, new)
    }

    /// A rig with these faults in its schedule.
    pub(crate) fn with_faults<C: Checker + 'static>(new: fn(&Context<'_>) -> C, faults: Vec<FaultKind>) -> Self {
        let faults = faults.into_iter().map(|kind| Fault { at_ms: 0, for_ms: 1_000, kind }).collect();
        Self::at(&Scenario { faults, ..Scenario::quiet() }, Depth::Machines, new)
    }

    pub(crate) fn at<C: Checker + 'static>(scenario: &Scenario, depth: Depth, new: fn(&Context<'_>) -> C) -> Self {
        let mut rig = Self {
            checker: Box::new(new(&Context { scenario, depth })),
            scenario: scenario.clone(),
            coordinator: Coordinator::new(scenario.cluster.settings.config(), 1),
            worker: Worker::new(scenario.cluster.workers[0].config()),
            tamper: Box::new(|output| vec![output]),
            at: 0,
            clock_offset_ms: scenario.cluster.coordinators[0].clock_ms,
            sends: false,
            outputs: Vec::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
            violation: None,
        };
        rig.tell(COORDINATOR, What::Started { incarnation: 1 });
        rig.tell(WORKER, What::Started { incarnation: 1 });
        rig
    }

    /// Passes every later output of the coordinator through `tamper`.
    pub(crate) fn tamper(&mut self, tamper: impl FnMut(Output) -> Vec<Output> + 'static) {
        self.tamper = Box::new(tamper);
    }

    /// Passes every later outcome through `tamper`.
    pub(crate) fn tamper_outcome(&mut self, tamper: impl Fn(&mut Outcome) + 'static) {
        self.tamper(move |mut output| {
            if let Output::Ended(outcome) | Output::Answer { reply: Ok(outcome), .. } = &mut output {
                tamper(Arc::make_mut(outcome));
            }
            vec![output]
        });
    }

    pub(crate) fn at_ms(&mut self, at: u64) {
        self.at = at * 1_000_000;
    }

    /// Lets time pass, in milliseconds.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.at += ms * 1_000_000;
    }

    /// What the clocks of the hosts show now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock_offset_ms).after(Duration::from_nanos(self.at))
    }

    pub(crate) fn tell(&mut self, host: Host, what: What<'_>) {
        judge(&mut *self.checker, &mut self.violation, &Event { at: self.at, host, what });
    }

    /// Shows an input of the coordinator to the checker alone.
    pub(crate) fn input(&mut self, input: &Input) {
        self.tell(COORDINATOR, What::CoordinatorInput(self.now(), input));
    }

    /// Shows an output of the coordinator to the checker alone.
    pub(crate) fn output(&mut self, output: &Output) {
        self.tell(COORDINATOR, What::CoordinatorOutput(self.now(), output));
    }

    pub(crate) fn fault_begins(&mut self, place: usize) {
        let fault = self.scenario.faults[place].clone();
        self.tell(COORDINATOR, What::FaultBegan(place, &fault));
    }

    pub(crate) fn fault_ends(&mut self, place: usize) {
        let fault = self.scenario.faults[place].clone();
        self.tell(COORDINATOR, What::FaultEnded(place, &fault));
    }

    /// Starts a run: the bus is up, and these workers are known.
    pub(crate) fn begin(&mut self, workers: &[u8]) {
        self.drive(&Input::BusUp);
        for number in workers {
            self.drive(&presence(*number, PresenceState::Live));
        }
    }

    /// Gives the coordinator an input, in a pass of its own.
    pub(crate) fn coordinator(&mut self, at_ms: u64, input: &Input) -> Vec<Output> {
        self.at_ms(at_ms);
        self.drive(input)
    }

    /// Gives the coordinator an input now, in a pass of its own.
    pub(crate) fn drive(&mut self, input: &Input) -> Vec<Output> {
        self.begin_coordinator(input);
        self.end_coordinator_pass()
    }

    pub(crate) fn wake_coordinator(&mut self, at_ms: u64) {
        self.at_ms(at_ms);
        self.wake();
    }

    pub(crate) fn wake(&mut self) {
        self.coordinator_step(None);
        self.end_coordinator_pass();
    }

    /// Gives the coordinator an input without ending the pass, which would carry out its outputs.
    pub(crate) fn begin_coordinator(&mut self, input: &Input) {
        match input {
            Input::Submit(submit) => drop(self.waiting.insert(submit.ticket)),
            Input::Cancel(ticket) => drop(self.waiting.remove(ticket)),
            _ => {}
        }
        self.coordinator_step(Some(input));
    }

    fn coordinator_step(&mut self, input: Option<&Input>) {
        let now = self.now();
        self.tell(COORDINATOR, input.map_or(What::CoordinatorWoken(now), |input| What::CoordinatorInput(now, input)));
        let mut outputs = Vec::new();
        self.coordinator.step(now, input, &mut outputs);
        for output in outputs {
            for output in (self.tamper)(output) {
                self.output(&output);
                if let Output::Answer { ticket, .. } = &output {
                    self.waiting.remove(ticket);
                }
                self.outputs.push(output);
            }
        }
        self.settled_coordinator();
    }

    /// Shows that the coordinator has settled.
    pub(crate) fn settled_coordinator(&mut self) {
        let event =
            Event { at: self.at, host: COORDINATOR, what: What::CoordinatorSettled(self.now(), &self.coordinator) };
        judge(&mut *self.checker, &mut self.violation, &event);
    }

    /// Ends the coordinator's pass, in which its outputs are carried out. Returns them.
    pub(crate) fn end_coordinator_pass(&mut self) -> Vec<Output> {
        let outputs = std::mem::take(&mut self.outputs);
        for output in &outputs {
            if let Output::Publish(task) = output
                && self.sends
            {
                self.tell(COORDINATOR, What::Sent(&task_message(task)));
            }
        }
        let held = Held { waiting: self.waiting.len(), ..Held::default() };
        self.tell(COORDINATOR, What::Edge(Edge::PassEnded(held)));
        outputs
    }

    /// Gives the worker an input, in a pass of its own.
    pub(crate) fn worker(&mut self, at_ms: u64, input: &worker::Input) -> Vec<worker::Output> {
        self.at_ms(at_ms);
        let now = self.now();
        self.tell(WORKER, What::WorkerInput(now, input));
        let mut outputs = Vec::new();
        self.worker.step(now, Some(input), &mut outputs);
        if let worker::Input::Done { job, .. } = input {
            self.running.remove(job);
        }
        for output in &outputs {
            match output {
                worker::Output::Start { job, .. } => drop(self.running.insert(*job)),
                worker::Output::Abort(job) => drop(self.running.remove(job)),
                _ => {}
            }
            self.tell(WORKER, What::WorkerOutput(now, output));
        }
        self.settled_worker();
        self.end_worker_pass();
        outputs
    }

    /// Shows that the worker has settled.
    pub(crate) fn settled_worker(&mut self) {
        let event = Event { at: self.at, host: WORKER, what: What::WorkerSettled(self.now(), &self.worker) };
        judge(&mut *self.checker, &mut self.violation, &event);
    }

    /// Shows the end of the worker's pass.
    pub(crate) fn end_worker_pass(&mut self) {
        let held = Held { running: self.running.len(), ..Held::default() };
        self.tell(WORKER, What::Edge(Edge::PassEnded(held)));
    }

    /// Lets these workers earn a record by answering a request.
    pub(crate) fn earn_records(&mut self, workers: &[u8]) {
        self.drive(&submit(1000, "earned"));
        for number in workers {
            self.result(*number, "earned", Ok(inputs::number("1")));
        }
    }

    /// Shows that a worker's result is sent, and gives it to the coordinator.
    pub(crate) fn result(&mut self, number: u8, request: &str, observed: Result<Value, Arc<str>>) {
        let result = result(number, request, observed);
        self.sent(&result);
        self.drive(&Input::Result(result));
    }

    /// Shows that a result is sent.
    pub(crate) fn sent(&mut self, result: &WorkerResult) {
        let WorkerResult { worker, request, observed, overloaded, age, .. } = result.clone();
        let sent = event::WorkerResult::new(worker, request, observed);
        let body = Body::Result(event::WorkerResult { overloaded, age: age.map(event::Age::Stated), ..sent });
        self.tell(WORKER, What::Sent(&Message { subject: "oracle.results".into(), reply: None, body }));
    }

    pub(crate) fn asked(&mut self, number: u32, place: Option<usize>, request: scenario::Request) {
        let asked = Question { number, coordinator: COORDINATOR, place, request };
        self.tell(Host::Client(1), What::Asked(&asked));
    }

    pub(crate) fn replied(&mut self, number: u32, reply: &Reply) {
        self.tell(Host::Client(1), What::Replied(number, reply));
    }

    pub(crate) fn end(&mut self) {
        self.tell(Host::Broker, What::Ended);
    }

    #[track_caller]
    pub(crate) fn expect_fine(&self) {
        assert_eq!(self.violation, None);
    }

    #[track_caller]
    pub(crate) fn expect_violation(&self, words: &str) {
        let text = self.violation.as_deref().expect("the checker found no violation");
        assert!(text.contains(words), "{text}");
    }
}

/// Shows the checker an event, and keeps its first objection.
fn judge(checker: &mut dyn Checker, violation: &mut Option<String>, event: &Event<'_>) {
    let verdict = checker.event(event);
    *violation = violation.take().or(verdict.err());
}
