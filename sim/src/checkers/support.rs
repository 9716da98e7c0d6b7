//! Makes small runs for the tests of the checkers: by hand, or by a real machine whose outputs are tampered with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::coordinator::{Input, Output, Presence, PresenceState, Submit, WorkerResult};
use quorate_core::id::{RequestId, Ticket, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;

use super::ledger::Ledger;
use super::{Checker, Context};
use crate::Depth;
use crate::event::{self, Asked, Body, Event, Message, Reply, What};
use crate::host::Host;
use crate::scenario::{self, Bus, Cluster, Knobs, Network, Policy, Scenario, Settings, WorkerKnobs};

/// The coordinator of the tests.
pub(super) const COORDINATOR: Host = Host::Coordinator(1);

/// A scenario with one coordinator, three workers and one client, in which nothing goes wrong by itself.
pub(super) fn scenario() -> Scenario {
    let worker = |number| scenario::Worker {
        number,
        name: number,
        replicated: false,
        observe_ms: (1, 5),
        fail_permille: 0,
        dated_permille: 0,
        age_ms: (0, 0),
        max_concurrent: 4,
        max_queued: 4,
        max_remembered: 100,
        remember_ms: 10_000,
        announce_ms: 500,
        knobs: WorkerKnobs::default(),
        clock_ms: 0,
        jump: None,
        observed_at: false,
    };
    Scenario {
        seed: 1,
        cluster: Cluster {
            coordinators: vec![scenario::Coordinator { number: 1, clock_ms: 7_000, jump: None }],
            settings: Settings {
                policy: Policy { timeout_ms: Some(1000), ..Policy::default() },
                max_timeout_ms: 60_000,
                max_workers: 100,
                max_in_flight: 100,
                max_waiting: 10,
                presence_ms: 5_000,
                stall_ms: 100,
                redispatch_permille: 500,
                remember_ms: 10_000,
                max_remembered: 100,
                admitted: None,
                cordon_below: None,
                policies: Vec::new(),
                weights: BTreeMap::new(),
                knobs: Knobs::default(),
                rate_limit: None,
            },
            workers: [1, 2, 3].map(worker).to_vec(),
            clients: vec![1],
            adversary: false,
            network: Network { latency_us: (100, 1000) },
            bus: Bus {
                keepalive_ms: 1000,
                reconnect_ms: (10, 100),
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

/// What an output is turned into before the checker sees it.
type Tamper = Box<dyn FnMut(Output) -> Vec<Output>>;

/// A run before one checker.
pub(super) struct Run {
    checker: Box<dyn Checker>,
    ledger: Ledger,
    machine: Coordinator,
    tamper: Tamper,
    ms: u64,
    woken_ms: u64,
    objection: Option<String>,
}

impl Run {
    pub(super) fn new<C: Checker + 'static>(scenario: &Scenario, depth: Depth, new: fn(&Context<'_>) -> C) -> Self {
        Self::with_machine_of(scenario, scenario, depth, new)
    }

    /// The machine is set up by one scenario, and judged by another.
    pub(super) fn with_machine_of<C: Checker + 'static>(
        set_up: &Scenario,
        judged: &Scenario,
        depth: Depth,
        new: fn(&Context<'_>) -> C,
    ) -> Self {
        let context = Context { scenario: judged, depth };
        Self {
            checker: Box::new(new(&context)),
            ledger: Ledger::new(&context),
            machine: Coordinator::new(set_up.cluster.settings.config(), 1),
            tamper: Box::new(|output| vec![output]),
            ms: 0,
            woken_ms: 0,
            objection: None,
        }
    }

    /// From now on, every output of the machine goes through `tamper`.
    pub(super) fn tamper(&mut self, tamper: impl FnMut(Output) -> Vec<Output> + 'static) {
        self.tamper = Box::new(tamper);
    }

    /// From now on, every outcome goes through `tamper`.
    pub(super) fn tamper_outcome(&mut self, tamper: impl Fn(&mut Outcome) + 'static) {
        self.tamper(move |mut output| {
            if let Output::Answer { reply: Ok(outcome), .. } = &mut output {
                tamper(Arc::make_mut(outcome));
            }
            vec![output]
        });
    }

    /// Lets time pass, in milliseconds.
    pub(super) fn pass(&mut self, ms: u64) {
        self.ms += ms;
    }

    /// The time on the coordinator's clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ms + 7_000)
    }

    pub(super) fn at(&mut self, host: Host, what: What<'_>) {
        let event = Event { at: self.ms * 1_000_000, host, what };
        if self.objection.is_none() {
            let Self { checker, ledger, .. } = self;
            let verdict = checker.event(&event);
            self.objection = verdict.and_then(|()| ledger.event(&event, &mut |fact| checker.fact(fact))).err();
        }
    }

    /// Tells an input, as an event alone.
    pub(super) fn input(&mut self, input: &Input) {
        self.at(COORDINATOR, What::CoordinatorInput(self.now(), input));
    }

    /// Tells an output, as an event alone.
    pub(super) fn output(&mut self, output: &Output) {
        self.at(COORDINATOR, What::CoordinatorOutput(self.now(), output));
    }

    /// Gives an input to the machine, without looking for what it wants done.
    pub(super) fn put(&mut self, input: Input) {
        self.input(&input);
        self.machine.handle_input(self.now(), input);
    }

    /// Tells all that the machine wants done.
    pub(super) fn settle(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            for output in (self.tamper)(output) {
                self.output(&output);
            }
        }
        let machine =
            std::mem::replace(&mut self.machine, Coordinator::new(quorate_core::coordinator::Config::default(), 0));
        self.at(COORDINATOR, What::CoordinatorSettled(self.now(), &machine));
        self.machine = machine;
    }

    /// Gives an input to the machine and tells all that comes of it.
    pub(super) fn drive(&mut self, input: Input) {
        self.put(input);
        self.settle();
    }

    /// Wakes the machine.
    pub(super) fn wake(&mut self) {
        self.at(COORDINATOR, What::CoordinatorWoken(self.now()));
        self.machine.handle_timeout(self.now());
        self.settle();
    }

    /// Wakes the machine at each of the times until now when it wanted to be.
    pub(super) fn wake_when_due(&mut self) {
        let until = self.ms;
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= Timestamp::from_millis(until + 7_000)) {
            self.ms = (due.as_nanos().div_ceil(1_000_000) - 7_000).max(self.woken_ms);
            self.woken_ms = self.ms;
            self.wake();
        }
        self.ms = until;
    }

    /// Starts the coordinator, connects it, and lets it know these workers.
    pub(super) fn begin(&mut self, workers: &[u8]) {
        self.at(COORDINATOR, What::Started { incarnation: 1 });
        self.drive(Input::BusUp);
        for number in workers {
            self.drive(presence(*number, PresenceState::Live));
        }
    }

    /// These workers earn a record by answering a request.
    pub(super) fn earn_records(&mut self, workers: &[u8]) {
        self.drive(submit(1000, "earned"));
        for number in workers {
            self.result(*number, "earned", Ok(self::number("1")));
        }
    }

    /// A result arrives that its worker has sent.
    pub(super) fn result(&mut self, number: u8, request: &str, observed: Result<Value, Arc<str>>) {
        let result = result(number, request, observed);
        self.sent(&result);
        self.drive(Input::Result(result));
    }

    /// A result is sent.
    pub(super) fn sent(&mut self, result: &WorkerResult) {
        let message = Message {
            subject: "oracle.results".into(),
            reply: None,
            body: Body::Result(event::WorkerResult {
                worker: result.worker.clone(),
                request: result.request.clone(),
                observed: result.observed.clone(),
                response_time: result.response_time,
                age: result.age.map(event::Age::Stated),
            }),
        };
        self.at(Host::Worker(1), What::Sent(&message));
    }

    pub(super) fn asked(&mut self, number: u32, place: Option<usize>, request: scenario::Request) {
        let asked = Asked { number, coordinator: COORDINATOR, place, request };
        self.at(Host::Client(1), What::Asked(&asked));
    }

    pub(super) fn replied(&mut self, number: u32, reply: &Reply) {
        self.at(Host::Client(1), What::Replied(number, reply));
    }

    pub(super) fn end(&mut self) {
        self.at(Host::Broker, What::Ended);
    }

    /// The run was as it should be.
    #[track_caller]
    pub(super) fn finds_nothing(mut self) {
        self.settle();
        assert_eq!(self.objection, None);
    }

    /// The run of this seed was as it should be.
    #[track_caller]
    pub(super) fn finds_nothing_at(self, seed: u64) {
        assert_eq!(self.objection, None, "seed {seed}");
    }

    /// The checker objected, with this in its words.
    #[track_caller]
    pub(super) fn objects(mut self, words: &str) {
        self.settle();
        let objection = self.objection.expect("the checker objects");
        assert!(objection.contains(words), "{objection}");
    }
}

