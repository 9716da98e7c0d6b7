//! What a coordinator knows of one worker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::reliability::{Reliability, Score};
use crate::offer::Offer;
use crate::query::Query;
use crate::time::Timestamp;

/// What a coordinator knows of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub struct WorkerRecord {
    /// Its state.
    pub state: WorkerState,
    /// Whether it has announced itself, and so follows the whole protocol. Otherwise it was only heard through a
    /// result.
    pub announced: bool,
    /// Whether several replicas answer under its name.
    pub replicated: bool,
    /// When it was last heard.
    pub last_heard: Timestamp,
    /// Whether its last announcement was a farewell, and it has not been heard since.
    pub(super) parted: bool,
    /// When its last result came.
    pub(super) last_result: Timestamp,
    /// When it last announced `live` or `draining`.
    pub(super) said_there: Option<Timestamp>,
    /// The number of the first request that may wait for it.
    pub(super) awaited_from: u64,
    /// Its counts, response times and score.
    pub reliability: Reliability,
    /// Whether it has a record. It has one if the operator admits it by name. It also has one if one of its values was
    /// found good in comparison with those of workers that decide, or if it took part as a founder, without leaving or
    /// staying silent for the operator's timeout, and its score has not been below [`Score::LOST`] since.
    /// Without a record it is a newcomer, whose values are compared and not used.
    pub proven: bool,
    /// The last queries that it founded while others had a record and did not offer them, as a ring of the given length:
    /// their keys, and when. It has a record for these, too.
    pub(super) founded: VecDeque<(u64, Timestamp)>,
    /// Whether it is suspect: live, but silent beyond its usual time in a request that others had answered, and not heard
    /// since. Requests wait for a suspect only as long as it usually takes.
    pub suspect: bool,
    /// As a newcomer: the number of requests it took part in, whether the last that ended left it without a record, and
    /// whether it was silent in one until a deadline at least as long as the operator's, and no answer of it has been
    /// accepted since.
    pub(super) tried: u64,
    pub(super) in_vain: bool,
    pub(super) silent: bool,
    /// Whether it has answered on the reply subject of a task. From then on, results in its name on the shared subject
    /// are dropped.
    pub answers_directly: bool,
    pub(super) known_since: Timestamp,
    /// The processes behind its name that announced `live`; a process that leaves is not among them. If one of several
    /// leaves, as in a rolling restart, the worker does not.
    pub(super) instances: BTreeMap<Arc<str>, Instance>,
    /// What it offered in its last announcement.
    pub(super) offer: Offer,
    /// Its standing in its last event; `None` before the first.
    pub(super) last_event: Option<Standing>,
}

/// One process behind the name of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Instance {
    /// When it last announced `live`.
    pub(super) last_heard: Timestamp,
    pub(super) offer: Offer,
    /// Whether it takes packs of tasks.
    pub(super) packs: bool,
}

/// What an event reports of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: WorkerState,
    pub(super) quarantined: bool,
    pub(super) suspect: bool,
}

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// It may be expected by the next request.
    Live,
    /// It finishes the tasks that it has, and no further request expects it.
    Draining,
    /// It announced that it left.
    Left,
    /// It has not been heard for the presence timeout.
    Expired,
}

impl WorkerRecord {
    /// Records a result of it, which makes an expired worker live. A worker that announced `draining` or `left` stays
    /// in that state, because its last results may arrive later, and expires a presence timeout after that
    /// announcement. A result after that makes it live again.
    pub(super) fn heard(&mut self, now: Timestamp) {
        self.suspect = false;
        self.last_result = now;
        if matches!(self.state, WorkerState::Live | WorkerState::Expired) {
            self.parted = false;
            self.last_heard = now;
            self.state = WorkerState::Live;
        }
    }

    /// What it offers: what its processes do, or what it offered last if there are none.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        let last = self.instances.is_empty().then_some(&self.offer);
        self.instances.values().map(|instance| &instance.offer).chain(last)
    }

    /// Whether all its processes take packs of tasks.
    pub(super) fn takes_packs(&self) -> bool {
        !self.instances.is_empty() && self.instances.values().all(|instance| instance.packs)
    }

    /// Whether it offers this query.
    pub(super) fn covers(&self, query: &Query) -> bool {
        self.offers().any(|offer| offer.covers(query))
    }

    /// Whether it has a record for the query with this key.
    pub(super) fn has_record(&self, key: u64) -> bool {
        self.proven || self.founded_at(key).is_some()
    }

    /// Whether it has a record for some query.
    pub(super) fn has_some_record(&self) -> bool {
        self.proven || !self.founded.is_empty()
    }

    /// When it founded the query with this key, if it did.
    pub(super) fn founded_at(&self, key: u64) -> Option<Timestamp> {
        self.founded.iter().find(|(founded, _)| *founded == key).map(|(_, at)| *at)
    }

    /// Notes that it founded a query. The last `kept` are kept.
    pub(super) fn founds(&mut self, now: Timestamp, key: u64, kept: usize) {
        if self.reliability.score >= Score::LOST && self.founded_at(key).is_none() && kept > 0 {
            if self.founded.len() >= kept {
                self.founded.pop_front();
            }
            self.founded.push_back((key, now));
        }
    }

    /// Records whether it earned a record in a request that ended. Returns whether it has one now, if that has changed.
    pub(super) fn took_part(&mut self, earns: bool, is_admitted_by_name: bool) -> Option<bool> {
        let can_be_trusted = self.reliability.score >= Score::LOST;
        if !can_be_trusted {
            self.founded.clear();
        }
        let has_record = is_admitted_by_name || (can_be_trusted && (self.proven || earns));
        self.in_vain = !has_record && self.founded.is_empty();
        let before = std::mem::replace(&mut self.proven, has_record);
        (before != has_record).then_some(has_record)
    }

    /// Whether its values are shown but not used, because its score is below this.
    pub(super) fn is_quarantined(&self, below: Option<Score>) -> bool {
        below.is_some_and(|below| self.reliability.score < below)
    }

    pub(super) fn standing(&self, quarantine_below: Option<Score>) -> Standing {
        Standing { state: self.state, quarantined: self.is_quarantined(quarantine_below), suspect: self.suspect }
    }

    /// Whether its standing differs from that in its last event.
    pub(super) fn has_changed(&self, quarantine_below: Option<Score>) -> bool {
        self.last_event != Some(self.standing(quarantine_below))
    }

    /// Whether it is live.
    pub fn is_live(&self) -> bool {
        self.state == WorkerState::Live
    }

    /// Whether it announced that it left, or has not been heard for the presence timeout.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, WorkerState::Left | WorkerState::Expired)
    }

    /// Whether it has been gone for this long.
    pub(super) fn is_long_gone(&self, now: Timestamp, long: Duration) -> bool {
        self.is_gone() && self.last_heard.after(long) <= now
    }

    /// Whether a second, different answer of this worker to one request contradicts the first. If several processes
    /// share its name, the second may come from another one. If the workers may have been asked twice, a worker that
    /// never announced itself may not know that it should repeat its answer, and replicas do not share theirs.
    pub(super) fn must_repeat_itself(&self, asked_twice: bool) -> bool {
        self.instances.len() <= 1 && (!asked_twice || (self.announced && !self.replicated))
    }
}
