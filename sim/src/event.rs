//! What happens in a run, as the stages tell it and everybody else sees it.
//!
//! Around each machine the events are its steps, in order and complete: an input or a wake, then its outputs, then the
//! machine as it has settled, with nothing in between. Around the network they are what
//! a host sent and received, understood apart from the code that is tested.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Coordinator, Presence, Refusal};
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, Worker};
use quorate_runtime::bus::PublishError;
use quorate_runtime::driver::Step;

pub use crate::age::Age;
use crate::edge::Edge;
use crate::host::Host;
use crate::scenario::{Fault, Request, Visit};

/// One thing that happened on one host.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When, in nanoseconds of simulated time since the run began.
    pub at: u64,
    /// Where.
    pub host: Host,
    /// What.
    pub what: What<'a>,
}

/// What happened. A machine's `now` is the time of its host's own clock.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A process began: the first on its host, or another after a crash or a stop. Machines start over.
    Started {
        /// 1 for the first.
        incarnation: u32,
    },
    /// The process was killed.
    Crashed,
    /// The process was told to stop.
    Stopping,
    /// The process has ended as it was told to.
    Stopped,
    /// A coordinator handles an input.
    CoordinatorInput(Timestamp, &'a coordinator::Input),
    /// A coordinator is woken.
    CoordinatorWoken(Timestamp),
    /// What a coordinator puts out because of that. It is carried out later.
    CoordinatorOutput(Timestamp, &'a coordinator::Output),
    /// A coordinator after such a step.
    CoordinatorSettled(Timestamp, &'a Coordinator),
    /// A worker handles an input.
    WorkerInput(Timestamp, &'a worker::Input),
    /// A worker is woken.
    WorkerWoken(Timestamp),
    /// What a worker puts out because of that. It is carried out later.
    WorkerOutput(Timestamp, &'a worker::Output),
    /// A worker after such a step.
    WorkerSettled(Timestamp, &'a Worker),
    /// The host's bus took a message for sending.
    Sent(&'a Message),
    /// The host's bus refused a message.
    Unsent(&'a Message, PublishError),
    /// The host's program received a message.
    Received(&'a Message),
    /// Something shows at the edge of the host's program.
    Edge(Edge),
    /// A client does something over HTTP beside asking; the number is its place in the scenario.
    Visited(usize, &'a Visit),
    /// Such a visit is over, with what was read, if anything was.
    VisitEnded(usize, Option<&'a Read>),
    /// A client asks.
    Asked(&'a Question),
    /// A client has its answer, or knows that it will get none.
    Replied(u32, &'a Reply),
    /// A client goes away without waiting for its answer.
    Vanished(u32),
    /// A fault of the schedule begins; the number is its place there.
    FaultBegan(usize, &'a Fault),
    /// A fault of the schedule ends.
    FaultEnded(usize, &'a Fault),
    /// All faults have ended, and no further request of the workload comes: from now on everything must get well.
    Healed,
    /// The run is over; everything has had its time.
    Ended,
    /// A program panicked.
    Panicked(&'a str),
}

/// The events of one step of a coordinator.
pub(crate) fn coordinator_step(step: &Step<'_, Coordinator>, mut tell: impl FnMut(What<'_>)) {
    let now = step.now;
    tell(step.input.map_or(What::CoordinatorWoken(now), |input| What::CoordinatorInput(now, input)));
    step.outputs.iter().for_each(|output| tell(What::CoordinatorOutput(now, output)));
    tell(What::CoordinatorSettled(now, step.machine));
}

/// The events of one step of a worker.
pub(crate) fn worker_step(step: &Step<'_, Worker>, mut tell: impl FnMut(What<'_>)) {
    let now = step.now;
    tell(step.input.map_or(What::WorkerWoken(now), |input| What::WorkerInput(now, input)));
    step.outputs.iter().for_each(|output| tell(What::WorkerOutput(now, output)));
    tell(What::WorkerSettled(now, step.machine));
}

/// A message on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The subject it was published on.
    pub subject: Arc<str>,
    /// Where an answer to it goes.
    pub reply: Option<Arc<str>>,
    /// What it says.
    pub body: Body,
}

/// What a message on the bus says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// A task.
    Task(Task),
    /// A result.
    Result(WorkerResult),
    /// A presence announcement, of the worker's own accord or in answer to a ping.
    Presence(Presence),
    /// A call to all workers to say that they are there.
    Ping,
    /// How a request ended, for those who follow all requests.
    Outcome(PublishedOutcome),
    /// The broker's notice that nobody received the message with this reply subject.
    NoResponders,
    /// Bytes that say nothing; so many of them.
    Garbage(usize),
}

/// How a request ended, as it is on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublishedOutcome {
    /// The request's id.
    pub request: RequestId,
    /// What was asked.
    pub query: Query,
    /// The answer's value; `None` if there is no answer.
    pub value: Option<Value>,
}

/// A task as it is on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The request's id.
    pub request: RequestId,
    /// What is asked.
    pub query: Query,
    /// The time to live.
    pub ttl: Duration,
    /// 1, or 2 for the redispatch.
    pub attempt: u32,
}

/// A result as it is on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerResult {
    /// Who is said to answer.
    pub worker: WorkerId,
    /// The request that is answered.
    pub request: RequestId,
    /// The value, or why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// How long it took, as the worker says.
    pub response_time: Duration,
    /// How old the value is, as the worker says; a failure has no age.
    pub age: Option<Age>,
}

impl WorkerResult {
    /// What a coordinator is told of it that reads it at a time of day, on the reply subject of a task or on that for all.
    pub(crate) fn read_at(&self, wall: Timestamp, task: Option<TaskId>) -> coordinator::WorkerResult {
        coordinator::WorkerResult {
            worker: self.worker.clone(),
            request: self.request.clone(),
            task,
            observed: self.observed.clone(),
            response_time: self.response_time,
            age: self.age.map(|age| age.at(wall)),
        }
    }
}

/// A client's question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Unique in the run; a retry has a number of its own.
    pub number: u32,
    /// Which coordinator is asked.
    pub coordinator: Host,
    /// The place of the request in the scenario's workload; `None` for a request made after the faults have healed, to
    /// see that everything is well again.
    pub place: Option<usize>,
    /// The question.
    pub request: Request,
}

/// Stands in a [`Read`] where a reader of events came back.
pub const FOLLOWED_AGAIN: &str = "\u{1e}";
/// The status that a client gets that already has as many readers of events as it may.
pub const TOO_MANY_READERS: u16 = 429;

/// What a client read over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body, as it came.
    pub body: String,
}

/// What became of a question.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The coordinator's own reply, where no HTTP is between it and the client.
    Ended(Result<Arc<Outcome>, Refusal>),
    /// A response over HTTP.
    Http {
        /// The status code.
        status: u16,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// The body, as it came.
        body: String,
    },
    /// No response: the coordinator could not be reached, the connection broke, or nothing came for very long.
    Lost,
}
