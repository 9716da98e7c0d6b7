//! All checkers together, on real machines with random inputs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Machine as _;
use quorate_core::aggregate::{Millionths, Strategy};
use quorate_core::coordinator::{self, Coordinator, Presence, PresenceState, Submit, Undelivered, UndeliveredCause};
use quorate_core::id::{TaskId, Ticket};
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, JobId, Worker};
use quorate_runtime::bus::PublishError;
use quorate_runtime::driver::{Held, Step};

use super::inputs::{outcome_message, request_id, task_message, worker_id};
use super::rig::{COORDINATOR, WORKER};
use crate::Depth;
use crate::checkers::{Checkers, Context, said};
use crate::edge::Edge;
use crate::event::{self, Body, Event, Message, What};
use crate::host::Host;
use crate::random::{Random, Stream};
use crate::scenario::{Fault, FaultKind, Forgery, Scenario};

const QUERIES: [&str; 2] = ["BTC/USD", "ETH/USD"];

/// A coordinator and a worker with random inputs.
struct Play {
    checkers: Checkers,
    /// Whether there is a driver, which publishes outcomes to followers.
    follows: bool,
    random: Random,
    coordinator: Coordinator,
    worker: Worker,
    at: u64,
    events: u64,
    bus_up: bool,
    worker_bus_up: bool,
    connections: u64,
    tickets: u64,
    jobs: VecDeque<(JobId, Query)>,
    tasks: VecDeque<coordinator::Task>,
    waiting: BTreeSet<Ticket>,
    running: BTreeSet<JobId>,
}

