//! What a coordinator decided, for those who follow it: traces, streams of events, tests.

use super::reliability::Score;
use super::worker::WorkerState;
use crate::id::{RequestId, Ticket, WorkerId};

/// One decision of a coordinator. Events have no effect: if [`Config::events`](super::Config) turns them off,
/// everything else stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A request was accepted, and its first task is published.
    Dispatched {
        /// The caller.
        ticket: Ticket,
        /// The request.
        request: RequestId,
    },
    /// A caller joined a request in flight.
    Joined {
        /// The caller.
        ticket: Ticket,
        /// The request.
        request: RequestId,
    },
    /// A caller receives the outcome of a request that has ended. The answer follows.
    Replayed {
        /// The caller.
        ticket: Ticket,
        /// The request.
        request: RequestId,
    },
    /// A task was redispatched, because a worker is silent.
    Redispatched {
        /// The request.
        request: RequestId,
        /// The number of the attempt: 2, because there is at most one redispatch.
        attempt: u32,
    },
    /// What became of a worker's result. Each result has exactly one such event.
    Result {
        /// The request it is for.
        request: RequestId,
        /// The worker that the result names.
        worker: WorkerId,
        /// What became of it.
        fate: ResultFate,
    },
    /// A worker's score was lowered. Comes before the outputs that say how the request ended, or what became of the
    /// result.
    Blamed {
        /// The request.
        request: RequestId,
        /// The worker.
        worker: WorkerId,
        /// What for.
        blame: Blame,
        /// Its score until then.
        before: Score,
        /// Its score since.
        after: Score,
    },
    /// A worker has become known, or its state has changed. Comes after all other outputs of an input, at most once
    /// for each worker.
    Worker {
        /// The worker.
        worker: WorkerId,
        /// Its state now.
        state: WorkerState,
        /// Whether its values are shown but not used, because of its score.
        quarantined: bool,
        /// Whether it is suspect, so that requests wait for it only as long as it usually takes.
        suspect: bool,
    },
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultFate {
    /// It is the worker's observation. Whether its value is used is decided when the request ends.
    Accepted,
    /// Its request has ended.
    Late,
    /// The worker has answered, and this second result lowers no score: it says the same as the first, the worker need
    /// not repeat itself, somebody else may have sent one of the two, or the worker has contradicted itself in this
    /// request before.
    Duplicate,
    /// The worker has answered, and contradicts itself. Lowers its score, once in a request.
    Equivocal,
    /// It came on the reply subject of another task, or on the shared subject from a worker that uses reply subjects.
    Misdirected,
    /// Its request is not known.
    Unknown,
    /// Its worker is not admitted, or there is no room for it: among the known workers, in the rate of new names, or in
    /// the request.
    NotAdmitted,
    /// The requests in flight weigh too much.
    NoRoom,
}

/// Why a score was lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// Its value was judged bad in comparison with those of the others.
    Outlier,
    /// It answered that it failed.
    Failure,
    /// It was silent until the deadline.
    Silence,
    /// It contradicted itself within one request.
    Equivocation,
}

impl Blame {
    /// Its name in `GET /workers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outlier => "outlier",
            Self::Failure => "failure",
            Self::Silence => "silence",
            Self::Equivocation => "equivocation",
        }
    }
}

impl ResultFate {
    /// Its name in traces.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Equivocal => "equivocal",
            Self::Misdirected => "misdirected",
            Self::Unknown => "unknown",
            Self::NotAdmitted => "not_admitted",
            Self::NoRoom => "no_room",
        }
    }
}
