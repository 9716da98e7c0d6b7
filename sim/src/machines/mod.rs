//! The stage without a network: the production state machines on a heap of timed events, with a model of the broker.

mod bridge;
mod broker;
mod client;
mod connection;
mod coordinator;
mod fault;
pub mod heap;
mod links;
mod worker;

use std::sync::Arc;

use crate::adversary::Adversary;
use crate::event::{Event, Message, What};
use crate::host::Host;
use crate::random::{Random, Stream};
use crate::scenario::{Forgery, Scenario};
use crate::timing::Timing;
use crate::watch::{Report, Watch};
use bridge::Bridge;
use broker::Broker;
use client::{Exchange, ExchangeId};
use connection::Connection;
use coordinator::CoordinatorNode;
use heap::Heap;
use links::{Links, Node};
use worker::{JobEnd, WorkerNode};

/// The broker's index among the hosts.
const BROKER: Node = 0;

/// Plays a scenario.
pub(crate) fn play(scenario: &Scenario, watch: Watch) -> Report {
    let mut stage = Stage::new(scenario, watch);
    stage.begin();
    while let Some((at, next)) = stage.heap.pop() {
        stage.now = at;
        stage.watch.step();
        stage.happen(next);
        if stage.ended || stage.watch.is_over() {
            break;
        }
    }
    stage.watch.report()
}

/// A future event.
#[derive(Debug)]
enum Next {
    /// A message reaches the broker over the connection of a host.
    AtBroker { from: Node, session: u32, message: Arc<Message> },
    /// A message reaches a host over its connection.
    AtHost { to: Node, session: u32, message: Arc<Message> },
    /// The bridge delivers a message a second time.
    Again(Arc<Message>),
    /// A host tries to connect to the broker.
    Connect { node: Node, attempt: u32 },
    /// An attempt to connect succeeds or fails.
    Connected { node: Node, attempt: u32 },
    /// A host notices that its connection is lost.
    HostLoses { node: Node, session: u32 },
    /// The broker notices that the connection of a host is lost.
    BrokerLoses { node: Node, session: u32 },
    /// A sign of life is due in a direction that was blocked.
    SignOfLife { node: Node, session: u32, to_broker: bool },
    /// A machine may have something due.
    Wake { node: Node, incarnation: u32 },
    /// A coordinator that was told to stop while frozen does so.
    StopCoordinator { node: Node, incarnation: u32 },
    /// A job of a worker is done.
    JobDone(JobEnd),
    /// A result that a worker holds back is sent.
    SendLate { node: Node, incarnation: u32, message: Arc<Message> },
    /// A client asks a question: one of the workload, a probe or a retry.
    Ask(Box<Exchange>),
    /// A request reaches its coordinator.
    Submit(ExchangeId),
    /// A client stops waiting and leaves.
    GiveUp(ExchangeId),
    /// A coordinator learns that a client is gone.
    Cancel(ExchangeId),
    /// A client receives its reply.
    Reply(ExchangeId, Box<crate::event::Reply>),
    /// A client runs out of patience.
    ClientTimeout(ExchangeId),
    /// A fault of the schedule begins.
    FaultBegins(usize),
    /// A fault of the schedule ends.
    FaultEnds(usize),
    /// The broker closes all connections.
    Kick,
    /// The adversary sends a forgery.
    Forge(Forgery),
    /// All faults have ended.
    Healed,
    /// The clients probe the coordinators, which must have recovered.
    Probe,
    /// The processes are told to stop.
    Stop,
    /// The run is over.
    Ended,
}

/// What runs on a host.
enum Program {
    Broker,
    Coordinator(Box<CoordinatorNode>),
    Worker(Box<WorkerNode>),
    Client,
    Adversary(Box<Adversary>),
}

