//! `POST /request`: a request and its outcome.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use quorate_core::coordinator::Refusal;
use quorate_core::outcome::Failure;
use tracing::{Instrument as _, debug, field, info_span};
use utoipa::IntoResponses;

use super::answers::{Answers, QUESTIONS, answers, draining, shown};
use super::api::Api;
use super::client_address::Peer;
use super::error::{ApiError, encoded};
use super::example;
use super::queries;
use super::question::{Question, RequestBody};
use super::trace::RequestTrace;
use crate::driver::AskError;
use crate::durable::{Earlier, StoredOutcome};
use crate::wire::{Numbers, OutcomeBody, encode_outcome};

/// The path that requests are sent to.
pub(super) const PATH: &str = "/request";
/// The longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The responses of `POST /request`.
struct AnsweringRequest;

impl IntoResponses for AnsweringRequest {
    fn responses() -> Answers {
        let outcome =
            serde_json::from_slice(&encode_outcome(&example::answered(), Numbers::Number)).expect("an outcome is JSON");
        let ok = shown::<OutcomeBody>("The answer, with its evidence.", outcome);
        let failed = |failure| ApiError::failed(failure, example::failed(failure));
        let refused = |refusal| ApiError::from(AskError::Refused(refusal));
        answers(
            ok,
            vec![
                (
                    ApiError::invalid("timeout_ms must be between 1 and 60000"),
                    "the body is not JSON, lacks `query`, or a field has a wrong type or range",
                ),
                (ApiError::too_slow(), "the body did not arrive within 10 s"),
                (
                    ApiError::unknown_query(&example::answered().query, &["BTC/EUR", "ETH/USD"]),
                    "no known worker offers the query",
                ),
                (refused(Refusal::Conflict), "the `id` is in use, or still remembered, for another query"),
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
                (failed(Failure::NoWorkers), "no worker is subscribed to tasks, or none that offers the query is live"),
                (
                    refused(Refusal::Overloaded),
                    "too many requests are in flight, or wait under one id, or the queue to NATS is full",
                ),
                (failed(Failure::BusDown), "NATS is not connected, or was lost before enough values had arrived"),
                draining(),
                (
                    ApiError::store_unavailable("ask again with the same id, or without an id"),
                    "the request has an `id`, and the store does not say whether that has an outcome",
                ),
                (failed(Failure::DeadlineExceeded), "the deadline passed without one usable value"),
            ],
        )
    }
}

/// Ask all workers, and get one answer with its evidence
///
/// The request ends as soon as every expected worker has answered, or a quorum has, or at its deadline. A caller that
/// sets `id` can retry safely: for 60 s, a retry joins the request in flight or receives its outcome. If the coordinator
/// has a store, a retry receives the outcome from any coordinator, as long as the store keeps it.
#[utoipa::path(post, path = "/request", tag = QUESTIONS, request_body = RequestBody, responses(AnsweringRequest))]
pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut trace = RequestTrace::begin(api.settings.tracer.as_ref(), request.headers());
    let answer = take(&api, peer, request, &mut trace).await;
    trace.answered(&answer);
    answer
}

async fn take(api: &Api, peer: Peer, request: Request, trace: &mut RequestTrace) -> Result<Response, ApiError> {
    let question = read(api, peer, request).await?;
    trace.asks(&question);
    // An id that the coordinator draws is only known with the outcome.
    let span = if let Some(id) = &question.id {
        info_span!("request", %id, query = %question.query)
    } else {
        info_span!("request", id = field::Empty, query = %question.query)
    };
    answer(api, question, trace).instrument(span).await
}

/// Reads a request, if its client's allowance permits one now.
pub(super) async fn read(api: &Api, peer: Peer, request: Request) -> Result<Question, ApiError> {
    let (Parts { headers, .. }, body) = request.into_parts();
    if let Some(limiter) = &api.limiter {
        limiter.check(api.client(peer, &headers)).map_err(ApiError::rate_limited)?;
    }
    Question::parse(&read_body(&headers, body).await?)
}

async fn answer(api: &Api, question: Question, trace: &mut RequestTrace) -> Result<Response, ApiError> {
    let Question { id, query, overrides, numbers } = question;
    let is_drawn = id.is_none();
    let followed = trace.is_recorded();
    let asked = query.clone();
    // Only an id of the caller's can have an outcome elsewhere. Without one, the store is not asked.
    let durable = api.durable.as_ref().filter(|_| !is_drawn);
    if let (Some(durable), Some(id)) = (durable, &id) {
        match durable.earlier(id, &query).await {
            Ok(Earlier::Nothing) => {}
            Ok(earlier) => return told_earlier(earlier, numbers),
            Err(error) => {
                debug!(%error, "not asked");
                return Err(ApiError::store_unavailable("ask again with the same id, or without an id"));
            }
        }
    }
    let (ended, trail) = api.coordinator.ask_within(trace.context(), followed, id, query, overrides).await;
    let told = match ended {
        Ok(told) => told,
        Err(AskError::Refused(Refusal::UnknownQuery)) => return Err(queries::unknown(api, &asked).await),
        Err(error) => {
            debug!(%error, "refused");
            return Err(error.into());
        }
    };
    let outcome = &told.outcome;
    trace.ended(outcome, trail);
    if is_drawn {
        tracing::Span::current().record("id", field::display(&outcome.request));
    }
    debug!(
        expected = outcome.expected(),
        succeeded = outcome.succeeded,
        elapsed_us = outcome.elapsed.as_micros(),
        answered = outcome.verdict.is_ok(),
        "ended"
    );
    // A request with its caller's id that ended so may be asked again.
    let is_passing = outcome.verdict.as_ref().err().is_some_and(|failure| failure.is_retryable());
    if let Some(durable) = durable.filter(|_| !is_passing) {
        match durable.settle(&told).await {
            Ok(Earlier::Nothing) => {}
            Ok(earlier) => return told_earlier(earlier, numbers),
            Err(error) => {
                debug!(%error, "the outcome may be stored or not");
                return Err(ApiError::store_unavailable(
                    "the outcome may be stored or not; ask again with the same id to receive the one that counts",
                ));
            }
        }
    } else if let Some(durable) = api.durable.as_ref().filter(|_| is_drawn) {
        durable.record(&told);
    }
    match outcome.verdict {
        Ok(_) => Ok(encoded(StatusCode::OK, told.with(numbers).body)),
        Err(failure) => Err(ApiError::failed(failure, told.with(numbers))),
    }
}

/// The answer under an id that already has an outcome, perhaps of another caller.
fn told_earlier(earlier: Earlier, numbers: Numbers) -> Result<Response, ApiError> {
    match earlier {
        Earlier::Same(stored) => Ok(stored_response(&stored, numbers)),
        Earlier::Nothing | Earlier::Other => Err(AskError::Refused(Refusal::Conflict).into()),
    }
}

/// The response that the first caller received.
fn stored_response(stored: &StoredOutcome, numbers: Numbers) -> Response {
    let mut response = encoded(stored.status, stored.body(numbers));
    if stored.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    if !is_json(headers) {
        return Err(ApiError::not_json());
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(ApiError::too_large(MAX_BODY_BYTES));
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::too_large(MAX_BODY_BYTES)),
        Ok(Err(_)) => Err(ApiError::invalid("the body broke off")),
        Err(_) => Err(ApiError::too_slow()),
    }
}

/// Whether the content type is JSON: `application/json`, or some `application/...+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}
