//! The workers that a coordinator must know, and the record that it must keep of each.

mod ask;
mod known;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Event, Expected, Presence, PresenceState, Score, Staffing, WorkerState};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;
use quorate_core::policy::Policy;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

pub(super) use ask::Asked;
pub(super) use known::Known;

use super::record::Record;
use crate::Divergence;

/// All workers that the coordinator must know.
#[derive(Debug)]
pub(super) struct Workers {
    known: BTreeMap<WorkerId, Known>,
    /// The number of requests dispatched so far.
    pub(super) asked: u64,
    most: usize,
    most_instances: usize,
    most_times: usize,
    presence: Duration,
    max_lag: Duration,
    /// No worker expires before this time, because the machine was paused and could hear none.
    spared_until: Timestamp,
    quarantine_below: Option<Score>,
    /// Whether the operator admits workers by name.
    by_name: bool,
    /// When the first record was earned since nobody had one.
    founded_at: Option<Timestamp>,
    keep_gone: Duration,
    admit_every: Duration,
    admit_burst: u32,
    /// Until when the new names admitted so far use up the rate.
    admitted_until: Timestamp,
    /// When the machine next looks for expired workers: the earliest expiry, as of the last look.
    pub(super) looks_at: Option<Timestamp>,
}

impl Workers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            known: BTreeMap::new(),
            asked: 0,
            most: config.limits.max_workers as usize,
            most_instances: config.max_instances,
            most_times: config.response_times,
            presence: config.presence,
            max_lag: config.max_lag,
            spared_until: Timestamp::ZERO,
            quarantine_below: config.quarantine_below,
            by_name: config.admitted.is_some(),
            founded_at: None,
            looks_at: None,
            keep_gone: config.keep_gone,
            admit_every: config.admit_every,
            admit_burst: config.admit_burst,
            admitted_until: Timestamp::ZERO,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &WorkerId> {
        self.known.iter().filter(|(_, known)| known.state == WorkerState::Live).map(|(worker, _)| worker)
    }

    /// Whether some worker is live, and each process of each live one takes packs.
    pub(super) fn all_take_packs(&self) -> bool {
        let takes_packs = |worker: &WorkerId| {
            let instances = &self.known[worker].instances;
            !instances.is_empty() && instances.values().all(|(.., packs)| *packs)
        };
        self.live().count() > 0 && self.live().all(takes_packs)
    }

    pub(super) fn said_there_since(&self, worker: &WorkerId, since: Timestamp) -> bool {
        self.known.get(worker).and_then(|known| known.said_there).is_some_and(|at| at >= since)
    }

    pub(super) fn get_mut(&mut self, worker: &WorkerId) -> Option<&mut Known> {
        self.known.get_mut(worker)
    }

    pub(super) fn is_quarantined(&self, worker: &WorkerId) -> bool {
        self.known.get(worker).is_some_and(|known| known.is_quarantined(self.quarantine_below))
    }

    /// An event for each worker that differs from its last event.
    pub(super) fn changes(&mut self) -> Vec<Event> {
        let mut changes = Vec::new();
        for (worker, known) in &mut self.known {
            let (state, quarantined) = (known.state, known.is_quarantined(self.quarantine_below));
            let now = (state, quarantined, known.suspect);
            if known.last_event.replace(now) != Some(now) {
                changes.push(Event::Worker { worker: worker.clone(), state, quarantined, suspect: known.suspect });
            }
        }
        changes
    }

    /// The worker took part in a request that ended. Below a score of 0.1 it has no record, unless it is admitted by
    /// name.
    pub(super) fn took_part(&mut self, worker: &WorkerId, earns_record: bool, now: Timestamp) {
        let Some(known) = self.known.get_mut(worker) else { return };
        let before = known.proven;
        known.proven = self.by_name || ((known.proven || earns_record) && known.record.score >= 100_000);
        if known.record.score < 100_000 {
            known.founded.clear();
        }
        known.in_vain = !known.proven && known.founded.is_empty();
        if known.proven && !before {
            self.founded_at = self.founded_at.or(Some(now));
        }
    }

    pub(super) fn has_record(&self, worker: &WorkerId, query: &Query) -> bool {
        self.by_name || self.known.get(worker).is_some_and(|known| known.has_record(query))
    }

    /// Expires the workers that have not been heard for the presence timeout, with the processes behind their names. If
    /// this comes too late, the machine was paused, and all workers are spared for a while.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.looks_at.is_none_or(|looks_at| looks_at > now) {
            return;
        }
        let expiry = |known: &Known| known.last_heard.after(self.presence).max(self.spared_until);
        let overslept = |known: &Known| now.since(expiry(known)) > self.max_lag;
        if self.known.values().any(|known| known.state != WorkerState::Expired && overslept(known)) {
            self.spared_until = now.after(self.max_lag);
        }
        self.looks_at = None;
        for known in self.known.values_mut().filter(|known| known.state != WorkerState::Expired) {
            let expiry = known.last_heard.after(self.presence).max(self.spared_until);
            if expiry <= now {
                known.state = WorkerState::Expired;
                known.instances.clear();
            } else {
                self.looks_at = Some(self.looks_at.map_or(expiry, |looks_at| looks_at.min(expiry)));
            }
        }
    }

    /// A result came in time. It makes an unknown or expired worker live; `None` if there is no room for it.
    pub(super) fn heard(&mut self, now: Timestamp, worker: &WorkerId) -> Option<&mut Known> {
        self.make_room(now, worker, false)?;
        self.known.entry(worker.clone()).or_insert_with(|| Self::stranger(now, self.asked, self.by_name));
        self.heard_late(now, worker)
    }

    /// A result of a known worker came. It prolongs the worker's presence, unless that announced that it drains or
    /// left.
    pub(super) fn heard_late(&mut self, now: Timestamp, worker: &WorkerId) -> Option<&mut Known> {
        let known = self.known.get_mut(worker)?;
        self.looks_at = self.looks_at.or(Some(now.after(self.presence).max(self.spared_until)));
        known.suspect = false;
        known.last_result = now;
        if !matches!(known.state, WorkerState::Left | WorkerState::Draining) {
            known.last_heard = now;
            known.state = WorkerState::Live;
        }
        Some(known)
    }

    /// A presence announcement came. Returns whether the worker left by it; `None` if there was no room for it.
    pub(super) fn announced(&mut self, now: Timestamp, presence: &Presence) -> Option<bool> {
        let is_known = self.known.contains_key(&presence.worker);
        if !is_known && presence.state == PresenceState::Left {
            return Some(false);
        }
        self.make_room(now, &presence.worker, true)?;
        self.looks_at = self.looks_at.or(Some(now.after(self.presence).max(self.spared_until)));
        let known =
            self.known.entry(presence.worker.clone()).or_insert_with(|| Self::stranger(now, self.asked, self.by_name));
        known.announced = true;
        known.replicated = presence.replicated;
        known.last_heard = now;
        if presence.state != PresenceState::Left {
            known.said_there = Some(now);
        }
        known.suspect = false;
        known.instances.retain(|_, (last, ..)| now < last.after(self.presence).max(self.spared_until));
        if presence.state == PresenceState::Live {
            known.state = WorkerState::Live;
            known.offer = presence.offer.clone();
            let others = known.instances.iter().filter(|(instance, _)| **instance != presence.instance);
            let length = |offer: &Offer| offer.patterns().iter().map(|it| it.as_str().len()).sum::<usize>();
            let (mut count, mut bytes) = (0, length(&presence.offer));
            for (_, (_, offer, _)) in others {
                count += 1;
                bytes += if *offer == presence.offer { 0 } else { length(offer) };
            }
            if count < self.most_instances && bytes <= 16_384 {
                let process = (now, presence.offer.clone(), presence.packs);
                known.instances.insert(Arc::clone(&presence.instance), process);
            }
            return Some(false);
        }
        known.instances.remove(&presence.instance);
        if !known.instances.is_empty() {
            return Some(false);
        }
        let left = presence.state == PresenceState::Left;
        let leaves = left && known.state != WorkerState::Left;
        known.state = if left { WorkerState::Left } else { WorkerState::Draining };
        Some(leaves)
    }

    fn stranger(now: Timestamp, asked_before: u64, proven: bool) -> Known {
        Known {
            state: WorkerState::Live,
            announced: false,
            replicated: false,
            last_heard: now,
            last_result: Timestamp::ZERO,
            said_there: None,
            asked_before,
            proven,
            tried: 0,
            in_vain: false,
            silent: false,
            answers_directly: false,
            since: now,
            instances: BTreeMap::new(),
            offer: Offer::default(),
            founded: VecDeque::new(),
            suspect: false,
            record: Record::spotless(),
            last_event: None,
        }
    }

    /// Makes room for a new name; `None` if no worker may be displaced, or if new names come too fast. Before any
    /// worker has a record, names that announce themselves may come at any rate.
    fn make_room(&mut self, now: Timestamp, worker: &WorkerId, announced: bool) -> Option<()> {
        if self.known.contains_key(worker) {
            return Some(());
        }
        let full = self.known.len() >= self.most;
        let goes = if full { Some(self.worker_to_evict(now)?) } else { None };
        let somebody = self.known.values().any(|known| known.proven);
        if !self.by_name && (somebody || !announced) {
            let at_once = self.admit_every.saturating_mul(self.admit_burst.max(1) - 1);
            if self.admitted_until.since(now) > at_once {
                return None;
            }
            self.admitted_until = self.admitted_until.max(now).after(self.admit_every);
        }
        if let Some(goes) = goes {
            self.known.remove(&goes);
        }
        Some(())
    }

    /// The worker to displace. Newcomers that are gone go first, then those that took part in vain, then workers with a
    /// record that are long gone.
    fn worker_to_evict(&self, now: Timestamp) -> Option<WorkerId> {
        let mut ranked: Vec<_> = self
            .known
            .iter()
            .filter_map(|(worker, known)| {
                let long_gone = known.is_gone() && known.last_heard.after(self.keep_gone) <= now;
                let rank = match (known.proven || !known.founded.is_empty(), known.is_gone()) {
                    (false, true) => (1, Reverse(0), known.last_heard),
                    (false, false) if known.in_vain => (2, Reverse(known.tried), known.since),
                    (true, true) if long_gone => (3, Reverse(0), known.last_heard),
                    _ => return None,
                };
                Some((rank, worker.clone()))
            })
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().next().map(|(_, worker)| worker)
    }

    /// Who is there for the queries of a policy.
    pub(super) fn staffing(&self, pattern: &Pattern, policy: &Policy, should: &Expected) -> Staffing {
        let there: BTreeSet<&WorkerId> =
            self.live().filter(|worker| self.known[*worker].offers_some(pattern)).collect();
        let missing: Vec<WorkerId> = should.workers.iter().filter(|worker| !there.contains(worker)).cloned().collect();
        let unnamed = (should.least as usize).saturating_sub(there.len() + missing.len()) as u32;
        let required = policy.min_responses;
        let needed = should.least.max(required);
        Staffing { pattern: pattern.clone(), live: there.len() as u32, required, needed, missing, unnamed }
    }

    /// Compares the visible state of the workers.
    pub(super) fn compare(&self, machine: &Coordinator) -> Result<(), Divergence> {
        let mut expected = self.known.iter();
        for (worker, seen) in machine.workers() {
            let Some((id, known)) = expected.next().filter(|(id, _)| *id == worker) else {
                return Err(Divergence::new(&self.known.keys(), &format_args!("the worker {worker:?}")));
            };
            let (record, shown) = (&known.record, &seen.reliability);
            let same = known.state == seen.state
                && known.announced == seen.announced
                && known.replicated == seen.replicated
                && known.last_heard == seen.last_heard
                && known.proven == seen.proven
                && known.suspect == seen.suspect
                && record.score == shown.score.millionths()
                && [record.successes, record.failures, record.timeouts]
                    == [shown.successes, shown.failures, shown.timeouts]
                && [record.late, record.outliers, record.equivocations]
                    == [shown.late, shown.outliers, shown.equivocations]
                && self.is_quarantined(id) == machine.is_quarantined(id);
            if !same {
                return Err(Divergence::new(&(id, known), &seen));
            }
            record.compare_response_times(self.most_times, shown)?;
        }
        match expected.next() {
            Some(missing) => Err(Divergence::new(&missing, &format_args!("no such worker"))),
            None => {
                Divergence::unless_equal("the number of live workers", &self.live().count(), &machine.live_workers())
            }
        }
    }
}
