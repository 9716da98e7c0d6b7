//! Who drives a feed.

use std::time::Duration;

use super::{FeedName, Holder, Output, RETRY};
use crate::time::Timestamp;

/// How long a lease must be unchanged until another coordinator takes it over. Well above the time in which the store
/// elects a leader, during which nobody can renew anything.
pub const LEASE_TTL: Duration = Duration::from_secs(15);
/// How long after the beginning of an append the next one is due.
const RENEW_AFTER: Duration = Duration::from_secs(5);

/// What a coordinator knows of one lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// The newest entry that it knows; 0 if there is none.
    sequence: u64,
    holder: Holder,
    /// Until when this coordinator relies on it: [`LEASE_TTL`] from the beginning of its last successful append, when
    /// nobody can have seen that entry yet.
    held_until: Timestamp,
    /// When the next append is due.
    due: Timestamp,
    /// No append begins before this.
    not_before: Timestamp,
    /// When the append began that has not ended.
    begun: Option<Timestamp>,
}

impl Lease {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { sequence: 0, holder: Holder::Nobody, held_until: now, due: now, not_before: now, begun: None }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn holder(&self) -> Holder {
        self.holder
    }

    pub(super) fn is_appending(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether this coordinator relies on it. It stops before anybody else may take it over.
    pub(super) fn is_held(&self, at: Timestamp) -> bool {
        self.holder == Holder::Me && at < self.held_until
    }

    /// The append has succeeded.
    pub(super) fn appended(&mut self, sequence: u64) {
        // An entry that was seen since is later than the one that this append left.
        if let Some(begun) = self.begun.take()
            && sequence > self.sequence
        {
            (self.sequence, self.holder) = (sequence, Holder::Me);
            (self.held_until, self.due) = (begun.after(LEASE_TTL), begun.after(RENEW_AFTER));
        }
    }

    /// The append has failed: this entry came first and is the newest, even if its sequence is not the greatest that was
    /// seen, since the store may have lost entries.
    pub(super) fn lost(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        if self.begun.take().is_some() {
            self.adopt(now, sequence, holder);
            self.not_before = now.after(RETRY);
        }
    }

    /// Nobody knows what became of the append.
    pub(super) fn unclear(&mut self, now: Timestamp) {
        if self.begun.take().is_some() {
            self.not_before = now.after(RETRY);
        }
    }

    /// An entry came by the watch, which may be behind. While this coordinator appends, only the store's answer tells
    /// which append an entry of its own is from.
    pub(super) fn seen(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        if sequence > self.sequence && !(holder == Holder::Me && self.is_appending()) {
            self.adopt(now, sequence, holder);
        }
    }

    /// Takes an entry that is not known to be from the last append as the newest. One of this coordinator may be from an
    /// append of long ago that nobody knew of, so that it gives no time: it is renewed before it is relied on.
    fn adopt(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        if (self.sequence, self.holder) == (sequence, holder) {
            return;
        }
        if self.holder != Holder::Me {
            self.held_until = now;
        }
        self.due = match holder {
            Holder::Other => now.after(LEASE_TTL),
            Holder::Me | Holder::Nobody => now,
        };
        (self.sequence, self.holder) = (sequence, holder);
    }

    /// When the next append is due; `None` while one has not ended.
    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.is_appending()).then(|| self.due.max(self.not_before))
    }

    /// Takes, takes over or renews it.
    pub(super) fn append(&mut self, now: Timestamp, feed: &FeedName) -> Output {
        self.begun = Some(now);
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
