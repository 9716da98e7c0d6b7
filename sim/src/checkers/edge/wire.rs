//! What a machine puts out is sent, and what a host receives its machine is told: all of it, once, in order, unchanged,
//! and before the pass of the driver ends. The outcomes of ended requests are sent after all else.

mod edge;

use std::sync::Arc;

use quorate_core::{coordinator, worker};
use quorate_runtime::bus::PublishError;

use self::edge::{Edge, Outgoing, PRESENCE, Worker};
use crate::Depth;
use crate::checkers::hosts::{PerHost, entry};
use crate::checkers::{Checker, Context};
use crate::event::{Body, Event, Message, What};
use crate::host::Host;
use crate::scenario::{Coordinator, FaultKind};

/// What a driver takes of each kind in a pass unless a seed says otherwise.
const BATCH: usize = 256;

/// Watches the edge between hosts and the network.
pub(crate) struct Wire {
    edges: PerHost<Edge>,
    workers: Vec<Worker>,
    coordinators: Vec<Coordinator>,
    depth: Depth,
    /// How much a coordinator's driver takes from each subscription in a pass.
    batch: usize,
    /// Whether values may come that no worker of ours would send, which the stage and the driver may word differently.
    strange_values: bool,
}

pub(crate) fn new(context: &Context<'_>) -> Wire {
    let mut workers: Vec<Worker> = Vec::new();
    for worker in &context.scenario.cluster.workers {
        let known = Worker {
            id: Some(worker.id()),
            replicated: worker.replicated,
            dates: worker.observed_at,
            ..Worker::default()
        };
        *entry(&mut workers, worker.number) = known;
    }
    let mut strange_values = false;
    for fault in &context.scenario.faults {
        match fault.kind {
            FaultKind::Mischief(Host::Worker(number), ..) => {
                entry(&mut workers, number).mischievous = true;
                strange_values = true;
            }
            FaultKind::PresenceLost(Host::Worker(number)) => entry(&mut workers, number).unheard = true,
            _ => {}
        }
    }
    let batch = context.scenario.cluster.settings.knobs.batch.unwrap_or(BATCH);
    let coordinators = context.scenario.cluster.coordinators.clone();
    Wire { edges: PerHost::new(), workers, coordinators, depth: context.depth, batch, strange_values }
}

impl Wire {
    fn worker(&self, host: Host) -> Option<&Worker> {
        match host {
            Host::Worker(number) => self.workers.get(usize::from(number)),
            _ => None,
        }
    }

    fn worker_wants(&mut self, host: Host, said: Outgoing) {
        let skipped = self.worker(host).is_some_and(|worker| match said {
            Outgoing::Answer(_) => worker.mischievous,
            Outgoing::Announcement(_) => worker.unheard,
            Outgoing::Task(_) => false,
        });
        if let Some(edge) = self.edges.get(host)
            && !skipped
        {
            edge.said.push_back(said);
        }
    }

    fn says(&mut self, host: Host, message: &Message, error: Option<PublishError>) -> Result<(), String> {
        match host {
            Host::Coordinator(_) => match self.edges.get(host) {
                Some(edge) => edge.coordinator_says(host, message, error),
                None => Ok(()),
            },
            Host::Worker(number) => match (self.edges.get(host), self.workers.get(usize::from(number))) {
                (Some(_), Some(worker))
                    if worker.unheard && matches!(message.body, Body::Presence(_)) && *message.subject == *PRESENCE =>
                {
                    Ok(())
                }
                (Some(edge), Some(worker)) => edge.worker_says(host, worker, message),
                _ => Ok(()),
            },
            Host::Broker | Host::Client(_) | Host::Adversary => Ok(()),
        }
    }
}

impl Checker for Wire {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::Sent(message) => return self.says(host, message, None),
            What::Unsent(message, error) => return self.says(host, message, Some(error)),
            What::WorkerOutput(_, worker::Output::Answer(answer)) => {
                self.worker_wants(host, Outgoing::Answer(answer.clone()));
            }
            What::WorkerOutput(_, worker::Output::Announce(state)) => {
                self.worker_wants(host, Outgoing::Announcement(*state));
            }
            _ => {}
        }
        let strange = self.strange_values;
        let coordinators = &self.coordinators;
        let wall = |now| {
            let coordinator = coordinators.iter().find(|it| Host::Coordinator(it.number) == host);
            coordinator.map_or(now, |coordinator| coordinator.wall(now))
        };
        let Some(edge) = self.edges.get(host) else { return Ok(()) };
        match event.what {
            What::Received(message) => match host {
                Host::Coordinator(_) => edge.coordinator_received(message),
                _ => edge.worker_received(message),
            },
            What::CoordinatorInput(now, input) => return edge.coordinator_told(host, input, wall(now), strange),
            What::WorkerInput(_, input) => return edge.worker_told(host, input),
            What::CoordinatorOutput(_, coordinator::Output::Publish(task)) => {
                edge.said.push_back(Outgoing::Task(task.clone()));
            }
            // The other stage has no driver, and nobody who follows.
            What::CoordinatorOutput(_, coordinator::Output::Ended(outcome)) if self.depth == Depth::Network => {
                edge.ended.push_back(Arc::clone(outcome));
            }
            What::Edge(crate::edge::Edge::PassEnded(_)) => match host {
                Host::Coordinator(_) => return edge.coordinator_pass_ended(host, self.depth, self.batch),
                Host::Worker(number) => {
                    if let Some(worker) = self.workers.get(usize::from(number)) {
                        return edge.worker_pass_ended(host, worker);
                    }
                }
                _ => {}
            },
            What::Stopped => {
                edge.must_be_followed(host)?;
                *edge = Edge::default();
            }
            What::Started { .. } | What::Crashed => *edge = Edge::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
