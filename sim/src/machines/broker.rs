//! The broker: who is subscribed to what, and who receives a message. It provides what NATS core provides and no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::links::Node;
use super::{BROKER, Program, Stage};
use crate::event::{Body, Message, What};

/// The broker's own state.
#[derive(Debug, Default)]
pub(super) struct Broker {
    pub(super) running: bool,
    /// The number of times it has been started.
    starts: u32,
    /// The connected hosts, in ascending order.
    connected: Vec<Node>,
    /// How many tasks the replicas of each name have received together, which decides whose turn is next.
    turns: BTreeMap<u8, usize>,
}

impl Broker {
    pub(super) fn remember(&mut self, node: Node) {
        if let Err(place) = self.connected.binary_search(&node) {
            self.connected.insert(place, node);
        }
    }

    pub(super) fn forget(&mut self, node: Node) {
        self.connected.retain(|other| *other != node);
    }

    pub(super) fn connected(&self) -> Vec<Node> {
        self.connected.clone()
    }
}

impl Stage<'_> {
    /// A host publishes a message.
    pub(super) fn publish(
        &mut self,
        node: Node,
        message: &Arc<Message>,
    ) -> Result<(), quorate_runtime::bus::PublishError> {
        use super::connection::Handed;
        use quorate_runtime::bus::PublishError;

        let refused = match self.send_to_broker(node, message) {
            Handed::Taken => {
                self.tell(node, What::Sent(message));
                self.watch.message(0);
                return Ok(());
            }
            Handed::Full => PublishError::Full,
            Handed::Disconnected => PublishError::Disconnected,
        };
        self.tell(node, What::Unsent(message, refused));
        Err(refused)
    }

    /// A message has reached the broker.
    pub(super) fn at_broker(&mut self, from: Node, session: u32, message: &Arc<Message>) {
        let connection = &self.connections[from];
        if !self.broker.running || connection.session != session || !connection.broker_up {
            return;
        }
        let receivers = self.receivers(message);
        for node in &receivers {
            self.watch.message(0);
            self.send_to_host(*node, message);
        }
        self.bridge(message);
        if receivers.is_empty()
            && let Some(reply) = &message.reply
        {
            let notice = Message { subject: Arc::clone(reply), reply: None, body: Body::NoResponders };
            self.send_to_host(from, &Arc::new(notice));
        }
    }

    /// The hosts with a matching subscription, in ascending order; then, for a task, one of the replicas of each name.
    pub(super) fn receivers(&mut self, message: &Message) -> Vec<Node> {
        let subject = &*message.subject;
        let is_pack = subject == &*self.subjects.packs;
        let is_task = is_pack || subject == &*self.subjects.tasks;
        let is_ping = subject == &*self.subjects.ping;
        let is_shared = subject == &*self.subjects.results || subject == &*self.subjects.presence;
        let mut receivers = Vec::with_capacity(self.broker.connected.len());
        // For each replicated name, all replicas that could receive the message.
        let mut replicas: Vec<(u8, Vec<Node>)> = Vec::new();
        for node in &self.broker.connected {
            match &self.programs[*node] {
                Program::Coordinator(coordinator) if is_shared || (!is_task && coordinator.is_own(subject)) => {
                    receivers.push(*node);
                }
                Program::Worker(_) if is_ping => receivers.push(*node),
                Program::Worker(worker) if is_task && worker.takes_tasks() && (worker.spec.packs || !is_pack) => {
                    if !worker.spec.replicated {
                        receivers.push(*node);
                    } else if let Some((_, nodes)) = replicas.iter_mut().find(|(name, _)| *name == worker.spec.name) {
                        nodes.push(*node);
                    } else {
                        replicas.push((worker.spec.name, vec![*node]));
                    }
                }
                Program::Adversary(_) if is_task => receivers.push(*node),
                _ => {}
            }
        }
        for (name, nodes) in replicas {
            let turn = self.broker.turns.entry(name).or_default();
            receivers.push(nodes[*turn % nodes.len()]);
            *turn += 1;
        }
        receivers
    }

    /// A message has reached a host.
    pub(super) fn at_host(&mut self, node: Node, session: u32, message: &Arc<Message>) {
        let connection = &self.connections[node];
        if connection.session != session || !connection.host_up {
            return;
        }
        match &mut self.programs[node] {
            Program::Coordinator(_) => self.coordinator_receives(node, message),
            Program::Worker(_) => self.worker_receives(node, message),
            Program::Adversary(adversary) => {
                let forged = adversary.hear(message);
                self.tell(node, What::Received(message));
                self.publish_forged(node, forged);
            }
            Program::Broker | Program::Client => {}
        }
    }

    /// The broker closes all connections.
    pub(super) fn kick_all(&mut self) {
        for node in self.broker.connected() {
            self.broker_closes(node);
        }
    }

    /// The broker is killed or restarted.
    pub(super) fn set_broker_running(&mut self, running: bool) {
        if running == self.broker.running {
            return;
        }
        if !running {
            self.kick_all();
        }
        self.broker.running = running;
        self.broker.starts += u32::from(running);
        let what = if running { What::Started { incarnation: self.broker.starts } } else { What::Crashed };
        self.tell(BROKER, what);
    }
}
