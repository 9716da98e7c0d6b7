//! What a coordinator may conclude about one lease, from everything that it was told.

use quorate_core::feed::{Holder, LEASE_TTL, RETRY};
use quorate_core::time::Timestamp;

/// What became known, and when.
#[derive(Clone, Copy, Debug)]
enum Fact {
    /// An append of this coordinator that began then left this entry.
    Appended { began: Timestamp, sequence: u64 },
    /// This entry is the newest.
    Told { at: Timestamp, sequence: u64, holder: Holder },
    /// This coordinator has given the lease up.
    Released,
}

/// Everything that happened to a lease.
#[derive(Debug)]
pub(super) struct Lease {
    /// When it became of interest.
    created: Timestamp,
    facts: Vec<Fact>,
    /// When an append began that has not ended.
    appending: Option<Timestamp>,
    /// When the last append failed.
    failed: Option<Timestamp>,
}

impl Lease {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { created: now, facts: Vec::new(), appending: None, failed: None }
    }

    pub(super) fn is_appending(&self) -> bool {
        self.appending.is_some()
    }

    pub(super) fn append(&mut self, now: Timestamp) {
        self.appending = Some(now);
    }

    pub(super) fn appended(&mut self, sequence: u64) {
        if let Some(began) = self.appending.take()
            && sequence > self.sequence()
        {
            self.facts.push(Fact::Appended { began, sequence });
        }
    }

    pub(super) fn lost(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        if self.appending.take().is_some() {
            self.failed = Some(now);
            self.told(now, sequence, holder);
        }
    }

    pub(super) fn unclear(&mut self, now: Timestamp) {
        if self.appending.take().is_some() {
            self.failed = Some(now);
        }
    }

    pub(super) fn seen(&mut self, now: Timestamp, sequence: u64, holder: Holder) {
        let will_be_told = self.is_appending() && holder == Holder::Me;
        if sequence > self.sequence() && !will_be_told {
            self.told(now, sequence, holder);
        }
    }

    fn told(&mut self, at: Timestamp, sequence: u64, holder: Holder) {
        if (sequence, holder) != (self.sequence(), self.holder()) {
            self.facts.push(Fact::Told { at, sequence, holder });
        }
    }

    pub(super) fn released(&mut self) {
        self.facts.push(Fact::Released);
    }

    /// The newest entry.
    pub(super) fn sequence(&self) -> u64 {
        let of = |fact: &Fact| match fact {
            Fact::Appended { sequence, .. } | Fact::Told { sequence, .. } => Some(*sequence),
            Fact::Released => None,
        };
        self.facts.iter().rev().find_map(of).unwrap_or(0)
    }

    fn holder_by(fact: &Fact) -> Holder {
        match fact {
            Fact::Appended { .. } => Holder::Me,
            Fact::Told { holder, .. } => *holder,
            Fact::Released => Holder::Nobody,
        }
    }

    pub(super) fn holder(&self) -> Holder {
        self.facts.last().map_or(Holder::Nobody, Self::holder_by)
    }

    /// Whether this coordinator may rely on it: it has been its own without a break since an append that began less
    /// than the time to live ago.
    pub(super) fn is_held(&self, at: Timestamp) -> bool {
        let own = self.facts.iter().rev().take_while(|fact| Self::holder_by(fact) == Holder::Me);
        let began = own.into_iter().find_map(|fact| match fact {
            Fact::Appended { began, .. } => Some(*began),
            Fact::Told { .. } | Fact::Released => None,
        });
        began.is_some_and(|began| at < began.after(LEASE_TTL))
    }

    /// When the next append is due; `None` while one has not ended.
    pub(super) fn due(&self) -> Option<Timestamp> {
        if self.is_appending() {
            return None;
        }
        let entries = |fact: &&Fact| !matches!(fact, Fact::Released);
        let due = match self.facts.iter().rev().find(entries) {
            None => self.created,
            Some(Fact::Appended { began, .. }) => began.after(LEASE_TTL / 3),
            Some(Fact::Told { at, holder: Holder::Other, .. }) => at.after(LEASE_TTL),
            Some(Fact::Told { at, .. }) => *at,
            Some(Fact::Released) => unreachable!("left out"),
        };
        let pause_ends = self.failed.map_or(Timestamp::ZERO, |failed| failed.after(RETRY));
        Some(due.max(pause_ends))
    }
}
