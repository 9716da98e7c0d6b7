//! What tests of checkers have in common: one checker, and real machines whose doings it is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::coordinator::{self, Coordinator, Presence, PresenceState, Submit, WorkerResult};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, Worker};
use rust_decimal::Decimal;

use super::{Checker, Context};
use crate::Depth;
use crate::event::{Body, Event, Message, Task, Told, What};
use crate::host::Host;
use crate::scenario::{self, Cluster, Fault, FaultKind, Knobs, Policy, Scenario, Settings, WorkerKnobs};

pub(super) const COORDINATOR: Host = Host::Coordinator(1);
pub(super) const WORKER: Host = Host::Worker(1);

/// Shows a checker what a coordinator and a worker do.
pub(super) struct Rig {
    checker: Box<dyn Checker>,
    pub(super) scenario: Scenario,
    pub(super) coordinator: Coordinator,
    pub(super) worker: Worker,
    at: u64,
    /// What the clocks of the hosts show when the run begins.
    pub(super) clock_offset_ms: u64,
    /// Whether the messages of the machines are shown as sent.
    pub(super) sends: bool,
    violation: Option<String>,
}

/// A cluster of one coordinator and three workers, of which the first is the rig's own.
pub(super) fn scenario() -> Scenario {
    let worker = |number| scenario::Worker {
        number,
        name: number,
        replicated: false,
        observe_ms: (1, 5),
        fail_permille: 0,
        dated_permille: 0,
        age_ms: (0, 0),
        max_concurrent: 2,
        max_queued: 1,
        max_remembered: 3,
        remember_ms: 1_000,
        announce_ms: 1_000,
        knobs: WorkerKnobs::default(),
        clock_ms: 0,
        jump: None,
        observed_at: false,
    };
    Scenario {
        seed: 1,
        cluster: Cluster {
            coordinators: vec![scenario::Coordinator { number: 1, clock_ms: 0, jump: None }],
            settings: Settings {
                policy: Policy { timeout_ms: Some(1_000), ..Policy::default() },
                max_timeout_ms: 10_000,
                max_workers: 8,
                max_in_flight: 4,
                max_waiting: 2,
                presence_ms: 3_000,
                stall_ms: 100,
                redispatch_permille: 500,
                remember_ms: 2_000,
                max_remembered: 4,
                admitted: None,
                cordon_below: Some(900_000),
                policies: Vec::new(),
                weights: BTreeMap::new(),
                knobs: Knobs::default(),
                rate_limit: None,
            },
            workers: (1..=3).map(worker).collect(),
            clients: vec![1],
            adversary: true,
            network: scenario::Network { latency_us: (100, 1_000) },
            bus: scenario::Bus {
                keepalive_ms: 500,
                reconnect_ms: (50, 200),
                broker_queue: 100,
                publish_queue: 100,
                subscription_queue: 100,
            },
        },
        requests: Vec::new(),
        faults: Vec::new(),
        edges: scenario::Edges::default(),
        heal_ms: 10_000,
    }
}

