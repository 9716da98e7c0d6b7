//! What a coordinator wants done.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use crate::id::{RequestId, TaskId, Ticket};
use crate::outcome::Outcome;
use crate::policy::PolicyError;
use crate::query::Query;
use crate::trace::Trace;

/// One thing the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Publish a task to all workers.
    Publish(Task),
    /// Ask the workers to announce themselves now, without waiting for their next announcement: the bus is connected,
    /// or a notice says that nobody listens. For notices it comes at most twice in
    /// [`Config::no_responders_grace`](super::Config).
    CallWorkers,
    /// Tell those who follow all requests how one of them ended. Comes once per request that has an outcome, before the
    /// answers to its callers; a cancelled request has none.
    Ended(Arc<Outcome>),
    /// Answer a caller. Each ticket is answered exactly once, unless it is cancelled first.
    Answer {
        /// The caller.
        ticket: Ticket,
        /// How its request ended, or why it was not accepted.
        reply: Result<Arc<Outcome>, Refusal>,
    },
    /// Draining is done: nothing is in flight.
    Drained,
    /// Nothing is to be done: this is what the coordinator decided. Comes only if [`Config::events`](super::Config) is
    /// set.
    Event(Event),
}

/// A question to all workers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The coordinator's own name for this asking; belongs in the reply subject.
    pub id: TaskId,
    /// The request's id.
    pub request: RequestId,
    /// What is asked.
    pub query: Query,
    /// How long an answer is still of use. A duration, so that clock skew between hosts does not matter.
    pub ttl: Duration,
    /// 1, or 2 for the second asking of a request some workers were silent on.
    pub attempt: u32,
    /// The mark of the request it belongs to.
    pub trace: Option<Trace>,
}

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The request's policy is not valid; correct it.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// Another query has, or lately had, the same id; choose another id.
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
}
