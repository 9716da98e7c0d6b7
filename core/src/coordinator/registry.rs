//! The workers a coordinator knows: who is live, and how far each can be trusted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::input::{Presence, PresenceState};
use super::reliability::{Reliability, Score};
use crate::id::WorkerId;
use crate::time::Timestamp;

/// What a coordinator knows of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Where it stands.
    pub state: WorkerState,
    /// Whether it has announced itself, and so keeps to the whole protocol; else it was only heard through a result.
    pub announced: bool,
    /// Whether several replicas stand behind its name.
    pub replicated: bool,
    /// When it was last heard.
    pub last_heard: Timestamp,
    /// When it last said that it is live.
    said_live: Option<Timestamp>,
    /// The number of the first request that may wait for it.
    pub(super) awaited_from: u64,
    /// Its record.
    pub reliability: Reliability,
    /// When each process behind its name last said that it is live; one that is leaving is not among them. When one of
    /// several leaves, as in a rolling restart, the worker does not.
    instances: BTreeMap<Arc<str>, Timestamp>,
}

/// Where a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// It is expected to answer the next request.
    Live,
    /// It finishes what it has and is not expected to answer a further request.
    Draining,
    /// It said that it is gone.
    Left,
    /// It has not been heard for the presence time.
    Expired,
}

impl Worker {
    /// A result of it came, which makes an expired worker live. One that said that it is draining or gone stays so, and the
    /// time of its farewell stands, since its last results may arrive after it: it expires a presence time after that, and
    /// who is heard under its name then is live again.
    fn heard(&mut self, now: Timestamp) {
        if matches!(self.state, WorkerState::Live | WorkerState::Expired) {
            self.last_heard = now;
            self.state = WorkerState::Live;
        }
    }

    /// Whether a second, different answer of this worker to one request contradicts the first. It may come from another
    /// process of the same name. And where the workers may have been asked twice, one that never announced itself may
    /// not know that it should repeat its answer, and replicas do not share theirs.
    pub(super) fn must_repeat_itself(&self, asked_twice: bool) -> bool {
        self.instances.len() <= 1 && (!asked_twice || (self.announced && !self.replicated))
    }
}

/// The known workers, in order, at most `max_workers` of them.
#[derive(Debug)]
pub(super) struct Registry {
    workers: BTreeMap<WorkerId, Worker>,
    /// The number of the next request.
    pub(super) asked: u64,
    max_workers: usize,
    max_instances: usize,
    response_times: usize,
    presence: Duration,
    max_lag: Duration,
    /// Nobody expires before this, since nobody could be heard for a while.
    spared_until: Timestamp,
}

