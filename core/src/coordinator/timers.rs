//! Everything that a coordinator waits for, in one ordered structure.

use std::collections::BTreeSet;

use super::table::Slot;
use crate::time::Timestamp;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A request is due: its deadline, its redispatch, its stall timeout or the end of a doubted notice, whichever is
    /// first.
    Request(Slot),
    /// The presence of some worker may have expired.
    Presence,
    /// The oldest remembered outcome may be forgotten.
    Memory,
}

/// Armed timers, the earliest first. Arming and disarming cost O(log n).
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub(super) fn arm(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(super) fn disarm(&mut self, at: Timestamp, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Removes the earliest timer that is due at `now`, with the time it was armed for.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Timer)> {
        let due = self.next().is_some_and(|at| at <= now);
        if due { self.0.pop_first() } else { None }
    }
}
