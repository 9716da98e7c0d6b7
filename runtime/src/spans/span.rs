//! A span: one piece of work in a trace.

use std::fmt;
use std::time::SystemTime;

use crate::wire::{SpanId, TraceContext};

/// A finished piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What was done.
    pub name: &'static str,
    /// For whom it was done.
    pub kind: SpanKind,
    /// The trace, and the span's own id.
    pub context: TraceContext,
    /// The parent span, in another process; `None` if the trace begins here.
    pub parent: Option<SpanId>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// Its attributes, by name.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The events within it, in order.
    pub events: Vec<SpanEvent>,
    /// The number of further events, which are not recorded.
    pub events_dropped: u32,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
}

/// For whom a piece of work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// For a client that waits for the response.
    Server,
    /// For the publisher of a message.
    Consumer,
}

/// An event within a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanEvent {
    /// What happened.
    pub name: &'static str,
    /// When it happened.
    pub at: SystemTime,
    /// Its attributes, by name.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

impl Attribute {
    /// A text.
    pub(crate) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// A number. One that is too large becomes the largest.
    pub(crate) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

/// Receives finished spans.
pub trait SpanSink: fmt::Debug + Send + Sync + 'static {
    /// Receives one span, on the path of requests: it must not block, and drops the span rather than wait.
    fn take(&self, span: Span);
}
