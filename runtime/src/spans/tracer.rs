//! Begins spans: decides which traces are recorded, and draws their ids.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use quorate_core::aggregate::Millionths;
use quorate_core::time::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::span::{Attribute, Span, SpanEvent, SpanKind, SpanSink};
use crate::clock::Clock;
use crate::wire::{SpanId, TraceContext, TraceId};

/// Records spans. Clones share one sink and one sequence of random numbers.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sink: Box<dyn SpanSink>,
    clock: Clock,
    /// The share of the traces begun here that is recorded.
    sample: Millionths,
    ids: Mutex<ChaCha8Rng>,
}

impl Tracer {
    /// Hands spans to `sink`. Of the traces that begin here, the share `sample` is recorded. A trace from outside is
    /// recorded if its caller sampled it. `seed` determines the ids, and no other process may have it.
    pub fn new(sink: impl SpanSink, clock: Clock, sample: Millionths, seed: [u8; 32]) -> Self {
        let ids = Mutex::new(ChaCha8Rng::from_seed(seed));
        Self(Arc::new(Shared { sink: Box::new(sink), clock, sample, ids }))
    }

    /// The clock that times its spans.
    pub(crate) fn clock(&self) -> Clock {
        self.0.clock
    }

    /// Begins a span in the caller's trace, or else in a new one. `None` if the trace is not recorded.
    pub(crate) fn begin(&self, name: &'static str, kind: SpanKind, caller: Option<TraceContext>) -> Option<OpenSpan> {
        if let Some(caller) = caller {
            return self.begin_within(name, kind, caller);
        }
        let (trace, span) = self.draw_trace()?;
        Some(self.open(name, kind, TraceContext::new(trace, span, true), None))
    }

    /// Begins a span as a child of `caller`. `None` if its trace is not recorded.
    pub(crate) fn begin_within(&self, name: &'static str, kind: SpanKind, caller: TraceContext) -> Option<OpenSpan> {
        let own = || caller.with_span(self.draw_span());
        caller.is_sampled().then(|| self.open(name, kind, own(), Some(caller.span)))
    }

    fn open(&self, name: &'static str, kind: SpanKind, context: TraceContext, parent: Option<SpanId>) -> OpenSpan {
        let start = self.0.clock.wall();
        let (attributes, events) = (Vec::new(), Vec::new());
        let span =
            Span { name, kind, context, parent, start, end: start, attributes, events, events_dropped: 0, error: None };
        OpenSpan { span: Box::new(span), began: self.0.clock.now(), tracer: self.clone() }
    }

    /// The ids of a new trace and its first span; `None` if the trace is not recorded.
    fn draw_trace(&self) -> Option<(TraceId, SpanId)> {
        let mut ids = self.0.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.next_u64() % Millionths::ONE.get() >= self.0.sample.get() {
            return None;
        }
        let trace = draw(|| {
            let mut bytes = [0; 16];
            ids.fill_bytes(&mut bytes);
            TraceId::new(bytes)
        });
        Some((trace, draw(|| SpanId::new(ids.next_u64().to_be_bytes()))))
    }

    fn draw_span(&self) -> SpanId {
        let mut ids = self.0.ids.lock().unwrap_or_else(PoisonError::into_inner);
        draw(|| SpanId::new(ids.next_u64().to_be_bytes()))
    }
}

/// Draws until the id is not all zero, which would be invalid.
fn draw<T>(draw: impl FnMut() -> Option<T>) -> T {
    std::iter::repeat_with(draw).flatten().next().expect("some number is not zero")
}

/// Work in progress. It is not recorded if it is dropped before it has ended.
pub(crate) struct OpenSpan {
    /// Boxed, because it is moved with the work.
    span: Box<Span>,
    began: Timestamp,
    tracer: Tracer,
}

impl OpenSpan {
    /// The trace context of this span, for what the work asks of others.
    pub(crate) fn context(&self) -> TraceContext {
        self.span.context
    }

    pub(crate) fn set(&mut self, name: &'static str, value: Attribute) {
        self.span.attributes.push((name, value));
    }

