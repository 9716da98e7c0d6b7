//! What goes wrong with a store, and when.

use std::time::Duration;

use crate::host::Host;
use crate::scenario::{StoreFault, StoreFaultKind};

/// The faults of a run, as functions of the time since it began.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(Vec<StoreFault>);

/// Whether the store has a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    /// It answers.
    Leads,
    /// It does nothing until then.
    Paused(Duration),
    /// There is none until then.
    Electing(Duration),
}

impl Conditions {
    pub(super) fn new(faults: &[StoreFault]) -> Self {
        Self(faults.to_vec())
    }

    fn at(&self, now: Duration) -> impl Iterator<Item = &StoreFault> {
        self.0.iter().filter(move |fault| fault.from() <= now && now < fault.until())
    }

    /// The end of the last of the faults of a kind that are there at `now`.
    fn until(&self, now: Duration, is: impl Fn(StoreFaultKind) -> bool) -> Option<Duration> {
        self.at(now).filter(|fault| is(fault.kind)).map(StoreFault::until).max()
    }

    /// An election also follows when entries are lost: no store forgets while it runs.
    fn is_election(kind: StoreFaultKind) -> bool {
        matches!(kind, StoreFaultKind::Election | StoreFaultKind::Forget(_))
    }

    pub(super) fn leader(&self, now: Duration) -> Leader {
        if let Some(until) = self.until(now, Self::is_election) {
            return Leader::Electing(until);
        }
        self.until(now, |kind| kind == StoreFaultKind::LeaderPaused).map_or(Leader::Leads, Leader::Paused)
    }

    /// Whether an election began after `from`, and not after `until`.
    pub(super) fn has_elected(&self, from: Duration, until: Duration) -> bool {
        let began = |fault: &StoreFault| from < fault.from() && fault.from() <= until;
        self.0.iter().any(|fault| Self::is_election(fault.kind) && began(fault))
    }

    /// The number of elections that have ended.
    pub(super) fn elections(&self, now: Duration) -> u64 {
        self.0.iter().filter(|fault| Self::is_election(fault.kind) && fault.until() <= now).count() as u64
    }

    /// When the next election ends.
    pub(super) fn next_election(&self, now: Duration) -> Option<Duration> {
        self.0
            .iter()
            .filter(|fault| Self::is_election(fault.kind))
            .map(StoreFault::until)
            .filter(|end| *end > now)
            .min()
    }

    /// Until when nothing gets through to or from a host.
    pub(super) fn cut(&self, host: Host, now: Duration) -> Option<Duration> {
        self.until(now, |kind| kind == StoreFaultKind::Cut(host))
    }

    /// Since when a host reaches only a replica without a leader, and until when.
    pub(super) fn minority(&self, host: Host, now: Duration) -> Option<(Duration, Duration)> {
        let here = self.at(now).filter(|fault| fault.kind == StoreFaultKind::Minority(host));
        here.map(|fault| (fault.from(), fault.until())).min()
    }

    /// Until when a host is paused.
    pub(super) fn paused(&self, host: Host, now: Duration) -> Option<Duration> {
        self.until(now, |kind| kind == StoreFaultKind::Pause(host))
    }

    /// How many of a thousand answers are lost.
    pub(super) fn lost_answers(&self, now: Duration) -> u32 {
        let share = |fault: &StoreFault| match fault.kind {
            StoreFaultKind::LostAnswers(permille) => Some(permille),
            _ => None,
        };
        self.at(now).filter_map(share).max().unwrap_or(0)
    }

    /// How many of a thousand messages come late, and by how many milliseconds at most.
    pub(super) fn late_requests(&self, now: Duration) -> (u32, u64) {
        let late = |fault: &StoreFault| match fault.kind {
            StoreFaultKind::LateRequests(permille, ms) => Some((permille, ms)),
            _ => None,
        };
        self.at(now).filter_map(late).max().unwrap_or_default()
    }

    /// By how many milliseconds a reading may be behind besides what is usual.
    pub(super) fn lag_ms(&self, now: Duration) -> u64 {
        let lag = |fault: &StoreFault| match fault.kind {
            StoreFaultKind::Lag(ms) => Some(ms),
            _ => None,
        };
        self.at(now).filter_map(lag).max().unwrap_or(0)
    }

    /// When the store loses entries, and how many, in order.
    pub(super) fn losses(&self) -> Vec<(Duration, u32)> {
        let loss = |fault: &StoreFault| match fault.kind {
            StoreFaultKind::Forget(count) => Some((fault.from(), count)),
            _ => None,
        };
        let mut losses: Vec<_> = self.0.iter().filter_map(loss).collect();
        losses.sort_unstable();
        losses
    }
}
