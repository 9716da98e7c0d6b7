//! The connections of hosts to the broker, as each side sees them.
//!
//! A connection keeps order, as over TCP, but nothing is retransmitted: after the first loss nothing more arrives in
//! that direction, and only silence tells the other side.

use std::sync::Arc;

use quorate_core::coordinator::Input;

use super::links::{Fate, Node};
use super::{BROKER, Next, Program, Stage, millis};
use crate::event::Message;

/// A host's latest connection.
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
#[derive(Clone, Debug, Default)]
pub(super) struct Connection {
    /// The number of this connection, 1 for the host's first.
    pub(super) session: u32,
    /// Whether the host believes that it is connected.
    pub(super) host_up: bool,
    /// Whether the broker believes that the host is connected.
    pub(super) broker_up: bool,
    /// Whether something was lost on the way to the broker, so that nothing more arrives there.
    hole_to_broker: bool,
    /// Whether something was lost on the way to the host, so that nothing more arrives there.
    hole_to_host: bool,
    /// Messages held back on the way to the broker.
    held_to_broker: Vec<Arc<Message>>,
    /// Messages held back on the way to the host.
    held_to_host: Vec<Arc<Message>>,
    /// The number of the latest attempt to connect; earlier ones are ignored.
    attempt: u32,
}

/// The outcome of handing a message to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    Taken,
    Full,
    Disconnected,
}

