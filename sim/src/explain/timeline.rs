//! The timeline of a run: a lane for each host, and the messages between them.

use serde::Serialize;

/// A run, ordered by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The seed of the scenario.
    pub seed: String,
    /// The depth of the run.
    pub depth: String,
    /// The names of the hosts; a lane is an index into this list.
    pub hosts: Vec<String>,
    /// What happened on the hosts.
    pub moments: Vec<Moment>,
    /// The messages, questions and answers between hosts.
    pub arrows: Vec<Arrow>,
    /// The faults.
    pub spans: Vec<Span>,
    /// The ids of all requests, in the order in which they appeared.
    pub requests: Vec<String>,
    /// How the run failed, if it did.
    pub violation: Option<String>,
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// Nanoseconds since the run began.
    pub at: u64,
    /// The lane of the host.
    pub lane: usize,
    /// What it is about.
    pub kind: Kind,
    /// A short description.
    pub text: String,
    /// The event as a line of the trace, truncated if it is long.
    pub detail: String,
    /// The request it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whether it is a presence announcement or a ping: the most frequent events, and the least important.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chatter: bool,
}

/// What a moment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A process started or ended, or its bus connected or disconnected.
    Process,
    /// A message was sent or received.
    Message,
    /// A bus refused a message.
    Unsent,
    /// An input or an output of a state machine.
    Machine,
    /// A client asked, was answered, left, or made a visit.
    Client,
    /// A fault began or ended.
    Fault,
    /// All faults ended, or the run did.
    Phase,
    /// A program panicked, or an invariant was broken.
    Violation,
}

/// Something sent from one host to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrow {
    /// The lane of the sender.
    pub from: usize,
    /// When it was sent, in nanoseconds since the run began.
    pub sent: u64,
    /// The lane of the receiver, and when it was received; `None` if it was not.
    pub to: Option<(usize, u64)>,
    /// [`Kind::Message`], or [`Kind::Client`] for a question or an answer.
    pub kind: Kind,
    /// A short description.
    pub text: String,
    /// The request it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// See [`Moment::chatter`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chatter: bool,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// When it began, in nanoseconds since the run began.
    pub began: u64,
    /// When it ended; `None` if the run ended before that.
    pub ended: Option<u64>,
    /// The lanes of the hosts it affects.
    pub lanes: Vec<usize>,
    /// A short description.
    pub text: String,
}