impl Rig {
    pub(super) fn new<C: Checker + 'static>(new: fn(&Context<'_>) -> C) -> Self {
        Self::with_scenario(new, scenario())
    }

    /// The same with these faults in the schedule.
    pub(super) fn with_faults<C: Checker + 'static>(new: fn(&Context<'_>) -> C, faults: Vec<FaultKind>) -> Self {
        let faults = faults.into_iter().map(|kind| Fault { at_ms: 0, for_ms: 1_000, kind }).collect();
        Self::with_scenario(new, Scenario { faults, ..scenario() })
    }

    pub(super) fn with_scenario<C: Checker + 'static>(new: fn(&Context<'_>) -> C, scenario: Scenario) -> Self {
        let checker = Box::new(new(&Context { scenario: &scenario, depth: Depth::Machines }));
        let coordinator = Coordinator::new(scenario.cluster.settings.config(), 1);
        let worker = Worker::new(scenario.cluster.workers[0].config());
        let mut rig =
            Self { checker, scenario, coordinator, worker, at: 0, clock_offset_ms: 0, sends: false, violation: None };
        rig.tell(COORDINATOR, What::Started { incarnation: 1 });
        rig.tell(WORKER, What::Started { incarnation: 1 });
        rig
    }

    pub(super) fn at_ms(&mut self, at: u64) {
        self.at = at * 1_000_000;
    }

    /// What the clock of the hosts shows.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock_offset_ms).after(Duration::from_nanos(self.at))
    }

    pub(super) fn tell(&mut self, host: Host, what: What<'_>) {
        let verdict = self.checker.event(&Event { at: self.at, host, what });
        self.violation = self.violation.take().or(verdict.err());
    }

    pub(super) fn fault_begins(&mut self, place: usize) {
        let fault = self.scenario.faults[place].clone();
        self.tell(COORDINATOR, What::FaultBegan(place, &fault));
    }

    pub(super) fn fault_ends(&mut self, place: usize) {
        self.tell(COORDINATOR, What::FaultEnded(place));
    }

    /// Tells the coordinator something, in a pass of its own.
    pub(super) fn coordinator(&mut self, at_ms: u64, input: coordinator::Input) -> Vec<coordinator::Output> {
        self.at_ms(at_ms);
        self.begin_coordinator(input);
        self.settle_coordinator()
    }

    /// Tells the coordinator something, and leaves what it wants for later.
    pub(super) fn begin_coordinator(&mut self, input: coordinator::Input) {
        let now = self.now();
        self.tell(COORDINATOR, What::CoordinatorInput(now, &input));
        self.coordinator.handle_input(now, input);
    }

    pub(super) fn wake_coordinator(&mut self, at_ms: u64) -> Vec<coordinator::Output> {
        self.at_ms(at_ms);
        let now = self.now();
        self.tell(COORDINATOR, What::CoordinatorWoken(now));
        self.coordinator.handle_timeout(now);
        self.settle_coordinator()
    }

    pub(super) fn settle_coordinator(&mut self) -> Vec<coordinator::Output> {
        let now = self.now();
        let mut outputs = Vec::new();
        while let Some(output) = self.coordinator.poll_output() {
            self.tell(COORDINATOR, What::CoordinatorOutput(now, &output));
            if let coordinator::Output::Publish(task) = &output
                && self.sends
            {
                self.tell(COORDINATOR, What::Sent(&task_message(task)));
            }
            outputs.push(output);
        }
        self.settled_coordinator();
        outputs
    }

    /// Says that the coordinator has settled.
    pub(super) fn settled_coordinator(&mut self) {
        let event =
            Event { at: self.at, host: COORDINATOR, what: What::CoordinatorSettled(self.now(), &self.coordinator) };
        let verdict = self.checker.event(&event);
        self.violation = self.violation.take().or(verdict.err());
    }

    /// Tells the worker something, in a pass of its own.
    pub(super) fn worker(&mut self, at_ms: u64, input: worker::Input) -> Vec<worker::Output> {
        self.at_ms(at_ms);
        self.begin_worker(input);
        self.settle_worker()
    }

    pub(super) fn begin_worker(&mut self, input: worker::Input) {
        let now = self.now();
        self.tell(WORKER, What::WorkerInput(now, &input));
        self.worker.handle_input(now, input);
    }

    pub(super) fn wake_worker(&mut self, at_ms: u64) -> Vec<worker::Output> {
        self.at_ms(at_ms);
        let now = self.now();
        self.tell(WORKER, What::WorkerWoken(now));
        self.worker.handle_timeout(now);
        self.settle_worker()
    }

    pub(super) fn settle_worker(&mut self) -> Vec<worker::Output> {
        let now = self.now();
        let mut outputs = Vec::new();
        while let Some(output) = self.worker.poll_output() {
            self.tell(WORKER, What::WorkerOutput(now, &output));
            outputs.push(output);
        }
        self.settled_worker();
        outputs
    }

    /// Says that the worker has settled.
    pub(super) fn settled_worker(&mut self) {
        let event = Event { at: self.at, host: WORKER, what: What::WorkerSettled(self.now(), &self.worker) };
        let verdict = self.checker.event(&event);
        self.violation = self.violation.take().or(verdict.err());
    }

    #[track_caller]
    pub(super) fn expect_fine(&self) {
        assert_eq!(self.violation, None);
    }

    #[track_caller]
    pub(super) fn expect_violation(&self, words: &str) {
        let text = self.violation.as_deref().expect("the checker sees nothing wrong");
        assert!(text.contains(words), "{text}");
    }
}

pub(super) fn id(name: &str) -> WorkerId {
    WorkerId::new(name).expect("an identifier")
}

pub(super) fn request(number: u64) -> RequestId {
    RequestId::new(&format!("request-{number}")).expect("an identifier")
}

pub(super) fn query() -> Query {
    Query::new("BTC/USD").expect("a query")
}

/// A request under an id of this number, from the caller with this number.
pub(super) fn submit(number: u64) -> coordinator::Input {
    coordinator::Input::Submit(Submit {
        ticket: Ticket(number),
        id: Some(request(number)),
        query: query(),
        overrides: Overrides::default(),
        trace: None,
    })
}

pub(super) fn presence(name: &str, state: PresenceState) -> Presence {
    Presence { worker: id(name), instance: format!("{name}-1").into(), state, replicated: false }
}

pub(super) fn live(name: &str) -> Presence {
    presence(name, PresenceState::Live)
}

/// A value of a worker for the request of this number.
pub(super) fn result(name: &str, number: u64, task: Option<TaskId>, value: i64) -> coordinator::Input {
    coordinator::Input::Result(WorkerResult {
        worker: id(name),
        request: request(number),
        task,
        observed: Ok(Value::Number(Decimal::from(value))),
        response_time: Duration::from_millis(3),
        age: Some(Duration::from_millis(1500)),
    })
}

/// A task for a worker, of the request of this number.
pub(super) fn task(number: u64, ttl_ms: u64) -> worker::Input {
    worker::Input::Task(worker::Task {
        request: request(number),
        query: query(),
        ttl: Some(Duration::from_millis(ttl_ms)),
        reply: Some(format!("_INBOX.c1.{number}").into()),
        trace: None,
    })
}

/// A task as a coordinator's driver sends it.
pub(super) fn task_message(task: &coordinator::Task) -> Message {
    Message {
        subject: "oracle.tasks".into(),
        reply: Some(format!("_INBOX.c1.{}", task.id.0).into()),
        body: Body::Task(Task {
            request: task.request.clone(),
            query: task.query.clone(),
            ttl: Duration::from_millis(u64::try_from(task.ttl.as_nanos().div_ceil(1_000_000)).expect("short")),
            attempt: task.attempt,
        }),
    }
}

/// How a request ended, as a coordinator's driver tells it.
pub(super) fn outcome_message(outcome: &Outcome) -> Message {
    let value = outcome.verdict.as_ref().ok().map(|answer| answer.value.clone());
    let told = Told { request: outcome.request.clone(), query: outcome.query.clone(), value };
    Message { subject: "oracle.outcomes.q".into(), reply: None, body: Body::Outcome(told) }
}