impl Stage<'_> {
    /// Sends a message from a host to the broker.
    pub(super) fn send_to_broker(&mut self, node: Node, message: &Arc<Message>) -> Handed {
        let capacity = self.scenario.cluster.bus.outgoing(self.hosts[node]);
        let connection = &self.connections[node];
        if !connection.host_up {
            return Handed::Disconnected;
        }
        if connection.held_to_broker.len() >= capacity {
            return Handed::Full;
        }
        if connection.hole_to_broker {
            return Handed::Taken;
        }
        let session = connection.session;
        match self.links.send(self.now, node, BROKER) {
            Fate::Arrives(at) => {
                self.heap.plan(at, Next::AtBroker { from: node, session, message: Arc::clone(message) });
            }
            Fate::Held => self.connections[node].held_to_broker.push(Arc::clone(message)),
            Fate::Lost => self.make_hole(node, true),
        }
        Handed::Taken
    }

    /// Sends a message from the broker to a host.
    pub(super) fn send_to_host(&mut self, node: Node, message: &Arc<Message>) {
        let capacity = self.scenario.cluster.bus.broker_queue;
        let connection = &self.connections[node];
        if connection.hole_to_host {
            return;
        }
        if connection.held_to_host.len() >= capacity {
            // A slow consumer.
            self.broker_closes(node);
            return;
        }
        let session = connection.session;
        match self.links.send(self.now, BROKER, node) {
            Fate::Arrives(at) => {
                self.heap.plan(at, Next::AtHost { to: node, session, message: Arc::clone(message) });
            }
            Fate::Held => self.connections[node].held_to_host.push(Arc::clone(message)),
            Fate::Lost => self.make_hole(node, false),
        }
    }

    /// A message is lost, and with it everything behind it. The receiving side gives up after one keepalive of silence.
    fn make_hole(&mut self, node: Node, to_broker: bool) {
        let connection = &mut self.connections[node];
        let session = connection.session;
        let keepalive = millis(self.scenario.cluster.bus.keepalive_ms);
        // The last sign of life came up to a third of the keepalive ago.
        let at = self.now + keepalive - self.pauses.below(keepalive / 3 + 1);
        if to_broker {
            if !std::mem::replace(&mut connection.hole_to_broker, true) {
                self.heap.plan(at, Next::BrokerLoses { node, session });
            }
        } else if !std::mem::replace(&mut connection.hole_to_host, true) {
            self.heap.plan(at, Next::HostLoses { node, session });
        }
    }

    /// A fault blocks or holds a direction, so that the signs of life of that side do not get through.
    pub(super) fn direction_cut(&mut self, from: Node, to: Node) {
        let (node, to_broker) = match (from, to) {
            (BROKER, node) => (node, false),
            (node, BROKER) => (node, true),
            _ => return,
        };
        let connection = &self.connections[node];
        if !connection.host_up && !connection.broker_up {
            return;
        }
        let session = connection.session;
        let keepalive = millis(self.scenario.cluster.bus.keepalive_ms);
        if self.links.is_blocked(from, to) {
            let at = self.now + self.pauses.below(keepalive / 3 + 1);
            self.heap.plan(at, Next::SignOfLife { node, session, to_broker });
        } else {
            let silence =
                if to_broker { Next::BrokerLoses { node, session } } else { Next::HostLoses { node, session } };
            self.heap.plan(self.now + keepalive, silence);
        }
    }

    /// A sign of life is due. It is lost if the direction is still blocked.
    pub(super) fn sign_of_life(&mut self, node: Node, session: u32, to_broker: bool) {
        let (from, to) = if to_broker { (node, BROKER) } else { (BROKER, node) };
        if self.connections[node].session == session && self.links.is_blocked(from, to) {
            self.make_hole(node, to_broker);
        }
    }

    /// Sends the messages that were held back.
    pub(super) fn direction_released(&mut self, from: Node, to: Node) {
        match (from, to) {
            (BROKER, node) => {
                for message in std::mem::take(&mut self.connections[node].held_to_host) {
                    self.send_to_host(node, &message);
                }
            }
            (node, BROKER) => {
                for message in std::mem::take(&mut self.connections[node].held_to_broker) {
                    self.send_to_broker(node, &message);
                }
            }
            _ => {}
        }
    }

    /// A host begins to connect after a pause, in nanoseconds.
    pub(super) fn begin_connecting(&mut self, node: Node, pause: u64) {
        let connection = &mut self.connections[node];
        connection.attempt += 1;
        let attempt = connection.attempt;
        self.heap.plan(self.now + pause, Next::Connect { node, attempt });
    }

    pub(super) fn connect(&mut self, node: Node, attempt: u32) {
        if self.connections[node].attempt != attempt || !self.is_running(node) {
            return;
        }
        let there = self.links.send(self.now, node, BROKER);
        let back = self.links.send(self.now, BROKER, node);
        let keepalive = millis(self.scenario.cluster.bus.keepalive_ms);
        let at = match (there, back) {
            // One round trip for the greeting, and one for the subscriptions.
            (Fate::Arrives(there), Fate::Arrives(back)) => self.now + 2 * (there + back - 2 * self.now),
            _ => self.now + keepalive,
        };
        self.heap.plan(at, Next::Connected { node, attempt });
    }

    pub(super) fn connected(&mut self, node: Node, attempt: u32) {
        if self.connections[node].attempt != attempt || !self.is_running(node) {
            return;
        }
        let open = self.broker.running && self.links.is_open(node, BROKER) && self.links.is_open(BROKER, node);
        if !open {
            self.reconnect(node);
            return;
        }
        if self.connections[node].broker_up {
            self.broker.forget(node);
        }
        let connection = &mut self.connections[node];
        *connection = Connection {
            session: connection.session + 1,
            host_up: true,
            broker_up: true,
            attempt: connection.attempt,
            ..Connection::default()
        };
        self.broker.remember(node);
        self.bus_up(node);
    }

    /// The host gives up its connection, if that is still the one of `session` and silent.
    pub(super) fn host_loses(&mut self, node: Node, session: u32) {
        let connection = &self.connections[node];
        let silent = connection.hole_to_host || self.links.is_held(BROKER, node) || !connection.broker_up;
        if !connection.host_up || connection.session != session || !silent {
            return;
        }
        self.host_disconnected(node);
        if self.connections[node].broker_up {
            self.broker_will_notice(node);
        }
        self.reconnect(node);
    }

    /// The broker gives up the connection of a host, if that is still the one of `session` and silent.
    pub(super) fn broker_loses(&mut self, node: Node, session: u32) {
        let connection = &self.connections[node];
        let is_still = self.frozen[node].0 > 0 && matches!(self.programs[node], Program::Coordinator(_));
        let silent = connection.hole_to_broker || self.links.is_held(node, BROKER) || !connection.host_up || is_still;
        if connection.broker_up && connection.session == session && silent {
            self.broker_closes(node);
        }
    }

    /// The broker closes the connection of a host, which learns of it from the network or by silence.
    pub(super) fn broker_closes(&mut self, node: Node) {
        let connection = &mut self.connections[node];
        if !connection.broker_up {
            return;
        }
        connection.broker_up = false;
        connection.held_to_host.clear();
        let session = connection.session;
        self.broker.forget(node);
        if self.connections[node].host_up {
            let at = self.notice(BROKER, node);
            self.heap.plan(at, Next::HostLoses { node, session });
        }
    }

    /// The process of a host ends, and with it the connection.
    pub(super) fn host_closes(&mut self, node: Node) {
        let connection = &mut self.connections[node];
        connection.attempt += 1;
        connection.host_up = false;
        connection.held_to_broker.clear();
        if connection.broker_up {
            self.broker_will_notice(node);
        }
    }

    fn broker_will_notice(&mut self, node: Node) {
        let session = self.connections[node].session;
        let at = self.notice(node, BROKER);
        self.heap.plan(at, Next::BrokerLoses { node, session });
    }

    /// When the other side learns that a connection is closed: when a message arrives, or after a keepalive of silence.
    fn notice(&mut self, from: Node, to: Node) -> u64 {
        match self.links.send(self.now, from, to) {
            Fate::Arrives(at) => at,
            Fate::Held | Fate::Lost => self.now + millis(self.scenario.cluster.bus.keepalive_ms),
        }
    }

    fn host_disconnected(&mut self, node: Node) {
        let connection = &mut self.connections[node];
        connection.host_up = false;
        connection.held_to_broker.clear();
        self.bus_down(node);
    }

    fn reconnect(&mut self, node: Node) {
        let (low, high) = self.scenario.cluster.bus.reconnect_ms;
        let pause = millis(self.pauses.within(low..=high.max(low)));
        self.begin_connecting(node, pause);
    }

    /// Whether a process runs on a host.
    fn is_running(&self, node: Node) -> bool {
        match &self.programs[node] {
            Program::Coordinator(program) => program.is_running(),
            Program::Worker(program) => program.is_running(),
            Program::Broker | Program::Client | Program::Adversary(_) => true,
        }
    }

    fn bus_up(&mut self, node: Node) {
        match &self.programs[node] {
            Program::Coordinator(_) => self.coordinator_input(node, &Input::BusUp),
            Program::Worker(_) => self.worker_input(node, &quorate_core::worker::Input::BusUp),
            Program::Broker | Program::Client | Program::Adversary(_) => {}
        }
    }

    fn bus_down(&mut self, node: Node) {
        match &self.programs[node] {
            Program::Coordinator(_) => self.coordinator_input(node, &quorate_core::coordinator::Input::BusDown),
            Program::Worker(_) => self.worker_input(node, &quorate_core::worker::Input::BusDown),
            Program::Broker | Program::Client | Program::Adversary(_) => {}
        }
    }
}
