//! The workers that a coordinator knows: which are live, and how far each can be trusted.

mod expect;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(super) use expect::Expectation;

use super::config::Config;
use super::event::Event;
use super::input::{Presence, PresenceState};
use super::reliability::{Reliability, Score};
use super::worker::{Instance, Standing, WorkerRecord, WorkerState};
use crate::id::WorkerId;
use crate::offer::{MAX_OFFER_BYTES, Offer};
use crate::time::Timestamp;

/// The rate at which new names become known: one per `every`, and up to `burst` at once (the generic cell rate
/// algorithm).
#[derive(Debug)]
struct Admission {
    every: Duration,
    burst: u32,
    /// When the rate, exhausted by the names admitted so far, will have recovered completely.
    spent_until: Timestamp,
}

impl Admission {
    fn admits(&mut self, now: Timestamp) -> bool {
        let admits = self.spent_until.since(now) <= self.every.saturating_mul(self.burst.saturating_sub(1));
        if admits {
            self.spent_until = self.spent_until.max(now).after(self.every);
        }
        admits
    }
}

/// The known workers, in order, at most `max_workers` of them.
#[derive(Debug)]
pub(super) struct Registry {
    workers: BTreeMap<WorkerId, WorkerRecord>,
    /// The number of the next request.
    pub(super) asked: u64,
    max_workers: usize,
    max_instances: usize,
    response_times: usize,
    presence: Duration,
    max_lag: Duration,
    keep_gone: Duration,
    /// Whether the operator admits workers by name.
    is_closed: bool,
    /// The number of workers with a record.
    proven: usize,
    /// When the first worker earned a record, after a time without any.
    founded_at: Option<Timestamp>,
    admission: Admission,
    /// No worker expires before this: the coordinator was paused and could not hear any.
    spared_until: Timestamp,
    quarantine_below: Option<Score>,
    /// Whether events are on.
    emits: bool,
    /// The workers that may differ from their last events.
    changed: Vec<WorkerId>,
    /// Scratch of [`Registry::expect`]: whether each worker, in order, offers the query and is not passed over.
    covering: Vec<bool>,
}

impl Registry {
    pub(super) fn new(config: &Config) -> Self {
        let max_workers = config.limits.max_workers as usize;
        let Config { max_instances, response_times, presence, max_lag, keep_gone, admit_every, admit_burst, .. } =
            *config;
        Self {
            workers: BTreeMap::new(),
            asked: 0,
            max_workers,
            max_instances,
            response_times,
            presence,
            max_lag,
            keep_gone,
            is_closed: config.admitted.is_some(),
            proven: 0,
            founded_at: None,
            admission: Admission { every: admit_every, burst: admit_burst, spent_until: Timestamp::ZERO },
            spared_until: Timestamp::ZERO,
            quarantine_below: config.quarantine_below,
            emits: config.events,
            changed: Vec::new(),
            covering: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&WorkerId, &WorkerRecord)> {
        self.workers.iter()
    }

    /// Whether a worker has announced `live` or `draining` since `since`.
    pub(super) fn said_there_since(&self, id: &WorkerId, since: Timestamp) -> bool {
        self.workers.get(id).is_some_and(|worker| worker.said_there.is_some_and(|at| at >= since))
    }

    pub(super) fn get(&self, id: &WorkerId) -> Option<&WorkerRecord> {
        self.workers.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &WorkerId) -> Option<&mut WorkerRecord> {
        self.workers.get_mut(id)
    }

    /// Whether a worker has a record for the query with this key, or will have one as soon as it is known.
    pub(super) fn has_record(&self, id: &WorkerId, key: u64) -> bool {
        self.is_closed || self.workers.get(id).is_some_and(|worker| worker.has_record(key))
    }

    /// Whether a worker answers on the reply subjects of its tasks.
    pub(super) fn answers_directly(&self, id: &WorkerId) -> bool {
        self.workers.get(id).is_some_and(|worker| worker.answers_directly)
    }

    /// Counts a worker that has earned a record, or lost it.
    pub(super) fn count_record(&mut self, now: Timestamp, has_record: bool) {
        if has_record {
            self.proven += 1;
            self.founded_at = self.founded_at.or(Some(now));
        } else {
            self.proven -= 1;
        }
    }

    /// Notes a worker for [`Registry::changes`] if it differs from its last event.
    pub(super) fn note_change(&mut self, id: &WorkerId) {
        if self.emits
            && let Some(worker) = self.workers.get(id)
            && worker.has_changed(self.quarantine_below)
        {
            self.changed.push(id.clone());
        }
    }

    /// An event for each worker that differs from its last one, in order.
    pub(super) fn changes(&mut self) -> Vec<Event> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        let mut events = Vec::with_capacity(changed.len());
        for id in changed {
            let Some(worker) = self.workers.get_mut(&id) else { continue };
            let standing = worker.standing(self.quarantine_below);
            if worker.last_event.replace(standing) != Some(standing) {
                let Standing { state, quarantined, suspect } = standing;
                events.push(Event::Worker { worker: id, state, quarantined, suspect });
            }
        }
        events
    }

    /// Whether there are live workers, and all of them take packs of tasks.
    pub(super) fn takes_packs(&self) -> bool {
        let mut live = self.workers.values().filter(|worker| worker.is_live()).peekable();
        live.peek().is_some() && live.all(WorkerRecord::takes_packs)
    }

    /// Records that a worker was heard through a result, which makes an unknown one live. `None` if there is no room.
    pub(super) fn heard(&mut self, now: Timestamp, id: &WorkerId) -> Option<&mut WorkerRecord> {
        let worker = self.entry(now, id, false)?;
        worker.heard(now);
        Some(worker)
    }

