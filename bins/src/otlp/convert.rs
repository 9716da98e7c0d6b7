//! Converts spans to those of OpenTelemetry.

use std::borrow::Cow;

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use quorate_runtime::spans::{self, Attribute, Span, SpanEvent};

/// A span for the exporter. Recorded spans are always sampled, and a parent is always in another process.
pub(super) fn span_data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let Span { name, kind, context, parent, start, end, attributes, events, events_dropped, error } = span;
    let (trace, id) = (TraceId::from_bytes(context.trace.bytes()), SpanId::from_bytes(context.span.bytes()));
    let mut told = SpanEvents::default();
    told.events = events.into_iter().map(event).collect();
    told.dropped_count = events_dropped;
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
        parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.bytes())),
        parent_span_is_remote: parent.is_some(),
        span_kind: match kind {
            spans::SpanKind::Server => SpanKind::Server,
            spans::SpanKind::Consumer => SpanKind::Consumer,
        },
        name: Cow::Borrowed(name),
        start_time: start,
        end_time: end,
        attributes: attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: told,
        links: SpanLinks::default(),
        status: error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn event(event: SpanEvent) -> Event {
    let SpanEvent { name, at, attributes } = event;
    Event::new(name, at, attributes.into_iter().map(attribute).collect(), 0)
}

fn attribute((name, value): (&'static str, Attribute)) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::from(text),
        Attribute::Number(number) => Value::from(number),
        Attribute::Flag(flag) => Value::from(flag),
        Attribute::Texts(texts) => Value::Array(Array::String(texts.into_iter().map(StringValue::from).collect())),
    };
    KeyValue::new(name, value)
}
