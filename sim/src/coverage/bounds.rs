//! Which bounds were reached: a bound that no run reaches is untested.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Config, Coordinator, Input, Presence, PresenceState};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::worker::{self, ReplyTo, Worker};

use super::{Reached, Sometimes as S};
use crate::edge::Edge;
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::Scenario;

/// Where a worker's answers go, by task.
type Places = BTreeMap<(RequestId, Query), BTreeSet<ReplyTo>>;

/// Notes the bounds that a run reaches. It tracks state only where a seed makes the bound tiny.
#[derive(Debug)]
pub(super) struct Bounds {
    coordinator: Config,
    workers: BTreeMap<Host, worker::Config>,
    /// The workers that each coordinator knew when its registry was last full.
    known: BTreeMap<Host, Vec<WorkerId>>,
    /// The processes that have announced themselves live to a coordinator, by worker.
    instances: BTreeMap<(Host, WorkerId), BTreeSet<Arc<str>>>,
    places: BTreeMap<Host, Places>,
    /// Where a seed sets it, the most messages that a driver takes in a pass, and the number received since the last
    /// pass.
    batches: BTreeMap<Host, (usize, usize)>,
    /// When each coordinator wants to be woken.
    wanted: BTreeMap<Host, Option<Timestamp>>,
}

impl Bounds {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let workers = scenario.cluster.workers.iter();
        let of_coordinators = scenario.cluster.settings.knobs.batch;
        let coordinators = scenario.cluster.coordinators.iter();
        let batches = coordinators.map(|it| (Host::Coordinator(it.number), of_coordinators));
        let batches = batches.chain(workers.clone().map(|it| (Host::Worker(it.number), it.knobs.batch)));
        let batches = batches.filter_map(|(host, batch)| batch.map(|batch| (host, (batch, 0))));
        Self {
            coordinator: scenario.cluster.settings.config(),
            workers: workers.map(|worker| (Host::Worker(worker.number), worker.config())).collect(),
            known: BTreeMap::new(),
            instances: BTreeMap::new(),
            places: BTreeMap::new(),
            batches: batches.collect(),
            wanted: BTreeMap::new(),
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>, reached: &mut Reached) {
        let host = event.host;
        if let What::CoordinatorInput(now, _) | What::CoordinatorWoken(now) = event.what {
            let wanted = self.wanted.get(&host).copied().flatten();
            reached.insert_if(S::StoodStill, wanted.is_some_and(|wanted| wanted.after(self.coordinator.max_lag) < now));
        }
        match event.what {
            What::Started { .. } => {
                self.known.remove(&host);
                self.instances.retain(|(of, _), _| *of != host);
                self.places.remove(&host);
                self.wanted.remove(&host);
            }
            What::CoordinatorInput(_, Input::Presence(presence)) => self.announced(host, presence, reached),
            What::Received(_) => {
                if let Some((batch, received)) = self.batches.get_mut(&host) {
                    *received += 1;
                    reached.insert_if(S::BatchFull, received >= batch);
                }
            }
            What::Edge(Edge::PassEnded(_)) => {
                if let Some((_, received)) = self.batches.get_mut(&host) {
                    *received = 0;
                }
            }
            What::CoordinatorSettled(_, machine) => {
                self.wanted.insert(host, machine.poll_timeout());
                self.coordinator(host, machine, reached);
            }
            What::WorkerInput(_, input) => self.worker_input(host, input, reached),
            What::WorkerOutput(_, worker::Output::Answer(result)) => {
                if let Some(places) = self.places.get_mut(&host) {
                    places.retain(|(request, _), _| *request != result.request);
                }
            }
            What::WorkerSettled(_, machine) => self.worker(host, machine, reached),
            _ => {}
        }
    }

    fn announced(&mut self, host: Host, presence: &Presence, reached: &mut Reached) {
        let most = self.coordinator.max_instances;
        if most < coordinator::Config::default().max_instances && presence.state == PresenceState::Live {
            let instances = self.instances.entry((host, presence.worker.clone())).or_default();
            instances.insert(Arc::clone(&presence.instance));
            reached.insert_if(S::InstancesFull, instances.len() > most);
        }
    }

    fn coordinator(&mut self, host: Host, machine: &Coordinator, reached: &mut Reached) {
        let config = &self.coordinator;
        let counters = machine.counters();
        let ended = counters.requests_accepted - machine.in_flight() as u64;
        reached.insert_if(S::MemoryFull, ended > config.max_remembered as u64);
        reached.insert_if(S::MemoryHeavy, counters.forgotten_for_bytes > 0);
        reached.insert_if(S::NoRoom, counters.results_no_room > 0);
        let most = config.limits.max_workers as usize;
        let (count, _) = machine.workers().size_hint();
        if count >= most {
            reached.insert(S::RegistryFull);
            let nobody_is_banned = config.admitted.is_none();
            reached.insert_if(S::RegistryRefused, nobody_is_banned && counters.workers_not_admitted > 0);
            let known: Vec<WorkerId> = machine.workers().map(|(id, _)| id.clone()).collect();
            let before = self.known.insert(host, known.clone());
            let forgot = |before: Vec<WorkerId>| before.iter().any(|id| known.binary_search(id).is_err());
            reached.insert_if(S::RegistryForgot, before.is_some_and(forgot));
        }
        if config.response_times < coordinator::Config::default().response_times {
            let answered =
                |worker: &coordinator::WorkerRecord| worker.reliability.successes + worker.reliability.failures;
            let mut workers = machine.workers();
            let full = workers.any(|(_, worker)| answered(worker) > config.response_times as u64);
            reached.insert_if(S::ResponseTimesFull, full);
        }
    }

    fn worker_input(&mut self, host: Host, input: &worker::Input, reached: &mut Reached) {
        let Some(config) = self.workers.get(&host) else { return };
        match input {
            worker::Input::Task(task) => {
                reached.insert_if(S::TtlCut, task.ttl.is_some_and(|ttl| ttl > config.max_ttl));
                if config.max_reply_places < worker::Config::default().max_reply_places {
                    let places = self.places.entry(host).or_default();
                    let of_this = places.entry((task.request.clone(), task.query.clone())).or_default();
                    of_this.insert(task.reply.clone());
                    reached.insert_if(S::ReplyPlacesFull, of_this.len() > config.max_reply_places);
                }
            }
            worker::Input::Drain => {
                reached.insert_if(S::NoDrainGrace, config.drain_grace <= Duration::from_millis(1));
            }
            _ => {}
        }
    }

    fn worker(&self, host: Host, machine: &Worker, reached: &mut Reached) {
        let Some(config) = self.workers.get(&host) else { return };
        let counters = machine.counters();
        reached.insert_if(S::WorkerMemoryFull, counters.succeeded + counters.failed > config.max_remembered as u64);
    }
}