struct Stage<'s> {
    scenario: &'s Scenario,
    timing: Timing,
    watch: Watch,
    /// Nanoseconds since the run began.
    now: u64,
    heap: Heap<Next>,
    /// The names of the hosts, by index.
    hosts: Vec<Host>,
    programs: Vec<Program>,
    /// For each host, how many active faults freeze it, and the events that it has missed.
    frozen: Vec<(u32, Vec<Next>)>,
    links: Links,
    broker: Broker,
    connections: Vec<Connection>,
    exchanges: Vec<Exchange>,
    subjects: Subjects,
    pauses: Random,
    bridge: Bridge,
    /// The indices of the active faults in the schedule, ascending.
    lasting: Vec<usize>,
    healed: bool,
    ended: bool,
}

/// The subjects that all coordinators and workers share.
struct Subjects {
    tasks: Arc<str>,
    packs: Arc<str>,
    results: Arc<str>,
    presence: Arc<str>,
    ping: Arc<str>,
}

impl<'s> Stage<'s> {
    fn new(scenario: &'s Scenario, watch: Watch) -> Self {
        let cluster = &scenario.cluster;
        let mut hosts = vec![Host::Broker];
        hosts.extend(scenario.hosts().filter(|host| *host != Host::Broker));
        let programs: Vec<Program> = hosts
            .iter()
            .map(|host| match host {
                Host::Broker => Program::Broker,
                Host::Coordinator(number) => {
                    let spec = cluster.coordinators.iter().find(|spec| spec.number == *number);
                    let spec = spec.expect("a host of the scenario is described in it");
                    Program::Coordinator(Box::new(CoordinatorNode::new(spec)))
                }
                Host::Worker(number) => {
                    let spec = cluster.workers.iter().find(|spec| spec.number == *number);
                    let spec = spec.expect("a host of the scenario is described in it");
                    Program::Worker(Box::new(WorkerNode::new(scenario.seed, spec)))
                }
                Host::Client(_) => Program::Client,
                Host::Adversary => Program::Adversary(Box::new(Adversary::new(scenario.seed))),
            })
            .collect();
        let count = hosts.len();
        Self {
            timing: Timing::new(scenario),
            watch,
            now: 0,
            heap: Heap::new(),
            programs,
            frozen: (0..count).map(|_| (0, Vec::new())).collect(),
            links: Links::new(count, cluster.network, Random::new(scenario.seed, Stream::Network, 0)),
            broker: Broker::default(),
            connections: vec![Connection::default(); count],
            exchanges: Vec::new(),
            subjects: Subjects {
                tasks: quorate_runtime::wire::TASKS.into(),
                packs: quorate_runtime::wire::PACKS.into(),
                results: quorate_runtime::wire::RESULTS.into(),
                presence: quorate_runtime::wire::PRESENCE.into(),
                ping: format!("$SRV.PING.{}", quorate_runtime::wire::SERVICE).into(),
            },
            pauses: Random::new(scenario.seed, Stream::Reconnect, 0),
            bridge: Bridge::new(scenario.seed),
            lasting: Vec::new(),
            healed: false,
            ended: false,
            hosts,
            scenario,
        }
    }

    /// Starts every process, and plans the requests, the faults and the phases of the run.
    fn begin(&mut self) {
        self.set_broker_running(true);
        for node in 0..self.hosts.len() {
            self.start(node);
        }
        for (place, request) in self.scenario.requests.iter().enumerate() {
            let exchange = Exchange::first(place, request);
            self.heap.plan(millis(request.at_ms), Next::Ask(Box::new(exchange)));
        }
        for (place, fault) in self.scenario.faults.iter().enumerate() {
            self.heap.plan(millis(fault.at_ms), Next::FaultBegins(place));
        }
        self.heap.plan(self.timing.healed, Next::Healed);
        self.heap.plan(self.timing.probes, Next::Probe);
        self.heap.plan(self.timing.stop, Next::Stop);
        self.heap.plan(self.timing.end, Next::Ended);
    }

