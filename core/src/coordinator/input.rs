//! The inputs of a coordinator.

use std::sync::Arc;
use std::time::Duration;

use super::config::Policies;
use crate::id::{RequestId, TaskId, Ticket, WorkerId};
use crate::offer::Offer;
use crate::policy::Overrides;
use crate::query::Query;
use crate::time::UnixTime;
use crate::trace::Trace;
use crate::value::Value;

/// What can happen to a coordinator. Inputs with their times are all it ever sees, so a log of `(time, Input)` is a
/// complete recording.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A caller submits a request.
    Submit(Submit),
    /// A caller no longer waits, and receives no answer.
    Cancel(Ticket),
    /// A worker answered.
    Result(WorkerResult),
    /// A task reached nobody.
    Undelivered(Undelivered),
    /// A worker announced its presence, or that it leaves.
    Presence(Presence),
    /// The time of day is this now: at the start, and whenever the clock was set.
    WallClock(UnixTime),
    /// The operator's policies are these from now on. Requests in flight end under the ones that they began with.
    Policies(Box<Policies>),
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
    /// The caller's id for the request, by which a retry is recognised; `None` draws one.
    pub id: Option<RequestId>,
    /// The question.
    pub query: Query,
    /// The request's own policy.
    pub overrides: Overrides,
    /// The mark of this submission. Tasks carry that of the first caller, never that of a retry that joins.
    pub trace: Option<Trace>,
}

/// A worker's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerResult {
    /// The worker.
    pub worker: WorkerId,
    /// The request it answers.
    pub request: RequestId,
    /// The task whose reply subject it came on; `None` if it came on the subject that all coordinators share.
    pub task: Option<TaskId>,
    /// The value, or the worker's reason why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// Whether the worker says that it had no room for the task. Without meaning if there is a value.
    pub overloaded: bool,
    /// The response time that the worker states; one of more than `u64::MAX` nanoseconds counts as that.
    pub response_time: Duration,
    /// The age of the value on arrival; `None` if the worker states none.
    pub age: Option<Duration>,
}

impl WorkerResult {
    /// A result on the subject that all coordinators share. It is no refusal, and states no response time and no age.
    pub fn new(worker: WorkerId, request: RequestId, observed: Result<Value, Arc<str>>) -> Self {
        Self { worker, request, task: None, observed, overloaded: false, response_time: Duration::ZERO, age: None }
    }

    /// Whether the worker refused the task because it had no room for it. Callers can bring that about, so it lowers no
    /// score.
    pub fn is_refusal(&self) -> bool {
        self.overloaded && self.observed.is_err()
    }
}

/// A task that reached nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Undelivered {
    /// The task.
    pub task: TaskId,
    /// The cause.
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

/// A presence announcement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Presence {
    /// The worker.
    pub worker: WorkerId,
    /// The announcing process behind that name; empty if the announcement names none.
    pub instance: Arc<str>,
    /// The announced state.
    pub state: PresenceState,
    /// Whether several replicas answer under this name: a second answer may then come from another replica and differ.
    pub replicated: bool,
    /// The queries that the announcing process can answer.
    pub offer: Offer,
    /// Whether the announcing process takes packs of tasks.
    pub packs: bool,
}

impl Presence {
    /// The announcement of a process that has its name for itself, offers every query and takes no packs.
    pub fn new(worker: WorkerId, instance: Arc<str>, state: PresenceState) -> Self {
        Self { worker, instance, state, replicated: false, offer: Offer::default(), packs: false }
    }
}

/// The state that a worker announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceState {
    /// It accepts tasks.
    Live,
    /// It accepts no further tasks, but still answers those it has.
    Draining,
    /// It is gone, and answers nothing more.
    Left,
}