impl Play {
    fn new(seed: u64, depth: Depth) -> Self {
        let mut random = Random::new(seed, Stream::Scenario, 0);
        let mut scenario = Scenario::quiet();
        let settings = &mut scenario.cluster.settings;
        settings.max_workers = random.pick(&[2, 4, 20]);
        settings.quarantine_below = random.pick(&[None, Some(500_000), Some(950_000)]);
        settings.redispatch_permille = random.pick(&[0, 500, 900]);
        settings.admitted = random.pick(&[None, Some(())]).map(|()| vec![1, 2, 3]);
        settings.policy.max_deviation_permille = Some(100);
        scenario.cluster.adversary = true;
        let forge = Fault { at_ms: 0, for_ms: 1, kind: FaultKind::Forge(Forgery::UnknownRequest, 1) };
        let scenario = Scenario { faults: vec![forge], ..scenario };
        let mut play = Self {
            checkers: Checkers::new(&Context { scenario: &scenario, depth }),
            follows: depth == Depth::Network,
            coordinator: Coordinator::new(scenario.cluster.settings.config(), seed),
            worker: Worker::new(scenario.cluster.workers[0].config()),
            random,
            at: 0,
            events: 0,
            bus_up: false,
            worker_bus_up: false,
            connections: 0,
            tickets: 0,
            jobs: VecDeque::new(),
            tasks: VecDeque::new(),
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
        };
        play.tell(COORDINATOR, What::Started { incarnation: 1 });
        play.tell(WORKER, What::Started { incarnation: 1 });
        play
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.at + 7_000_000)
    }

    #[track_caller]
    fn tell(&mut self, host: Host, what: What<'_>) {
        tell(&mut self.checkers, &mut self.events, Event { at: self.at, host, what });
    }

    fn query(&mut self) -> Query {
        Query::new(self.random.pick(&QUERIES)).expect("a query")
    }

    fn value(&mut self) -> Result<Value, Arc<str>> {
        match self.random.below(8) {
            0 => Err("failed".into()),
            1 => Ok(Value::text("cat").expect("short")),
            2 => Ok(Value::Number(900.into())),
            _ => Ok(Value::Number((100 + self.random.below(3)).into())),
        }
    }

    fn coordinator_input(&mut self) -> coordinator::Input {
        use coordinator::Input;
        match self.random.below(20) {
            0 => {
                self.bus(COORDINATOR, true);
                Input::BusUp
            }
            1 if self.random.chance(300) => {
                self.bus(COORDINATOR, false);
                Input::BusDown
            }
            2..=6 => {
                self.tickets += 1;
                self.waiting.insert(Ticket(self.tickets));
                let overrides = Overrides {
                    timeout: self.random.pick(&[None, Some(Duration::from_millis(30)), Some(Duration::ZERO)]),
                    quorum: self.random.pick(&[None, None, Some(2)]),
                    strategy: self.random.pick(&[
                        None,
                        Some(Strategy::Median),
                        Some(Strategy::Majority),
                        Some(Strategy::WeightedMedian),
                    ]),
                    max_age: self.random.pick(&[None, Some(Duration::from_millis(20))]),
                    min_agreement: self.random.pick(&[None, Some(Millionths::new(600_000))]),
                    on_dispute: self.random.pick(&[None, Some(OnDispute::Reject)]),
                    ..Overrides::default()
                };
                let number = self.random.below(12);
                let id = (number < 8).then(|| request_id(number));
                Input::Submit(Submit { ticket: Ticket(self.tickets), id, query: self.query(), overrides, trace: None })
            }
            7 => {
                let ticket = Ticket(self.tickets.saturating_sub(self.random.below(6)));
                self.waiting.remove(&ticket);
                Input::Cancel(ticket)
            }
            8 => {
                let newest = self.tasks.back().map_or(TaskId(9), |task| task.id);
                let undelivered = Undelivered { task: newest, cause: UndeliveredCause::NoResponders };
                let reply = format!("_INBOX.c1.{}", newest.0);
                self.receive(COORDINATOR, &reply, None, Body::NoResponders);
                Input::Undelivered(undelivered)
            }
            9..=11 => {
                let name = format!("w{}", self.random.below(6));
                let state = self.random.pick(&[
                    PresenceState::Live,
                    PresenceState::Live,
                    PresenceState::Draining,
                    PresenceState::Left,
                ]);
                let instance = format!("{name}-{}", self.random.below(2)).into();
                let presence = Presence {
                    replicated: self.random.chance(300),
                    ..Presence::new(worker_id(&name), instance, state)
                };
                self.receive(COORDINATOR, "oracle.workers", None, Body::Presence(presence.clone()));
                Input::Presence(presence)
            }
            _ => {
                let (known, observed) = (self.tasks.len() as u64, self.value());
                let place = self.random.below(known + 1);
                let task = self.tasks.get(place as usize).map(|task| (task.request.clone(), task.id));
                let (request, of) = task.unwrap_or((request_id(self.random.below(10)), TaskId(3)));
                let task = self.random.chance(700).then_some(of);
                let worker = worker_id(&format!("w{}", self.random.below(6)));
                let age = self.age().filter(|_| observed.is_ok()).map(event::Age::Stated);
                let overloaded = observed.is_err() && self.random.chance(500);
                let result = event::WorkerResult::new(worker, request, observed);
                let result = event::WorkerResult { overloaded, age, ..result };
                let input = Input::Result(result.read_at(self.now(), task));
                let subject = task.map_or("oracle.results".to_owned(), |task| format!("_INBOX.c1.{}", task.0));
                let message = Message { subject: subject.into(), reply: None, body: Body::Result(result) };
                self.tell(Host::Adversary, What::Sent(&message));
                self.tell(COORDINATOR, What::Received(&message));
                input
            }
        }
    }

    fn receive(&mut self, host: Host, subject: &str, reply: Option<Arc<str>>, body: Body) {
        self.tell(host, What::Received(&Message { subject: subject.into(), reply, body }));
    }

    /// An age in whole milliseconds, as on the wire.
    fn age(&mut self) -> Option<Duration> {
        self.random.pick(&[None, Some(Duration::ZERO), Some(Duration::from_millis(20)), Some(Duration::from_secs(1))])
    }

    fn worker_input(&mut self) -> worker::Input {
        use worker::Input;
        match self.random.below(12) {
            0 => {
                self.bus(WORKER, true);
                Input::BusUp
            }
            2..=6 if !self.jobs.is_empty() => {
                let (job, query) = self.jobs.pop_front().expect("a job");
                self.running.remove(&job);
                let observed = self.value();
                let age = self.age().filter(|_| observed.is_ok());
                let read = observed.as_ref().map(|value| (value, age)).map_err(AsRef::as_ref);
                let read = said(query.as_str(), read);
                self.tell(WORKER, What::Edge(Edge::Reads(read)));
                Input::Done { job, observed, age, trace: None }
            }
            1 if self.random.chance(300) => {
                self.bus(WORKER, false);
                Input::BusDown
            }
            7 if self.random.chance(3) => Input::Drain,
            _ => self.task(),
        }
    }

    fn task(&mut self) -> worker::Input {
        let ttl = Duration::from_millis(self.random.below(40));
        let task = event::Task {
            request: request_id(self.random.below(20)),
            query: self.query(),
            ttl,
            attempt: 1,
            packed: None,
        };
        let reply: Option<Arc<str>> =
            self.random.chance(900).then(|| format!("_INBOX.c1.{}", self.random.below(20)).into());
        self.receive(WORKER, "oracle.tasks", reply.clone(), Body::Task(task.clone()));
        let event::Task { request, query, ttl, .. } = task;
        let reply = reply.map_or(worker::ReplyTo::Shared, worker::ReplyTo::Task);
        worker::Input::Task(worker::Task { request, query, ttl: Some(ttl), reply, trace: None })
    }

    /// Shows that a host's bus is connected, or lost.
    fn bus(&mut self, host: Host, connected: bool) {
        let is_up = if host == COORDINATOR { &mut self.bus_up } else { &mut self.worker_bus_up };
        *is_up = connected;
        self.connections += u64::from(connected);
        self.tell(host, What::Edge(Edge::Bus { connected, connections: self.connections }));
    }

    fn coordinator_step(&mut self, input: Option<&coordinator::Input>, outputs: &mut VecDeque<coordinator::Output>) {
        let now = self.now();
        let mut new = Vec::new();
        self.coordinator.step(now, input, &mut new);
        let Self { checkers, events, at, coordinator, .. } = self;
        event::coordinator_step(&Step { now, input, outputs: &new, machine: coordinator }, |what| {
            tell(checkers, events, Event { at: *at, host: COORDINATOR, what });
        });
        outputs.extend(new);
    }

    fn coordinator_pass(&mut self, inputs: u64) {
        let mut outputs = VecDeque::new();
        for _ in 0..inputs {
            let input = self.coordinator_input();
            self.coordinator_step(Some(&input), &mut outputs);
        }
        self.coordinator_step(None, &mut outputs);
        let mut ended = Vec::new();
        while let Some(output) = outputs.pop_front() {
            match output {
                coordinator::Output::Publish(task) => self.publish(task, &mut outputs),
                coordinator::Output::CallWorkers if self.bus_up => {
                    let reply = Some("_INBOX.c1.ping".into());
                    let ping = Message { subject: "$SRV.PING.quorate-worker".into(), reply, body: Body::Ping };
                    self.tell(COORDINATOR, What::Sent(&ping));
                }
                coordinator::Output::Ended(outcome) if self.follows => ended.push(outcome),
                coordinator::Output::Answer { ticket, .. } => drop(self.waiting.remove(&ticket)),
                _ => {}
            }
        }
        for outcome in ended {
            let message = outcome_message(&outcome);
            let unsent = What::Unsent(&message, PublishError::Disconnected);
            self.tell(COORDINATOR, if self.bus_up { What::Sent(&message) } else { unsent });
        }
        let held = Held { waiting: self.waiting.len(), ..Held::default() };
        self.tell(COORDINATOR, What::Edge(Edge::PassEnded(held)));
    }

    fn publish(&mut self, task: coordinator::Task, outputs: &mut VecDeque<coordinator::Output>) {
        let message = task_message(&task);
        if self.bus_up && self.random.chance(950) {
            self.tell(COORDINATOR, What::Sent(&message));
            self.tasks.push_back(task);
            if self.tasks.len() > 8 {
                self.tasks.pop_front();
            }
            return;
        }
        let (error, cause) = if self.bus_up {
            (PublishError::Full, UndeliveredCause::QueueFull)
        } else {
            (PublishError::Disconnected, UndeliveredCause::Disconnected)
        };
        self.tell(COORDINATOR, What::Unsent(&message, error));
        let undelivered = Undelivered { task: task.id, cause };
        self.coordinator_step(Some(&coordinator::Input::Undelivered(undelivered)), outputs);
    }

    fn worker_step(&mut self, input: Option<&worker::Input>, outputs: &mut Vec<worker::Output>) {
        let now = self.now();
        let mut new = Vec::new();
        self.worker.step(now, input, &mut new);
        let Self { checkers, events, at, worker, .. } = self;
        event::worker_step(&Step { now, input, outputs: &new, machine: worker }, |what| {
            tell(checkers, events, Event { at: *at, host: WORKER, what });
        });
        outputs.extend(new);
    }

    fn worker_pass(&mut self, inputs: u64) {
        let mut outputs = Vec::new();
        for _ in 0..inputs {
            let input = self.worker_input();
            self.worker_step(Some(&input), &mut outputs);
        }
        self.worker_step(None, &mut outputs);
        for output in outputs {
            let message = match output {
                worker::Output::Start { job, query, .. } => {
                    self.jobs.push_back((job, query));
                    self.running.insert(job);
                    continue;
                }
                worker::Output::Abort(job) => {
                    self.running.remove(&job);
                    continue;
                }
                worker::Output::Answer(answer) => Message {
                    subject: match answer.reply {
                        worker::ReplyTo::Task(subject) => subject,
                        worker::ReplyTo::Shared => "oracle.results".into(),
                        worker::ReplyTo::Pack { .. } => unreachable!("all tasks come alone"),
                    },
                    reply: None,
                    body: Body::Result(event::WorkerResult {
                        overloaded: answer.overloaded,
                        response_time: answer.response_time,
                        age: answer.age.map(|age| event::Age::Stated(Duration::from_millis(age.as_millis() as u64))),
                        ..event::WorkerResult::new(worker_id("w1"), answer.request, answer.observed)
                    }),
                },
                worker::Output::Announce(state) => {
                    let presence = Presence { packs: true, ..Presence::new(worker_id("w1"), "w1-1".into(), state) };
                    Message { subject: "oracle.workers".into(), reply: None, body: Body::Presence(presence) }
                }
                worker::Output::CloseIntake | worker::Output::Drained => continue,
            };
            if self.worker_bus_up {
                self.tell(WORKER, What::Sent(&message));
            } else {
                self.tell(WORKER, What::Unsent(&message, PublishError::Disconnected));
            }
        }
        let held = Held { running: self.running.len(), ..Held::default() };
        self.tell(WORKER, What::Edge(Edge::PassEnded(held)));
    }

    /// Advances to the next moment, no later than a machine wants to be woken, and runs a pass of each machine.
    fn step(&mut self, most_inputs: u64) {
        let wait = self.random.pick(&[0, 0, 1_000, 300_000, 2_000_000, 40_000_000]);
        let due = [self.coordinator.poll_timeout(), self.worker.poll_timeout()].into_iter().flatten().min();
        let next = self.at + wait;
        self.at = due.map_or(next, |due| next.min(due.as_nanos().saturating_sub(7_000_000))).max(self.at);
        let inputs = self.random.within(0..=most_inputs);
        self.coordinator_pass(inputs);
        let inputs = self.random.within(0..=most_inputs);
        self.worker_pass(inputs);
    }
}

#[track_caller]
fn tell(checkers: &mut Checkers, events: &mut u64, event: Event<'_>) {
    *events += 1;
    if let Err(violation) = checkers.event(&event) {
        panic!("event {events}: {violation:?} by {:?}", event.what);
    }
}

#[test]
fn real_machines_are_fine_whatever_their_inputs() {
    for seed in 0..150 {
        let (depth, most_inputs) = if seed % 2 == 0 { (Depth::Machines, 1) } else { (Depth::Network, 6) };
        let mut play = Play::new(seed, depth);
        for _ in 0..400 {
            play.step(most_inputs);
        }
    }
}
