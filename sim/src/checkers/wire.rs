//! What a machine wants said is said, and what a host receives its machine is told: all of it, once, in order, unchanged.
//!
//! What a machine wants sent is the next thing its host's bus is given, but for the outcomes of ended requests: these follow
//! in order before the machine is told anything new. What is received waits here until the machine is told, which it must
//! be before it settles next.

mod edge;

use std::sync::Arc;

use quorate_core::{coordinator, worker};
use quorate_runtime::bus::PublishError;

use self::edge::{Edge, PRESENCE, Said, Worker};
use super::hosts::{PerHost, entry};
use super::{Checker, Context};
use crate::Depth;
use crate::event::{Body, Event, Message, What};
use crate::host::Host;
use crate::scenario::{Coordinator, FaultKind};

/// What a driver takes of each kind in a pass unless a seed says otherwise.
const BATCH: usize = 256;

/// Watches the edge between hosts and the network.
pub(super) struct Wire {
    edges: PerHost<Edge>,
    workers: Vec<Worker>,
    coordinators: Vec<Coordinator>,
    depth: Depth,
    /// How much a coordinator's driver takes from each subscription in a pass.
    batch: usize,
    /// Whether values may come that no worker of ours would send, which the stage and the driver may word differently.
    strange_values: bool,
}

pub(super) fn new(context: &Context<'_>) -> Wire {
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

    fn worker_wants(&mut self, host: Host, said: Said) -> Result<(), String> {
        let skipped = self.worker(host).is_some_and(|worker| match said {
            Said::Answer(_) => worker.mischievous,
            Said::Announcement(_) => worker.unheard,
            Said::Task(_) => false,
        });
        if let Some(edge) = self.edges.get(host) {
            edge.must_be_said(host)?;
            if let Said::Announcement(state) = said {
                edge.state = Some(state);
            }
            edge.said = Some(said).filter(|_| !skipped);
        }
        Ok(())
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
                return self.worker_wants(host, Said::Answer(answer.clone()));
            }
            What::WorkerOutput(_, worker::Output::Announce(state)) => {
                return self.worker_wants(host, Said::Announcement(*state));
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
            What::WorkerInput(_, input) => {
                edge.must_be_said(host)?;
                return edge.worker_told(host, input);
            }
            What::CoordinatorOutput(_, output) => {
                edge.must_be_said(host)?;
                if let Some(refused) = &edge.refused {
                    return Err(format!("{host} was not told of {refused:?}"));
                }
                match output {
                    coordinator::Output::Publish(task) => edge.said = Some(Said::Task(task.clone())),
                    // The other stage has no driver, and nobody who follows.
                    coordinator::Output::Ended(outcome) if self.depth == Depth::Network => {
                        edge.ended.push_back(Arc::clone(outcome));
                    }
                    _ => {}
                }
            }
            What::CoordinatorWoken(_) => {
                edge.must_be_said(host)?;
                edge.must_be_followed(host)?;
            }
            What::WorkerOutput(..) | What::WorkerWoken(_) => edge.must_be_said(host)?,
            What::CoordinatorSettled(..) => return edge.coordinator_settled(host, self.depth, self.batch),
            What::WorkerSettled(..) => {
                if let Host::Worker(number) = host
                    && let Some(worker) = self.workers.get(usize::from(number))
                {
                    return edge.worker_settled(host, worker);
                }
            }
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