    fn happen(&mut self, next: Next) {
        if let Some(node) = next.needs_awake(&self.exchanges)
            && self.frozen[node].0 > 0
        {
            self.frozen[node].1.push(next);
            return;
        }
        match next {
            Next::AtBroker { from, session, message } => self.at_broker(from, session, &message),
            Next::AtHost { to, session, message } => self.at_host(to, session, &message),
            Next::Again(message) => self.deliver_again(&message),
            Next::Connect { node, attempt } => self.connect(node, attempt),
            Next::Connected { node, attempt } => self.connected(node, attempt),
            Next::HostLoses { node, session } => self.host_loses(node, session),
            Next::BrokerLoses { node, session } => self.broker_loses(node, session),
            Next::SignOfLife { node, session, to_broker } => self.sign_of_life(node, session, to_broker),
            Next::Wake { node, incarnation } => self.wake(node, incarnation),
            Next::StopCoordinator { node, incarnation } => self.stop_late(node, incarnation),
            Next::JobDone(job) => self.job_done(job),
            Next::SendLate { node, incarnation, message } => self.send_late(node, incarnation, &message),
            Next::Ask(exchange) => self.ask(*exchange),
            Next::Submit(exchange) => self.submit(exchange),
            Next::GiveUp(exchange) => self.give_up(exchange),
            Next::Cancel(exchange) => self.cancel(exchange),
            Next::Reply(exchange, reply) => self.reply(exchange, &reply),
            Next::ClientTimeout(exchange) => self.client_timeout(exchange),
            Next::FaultBegins(place) => self.fault_begins(place),
            Next::FaultEnds(place) => self.fault_ends(place),
            Next::Kick => self.kick_all(),
            Next::Forge(forgery) => self.forge(forgery),
            Next::Healed => self.heal(),
            Next::Probe => self.probe(),
            Next::Stop => self.stop_all(),
            Next::Ended => {
                self.tell(BROKER, What::Ended);
                self.ended = true;
            }
        }
    }

    /// Starts the program of a host, for the first time or after a crash or a stop.
    fn start(&mut self, node: Node) {
        match &mut self.programs[node] {
            Program::Broker | Program::Client => {}
            Program::Coordinator(_) => self.start_coordinator(node),
            Program::Worker(_) => self.start_worker(node),
            Program::Adversary(_) => self.begin_connecting(node, 0),
        }
    }

    fn wake(&mut self, node: Node, incarnation: u32) {
        match &self.programs[node] {
            Program::Coordinator(_) => self.wake_coordinator(node, incarnation),
            Program::Worker(_) => self.wake_worker(node, incarnation),
            Program::Broker | Program::Client | Program::Adversary(_) => {}
        }
    }

    /// Reports an event on a host.
    fn tell(&mut self, node: Node, what: What<'_>) {
        self.watch.event(&Event { at: self.now, host: self.hosts[node], what });
    }

    /// The index of a host; `None` if the scenario does not have it.
    fn node(&self, host: Host) -> Option<Node> {
        self.hosts.iter().position(|other| *other == host)
    }
}

impl Next {
    /// The host that must not be frozen when this happens.
    fn needs_awake(&self, exchanges: &[Exchange]) -> Option<Node> {
        match self {
            Self::AtHost { to: node, .. }
            | Self::Connect { node, .. }
            | Self::Connected { node, .. }
            | Self::HostLoses { node, .. }
            | Self::Wake { node, .. }
            | Self::StopCoordinator { node, .. }
            | Self::JobDone(JobEnd { node, .. })
            | Self::SendLate { node, .. } => Some(*node),
            Self::Submit(exchange) | Self::Cancel(exchange) => Some(exchanges[*exchange].coordinator()),
            _ => None,
        }
    }
}

/// Converts milliseconds to nanoseconds.
pub(crate) fn millis(millis: u64) -> u64 {
    millis.saturating_mul(1_000_000)
}
