//! The inputs, outputs and counters of durable requests.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::Refusal;
use crate::id::{RequestId, Ticket};
use crate::outcome::{Failure, request_bytes};
use crate::policy::Overrides;
use crate::query::Query;
use crate::time::UnixTime;

/// Names one thing that the adapter was asked to do, and its result; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(pub u64);

/// A durable request, as its caller submitted it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Its id.
    pub request: RequestId,
    /// What is asked.
    pub query: Query,
    /// The request's own policy.
    pub overrides: Overrides,
    /// The time within which the workers answer, by the policy of the coordinator that accepted it.
    pub timeout: Duration,
    /// The time of day of the submission, by that coordinator's clock.
    pub submitted_at: UnixTime,
}

impl Job {
    /// What it weighs in memory, in bytes.
    pub fn bytes(&self) -> usize {
        request_bytes(&self.request, &self.query, 0)
    }
}

/// What an entry of the log of open requests says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// The request has no stored outcome yet, as far as its author knows.
    Open {
        /// The request.
        job: Arc<Job>,
        /// The coordinator that serves it; `None` if it was released.
        holder: Option<Arc<str>>,
        /// Counts the entries of the request, so that no two are equal.
        turn: u64,
    },
    /// The outcome is stored.
    Closed,
}

/// An entry of the log of open requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its sequence in the log, at least 1.
    pub sequence: u64,
    /// What it says. An entry that cannot be read counts as closed.
    pub content: Content,
}

/// What can happen to durable requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A caller submits a request.
    Submit {
        /// The adapter's name for the caller.
        ticket: Ticket,
        /// The request.
        job: Arc<Job>,
    },
    /// The watch of the log of open requests shows an entry.
    Seen {
        /// Whose entry it is.
        request: RequestId,
        /// The entry.
        entry: Entry,
    },
    /// A [`Output::Look`] is done.
    Looked {
        /// Which.
        work: Work,
        /// What is stored.
        found: Found,
    },
    /// A [`Output::Write`] is done.
    Written {
        /// Which.
        work: Work,
        /// What became of the entry.
        written: Written,
    },
    /// An [`Output::Ask`] is done.
    Asked {
        /// Which.
        work: Work,
        /// What came of it.
        got: Got,
    },
    /// A [`Output::Keep`] is done.
    Kept {
        /// Which.
        work: Work,
        /// What became of the outcome.
        kept: Kept,
    },
    /// Accept no further requests, finish those that are being asked, and leave the others to other coordinators.
    Drain,
}

/// What is stored as the outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// The outcome of this query; `None` if it cannot be read.
    Outcome(Option<Query>),
    /// The store did not say.
    Unknown,
}

/// What became of an entry for the log of open requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is stored, with this sequence.
    Stored(u64),
    /// It is not stored, because another entry came first: the newest one, unless it is gone.
    Lost(Option<Entry>),
    /// It may be stored, now or later.
    Unclear,
    /// The store refuses it.
    Refused,
}

/// What came of asking the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Got {
    /// An outcome.
    Outcome {
        /// Why it has no answer, if it has none.
        failure: Option<Failure>,
        /// What it weighs, in bytes.
        bytes: usize,
    },
    /// The coordinator refused to ask.
    Refused(Refusal),
    /// The coordinator is too busy to be asked, or has stopped.
    Nothing,
}

impl Got {
    /// Whether asking again later may end otherwise, for a reason that has nothing to do with the workers.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Outcome { failure, .. } => matches!(failure, Some(Failure::BusDown | Failure::Overloaded)),
            // An id is in use for another query only as long as this coordinator remembers that.
            Self::Refused(Refusal::Overloaded | Refusal::Draining | Refusal::BusDown | Refusal::Conflict)
            | Self::Nothing => true,
            Self::Refused(Refusal::Policy(_) | Refusal::UnknownQuery | Refusal::NoWorkers) => false,
        }
    }
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// It is stored.
    Stored,
    /// Another outcome of this request is stored, and counts.
    Lost,
    /// It may be stored, now or later.
    Unclear,
}

/// How a caller's submission was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accepted {
    /// The request is stored, and will have an outcome.
    Open,
    /// It has one.
    Done,
}

/// Why a submission was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// Another query has the same id; choose another id.
    #[error("the id is already used for another query")]
    Conflict,
    /// Too many requests are open, or too many callers submit this one; retry later.
    #[error("too many durable requests are open")]
    Overloaded,
    /// The coordinator is about to stop; ask another one.
    #[error("the coordinator is draining")]
    Draining,
    /// The store does not answer, so the request may be accepted or not; retry with the same id.
    #[error("the store does not answer")]
    Unclear,
    /// The store refuses the request.
    #[error("the store refuses the request")]
    Refused,
}

/// One thing the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Learn whether an outcome is stored, from a reading that is never old.
    Look {
        /// Name it when it is done.
        work: Work,
        /// Whose outcome.
        request: RequestId,
    },
    /// Append to the log of open requests, and find out whether it is stored.
    Write {
        /// Name it when it is done.
        work: Work,
        /// Under which key.
        request: RequestId,
        /// The sequence of the newest entry that was seen under the key; 0 if there is none.
        after: u64,
        /// What is stored.
        content: Content,
    },
    /// Ask the workers, and keep the outcome until [`Output::Forget`].
    Ask {
        /// Name it when it is done.
        work: Work,
        /// The request.
        job: Arc<Job>,
    },
    /// Store the outcome that was asked for last, if none is stored.
    Keep {
        /// Name it when it is done.
        work: Work,
        /// Whose outcome.
        request: RequestId,
    },
    /// The outcome that was asked for is no longer needed.
    Forget(RequestId),
    /// Answer a caller.
    Answer {
        /// The caller.
        ticket: Ticket,
        /// Whether its request was accepted.
        reply: Result<Accepted, Rejection>,
    },
    /// The request has a stored outcome: tell those who wait for it.
    Ended(RequestId),
    /// Watch the log of open requests again, from its beginning: there was no room for some of its entries, and now there
    /// is.
    Watch,
    /// Nothing is left to do after [`Input::Drain`].
    Drained,
}

/// Counts since the coordinator began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that this coordinator accepted and stored.
    pub accepted: u64,
    /// Submissions that were not accepted.
    pub rejected: u64,
    /// Requests that were taken over.
    pub taken_over: u64,
    /// Times that asking is repeated, for a passing reason.
    pub repeated: u64,
    /// Outcomes that were stored.
    pub stored: u64,
    /// Outcomes that were not, because another one was stored first.
    pub lost: u64,
    /// Entries that there was no room for.
    pub overlooked: u64,
}
