//! What each route answers: its success, and the errors that it can have.
//!
//! An error's status, word, headers and example come from an [`ApiError`] as the route makes it; only when it happens is
//! said here.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use quorate_core::coordinator::Refusal;
use quorate_core::outcome::Failure;
use serde_json::{Value as Json, json};
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::{ApiError, Health, OutcomeBody, Readiness, Register, example};
use crate::driver::{AskError, LookError};
use crate::http::request::MAX_BODY_BYTES;
use crate::metrics::CONTENT_TYPE as METRICS;
use crate::wire::encode_outcome;
use crate::wire::failure::{Asked, ErrorBody, ErrorWord};

const JSON: &str = "application/json";

/// What a route answers, by status.
type Answers = BTreeMap<String, RefOr<Response>>;
/// An error, and when it happens.
type Error = (ApiError, &'static str);

/// An error of a request that was asked: with the evidence.
pub(super) struct AskedError;

impl PartialSchema for AskedError {
    fn schema() -> RefOr<Schema> {
        let parts = AllOfBuilder::new().item(reference::<ErrorBody>()).item(reference::<Asked>());
        parts.description(Some("An error with what the workers said.")).into()
    }
}

impl ToSchema for AskedError {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Asked::name().into(), Asked::schema()));
        Asked::schemas(schemas);
    }
}

/// What `POST /request` answers.
pub(in crate::http) struct AnsweringRequest;
/// What `GET /health` answers.
pub(in crate::http) struct AnsweringHealth;
/// What `GET /ready` answers.
pub(in crate::http) struct AnsweringReady;
/// What `GET /workers` answers.
pub(in crate::http) struct AnsweringWorkers;
/// What `GET /events` answers.
pub(in crate::http) struct AnsweringEvents;
/// What `GET /metrics` answers.
pub(in crate::http) struct AnsweringMetrics;
/// What `GET /openapi.json` answers.
pub(super) struct AnsweringOpenapi;
/// What a page answers.
pub(in crate::http) struct AnsweringPage;

impl IntoResponses for AnsweringRequest {
    fn responses() -> Answers {
        let outcome = serde_json::from_slice(&encode_outcome(&example::answered())).expect("an outcome is JSON");
        let content = Content::builder().schema(Some(reference::<OutcomeBody>())).example(Some(outcome));
        let ok = Response::builder().description("The answer, with its evidence.").content(JSON, content.build());
        let failed = |failure| ApiError::failed(failure, example::failed(failure));
        let refused = |refusal| ApiError::from(AskError::Refused(refusal));
        answers(
            ok,
            vec![
                (
                    ApiError::invalid("timeout_ms must be between 1 and 60000"),
                    "the body is no JSON, lacks `query`, or a field has a wrong type or range",
                ),
                (ApiError::too_slow(), "the body did not arrive within 10 s"),
                (refused(Refusal::Conflict), "the `id` belongs, or lately belonged, to another query"),
                (
                    failed(Failure::Disputed { agreeing: 1, used: 2 }),
                    "the workers do not agree, and `on_dispute` is `reject`",
                ),
                (ApiError::too_large(MAX_BODY_BYTES), "the body is longer than 16 KiB"),
                (ApiError::not_json(), "the body is not declared as `application/json`"),
                (
                    failed(Failure::InsufficientResponses { usable: 2, required: 3 }),
                    "fewer usable values than `min_responses`",
                ),
                (ApiError::rate_limited(Duration::from_millis(100)), "too many requests from this address"),
                (failed(Failure::NoWorkers), "nobody listens for tasks"),
                (
                    refused(Refusal::Overloaded),
                    "too many requests are in flight, or wait under one id, or the queue to NATS is full",
                ),
                (failed(Failure::BusDown), "NATS is not connected, or was lost and what came was not enough"),
                draining(),
                (failed(Failure::DeadlineExceeded), "the deadline passed without one usable value"),
            ],
        )
    }
}

impl IntoResponses for AnsweringHealth {
    fn responses() -> Answers {
        let example = json!({"status": "healthy", "port": 8080, "nats": true});
        answers(shown::<Health>("It is alive.", example), vec![stuck(), draining()])
    }
}

impl IntoResponses for AnsweringReady {
    fn responses() -> Answers {
        let not_ready = ApiError::not_ready;
        let no_workers = not_ready(ErrorWord::NoWorkers, "no worker is known yet");
        let bus_down = not_ready(ErrorWord::BusDown, "the bus is disconnected; it is being reconnected");
        answers(
            shown::<Readiness>("It can serve.", json!({"ready": true, "workers": 3, "in_flight": 0})),
            vec![(no_workers, "no live worker is known"), (bus_down, "NATS is not connected"), stuck(), draining()],
        )
    }
}

