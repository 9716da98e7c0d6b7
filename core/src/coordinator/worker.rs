//! What a coordinator knows of one worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::reliability::{Reliability, Score};
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
    /// When it last announced `live` or `draining`.
    pub(super) said_there: Option<Timestamp>,
    /// The number of the first request that may wait for it.
    pub(super) awaited_from: u64,
    /// Its counts, response times and score.
    pub reliability: Reliability,
    /// Whether it has a record. It has one if the operator admits it by name. It also has one if one of its values was
    /// found good in comparison with those of workers that decide, or if it took part as a founder, without leaving or
    /// staying silent for the operator's timeout, and its score has not been below [`Score::LOST`] since. Without a record it is a newcomer, whose values are compared and not used.
    pub proven: bool,
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
    /// When each process behind its name last announced `live`; a process that leaves is not among them. If one of
    /// several leaves, as in a rolling restart, the worker does not.
    pub(super) instances: BTreeMap<Arc<str>, Timestamp>,
    /// Its standing in its last event; `None` before the first.
    pub(super) last_event: Option<Standing>,
}

/// What an event reports of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: WorkerState,
    pub(super) quarantined: bool,
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
        if matches!(self.state, WorkerState::Live | WorkerState::Expired) {
            self.last_heard = now;
            self.state = WorkerState::Live;
        }
    }

    /// Records whether it earned a record in a request that ended. Returns whether it has one now, if that has changed.
    pub(super) fn took_part(&mut self, earns: bool, is_admitted_by_name: bool) -> Option<bool> {
        let can_be_trusted = self.reliability.score >= Score::LOST;
        let has_record = is_admitted_by_name || (can_be_trusted && (self.proven || earns));
        self.in_vain = !has_record;
        let before = std::mem::replace(&mut self.proven, has_record);
        (before != has_record).then_some(has_record)
    }

    /// Whether its values are shown but not used, because its score is below this.
    pub(super) fn is_quarantined(&self, below: Option<Score>) -> bool {
        below.is_some_and(|below| self.reliability.score < below)
    }

    pub(super) fn standing(&self, quarantine_below: Option<Score>) -> Standing {
        Standing { state: self.state, quarantined: self.is_quarantined(quarantine_below) }
    }

    /// Whether its standing differs from that in its last event.
    pub(super) fn has_changed(&self, quarantine_below: Option<Score>) -> bool {
        self.last_event != Some(self.standing(quarantine_below))
    }

    pub(super) fn is_live(&self) -> bool {
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
