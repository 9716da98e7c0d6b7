//! What is wrong with a worker while faults are active.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::SourceFaults;
use crate::scenario::Mischief;

/// What is wrong with one worker now. The stage writes it, the worker's host reads it.
#[derive(Debug, Default)]
pub(super) struct Condition(Mutex<Wrong>);

/// The content of a [`Condition`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What is wrong with its source.
    pub(super) source: SourceFaults,
    /// Whether its source is frozen and returns nothing.
    pub(super) paused: bool,
    /// How it tampers with its results, each with the share of results in thousandths.
    pub(super) mischief: Vec<(Mischief, u32)>,
    /// Whether its presence announcements are lost.
    pub(super) presence_lost: bool,
}

impl Condition {
    pub(super) fn set(&self, wrong: Wrong) {
        *self.lock() = wrong;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Wrong> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
