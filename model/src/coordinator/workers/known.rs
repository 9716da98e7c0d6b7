//! What a coordinator must know of one worker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Score, WorkerState};
use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::super::record::Record;
use crate::policy;

/// What the coordinator must know of one worker.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(in super::super) struct Known {
    pub(super) state: WorkerState,
    pub(super) announced: bool,
    pub(super) replicated: bool,
    pub(in super::super) last_heard: Timestamp,
    /// When its last result was heard.
    pub(in super::super) last_result: Timestamp,
    /// When it last announced `live` or `draining`.
    pub(super) said_there: Option<Timestamp>,
    /// The number of requests dispatched before it became known.
    pub(in super::super) asked_before: u64,
    /// Whether it has a record: one of its values was good, it was a founder, or the operator admits it by name.
    pub(in super::super) proven: bool,
    /// The number of requests in which it took part without a record, and whether the last to end left it without one.
    pub(in super::super) tried: u64,
    pub(in super::super) in_vain: bool,
    /// Whether it was silent until a deadline that gave it the operator's time, and no result of it has been accepted
    /// since.
    pub(in super::super) silent: bool,
    /// Whether it has answered on the reply subject of a task.
    pub(in super::super) answers_directly: bool,
    pub(super) since: Timestamp,
    /// When each process of this name last announced `live`, what it offered, and whether it takes packs.
    pub(super) instances: BTreeMap<Arc<str>, (Timestamp, Offer, bool)>,
    /// What was offered in the last announcement of `live`.
    pub(super) offer: Offer,
    /// The last queries that it founded while workers with a record did not offer them, and when.
    pub(super) founded: VecDeque<(Query, Timestamp)>,
    /// Whether it was silent beyond its usual time while others answered, and has not been heard since.
    pub(in super::super) suspect: bool,
    pub(in super::super) record: Record,
    /// The state, the quarantine and the suspicion in its last event.
    pub(super) last_event: Option<(WorkerState, bool, bool)>,
}

impl Known {
    /// Whether a different second answer to one request can only be equivocation: there is one process behind the name,
    /// and if the worker was asked twice, it is known to repeat its answer.
    pub(in super::super) fn has_one_word(&self, asked_twice: bool) -> bool {
        let one_process = self.instances.len() < 2;
        let keeps_to_protocol = self.announced && !self.replicated;
        one_process && (keeps_to_protocol || !asked_twice)
    }

    /// Its weight if no weights are configured.
    pub(in super::super) fn trust(&self) -> Millionths {
        Millionths::new(self.record.score.into())
    }

    pub(super) fn is_quarantined(&self, below: Option<Score>) -> bool {
        below.is_some_and(|below| self.record.score < below.millionths())
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, WorkerState::Left | WorkerState::Expired)
    }

    pub(in super::super) fn is_live(&self) -> bool {
        self.state == WorkerState::Live
    }

    pub(in super::super) fn has_expired(&self) -> bool {
        self.state == WorkerState::Expired
    }

    /// Whether some process of its name offers a query; without processes, what was offered last counts.
    pub(super) fn offers(&self, query: &Query) -> bool {
        if self.instances.is_empty() {
            return policy::offers(&self.offer, query.as_str());
        }
        self.instances.values().any(|(_, offer, _)| policy::offers(offer, query.as_str()))
    }

    /// Whether it offers some query that the pattern covers.
    pub(super) fn offers_some(&self, pattern: &Pattern) -> bool {
        let of_processes = self.instances.values().map(|(_, offer, _)| offer);
        let mut offers = of_processes.chain(self.instances.is_empty().then_some(&self.offer));
        offers.any(|offer| policy::offers_some(offer, pattern))
    }

    pub(super) fn has_record(&self, query: &Query) -> bool {
        self.proven || self.founded_at(query).is_some()
    }

    pub(super) fn founded_at(&self, query: &Query) -> Option<Timestamp> {
        self.founded.iter().find(|(founded, _)| founded == query).map(|(_, at)| *at)
    }

    /// It founded a query, unless nobody trusts it. The last `most` are kept.
    pub(in super::super) fn found(&mut self, query: &Query, now: Timestamp, most: usize) {
        if self.founded_at(query).is_none() && self.record.score >= 100_000 {
            self.founded.push_back((query.clone(), now));
            if self.founded.len() > most {
                self.founded.pop_front();
            }
        }
    }
}
