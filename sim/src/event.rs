//! The events of a run: the stages report them, and checkers, coverage, trace and listeners see them.
//!
//! For each machine, the events are its steps, complete and in order: an input or a wake, then its outputs, then the
//! settled machine, with nothing in between. For the network, they are the messages a host sent and received, decoded
//! independently of the code under test.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Coordinator, Presence, Refusal};
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, ReplyTo, Worker};
use quorate_runtime::bus::PublishError;
use quorate_runtime::driver::Step;

pub use crate::age::Age;
use crate::edge::Edge;
use crate::host::Host;
use crate::scenario::{Fault, Request, Visit};
pub use crate::store::event::StoreEvent;

/// One thing that happened on one host.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Nanoseconds of simulated time since the run began.
    pub at: u64,
    /// The host it happened on.
    pub host: Host,
    /// What happened.
    pub what: What<'a>,
}

/// What happened. A machine's `now` is the time on its host's own clock.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A process started: the first on its host, or a new one after a crash or a stop. Its machine starts empty.
    Started {
        /// 1 for the first process on its host.
        incarnation: u32,
    },
    /// The process was killed.
    Crashed,
    /// The process was told to stop.
    Stopping,
    /// The process has stopped after it was told to.
    Stopped,
    /// A coordinator handles an input.
    CoordinatorInput(Timestamp, &'a coordinator::Input),
    /// A coordinator is woken, to do what is due.
    CoordinatorWoken(Timestamp),
    /// A coordinator returns an output of this step, to be carried out after it.
    CoordinatorOutput(Timestamp, &'a coordinator::Output),
    /// The coordinator's state after the step.
    CoordinatorSettled(Timestamp, &'a Coordinator),
    /// A worker handles an input.
    WorkerInput(Timestamp, &'a worker::Input),
    /// A worker is woken, to do what is due.
    WorkerWoken(Timestamp),
    /// A worker returns an output of this step, to be carried out after it.
    WorkerOutput(Timestamp, &'a worker::Output),
    /// The worker's state after the step.
    WorkerSettled(Timestamp, &'a Worker),
    /// The host's bus accepted a message for sending.
    Sent(&'a Message),
    /// The host's bus refused a message.
    Unsent(&'a Message, PublishError),
    /// The host's program received a message.
    Received(&'a Message),
    /// Something was observed at the edge of the host's program.
    Edge(Edge),
    /// A client begins a visit: something other than a question, over HTTP. The number is its index in the scenario.
    Visited(usize, &'a Visit),
    /// The visit with this index is over, with what it read, if anything.
    VisitEnded(usize, Option<&'a Read>),
    /// A client asks a question.
    Asked(&'a Question),
    /// The client of the question with this number has its reply, or knows that none will come.
    Replied(u32, &'a Reply),
    /// The client of the question with this number leaves without waiting for the reply.
    Vanished(u32),
    /// The fault with this index in the schedule begins.
    FaultBegan(usize, &'a Fault),
    /// The fault with this index in the schedule ends.
    FaultEnded(usize, &'a Fault),
    /// All faults have ended and the workload is complete: from now on the cluster must recover.
    Healed,
    /// The run is over: everything has had time to finish.
    Ended,
    /// A program panicked.
    Panicked(&'a str),
    /// Something happened on the stage with a store.
    Store(&'a StoreEvent),
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

/// A message on the bus, or one element of a pack, which has the subjects of its pack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The subject it was published on.
    pub subject: Arc<str>,
    /// The reply subject.
    pub reply: Option<Arc<str>>,
    /// The decoded payload.
    pub body: Body,
}

/// The decoded payload of a message on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// A task.
    Task(Task),
    /// A result.
    Result(WorkerResult),
    /// A presence announcement, unprompted or in answer to a ping.
    Presence(Presence),
    /// A request to all workers to announce their presence.
    Ping,
    /// The outcome of a request, published for those who follow all requests.
    Outcome(PublishedOutcome),
    /// The broker's notice that nobody received the message with this reply subject.
    NoResponders,
    /// This many bytes that cannot be decoded.
    Garbage(usize),
}

/// The outcome of a request, as published on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublishedOutcome {
    /// The request's id.
    pub request: RequestId,
    /// The query.
    pub query: Query,
    /// The answer's value; `None` if there is no answer.
    pub value: Option<Value>,
}

/// A task, as published on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The request's id.
    pub request: RequestId,
    /// The query.
    pub query: Query,
    /// The time to live.
    pub ttl: Duration,
    /// 1 for the first dispatch, 2 for the redispatch.
    pub attempt: u32,
    /// The number that it has in its pack, if it came in one.
    pub packed: Option<TaskId>,
}

/// A result, as published on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerResult {
    /// The worker it claims to be from.
    pub worker: WorkerId,
    /// The request that is answered.
    pub request: RequestId,
    /// The value, or why there is none.
    pub observed: Result<Value, Arc<str>>,
    /// Whether it is a failure because the worker had no room for the task.
    pub overloaded: bool,
    /// How long the worker claims to have taken.
    pub response_time: Duration,
    /// The age that the worker states for the value; a failure has no age.
    pub age: Option<Age>,
    /// The number of the task that it names, if it came in a pack.
    pub packed: Option<TaskId>,
}

impl Task {
    /// Converts it to the input of a worker that receives it in this message.
    pub(crate) fn received(&self, message: &Message) -> worker::Task {
        let reply = match &message.reply {
            None => ReplyTo::Shared,
            Some(subject) if *message.subject == *PACKS => {
                ReplyTo::Pack { subject: Arc::clone(subject), task: self.packed }
            }
            Some(subject) => ReplyTo::Task(Arc::clone(subject)),
        };
        worker::Task {
            request: self.request.clone(),
            query: self.query.clone(),
            ttl: Some(self.ttl),
            reply,
            trace: None,
        }
    }
}

impl WorkerResult {
    /// A result on its own that is no refusal, and states no response time and no age.
    pub fn new(worker: WorkerId, request: RequestId, observed: Result<Value, Arc<str>>) -> Self {
        let (overloaded, response_time) = (false, Duration::ZERO);
        Self { worker, request, observed, overloaded, response_time, age: None, packed: None }
    }

    /// Converts it to the input of a coordinator that reads it when its time of day is `wall`: on the reply subject of
    /// `task`, or on the shared subject if `None`.
    pub(crate) fn read_at(&self, wall: Timestamp, task: Option<TaskId>) -> coordinator::WorkerResult {
        coordinator::WorkerResult {
            worker: self.worker.clone(),
            request: self.request.clone(),
            task,
            observed: self.observed.clone(),
            overloaded: self.overloaded,
            response_time: self.response_time,
            age: self.age.map(|age| age.at(wall)),
        }
    }
}

/// The subject on which packs of tasks are published.
pub(crate) const PACKS: &str = "oracle.tasks.packed";

/// The number of the pack with this reply subject: `_INBOX.<secret>.p<number>`.
pub(crate) fn pack_number(subject: &str) -> Option<u64> {
    let token = subject.strip_prefix("_INBOX.").and_then(|rest| rest.split('.').nth(1));
    token?.strip_prefix('p')?.parse().ok()
}

/// Whether a subject is the reply subject of a pack.
pub(crate) fn is_of_a_pack(subject: &str) -> bool {
    pack_number(subject).is_some()
}

/// A client's question.
#[derive(Clone, Debug)]
pub struct Question {
    /// Unique in the run; a retry has its own number.
    pub number: u32,
    /// The coordinator that is asked.
    pub coordinator: Host,
    /// The index of the request in the scenario's workload; `None` for a probe, which checks after the faults that the
    /// cluster has recovered.
    pub place: Option<usize>,
    /// The request it makes.
    pub request: Request,
}

/// Marks in the body of a [`Read`] where a reader of events reconnected.
pub const FOLLOWED_AGAIN: &str = "\u{1e}";
/// The status for a client that already has the maximum number of readers of events.
pub const TOO_MANY_READERS: u16 = 429;

/// What a client read over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The body, as received.
    pub body: String,
}

/// The result of a question, as its client sees it.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The machine's own reply, on the stage without HTTP.
    Ended(Result<Arc<Outcome>, Refusal>),
    /// A response over HTTP.
    Http {
        /// The status code.
        status: u16,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// The body, as received.
        body: String,
    },
    /// No response: the coordinator was unreachable, the connection broke, or the client ran out of patience.
    Lost,
}
