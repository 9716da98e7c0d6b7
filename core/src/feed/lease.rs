//! Who drives a feed.

use std::time::Duration;

use super::{FeedName, Holder, Output};
use crate::time::Timestamp;

/// How long a lease must be unchanged until another coordinator takes it over. Well above the time in which the store
/// elects a leader, during which nobody can renew anything.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How long after a renewal the next one is due.
const RENEW_AFTER: Duration = Duration::from_secs(5);
/// The pause after an append of which nobody knows what became of it.
const RETRY: Duration = Duration::from_secs(1);

/// What a coordinator knows of one lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// The newest entry that it knows; 0 if there is none.
    sequence: u64,
    holder: Holder,
    /// When the entry was first seen, or, if it is this coordinator's, when its append was begun.
    since: Timestamp,
    /// When the last append was begun.
    begun: Timestamp,
    /// Whether that append has not ended.
    appending: bool,
    /// No append begins before this.
    not_before: Timestamp,
}

impl Lease {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { sequence: 0, holder: Holder::Nobody, since: now, begun: now, appending: false, not_before: now }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether this coordinator holds it. It stops to rely on it before anybody else may take it over.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        self.holder == Holder::Me && now < self.since.after(LEASE_TTL)
    }

    /// Whether this coordinator neither holds it nor is about to.
    pub(super) fn is_released(&self) -> bool {
        !self.appending && self.holder != Holder::Me
    }

    /// The append has succeeded. Returns whether the lease was another coordinator's before, if it was not this one's.
    pub(super) fn appended(&mut self, sequence: u64) -> Option<Holder> {
        self.appending = false;
        let before = self.holder;
        (self.sequence, self.holder, self.since) = (sequence, Holder::Me, self.begun);
        (before != Holder::Me).then_some(before)
    }

    /// The append has failed: this entry came first and is the newest.
    pub(super) fn lost(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        self.appending = false;
        self.adopt(now, sequence, holder);
        if holder == Holder::Nobody {
            self.not_before = now.after(RETRY);
        }
    }

    /// Nobody knows what became of the append.
    pub(super) fn unclear(&mut self, now: Timestamp) {
        self.appending = false;
        self.not_before = now.after(RETRY);
    }

    /// An entry came by the watch, which may be behind.
    pub(super) fn seen(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        if sequence > self.sequence {
            self.adopt(now, sequence, holder);
        }
    }

    fn adopt(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        self.since = if holder == Holder::Me { self.begun } else { now };
        (self.sequence, self.holder) = (sequence, holder);
    }

    /// When the next append is due; `None` while one has not ended.
    pub(super) fn due(&self) -> Option<Timestamp> {
        let due = match self.holder {
            Holder::Me => self.since.after(RENEW_AFTER),
            Holder::Other => self.since.after(LEASE_TTL),
            Holder::Nobody => self.since,
        };
        (!self.appending).then(|| due.max(self.not_before))
    }

    /// Takes, takes over or renews it.
    pub(super) fn append(&mut self, now: Timestamp, feed: &FeedName) -> Output {
        (self.begun, self.appending) = (now, true);
        Output::Lease { feed: feed.clone(), after: self.sequence }
    }

    /// Gives it up, if this coordinator holds it.
    pub(super) fn release(&mut self, feed: &FeedName) -> Option<Output> {
        (self.holder == Holder::Me).then(|| {
            self.holder = Holder::Nobody;
            Output::Release { feed: feed.clone(), after: self.sequence }
        })
    }
}
