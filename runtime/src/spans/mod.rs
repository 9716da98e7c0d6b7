//! Spans: what a request and its tasks took, for whoever collects traces.
//!
//! This crate makes them and knows nothing of how they are exported: finished ones go to a [`SpanSink`]. Without a
//! [`Tracer`] nothing is recorded and nothing drawn at random; trace contexts are passed on as they come.

mod span;
mod tracer;

pub use span::{Attribute, Span, SpanEvent, SpanKind, SpanSink};
pub(crate) use tracer::OpenSpan;
pub use tracer::Tracer;
