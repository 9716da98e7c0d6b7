//! One piece of work in a trace.

use std::fmt;
use std::time::SystemTime;

use crate::wire::{SpanId, TraceContext};

/// A piece of work that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What was done.
    pub name: &'static str,
    /// On whose behalf.
    pub kind: SpanKind,
    /// The trace, and the span's own id.
    pub context: TraceContext,
    /// The span it was part of, in another process; `None` if the trace begins here.
    pub parent: Option<SpanId>,
    /// When it began.
    pub start: SystemTime,
    /// When it was done.
    pub end: SystemTime,
    /// What is known of it, by name.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// What happened meanwhile, in order.
    pub events: Vec<SpanEvent>,
    /// How many further events are not told.
    pub events_dropped: u32,
    /// Why it failed; `None` if it did not.
    pub error: Option<String>,
}

/// On whose behalf a piece of work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Of a client that waits for the answer.
    Server,
    /// Of whoever published a message.
    Consumer,
}

/// Something at one moment within a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanEvent {
    /// What happened.
    pub name: &'static str,
    /// When.
    pub at: SystemTime,
    /// What is known of it, by name.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// What is known of a span or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Whether something is so.
    Flag(bool),
    /// Some texts.
    Texts(Vec<String>),
}

impl Attribute {
    /// A text.
    pub(crate) fn text(text: impl fmt::Display) -> Self {
        Self::Text(text.to_string())
    }

    /// A number; the largest there is in place of a larger one.
    pub(crate) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}

/// Takes finished spans.
pub trait SpanSink: fmt::Debug + Send + Sync + 'static {
    /// Takes one. Called on the path of requests: it must not block, and loses the span rather than keep it for long.
    fn take(&self, span: Span);
}