impl IntoResponses for AnsweringWorkers {
    fn responses() -> Answers {
        let worker = json!({
            "worker_id": "kraken", "state": "live", "announced": true, "replicated": false, "score": 0.9375,
            "cordoned": false, "successes": 412, "failures": 3, "timeouts": 1, "late": 1, "outliers": 0,
            "equivocations": 0, "last_heard_ms": 812,
            "response_time": {"p50": 182_000_311, "p90": 260_114_200, "p99": 611_900_045},
        });
        let counters = json!({"requests_accepted": 417, "results_accepted": 418, "results_late": 1});
        let example = json!({"workers": [worker], "in_flight": 0, "counters": counters});
        answers(shown::<Register>("Who is there.", example), vec![reads_limited(), stuck(), draining()])
    }
}

impl IntoResponses for AnsweringEvents {
    fn responses() -> Answers {
        let events = text("retry: 1000\n\nid: 5d1f0c3a-17\nevent: missed\ndata: {\"count\":12}\n\n");
        answers(
            Response::builder().description("The events.").content("text/event-stream", events),
            vec![
                (ApiError::invalid("recent must be a whole number"), "a parameter cannot be read"),
                reads_limited(),
                (ApiError::too_many_of_client(32), "this address reads events too many times at once"),
                (ApiError::too_many_subscribers(256), "too many clients read events"),
                draining(),
            ],
        )
    }
}

impl IntoResponses for AnsweringMetrics {
    fn responses() -> Answers {
        let metrics = text("# TYPE quorate_requests_in_flight gauge\nquorate_requests_in_flight 0\n");
        answers(
            Response::builder().description("In Prometheus' text format.").content(METRICS, metrics),
            vec![reads_limited(), stuck(), draining()],
        )
    }
}

impl IntoResponses for AnsweringOpenapi {
    fn responses() -> Answers {
        let document = Content::new(Some(ObjectBuilder::new().schema_type(Type::Object)));
        file(Response::builder().description("An OpenAPI document.").content(JSON, document))
    }
}

impl IntoResponses for AnsweringPage {
    fn responses() -> Answers {
        let page = Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
        file(Response::builder().description("The page.").content("text/html; charset=utf-8", page))
    }
}

fn reads_limited() -> Error {
    (ApiError::reads_limited(Duration::from_millis(10)), "too many requests from this address")
}

fn stuck() -> Error {
    (LookError::Stuck.into(), "the coordinator is stuck")
}

fn draining() -> Error {
    (AskError::Stopped.into(), "the coordinator is about to stop")
}

/// Success with a body of `T`.
fn shown<T: ToSchema>(description: &str, example: Json) -> ResponseBuilder {
    let content = Content::builder().schema(Some(reference::<T>())).example(Some(example));
    Response::builder().description(description).content(JSON, content.build())
}

fn text(example: &str) -> Content {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    Content::builder().schema(Some(schema)).example(Some(example.into())).build()
}

/// A file is not sent to a client that has it.
fn file(ok: ResponseBuilder) -> Answers {
    let tag = Header::builder().schema(Some(String::schema())).description(Some("Names this version."));
    let mut answers = answers(ok.header("ETag", tag.build()), vec![reads_limited()]);
    let unchanged = Response::new("The client has this version: its `If-None-Match` names it.");
    answers.insert(StatusCode::NOT_MODIFIED.as_str().to_owned(), unchanged.into());
    answers
}

fn answers(ok: ResponseBuilder, errors: Vec<Error>) -> Answers {
    let mut by_status = BTreeMap::<StatusCode, Vec<Error>>::new();
    for error in errors {
        by_status.entry(error.0.status()).or_default().push(error);
    }
    let errors = by_status.into_iter().map(|(status, errors)| (status, refusal(&errors)));
    [(StatusCode::OK, ok.build())]
        .into_iter()
        .chain(errors)
        .map(|(status, response)| (status.as_str().to_owned(), response.into()))
        .collect()
}

/// The answer of one status, which may have several errors.
fn refusal(errors: &[Error]) -> Response {
    let descriptions = errors.iter().map(|(error, when)| format!("`{}`: {when}.", error.word()));
    let examples = errors.iter().map(|(error, _)| {
        let body: Json = serde_json::from_slice(&error.body()).expect("an error is JSON");
        (error.word().to_string(), utoipa::openapi::example::Example::builder().value(Some(body)).build())
    });
    let schema: RefOr<Schema> = match errors.iter().filter(|(error, _)| error.has_evidence()).count() {
        0 => reference::<ErrorBody>().into(),
        with_evidence if with_evidence == errors.len() => reference::<AskedError>().into(),
        _ => AnyOfBuilder::new().item(reference::<AskedError>()).item(reference::<ErrorBody>()).into(),
    };
    let content = Content::builder().schema(Some(schema)).examples_from_iter(examples).build();
    let response = Response::builder().description(descriptions.collect::<Vec<_>>().join(" ")).content(JSON, content);
    if errors.iter().any(|(error, _)| error.says_when_to_retry()) {
        return response.header("Retry-After", retry_after()).build();
    }
    response.build()
}

fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(utoipa::Number::Int(1)));
    let header = HeaderBuilder::new().schema(Some(seconds));
    header.description(Some("After how many seconds asking again may help; not while the coordinator drains.")).build()
}

fn reference<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}
