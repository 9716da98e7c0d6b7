//! Spans: how long a request and its tasks took, for a collector of traces.
//!
//! This crate makes them and does not know how they are exported: finished ones go to a [`SpanSink`]. Without a
//! [`Tracer`] nothing is recorded and no random number is drawn; trace contexts are passed on unchanged.

mod span;
mod tracer;

pub use span::{Attribute, Span, SpanEvent, SpanKind, SpanSink};
pub(crate) use tracer::OpenSpan;
pub use tracer::Tracer;
