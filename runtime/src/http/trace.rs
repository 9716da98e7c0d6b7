//! The span of one request, from its head to its response, with the workers' results as events.

use axum::response::Response;
use http::HeaderMap;
use quorate_core::coordinator::ResultFate;
use quorate_core::outcome::Outcome;

use super::error::ApiError;
use super::question::Question;
use crate::driver::{Trail, TrailStep};
use crate::spans::{Attribute, OpenSpan, SpanKind, Tracer};
use crate::wire::{self, TraceContext};

/// The trace context of a request, and its span if it is recorded.
pub(super) struct RequestTrace {
    context: Option<TraceContext>,
    span: Option<OpenSpan>,
}

impl RequestTrace {
    /// Begins with the head of a request.
    pub(super) fn begin(tracer: Option<&Tracer>, headers: &HeaderMap) -> Self {
        let caller = TraceContext::of_http(headers);
        let span = tracer.and_then(|tracer| tracer.begin("POST /request", SpanKind::Server, caller));
        // If the request is not recorded here, its context is passed on unchanged: others may record it.
        let context = span.as_ref().map(OpenSpan::context).or(caller);
        Self { context, span }
    }

    /// The context for the request's tasks.
    pub(super) fn context(&self) -> Option<TraceContext> {
        self.context
    }

    /// Whether the request is recorded, so that its trail is needed.
    pub(super) fn is_recorded(&self) -> bool {
        self.span.is_some()
    }

    /// Notes the query, once the request has been read.
    pub(super) fn asks(&mut self, question: &Question) {
        if let Some(span) = &mut self.span {
            span.set("quorate.query", Attribute::text(&question.query));
        }
    }

    /// Notes the outcome, which may be that of a request that the caller joined or retried.
    pub(super) fn ended(&mut self, outcome: &Outcome, trail: Trail) {
        let Some(span) = &mut self.span else { return };
        span.set("quorate.request.id", Attribute::text(&outcome.request));
        span.set("quorate.status", Attribute::text(wire::verdict_name(outcome)));
        span.set("quorate.expected", Attribute::number(outcome.expected()));
        span.set("quorate.succeeded", Attribute::number(outcome.succeeded));
        if !outcome.missing.is_empty() {
            let missing = outcome.missing.iter().map(ToString::to_string).collect();
            span.set("quorate.missing", Attribute::Texts(missing));
        }
        if trail.steps.is_empty() {
            span.set("quorate.joined", Attribute::Flag(true));
        }
        tell(span, outcome, trail);
    }

    /// Notes the response, and ends the span.
    pub(super) fn answered(mut self, answer: &Result<Response, ApiError>) {
        let Some(mut span) = self.span.take() else { return };
        let status = match answer {
            Ok(response) => response.status(),
            Err(error) => {
                span.set("error.type", Attribute::text(error.word()));
                error.status()
            }
        };
        span.set("http.response.status_code", Attribute::number(status.as_u16()));
        if status.is_server_error() {
            span.fail(answer.as_ref().err().map(ApiError::details).unwrap_or_default());
        }
        end(span);
    }
}

impl Drop for RequestTrace {
    /// A caller that goes away receives no response, but its request is recorded all the same.
    fn drop(&mut self) {
        if let Some(mut span) = self.span.take() {
            span.fail("the caller went away");
            end(span);
        }
    }
}

fn end(mut span: OpenSpan) {
    span.set("http.request.method", Attribute::text("POST"));
    span.set("http.route", Attribute::text("/request"));
    span.end();
}

/// Adds each step as an event. For an accepted result, it also says whether the value was used.
fn tell(span: &mut OpenSpan, outcome: &Outcome, trail: Trail) {
    for (at, step) in trail.steps {
        match step {
            TrailStep::Dispatched(attempt) => {
                span.event("asked", at, vec![("quorate.attempt", Attribute::number(attempt))]);
            }
            TrailStep::Result { worker, fate } => {
                let observation = outcome.observation(&worker).filter(|_| fate == ResultFate::Accepted);
                let name = observation.map_or(fate.name(), wire::fate_name);
                let mut attributes =
                    vec![("quorate.worker.id", Attribute::text(&worker)), ("quorate.fate", Attribute::text(name))];
                let failure = observation.and_then(|observation| observation.observed.as_ref().err());
                attributes.extend(failure.map(|failure| ("quorate.failure", Attribute::text(failure))));
                span.event("result", at, attributes);
            }
        }
    }
    span.drop_events(trail.dropped);
}