impl Registry {
    pub(super) fn new(config: &Config) -> Self {
        let max_workers = config.limits.max_workers as usize;
        let Config { max_instances, response_times, presence, max_lag, .. } = *config;
        let spared_until = Timestamp::ZERO;
        Self {
            workers: BTreeMap::new(),
            asked: 0,
            max_workers,
            max_instances,
            response_times,
            presence,
            max_lag,
            spared_until,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.workers.iter()
    }

    /// The workers that are expected to answer a request made now, in order.
    pub(super) fn live(&self) -> impl Iterator<Item = &WorkerId> {
        self.workers.iter().filter(|(_, worker)| worker.state == WorkerState::Live).map(|(id, _)| id)
    }

    /// Whether a worker has said that it is live since `since`.
    pub(super) fn said_live_since(&self, id: &WorkerId, since: Timestamp) -> bool {
        self.workers.get(id).is_some_and(|worker| worker.said_live.is_some_and(|at| at >= since))
    }

    pub(super) fn get_mut(&mut self, id: &WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(id)
    }

    pub(super) fn record(&mut self, id: &WorkerId) -> Option<&mut Reliability> {
        self.workers.get_mut(id).map(|worker| &mut worker.reliability)
    }

    pub(super) fn is_cordoned(&self, id: &WorkerId, below: Option<Score>) -> bool {
        below.is_some_and(|below| self.workers.get(id).is_some_and(|worker| worker.reliability.score < below))
    }

    /// Notes that a worker was heard through a result, which makes an unknown one live. `None` if there is no room.
    pub(super) fn heard(&mut self, now: Timestamp, id: &WorkerId) -> Option<&mut Worker> {
        let worker = self.entry(now, id)?;
        worker.heard(now);
        Some(worker)
    }

    /// The same of a worker that is known; `None` if it is not.
    pub(super) fn refresh(&mut self, now: Timestamp, id: &WorkerId) -> Option<&mut Worker> {
        let worker = self.workers.get_mut(id)?;
        worker.heard(now);
        Some(worker)
    }

    /// Takes a worker's word on itself. Returns whether the worker is gone by it and was not before; `None` if there
    /// is no room.
    pub(super) fn announce(&mut self, now: Timestamp, presence: &Presence) -> Option<bool> {
        if presence.state == PresenceState::Left && !self.workers.contains_key(&presence.worker) {
            return Some(false);
        }
        let (presence_time, spared_until, max_instances) = (self.presence, self.spared_until, self.max_instances);
        let worker = self.entry(now, &presence.worker)?;
        let before = worker.state;
        worker.announced = true;
        worker.replicated = presence.replicated;
        worker.last_heard = now;
        // A process that died without a farewell must not stand for the name for as long as another one is live.
        worker.instances.retain(|_, last_heard| last_heard.after(presence_time).max(spared_until) > now);
        worker.state = match presence.state {
            PresenceState::Live => {
                worker.said_live = Some(now);
                if worker.instances.len() < max_instances || worker.instances.contains_key(&presence.instance) {
                    worker.instances.insert(Arc::clone(&presence.instance), now);
                }
                WorkerState::Live
            }
            leaving => {
                worker.instances.remove(&presence.instance);
                match leaving {
                    _ if !worker.instances.is_empty() => before,
                    PresenceState::Left => WorkerState::Left,
                    _ => WorkerState::Draining,
                }
            }
        };
        Some(worker.state == WorkerState::Left && before != WorkerState::Left)
    }

    /// Marks the workers that have not been heard for the presence time as expired. One that left is, too: who is
    /// heard under its name after that is another. If that is found out too late, the coordinator has not run meanwhile:
    /// what was announced to it may lie in a queue, and everybody has a little time to be heard.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.next_expiry().is_some_and(|at| now.since(at) > self.max_lag) {
            self.spared_until = now.after(self.max_lag);
        }
        if now < self.spared_until {
            return;
        }
        for worker in self.workers.values_mut() {
            if worker.state != WorkerState::Expired && worker.last_heard.after(self.presence) <= now {
                worker.state = WorkerState::Expired;
                worker.instances.clear();
            }
        }
    }

    /// When the next worker expires, if it is not heard before.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let present = |worker: &&Worker| worker.state != WorkerState::Expired;
        let heard = self.workers.values().filter(present).map(|worker| worker.last_heard).min();
        heard.map(|heard| heard.after(self.presence).max(self.spared_until))
    }

    /// The entry of a worker, made if there is none. A full registry forgets the worker that has been gone longest; if
    /// none is gone there is no room.
    fn entry(&mut self, now: Timestamp, id: &WorkerId) -> Option<&mut Worker> {
        if !self.workers.contains_key(id) {
            if self.workers.len() >= self.max_workers {
                let gone = |worker: &Worker| matches!(worker.state, WorkerState::Left | WorkerState::Expired);
                let (_, longest_gone) = self
                    .workers
                    .iter()
                    .filter(|(_, worker)| gone(worker))
                    .map(|(id, worker)| (worker.last_heard, id.clone()))
                    .min()?;
                self.workers.remove(&longest_gone);
            }
            let worker = Worker {
                state: WorkerState::Live,
                announced: false,
                replicated: false,
                last_heard: now,
                said_live: None,
                awaited_from: self.asked,
                reliability: Reliability::new(self.response_times),
                instances: BTreeMap::new(),
            };
            self.workers.insert(id.clone(), worker);
        }
        self.workers.get_mut(id)
    }
}
