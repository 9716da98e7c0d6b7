//! What all hosts of the stage share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::time::Timestamp;
use quorate_runtime::bus::{BusStatus, Headers, Message, PublishError};
use quorate_runtime::clock::Clock;

use super::bus::{BusTap, SimBus, SimBusSettings};
use super::decode;
use super::links::lane;
use super::panics;
use super::sink::EventSink;
use crate::edge::{Edge, of_traceparent};
use crate::event::{self, What};
use crate::host::Host;
use crate::random::{Random, Stream};
use crate::scenario::{Bus, ClockJump, Proxy, Scenario};

/// The header with the trace that a message belongs to.
pub(super) const TRACEPARENT: &str = "traceparent";
/// The header in which a proxy states its client's address.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";
/// The port of the coordinators' API.
pub(super) const HTTP_PORT: u16 = 8080;

/// What a host needs to know of the run.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) sink: EventSink,
    pub(super) seed: u64,
    bus: Bus,
    pub(super) proxy: Option<Proxy>,
    /// The events that a coordinator keeps for readers that reconnect.
    pub(super) kept: Option<usize>,
    /// The connections that a coordinator accepts from one client address.
    pub(super) connections_per_peer: Option<usize>,
    /// The clients that a coordinator's rate limiter distinguishes.
    pub(super) clients: Option<usize>,
    /// The readers of events that each client may have.
    pub(super) readers: Option<usize>,
    /// How long a stopping coordinator waits for its connections.
    pub(super) stop: Option<Duration>,
}

impl Surroundings {
    pub(super) fn new(scenario: &Scenario, sink: EventSink) -> Self {
        Self {
            sink,
            seed: scenario.seed,
            bus: scenario.cluster.bus,
            proxy: scenario.edges.proxy,
            connections_per_peer: scenario.edges.connections_per_peer,
            kept: scenario.edges.kept,
            clients: scenario.edges.clients,
            readers: scenario.edges.readers,
            stop: scenario.edges.stop_ms.map(Duration::from_millis),
        }
    }

    /// Reports that a process starts on the current host.
    pub(super) fn begins(&self, host: Host, incarnation: u32) {
        panics::blame(host);
        self.sink.tell(host, What::Started { incarnation });
    }

    /// Connects the current host to the bus.
    pub(super) fn connect(&self, host: Host, incarnation: u32) -> SimBus {
        let Bus { keepalive_ms, reconnect_ms, subscription_queue, .. } = self.bus;
        SimBus::connect(SimBusSettings {
            keepalive: Duration::from_millis(keepalive_ms),
            reconnect: (Duration::from_millis(reconnect_ms.0), Duration::from_millis(reconnect_ms.1)),
            random: Random::new(self.seed, Stream::Reconnect, (lane(host) << 16) | (incarnation & 0xffff)),
            publish_capacity: self.bus.outgoing(host),
            subscription_capacity: subscription_queue,
            tap: Some(Arc::new(HostTap { host, sink: self.sink.clone() })),
        })
    }
}

/// The clock of the current host, which showed `clock_ms` milliseconds when the run began.
pub(super) fn clock(clock_ms: u64, jump: Option<ClockJump>) -> Clock {
    let elapsed = turmoil::sim_elapsed().expect("a host asks");
    let clock = Clock::starting_at(Timestamp::from_millis(clock_ms).after(elapsed));
    jump.map_or(clock, |jump| clock.with_wall_jump(jump.on(clock_ms)))
}

/// Reports what goes over the bus of one host.
struct HostTap {
    host: Host,
    sink: EventSink,
}

impl HostTap {
    fn edge(&self, edge: Edge) {
        self.sink.tell(self.host, What::Edge(edge));
    }

    /// Tells of a message, or of each element of a pack, with the trace context that it carries.
    fn tell(
        &self,
        (subject, reply, payload): (&str, Option<&str>, &[u8]),
        headers: &Headers,
        what: impl Fn(&event::Message) -> What<'_>,
    ) {
        for (message, trace) in decode::elements(subject, reply, payload) {
            if let Some(trace) = trace.as_deref().or_else(|| headers.sole(TRACEPARENT)).and_then(of_traceparent) {
                self.edge(Edge::Carries(trace));
            }
            self.sink.tell(self.host, what(&message));
        }
    }
}

impl BusTap for HostTap {
    fn sent(&self, subject: &str, reply: Option<&str>, headers: &Headers, payload: &Bytes) {
        self.sink.message(subject.len() + payload.len());
        self.tell((subject, reply, payload), headers, |message| What::Sent(message));
    }

    fn unsent(&self, subject: &str, reply: Option<&str>, payload: &Bytes, error: PublishError) {
        self.tell((subject, reply, payload), &Headers::default(), |message| What::Unsent(message, error));
    }

    fn status(&self, BusStatus { connected, connections }: BusStatus) {
        self.edge(Edge::Bus { connected, connections });
    }

    fn received(&self, number: u64, message: &Message) {
        if matches!(self.host, Host::Coordinator(_)) {
            self.edge(Edge::Arrived(number));
        }
        self.sink.message(message.subject.len() + message.payload.len());
        if message.no_responders {
            self.sink.tell(self.host, What::Received(&decode::no_responders(&message.subject)));
        } else {
            let parts = (message.subject.as_str(), message.reply.as_deref(), &*message.payload);
            self.tell(parts, &message.headers, |message| What::Received(message));
        }
    }
}
