//! What can happen to a worker, what it wants done, and what it counts.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::PresenceState;
use crate::id::RequestId;
use crate::query::Query;
use crate::trace::Trace;
use crate::value::Value;

/// Names one job of this worker; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Where the answer to a task goes: the reply subject it carried, or `None` for the subject all coordinators share.
pub type ReplyTo = Option<Arc<str>>;

/// A task as it came in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The request it belongs to.
    pub request: RequestId,
    /// What is asked.
    pub query: Query,
    /// How long an answer is of use; `None` if the task does not say.
    pub ttl: Option<Duration>,
    /// Where the answer goes.
    pub reply: ReplyTo,
    /// The mark of the asking. A job has that of the task that began it.
    pub trace: Option<Trace>,
}

/// An answer to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkResult {
    /// The request it answers.
    pub request: RequestId,
    /// Where it goes.
    pub reply: ReplyTo,
    /// The value, or why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// From the task's arrival to the answer.
    pub response_time: Duration,
    /// How old the value is at least; `None` if its source does not say and it was read just now.
    pub age: Option<Duration>,
    /// The mark of the work it comes from.
    pub trace: Option<Trace>,
}

/// One thing that happened to a worker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A task came in.
    Task(Task),
    /// A job that was started is done. A job that was aborted may still say so; that is ignored.
    Done {
        /// The job.
        job: JobId,
        /// The value, or why there is none.
        observed: Result<Value, Arc<str>>,
        /// How old the value is; `None` if the source does not say.
        age: Option<Duration>,
        /// The mark of the work, for its answer and every repetition of it.
        trace: Option<Trace>,
    },
    /// The bus is connected.
    BusUp,
    /// The bus is disconnected.
    BusDown,
    /// Say that no further tasks are wanted, take those that come all the same for a short while, and finish them.
    Drain,
}

/// One thing the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Ask the source.
    Start {
        /// The job, to be named when it is done.
        job: JobId,
        /// What is asked.
        query: Query,
        /// How long an answer is of use.
        time_left: Duration,
        /// The mark of the task that began it.
        trace: Option<Trace>,
    },
    /// Stop a started job: its answer is of no use any more.
    Abort(JobId),
    /// Send an answer.
    Answer(WorkResult),
    /// Tell the coordinators where this worker stands.
    Announce(PresenceState),
    /// Receive no further tasks: everybody has had the time to hear that the worker is draining.
    CloseIntake,
    /// Draining is done: nothing runs and nothing waits.
    Drained,
}

/// Counts since the worker began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Tasks that came in.
    pub tasks_received: u64,
    /// Tasks that were already known.
    pub tasks_repeated: u64,
    /// Tasks that were not taken: answered with a failure because there was no place, or dropped at the end of draining.
    pub tasks_refused: u64,
    /// Tasks dropped because their time was over before there was an answer.
    pub tasks_expired: u64,
    /// Jobs that gave a value.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// The time from arrival to answer, of all jobs together.
    pub processing_time: Duration,
}
