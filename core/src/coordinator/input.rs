//! What can happen to a coordinator.

use std::sync::Arc;
use std::time::Duration;

use crate::id::{RequestId, TaskId, Ticket, WorkerId};
use crate::policy::Overrides;
use crate::query::Query;
use crate::trace::Trace;
use crate::value::Value;

/// One thing that happened. With its time, it is all a coordinator ever sees: a log of `(time, Input)` is a complete
/// recording.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A caller asks.
    Submit(Submit),
    /// A caller no longer waits, and gets no answer.
    Cancel(Ticket),
    /// A worker answered.
    Result(WorkerResult),
    /// A task could not be delivered to anybody.
    Undelivered(Undelivered),
    /// A worker announced itself, or that it is leaving.
    Presence(Presence),
    /// The bus is connected.
    BusUp,
    /// The bus is disconnected.
    BusDown,
    /// Accept no further requests; finish those in flight.
    Drain,
}

/// A caller's request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Submit {
    /// The adapter's name for the waiting caller.
    pub ticket: Ticket,
    /// The caller's name for the request, so that a retry is recognised; `None` draws one.
    pub id: Option<RequestId>,
    /// What is asked.
    pub query: Query,
    /// The request's own policy.
    pub overrides: Overrides,
    /// The mark of this asking. Tasks carry that of the caller who asked first, never of one who joins.
    pub trace: Option<Trace>,
}

/// A worker's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerResult {
    /// Who answers.
    pub worker: WorkerId,
    /// The request it answers.
    pub request: RequestId,
    /// The task whose reply subject it came on; `None` if it came on the subject that all coordinators share.
    pub task: Option<TaskId>,
    /// The value, or the worker's words for why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// How long the worker says it took.
    pub response_time: Duration,
    /// How old the value was when it came; `None` if the worker does not say.
    pub age: Option<Duration>,
}

/// A task that reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Undelivered {
    /// The task.
    pub task: TaskId,
    /// Why.
    pub cause: UndeliveredCause,
}

/// Why a task reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UndeliveredCause {
    /// Nobody is subscribed to tasks.
    NoResponders,
    /// The bus is disconnected.
    Disconnected,
    /// The outgoing queue of the bus is full.
    QueueFull,
}

/// A worker's word on itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Presence {
    /// Who.
    pub worker: WorkerId,
    /// Which of the processes behind that name says so; the empty text if it does not say.
    pub instance: Arc<str>,
    /// What it says.
    pub state: PresenceState,
    /// Whether several replicas stand behind this name: a second answer may then come from another replica and differ.
    pub replicated: bool,
}

/// What a worker says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceState {
    /// It takes tasks.
    Live,
    /// It takes no further tasks, but still answers those it has.
    Draining,
    /// It is gone, and answers nothing more.
    Left,
}