pub(super) fn worker(number: u8) -> WorkerId {
    scenario::worker_name(number)
}

pub(super) fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("an id")
}

pub(super) fn number(text: &str) -> Value {
    Value::number(text).expect("a number")
}

pub(super) fn text(text: &str) -> Value {
    Value::text(text).expect("a text")
}

pub(super) fn presence(number: u8, state: PresenceState) -> Input {
    let worker = worker(number);
    let instance = format!("instance-{number}").into();
    Input::Presence(Presence { worker, instance, state, replicated: false })
}

pub(super) fn result(number: u8, request: &str, observed: Result<Value, Arc<str>>) -> WorkerResult {
    WorkerResult {
        worker: worker(number),
        request: id(request),
        task: None,
        observed,
        response_time: Duration::from_millis(1),
        age: None,
    }
}

/// A question for `BTC/USD` under an id.
pub(super) fn submit(ticket: u64, id: &str) -> Input {
    submit_with(ticket, id, "BTC/USD", Overrides::default())
}

pub(super) fn submit_with(ticket: u64, request: &str, query: &str, overrides: Overrides) -> Input {
    Input::Submit(Submit {
        ticket: Ticket(ticket),
        id: Some(id(request)),
        query: Query::new(query).expect("a query"),
        overrides,
        trace: None,
    })
}

/// A request of the client for `BTC/USD` under the id `request-1`.
pub(super) fn request() -> scenario::Request {
    scenario::Request {
        at_ms: 0,
        client: 1,
        coordinator: 1,
        query: 0,
        id: Some(1),
        policy: Policy::default(),
        gives_up_ms: None,
        retries: 0,
    }
}
