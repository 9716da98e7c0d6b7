//! What happened in a run, put together: a lane for each host, and who received what who sent.

use serde::Serialize;

/// A run, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// The seed of the scenario.
    pub seed: String,
    /// The stage.
    pub depth: String,
    /// The hosts; elsewhere a lane is a place in this list.
    pub hosts: Vec<String>,
    /// What happened on the hosts.
    pub moments: Vec<Moment>,
    /// What went from host to host.
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
    /// When, in nanoseconds.
    pub at: u64,
    /// Where.
    pub lane: usize,
    /// What it is about.
    pub kind: Kind,
    /// In a few words.
    pub text: String,
    /// All of it, as in the trace.
    pub detail: String,
    /// The request it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whether it is about who is there, which is most of what happens and matters least.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chatter: bool,
}

/// What a moment is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A process began or ended.
    Process,
    /// A message was sent or received.
    Message,
    /// A message was not sent.
    Unsent,
    /// A state machine was told something or wanted something done.
    Machine,
    /// A client asked, was answered, or went away.
    Client,
    /// A fault began or ended.
    Fault,
    /// A part of the run began.
    Phase,
    /// A program panicked, or an invariant was broken.
    Violation,
}

/// Something on its way from host to host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Arrow {
    /// From where.
    pub from: usize,
    /// When it went, in nanoseconds.
    pub sent: u64,
    /// To where and when it came there; `None` if nobody received it.
    pub to: Option<(usize, u64)>,
    /// [`Kind::Message`], or [`Kind::Client`] for a question or an answer.
    pub kind: Kind,
    /// What it is.
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
    /// When it began, in nanoseconds.
    pub began: u64,
    /// When it ended; `None` if the run was over before that.
    pub ended: Option<u64>,
    /// The hosts it concerns.
    pub lanes: Vec<usize>,
    /// What it is.
    pub text: String,
}
