//! The outputs of a coordinator.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use crate::id::{RequestId, TaskId, Ticket};
use crate::outcome::Outcome;
use crate::policy::PolicyError;
use crate::query::Query;
use crate::trace::Trace;

/// What the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Publish a task to all workers.
    Publish(Task),
    /// Ping the workers, so that they announce themselves at once: the bus is connected, or a notice says that nobody
    /// listens. Because of notices it comes at most twice in [`Config::no_responders_grace`](super::Config).
    CallWorkers,
    /// Tell followers how a request ended. It comes once per request with an outcome, before the answers to its
    /// callers. A cancelled request has no outcome.
    Ended(Arc<Outcome>),
    /// Answer a caller. Each ticket is answered exactly once, unless it is cancelled first.
    Answer {
        /// The caller.
        ticket: Ticket,
        /// How its request ended, or why it was refused.
        reply: Result<Arc<Outcome>, Refusal>,
    },
    /// The coordinator has drained: nothing is in flight.
    Drained,
    /// Nothing is to be done: this is what the coordinator decided. Comes only if [`Config::events`](super::Config) is
    /// set.
    Event(Event),
}

/// A task for all workers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The coordinator's own number for this task; belongs in the reply subject.
    pub id: TaskId,
    /// The request's id.
    pub request: RequestId,
    /// The question.
    pub query: Query,
    /// The time to live. A duration, so that clock skew between hosts does not matter.
    pub ttl: Duration,
    /// 1, or 2 for the redispatch.
    pub attempt: u32,
    /// The mark of the request it belongs to.
    pub trace: Option<Trace>,
    /// Whether it may be published in a pack, with other tasks of which this is true. Every live worker takes packs.
    pub may_be_packed: bool,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The request's policy is invalid; correct it.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// Another query has, or recently had, the same id; choose another id.
    #[error("the id is already used for another query")]
    Conflict,
    /// Too many requests are in flight, or too many callers wait for this one; retry later.
    #[error("too many requests in flight")]
    Overloaded,
    /// The coordinator is about to stop; ask another one.
    #[error("the coordinator is draining")]
    Draining,
    /// The bus is disconnected; retry later.
    #[error("the bus is disconnected")]
    BusDown,
    /// Workers are live, and no known worker offers the query; correct it.
    #[error("no worker offers this query")]
    UnknownQuery,
    /// Workers are live, and those that offer the query are gone; retry later.
    #[error("no worker that offers this query is live")]
    NoWorkers,
}
