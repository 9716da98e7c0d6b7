//! State that checkers keep per process, found by host number in constant time, and maps that are the same in every
//! run.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use quorate_core::worker;

use super::Checker;
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::Cluster;
use crate::trace::TraceHash;

/// A map whose hash is the same in every run.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<TraceHash>>;

/// One `T` for each coordinator and each worker process.
#[derive(Debug)]
pub(super) struct PerHost<T> {
    coordinators: Vec<T>,
    workers: Vec<T>,
}

/// An invariant of each coordinator and each worker process by itself. Its state starts afresh with the process.
pub(super) trait ProcessChecker: Default {
    /// Judges one event of the process, as [`Checker::event`] does.
    fn event(&mut self, event: &Event<'_>) -> Result<(), String>;
}

impl<P: ProcessChecker> Checker for PerHost<P> {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(process) = self.get(event.host) else { return Ok(()) };
        if let What::Started { .. } = event.what {
            *process = P::default();
        }
        process.event(event)
    }
}

impl<T: Default> PerHost<T> {
    pub(super) fn new() -> Self {
        Self { coordinators: Vec::new(), workers: Vec::new() }
    }

    /// The state of a host; `None` if it is neither a coordinator nor a worker.
    pub(super) fn get(&mut self, host: Host) -> Option<&mut T> {
        match host {
            Host::Coordinator(number) => Some(entry(&mut self.coordinators, number)),
            Host::Worker(number) => Some(entry(&mut self.workers, number)),
            Host::Broker | Host::Client(_) | Host::Adversary => None,
        }
    }

    /// The state of every host seen so far.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Host, &mut T)> {
        let coordinators =
            self.coordinators.iter_mut().zip(0..).map(|(kept, number)| (Host::Coordinator(number), kept));
        let workers = self.workers.iter_mut().zip(0..).map(|(kept, number)| (Host::Worker(number), kept));
        coordinators.chain(workers)
    }
}

/// The configuration of each worker of a cluster, by its number.
pub(super) fn worker_configs(cluster: &Cluster) -> Vec<Option<worker::Config>> {
    let mut configs = Vec::new();
    for worker in &cluster.workers {
        *entry(&mut configs, worker.number) = Some(worker.config());
    }
    configs
}

/// The entry of a number, created if necessary.
pub(super) fn entry<T: Default>(all: &mut Vec<T>, number: u8) -> &mut T {
    let index = usize::from(number);
    if all.len() <= index {
        all.resize_with(index + 1, T::default);
    }
    &mut all[index]
}
