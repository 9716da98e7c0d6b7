//! The ended requests that should be remembered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::id::RequestId;
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

/// An ended request.
#[derive(Debug)]
pub(super) struct Ended {
    /// Tells endings of one id apart.
    number: u64,
    pub(super) query: Query,
    /// What a retry gets; `None` if it is asked anew.
    pub(super) outcome: Option<Arc<Outcome>>,
}

/// All endings that are remembered, and the latest of each id.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    keep: Duration,
    endings: u64,
    by_age: VecDeque<(Timestamp, u64, RequestId)>,
    /// When it is looked what has become too old: when the oldest does, as it was at the last look.
    pub(super) looks_at: Option<Timestamp>,
    latest: BTreeMap<RequestId, Ended>,
}

impl Memory {
    pub(super) fn new(most: usize, keep: Duration) -> Self {
        Self { most, keep, endings: 0, by_age: VecDeque::new(), looks_at: None, latest: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    pub(super) fn get(&self, id: &RequestId) -> Option<&Ended> {
        self.latest.get(id)
    }

    pub(super) fn add(&mut self, now: Timestamp, id: RequestId, query: Query, outcome: Option<Arc<Outcome>>) {
        self.endings += 1;
        self.by_age.push_back((now.after(self.keep), self.endings, id.clone()));
        self.latest.insert(id, Ended { number: self.endings, query, outcome });
        self.forget(now);
    }

    /// It is time to look what has become too old.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.looks_at = None;
        self.forget(now);
    }

    /// Forgets what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: Timestamp) {
        while let Some((until, number, id)) = self.by_age.front()
            && (*until <= now || self.by_age.len() > self.most)
        {
            if self.latest.get(id).is_some_and(|ended| ended.number == *number) {
                self.latest.remove(id);
            }
            self.by_age.pop_front();
        }
        self.looks_at = self.looks_at.or(self.by_age.front().map(|(until, ..)| *until));
    }
}
