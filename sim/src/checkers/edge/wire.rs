//! A driver sends what its machine puts out, and passes to its machine what the host receives: all of it, once, in
//! order, unchanged, and before its pass ends. Packs go out after what goes out alone, and the outcomes of ended requests
//! after all else, at most a few milliseconds later.

mod edge;

use std::sync::Arc;

use quorate_core::coordinator::Output;
use quorate_core::worker;

use self::edge::{Edge, Outgoing, Worker};
use crate::Depth;
use crate::checkers::hosts::{PerHost, entry};
use crate::checkers::{Checker, Context};
use crate::event::{Body, Event, What};
use crate::host::Host;
use crate::scenario::{Coordinator, FaultKind};

/// The most messages of each kind that a driver takes in a pass, unless a seed says otherwise.
const BATCH: usize = 256;

/// Watches what hosts exchange with the network.
pub(crate) struct Wire {
    edges: PerHost<Edge>,
    workers: Vec<Worker>,
    coordinators: Vec<Coordinator>,
    depth: Depth,
    /// The most messages that a coordinator's driver takes from each subscription in a pass.
    batch: usize,
    /// Whether invalid values may come, whose failures the stage and the driver may word differently.
    strange_values: bool,
}

pub(crate) fn new(context: &Context<'_>) -> Wire {
    let mut workers: Vec<Worker> = Vec::new();
    for worker in &context.scenario.cluster.workers {
        let known = Worker {
            id: Some(worker.id()),
            replicated: worker.replicated,
            offer: worker.offer(),
            packs: worker.packs,
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
    fn coordinator(&mut self, event: &Event<'_>, number: u8) -> Result<(), String> {
        let host = event.host;
        let Some(edge) = self.edges.get(host) else { return Ok(()) };
        match event.what {
            What::Sent(message) => edge.coordinator_says(host, message, None)?,
            What::Unsent(message, error) => edge.coordinator_says(host, message, Some(error))?,
            What::Received(message) => edge.coordinator_received(message),
            What::CoordinatorInput(now, input) => {
                let coordinator = self.coordinators.iter().find(|it| it.number == number);
                let wall = coordinator.map_or(now, |coordinator| coordinator.wall(now));
                edge.coordinator_told(host, input, wall, self.strange_values)?;
            }
            What::CoordinatorOutput(_, Output::Publish(task)) => edge.said.push_back(Outgoing::Task(task.clone())),
            // The other stage has no driver, and no followers.
            What::CoordinatorOutput(_, Output::Ended(outcome)) if self.depth == Depth::Network => {
                edge.ended.push_back((event.at, Arc::clone(outcome)));
            }
            What::Edge(crate::edge::Edge::PassEnded(_)) => {
                edge.coordinator_pass_ended(host, event.at, self.depth, self.batch)?;
            }
            What::Stopped => {
                edge.must_be_followed(host, u64::MAX)?;
                *edge = Edge::default();
            }
            What::Started { .. } | What::Crashed => *edge = Edge::default(),
            _ => {}
        }
        Ok(())
    }

    fn worker(&mut self, event: &Event<'_>, number: u8) -> Result<(), String> {
        let host = event.host;
        let Some(worker) = self.workers.get(usize::from(number)) else { return Ok(()) };
        let Some(edge) = self.edges.get(host) else { return Ok(()) };
        match event.what {
            What::Sent(message) | What::Unsent(message, _)
                if worker.unheard && matches!(message.body, Body::Presence(_)) => {}
            What::Sent(message) | What::Unsent(message, _) => edge.worker_says(host, worker, message)?,
            What::Received(message) => edge.worker_received(message),
            What::WorkerInput(_, input) => edge.worker_told(host, input)?,
            What::WorkerOutput(_, worker::Output::Answer(answer)) if !worker.mischievous => {
                edge.said.push_back(Outgoing::Answer(answer.clone()));
            }
            What::WorkerOutput(_, worker::Output::Announce(state)) if !worker.unheard => {
                edge.said.push_back(Outgoing::Announcement(*state));
            }
            What::Edge(crate::edge::Edge::PassEnded(_)) => edge.worker_pass_ended(host, worker)?,
            What::Started { .. } | What::Crashed | What::Stopped => *edge = Edge::default(),
            _ => {}
        }
        Ok(())
    }
}

impl Checker for Wire {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.host {
            Host::Coordinator(number) => self.coordinator(event, number),
            Host::Worker(number) => self.worker(event, number),
            Host::Broker | Host::Client(_) | Host::Adversary => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
