//! The inputs, outputs and counters of a worker.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::PresenceState;
use crate::id::{RequestId, TaskId};
use crate::query::Query;
use crate::trace::Trace;
use crate::value::Value;

/// Names one job of this worker; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Where the answer to a task goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyTo {
    /// The subject that all coordinators share.
    #[default]
    Shared,
    /// The reply subject of a task that came alone.
    Task(Arc<str>),
    /// The reply subject of a pack of tasks.
    Pack {
        /// The subject.
        subject: Arc<str>,
        /// Which of the coordinator's tasks it answers; `None` if the pack does not say.
        task: Option<TaskId>,
    },
}

/// A task as it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The request it belongs to.
    pub request: RequestId,
    /// What is asked.
    pub query: Query,
    /// The time to live; `None` if the task states none.
    pub ttl: Option<Duration>,
    /// Where the answer goes.
    pub reply: ReplyTo,
    /// The mark of the request. A job has the mark of the task that began it.
    pub trace: Option<Trace>,
}

/// An answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkResult {
    /// The request it answers.
    pub request: RequestId,
    /// Where it goes.
    pub reply: ReplyTo,
    /// The value, or the reason why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// Whether it refuses the task because there was no room for it.
    pub overloaded: bool,
    /// The time from the task's arrival to the answer.
    pub response_time: Duration,
    /// A lower bound of the value's age; `None` if its source states none and the value was read just now.
    pub age: Option<Duration>,
    /// The mark of the work it comes from.
    pub trace: Option<Trace>,
}

/// What can happen to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A task arrived.
    Task(Task),
    /// A started job is done. An aborted job may still report this; it is ignored.
    Done {
        /// The job.
        job: JobId,
        /// The value, or the reason why there is none.
        observed: Result<Value, Arc<str>>,
        /// The age of the value; `None` if the source states none.
        age: Option<Duration>,
        /// The mark of the work, for its answer and every repetition of it.
        trace: Option<Trace>,
    },
    /// The bus is connected.
    BusUp,
    /// The bus is disconnected.
    BusDown,
    /// Announce that no further tasks are accepted, accept those that still come for a short time, and finish them.
    Drain,
}

/// One thing the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Query the source.
    Start {
        /// The job; name it when it is done.
        job: JobId,
        /// What is asked.
        query: Query,
        /// What is left of the time to live.
        time_left: Duration,
        /// The mark of the task that began it.
        trace: Option<Trace>,
    },
    /// Stop a started job: its time to live has run out.
    Abort(JobId),
    /// Send an answer.
    Answer(WorkResult),
    /// Announce this state to the coordinators.
    Announce(PresenceState),
    /// Unsubscribe from tasks: every coordinator has had time to hear that the worker is draining.
    CloseIntake,
    /// The worker has drained: nothing runs and nothing waits.
    Drained,
}

/// Counts since the worker began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tasks that arrived.
    pub tasks_received: u64,
    /// Tasks for queries that the worker does not offer, which it ignored.
    pub tasks_unoffered: u64,
    /// Tasks that were already known.
    pub tasks_repeated: u64,
    /// Tasks that were not accepted: answered with a failure because there was no place, or dropped at the end of
    /// draining.
    pub tasks_refused: u64,
    /// Tasks dropped because their time to live ran out before there was an answer.
    pub tasks_expired: u64,
    /// Jobs that gave a value.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// The time from arrival to answer, summed over all jobs.
    pub processing_time: Duration,
}
