//! The hosts that run a worker's machine, in place of the production driver, with a simulated source.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Machine as _;
use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::WorkerId;
use quorate_core::time::{Timestamp, saturating_nanos};
use quorate_core::value::{MAX_TEXT_BYTES, Value, ValueError};
use quorate_core::worker::{Input, JobId, Output, ReplyTo, WorkResult, Worker};
use quorate_runtime::driver::{Held, Step};
use quorate_runtime::source::Reading;

use super::links::Node;
use super::{Next, Program, Stage, millis};
use crate::edge::Edge;
use crate::event::{self, Body, Event, Message, What, WorkerResult};
use crate::host::Host;
use crate::instance;
use crate::mischief::{Mischiefs, Tampered};
use crate::observe::{Observer, SourceFaults};
use crate::scenario::{self, FaultKind, Mischief};

/// A host with a worker.
pub(super) struct WorkerNode {
    pub(super) spec: scenario::Worker,
    id: WorkerId,
    seed: u64,
    incarnation: u32,
    process: Option<Process>,
    /// Whether a new process starts as soon as this one has stopped.
    restart: bool,
    source: SourceFaults,
    lasting: Vec<(Mischief, u32)>,
    /// Whether its presence announcements are lost.
    presence_lost: bool,
}

struct Process {
    machine: Worker,
    observer: Observer,
    mischiefs: Mischiefs,
    instance: Arc<str>,
    stopping: bool,
    wake_at: Option<u64>,
    running: BTreeSet<JobId>,
    takes_tasks: bool,
    state: PresenceState,
}

/// The end of a job.
#[derive(Debug)]
pub(super) struct JobEnd {
    pub(super) node: Node,
    incarnation: u32,
    job: JobId,
    read: Result<Reading, Arc<str>>,
}