    /// Like [`Registry::heard`], but leaves an unknown worker unknown and returns `None`.
    pub(super) fn refresh(&mut self, now: Timestamp, id: &WorkerId) -> Option<&mut WorkerRecord> {
        let worker = self.workers.get_mut(id)?;
        worker.heard(now);
        Some(worker)
    }

    /// Handles a presence announcement. Returns whether it turns the worker to left; `None` if there is no room.
    pub(super) fn announce(&mut self, now: Timestamp, presence: &Presence) -> Option<bool> {
        if presence.state == PresenceState::Left && !self.workers.contains_key(&presence.worker) {
            return Some(false);
        }
        let (presence_time, spared_until, max_instances) = (self.presence, self.spared_until, self.max_instances);
        let worker = self.entry(now, &presence.worker, true)?;
        let before = worker.state;
        worker.announced = true;
        worker.replicated = presence.replicated;
        worker.last_heard = now;
        worker.suspect = false;
        if presence.state != PresenceState::Left {
            worker.said_there = Some(now);
        }
        // A process that died without a farewell must not count while another one of the same name is live.
        worker.instances.retain(|_, it| it.last_heard.after(presence_time).max(spared_until) > now);
        worker.state = match presence.state {
            PresenceState::Live => {
                // All processes of a name together are kept within the bytes of one offer. Equal ones are kept once.
                let others = worker.instances.iter().filter(|(instance, _)| **instance != presence.instance);
                let offers = others.clone().map(|(_, other)| &other.offer);
                let different: usize = offers.clone().filter(|it| **it != presence.offer).map(Offer::bytes).sum();
                let has_room = others.count() < max_instances && different + presence.offer.bytes() <= MAX_OFFER_BYTES;
                let offer = offers.into_iter().find(|it| **it == presence.offer).unwrap_or(&presence.offer).clone();
                worker.offer = offer.clone();
                if has_room {
                    let instance = Instance { last_heard: now, offer, packs: presence.packs };
                    worker.instances.insert(Arc::clone(&presence.instance), instance);
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
        worker.parted = worker.state == WorkerState::Left;
        Some(worker.parted && before != WorkerState::Left)
    }

    /// Marks the workers that have not been heard for the presence timeout as expired, including those that left: a
    /// result under such a name comes from another process. If this is called more than `max_lag` late, the coordinator
    /// was paused: announcements may still be queued, so every worker gets another `max_lag` to be heard.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.next_expiry().is_some_and(|at| now.since(at) > self.max_lag) {
            self.spared_until = now.after(self.max_lag);
        }
        if now < self.spared_until {
            return;
        }
        for (id, worker) in &mut self.workers {
            if worker.state != WorkerState::Expired && worker.last_heard.after(self.presence) <= now {
                worker.state = WorkerState::Expired;
                worker.instances.clear();
                if self.emits {
                    self.changed.push(id.clone());
                }
            }
        }
    }

    /// When the next worker expires, unless it is heard before.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let present = |worker: &&WorkerRecord| worker.state != WorkerState::Expired;
        let heard = self.workers.values().filter(present).map(|worker| worker.last_heard).min();
        heard.map(|heard| heard.after(self.presence).max(self.spared_until))
    }

    /// The entry of a worker. A new name gets one if there is room and the rate of new names allows it. Exempt from the
    /// rate are admitted names and, while no worker has a record, names that announce themselves.
    fn entry(&mut self, now: Timestamp, id: &WorkerId, announces: bool) -> Option<&mut WorkerRecord> {
        if !self.workers.contains_key(id) {
            let displaced = if self.workers.len() >= self.max_workers { Some(self.displaced(now)?) } else { None };
            let is_start = self.proven == 0 && announces;
            if !self.is_closed && !is_start && !self.admission.admits(now) {
                return None;
            }
            if let Some(displaced) = displaced.and_then(|id| self.workers.remove(&id)) {
                self.proven -= usize::from(displaced.proven);
            }
            let worker = WorkerRecord {
                state: WorkerState::Live,
                announced: false,
                replicated: false,
                last_heard: now,
                parted: false,
                last_result: Timestamp::ZERO,
                said_there: None,
                awaited_from: self.asked,
                reliability: Reliability::new(self.response_times),
                proven: self.is_closed,
                founded: VecDeque::new(),
                suspect: false,
                tried: 0,
                in_vain: false,
                silent: false,
                answers_directly: false,
                known_since: now,
                instances: BTreeMap::new(),
                offer: Offer::default(),
                last_event: None,
            };
            self.proven += usize::from(worker.proven);
            self.workers.insert(id.clone(), worker);
        }
        self.workers.get_mut(id)
    }

    /// The worker that makes room for a new name in a full registry, if any. The first of these that exists: the
    /// newcomer that has been gone longest; the newcomer that has most often taken part without earning a record; the
    /// worker with a record that has been gone longest, and for at least `keep_gone`.
    fn displaced(&self, now: Timestamp) -> Option<WorkerId> {
        let longest_gone = |has_record: bool| {
            let those = self
                .workers
                .iter()
                .filter(move |(_, worker)| worker.is_gone() && worker.has_some_record() == has_record);
            those.min_by_key(|(id, worker)| (worker.last_heard, *id))
        };
        let in_vain = || {
            let those = self.workers.iter().filter(|(_, worker)| !worker.has_some_record() && worker.in_vain);
            those.min_by_key(|(id, worker)| (Reverse(worker.tried), worker.known_since, *id))
        };
        let long_gone = || longest_gone(true).filter(|(_, worker)| worker.is_long_gone(now, self.keep_gone));
        longest_gone(false).or_else(in_vain).or_else(long_gone).map(|(id, _)| id.clone())
    }
}
