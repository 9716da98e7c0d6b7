//! What is wrong with a worker process while a fault lasts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::observe::SourceFaults;
use crate::scenario::Mischief;

/// What is wrong with one worker process now. The stage changes it, the host looks.
#[derive(Debug, Default)]
pub(super) struct Condition(Mutex<Wrong>);

/// See [`Condition`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wrong {
    /// With its source.
    pub(super) source: SourceFaults,
    /// Its source gives nothing back until this ends.
    pub(super) paused: bool,
    /// What it does with so many of a thousand of its results.
    pub(super) mischief: Vec<(Mischief, u32)>,
    /// What it says of itself is lost.
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
