//! The open requests that are known: by id, by what is being done for them, and by when they are due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::events::{Job, Work};
use crate::id::{RequestId, Ticket};
use crate::time::Timestamp;

/// An open request.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) job: Arc<Job>,
    /// Of the newest entry that was seen; 0 if none was.
    pub(super) sequence: u64,
    pub(super) turn: u64,
    pub(super) standing: Standing,
    pub(super) phase: Phase,
    /// Whether it takes one of the places for requests of other coordinators.
    pub(super) taken: bool,
    /// How often something had to be repeated since something last succeeded.
    pub(super) repeats: u32,
    /// The callers that wait until it is accepted.
    pub(super) tickets: Vec<Ticket>,
    /// What the outcome that is kept weighs; 0 if there is none.
    pub(super) outcome_bytes: usize,
}

/// Whose the newest entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// This coordinator's.
    Mine,
    /// Another's, or nobody's.
    Theirs,
    /// It says that the outcome is stored.
    Closed,
}

/// What is being done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Another coordinator serves it. It is taken over at this time.
    Watching(Timestamp),
    /// Is an outcome stored?
    Looking(Why, Work),
    /// An entry is being written.
    Writing(Why, Work),
    /// The workers are being asked.
    Asking(Work),
    /// They are asked at this time.
    AskingAt(Timestamp),
    /// The outcome is being stored.
    Keeping(Work),
    /// It is stored at this time.
    KeepingAt(Timestamp),
}

/// Why something is looked up or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A caller submits the request.
    Submit,
    /// The request is taken over.
    Take,
    /// The request is released.
    Release,
    /// Its outcome is stored.
    Close,
}

impl Phase {
    fn work(self) -> Option<Work> {
        match self {
            Self::Looking(_, work) | Self::Writing(_, work) | Self::Asking(work) | Self::Keeping(work) => Some(work),
            Self::Watching(_) | Self::AskingAt(_) | Self::KeepingAt(_) => None,
        }
    }

    fn is_held(self) -> bool {
        !matches!(self, Self::Watching(_))
    }
}

/// The open requests that are known. Each is taken out to be changed, so that the indexes always fit.
#[derive(Debug, Default)]
pub(super) struct Requests {
    known: BTreeMap<RequestId, Open>,
    works: BTreeMap<Work, RequestId>,
    /// When the requests of other coordinators are due.
    due: BTreeSet<(Timestamp, RequestId)>,
    /// When something is repeated.
    pauses: BTreeSet<(Timestamp, RequestId)>,
    held: usize,
    taken: usize,
    bytes: usize,
    outcome_bytes: usize,
}

impl Requests {
    pub(super) fn put(&mut self, open: Open) {
        let id = open.job.request.clone();
        match open.phase {
            Phase::Watching(at) => {
                self.due.insert((at, id.clone()));
            }
            Phase::AskingAt(at) | Phase::KeepingAt(at) => {
                self.pauses.insert((at, id.clone()));
            }
            _ => {}
        }
        if let Some(work) = open.phase.work() {
            self.works.insert(work, id.clone());
        }
        self.held += usize::from(open.phase.is_held());
        self.taken += usize::from(open.taken);
        self.bytes += open.job.bytes();
        self.outcome_bytes += open.outcome_bytes;
        let before = self.known.insert(id, open);
        assert!(before.is_none(), "a request was taken out before it was put in");
    }

    pub(super) fn take(&mut self, id: &RequestId) -> Option<Open> {
        let open = self.known.remove(id)?;
        match open.phase {
            Phase::Watching(at) => {
                self.due.remove(&(at, id.clone()));
            }
            Phase::AskingAt(at) | Phase::KeepingAt(at) => {
                self.pauses.remove(&(at, id.clone()));
            }
            _ => {}
        }
        if let Some(work) = open.phase.work() {
            self.works.remove(&work);
        }
        self.held -= usize::from(open.phase.is_held());
        self.taken -= usize::from(open.taken);
        self.bytes -= open.job.bytes();
        self.outcome_bytes -= open.outcome_bytes;
        Some(open)
    }

    /// Takes out the request that something was done for; `None` if that is of no interest any more.
    pub(super) fn take_by_work(&mut self, work: Work) -> Option<Open> {
        let id = self.works.get(&work)?.clone();
        self.take(&id)
    }

    pub(super) fn ids(&self) -> Vec<RequestId> {
        self.known.keys().cloned().collect()
    }

    /// The other coordinators' request that is due first.
    pub(super) fn first_due(&self) -> Option<&(Timestamp, RequestId)> {
        self.due.first()
    }

    /// The repetition that is due first.
    pub(super) fn first_pause(&self) -> Option<&(Timestamp, RequestId)> {
        self.pauses.first()
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn outcome_bytes(&self) -> usize {
        self.outcome_bytes
    }
}