    /// Adds an event that happened at `at`, by the tracer's clock.
    pub(crate) fn event(&mut self, name: &'static str, at: Timestamp, attributes: Vec<(&'static str, Attribute)>) {
        let at = self.time(at);
        self.span.events.push(SpanEvent { name, at, attributes });
    }

    /// Notes that this many further events are not recorded.
    pub(crate) fn drop_events(&mut self, count: u32) {
        self.span.events_dropped += count;
    }

    pub(crate) fn fail(&mut self, error: impl Into<String>) {
        self.span.error = Some(error.into());
    }

    /// Ends the span now, and records it.
    pub(crate) fn end(mut self) {
        self.span.end = self.time(self.tracer.0.clock.now());
        self.tracer.0.sink.take(*self.span);
    }

    /// The time of day, counted from the beginning of the span: the clock may have been set meanwhile.
    fn time(&self, at: Timestamp) -> SystemTime {
        self.span.start + at.since(self.began)
    }
}

impl fmt::Debug for OpenSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenSpan").field(&self.span).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Keeps the spans that it receives.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<Span>>>);

    impl SpanSink for Kept {
        fn take(&self, span: Span) {
            self.0.lock().expect("the lock is not poisoned").push(span);
        }
    }

    impl Kept {
        fn all(&self) -> Vec<Span> {
            self.0.lock().expect("the lock is not poisoned").clone()
        }
    }

    fn tracer(sample: u64) -> (Tracer, Kept) {
        let kept = Kept::default();
        let clock = Clock::starting_at(Timestamp::from_millis(1_000));
        (Tracer::new(kept.clone(), clock, Millionths::new(sample), [7; 32]), kept)
    }

    fn caller(flags: &str) -> TraceContext {
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}").parse().expect("a context")
    }

    #[tokio::test(start_paused = true)]
    async fn a_span_is_a_child_of_its_callers_and_has_its_times() {
        let (tracer, kept) = tracer(1_000_000);
        let mut span = tracer.begin("work", SpanKind::Server, Some(caller("03"))).expect("it is recorded");
        span.set("n", Attribute::number(u64::MAX));
        span.event("something", Timestamp::from_millis(1_200), Vec::new());
        let context = span.context();
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(kept.all(), [], "nothing is recorded before it has ended");
        span.end();
        let [span] = kept.all().try_into().expect("one span");
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!((span.start, span.events[0].at, span.end), (at(1_000), at(1_200), at(1_300)));
        assert_eq!((span.context, span.parent), (context, Some(caller("03").span)));
        assert_eq!((context.trace, context.to_string().ends_with("-03")), (caller("03").trace, true));
        assert_eq!(span.attributes, [("n", Attribute::Number(i64::MAX))]);
        assert_ne!(context.span, caller("03").span);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trace_that_its_caller_does_not_record_is_not_recorded() {
        let (tracer, _) = tracer(1_000_000);
        assert!(tracer.begin("work", SpanKind::Server, Some(caller("02"))).is_none());
        assert!(tracer.begin_within("work", SpanKind::Consumer, caller("00")).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_given_share_of_new_traces_is_recorded_under_unique_ids() {
        for (sample, expected) in [(0, 0..=0), (100_000, 800..=1_200), (1_000_000, 10_000..=10_000)] {
            let (tracer, _) = tracer(sample);
            let begun = (0..10_000).filter_map(|_| tracer.begin("work", SpanKind::Server, None));
            let contexts: Vec<_> = begun.map(|span| span.context()).collect();
            assert!(expected.contains(&contexts.len()), "{sample}: {}", contexts.len());
            assert!(contexts.iter().all(|context| context.is_sampled()));
            let mut ids: Vec<_> =
                contexts.iter().map(|context| (context.trace.bytes(), context.span.bytes())).collect();
            ids.sort_unstable();
            ids.dedup_by(|one, other| one.0 == other.0 || one.1 == other.1);
            assert_eq!(ids.len(), contexts.len());
        }
    }
}