impl WorkerNode {
    pub(super) fn new(seed: u64, spec: &scenario::Worker) -> Self {
        Self {
            id: spec.id(),
            seed,
            incarnation: 0,
            process: None,
            restart: false,
            source: SourceFaults::default(),
            lasting: Vec::new(),
            presence_lost: false,
            spec: spec.clone(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Lets a new process start once this one has stopped, if it is stopping.
    pub(super) fn restart_once_stopped(&mut self) {
        self.restart = self.process.as_ref().is_some_and(|process| process.stopping);
    }

    pub(super) fn takes_tasks(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.takes_tasks)
    }

    /// Sets what goes wrong with it from now on.
    pub(super) fn set_faults(&mut self, lasting: &[&FaultKind], healed: bool) {
        let host = Host::Worker(self.spec.number);
        self.source = SourceFaults { healed, ..SourceFaults::of(host, lasting.iter().copied()) };
        self.lasting = Mischiefs::of(host, lasting.iter().copied());
        self.presence_lost = lasting.contains(&&FaultKind::PresenceLost(host));
        if let Some(process) = &mut self.process {
            process.mischiefs.set(self.lasting.clone());
        }
    }

    fn clock(&self, now: u64) -> Timestamp {
        Timestamp::from_nanos(now + millis(self.spec.clock_ms))
    }
}

impl Stage<'_> {
    pub(super) fn worker(&mut self, node: Node) -> Option<&mut WorkerNode> {
        match &mut self.programs[node] {
            Program::Worker(worker) => Some(worker),
            _ => None,
        }
    }

    fn worker_process(&mut self, node: Node) -> Option<&mut Process> {
        self.worker(node)?.process.as_mut()
    }

    pub(super) fn start_worker(&mut self, node: Node) {
        let Some(worker) = self.worker(node) else { return };
        worker.incarnation += 1;
        worker.restart = false;
        let (incarnation, number) = (worker.incarnation, worker.spec.number);
        let mut mischiefs = Mischiefs::new(worker.seed, number, incarnation);
        mischiefs.set(worker.lasting.clone());
        worker.process = Some(Process {
            machine: Worker::new(worker.spec.config()),
            observer: Observer::new(worker.seed, &worker.spec, incarnation),
            mischiefs,
            instance: instance::worker(number, incarnation).into(),
            stopping: false,
            wake_at: None,
            running: BTreeSet::new(),
            takes_tasks: true,
            state: PresenceState::Live,
        });
        self.tell(node, What::Started { incarnation });
        self.begin_connecting(node, 0);
    }

    /// Lets the machine handle an input, and carries out its outputs.
    pub(super) fn worker_input(&mut self, node: Node, input: &Input) {
        self.worker_step(node, Some(input));
    }

    pub(super) fn wake_worker(&mut self, node: Node, incarnation: u32) {
        let now = self.now;
        let Some(worker) = self.worker(node) else { return };
        if worker.incarnation != incarnation {
            return;
        }
        let clock = worker.clock(now);
        let Some(process) = &mut worker.process else { return };
        process.wake_at = process.wake_at.filter(|at| *at > now);
        if process.machine.poll_timeout().is_some_and(|at| at <= clock) {
            self.worker_step(node, None);
        } else {
            self.plan_worker_wake(node);
        }
    }

    /// One step of the machine, an input or a wake if there is none. Carries out its outputs.
    fn worker_step(&mut self, node: Node, input: Option<&Input>) {
        let Program::Worker(worker) = &mut self.programs[node] else { return };
        let now = worker.clock(self.now);
        let Some(Process { machine, .. }) = &mut worker.process else { return };
        let mut outputs = Vec::new();
        machine.step(now, input, &mut outputs);
        let (at, host) = (self.now, self.hosts[node]);
        event::worker_step(&Step { now, input, outputs: &outputs, machine }, |what| {
            self.watch.event(&Event { at, host, what });
        });
        let mut drained = false;
        for output in outputs {
            match output {
                Output::Start { job, query, .. } => self.start_job(node, job, query.as_str()),
                Output::Abort(job) => {
                    if let Some(process) = self.worker_process(node) {
                        process.running.remove(&job);
                    }
                }
                Output::Answer(result) => self.send_result(node, result),
                Output::Announce(state) => self.announce(node, state),
                Output::CloseIntake => {
                    if let Some(process) = self.worker_process(node) {
                        process.takes_tasks = false;
                    }
                }
                Output::Drained => drained = true,
            }
        }
        let running = self.worker_process(node).map_or(0, |process| process.running.len());
        self.tell(node, What::Edge(Edge::PassEnded(Held { running, ..Held::default() })));
        if drained {
            self.worker_stopped(node);
        } else {
            self.plan_worker_wake(node);
        }
    }

    fn plan_worker_wake(&mut self, node: Node) {
        let now = self.now;
        let Some(worker) = self.worker(node) else { return };
        let (incarnation, offset) = (worker.incarnation, millis(worker.spec.clock_ms));
        let Some(process) = &mut worker.process else { return };
        let Some(wanted) = process.machine.poll_timeout() else { return };
        let at = wanted.as_nanos().saturating_sub(offset).max(now);
        if process.wake_at.is_none_or(|planned| at < planned) {
            process.wake_at = Some(at);
            self.heap.plan(at, Next::Wake { node, incarnation });
        }
    }

    fn start_job(&mut self, node: Node, job: JobId, query: &str) {
        let now = self.now;
        let Some(worker) = self.worker(node) else { return };
        let incarnation = worker.incarnation;
        let Some(process) = &mut worker.process else { return };
        process.running.insert(job);
        let (takes, read) = process.observer.observe(query, &worker.source);
        let end = JobEnd { node, incarnation, job, read: read.map_err(Into::into) };
        self.heap.plan(now + saturating_nanos(takes), Next::JobDone(end));
    }

    pub(super) fn job_done(&mut self, end: JobEnd) {
        let JobEnd { node, incarnation, job, read } = end;
        let is_current = self.worker(node).is_some_and(|worker| worker.incarnation == incarnation);
        if is_current && self.worker_process(node).is_some_and(|process| process.running.remove(&job)) {
            let age = read.as_ref().ok().and_then(|reading| reading.age);
            let observed = read.map(|reading| reading.value);
            self.worker_input(node, &Input::Done { job, observed, age, trace: None });
        }
    }

    fn send_result(&mut self, node: Node, result: WorkResult) {
        let results = Arc::clone(&self.subjects.results);
        let now = self.now;
        let Some(worker) = self.worker(node) else { return };
        let (subject, packed) = match result.reply {
            ReplyTo::Shared => (results, None),
            ReplyTo::Task(subject) => (subject, None),
            ReplyTo::Pack { subject, task } => (subject, task),
        };
        let body = Body::Result(WorkerResult {
            worker: worker.id.clone(),
            request: result.request,
            observed: result.observed,
            overloaded: result.overloaded,
            response_time: result.response_time,
            age: result.age.map(|age| worker.spec.says_age(age, worker.clock(now))),
            packed,
        });
        let message = Message { subject, reply: None, body };
        let incarnation = worker.incarnation;
        let Some(process) = &mut worker.process else { return };
        for (delay, tampered) in process.mischiefs.tamper(message) {
            let message = Arc::new(understood(tampered));
            if delay == Duration::ZERO {
                // A result that cannot be sent is lost, like any message on this bus.
                let _ = self.publish(node, &message);
            } else {
                self.heap.plan(now + saturating_nanos(delay), Next::SendLate { node, incarnation, message });
            }
        }
    }

    pub(super) fn send_late(&mut self, node: Node, incarnation: u32, message: &Arc<Message>) {
        let runs = |worker: &mut WorkerNode| worker.incarnation == incarnation && worker.process.is_some();
        if self.worker(node).is_some_and(runs) {
            let _ = self.publish(node, message);
        }
    }

    fn presence(&mut self, node: Node, state: PresenceState) -> Option<Presence> {
        let worker = self.worker(node)?;
        let process = worker.process.as_ref()?;
        let (instance, offer) = (Arc::clone(&process.instance), process.machine.offer().clone());
        let presence = Presence::new(worker.id.clone(), instance, state);
        Some(Presence { replicated: worker.spec.replicated, packs: worker.spec.packs, offer, ..presence })
    }

    fn announce(&mut self, node: Node, state: PresenceState) {
        if let Some(process) = self.worker_process(node) {
            process.state = state;
        }
        if self.worker(node).is_some_and(|worker| worker.presence_lost) {
            return;
        }
        let Some(presence) = self.presence(node, state) else { return };
        let subject = Arc::clone(&self.subjects.presence);
        let _ = self.publish(node, &Arc::new(Message { subject, reply: None, body: Body::Presence(presence) }));
    }

    pub(super) fn worker_receives(&mut self, node: Node, message: &Message) {
        if self.worker_process(node).is_none() {
            return;
        }
        self.tell(node, What::Received(message));
        match &message.body {
            Body::Task(task) => {
                self.worker_input(node, &Input::Task(task.received(message)));
            }
            Body::Ping => {
                let Some(state) = self.worker_process(node).map(|process| process.state) else { return };
                if let (Some(reply), Some(presence)) = (message.reply.clone(), self.presence(node, state)) {
                    let message = Message { subject: reply, reply: None, body: Body::Presence(presence) };
                    let _ = self.publish(node, &Arc::new(message));
                }
            }
            Body::Result(_) | Body::Presence(_) | Body::Outcome(_) | Body::NoResponders | Body::Garbage(_) => {}
        }
    }

    pub(super) fn crash_worker(&mut self, node: Node) {
        if self.worker(node).and_then(|worker| worker.process.take()).is_some() {
            self.tell(node, What::Crashed);
            self.host_closes(node);
        }
    }

    pub(super) fn stop_worker(&mut self, node: Node) {
        let Some(process) = self.worker_process(node) else { return };
        if !std::mem::replace(&mut process.stopping, true) {
            self.tell(node, What::Stopping);
            self.worker_input(node, &Input::Drain);
        }
    }

    fn worker_stopped(&mut self, node: Node) {
        self.host_closes(node);
        let Some(worker) = self.worker(node) else { return };
        worker.process = None;
        let restart = worker.restart;
        self.tell(node, What::Stopped);
        if restart {
            self.start(node);
        }
    }
}

/// A message as its receiver understands it.
pub(super) fn understood(tampered: Tampered) -> Message {
    match tampered {
        Tampered::Garbage { subject, len } => Message { subject, reply: None, body: Body::Garbage(len) },
        Tampered::Message(Message { subject, reply, body: Body::Result(result) }) => {
            // Only a failure that the worker states can be a refusal.
            let overloaded = result.overloaded && result.observed.is_err();
            let observed = match result.observed {
                Ok(Value::Text(text)) if text.len() > MAX_TEXT_BYTES => Err(ValueError::TextTooLong.to_string().into()),
                observed => observed,
            };
            // An invalid value becomes a failure, which has no age.
            let age = result.age.filter(|_| observed.is_ok());
            Message { subject, reply, body: Body::Result(WorkerResult { observed, overloaded, age, ..result }) }
        }
        Tampered::Message(message) => message,
    }
}
