//! `POST /request`: a question and its answer.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use quorate_core::aggregate::Strategy;
use quorate_core::id::RequestId;
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::query::Query;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::{Instrument as _, debug, field, info_span};

use super::client_address::client_address;
use super::error::{ApiError, json};
use super::trace::RequestTrace;
use super::{Api, Peer};
use crate::policies::fields;
use crate::wire::OutcomeBody;

/// The longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// How deep a body may be nested: the depth at which serde_json gives up.
const MAX_DEPTH: usize = 128;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body of a request. Fields that are not known are ignored.
#[derive(Debug, Deserialize)]
pub struct RequestBody<'a> {
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    strategy: Option<Cow<'a, str>>,
    #[serde(default)]
    precision: Option<u32>,
    #[serde(borrow, default)]
    trim_share: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_deviation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tolerance: Option<&'a RawValue>,
    #[serde(borrow, default)]
    min_agreement: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_age_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    on_dispute: Option<Cow<'a, str>>,
    #[serde(default)]
    min_responses: Option<u32>,
    #[serde(default)]
    quorum: Option<u32>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// A request as the coordinator takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The caller's name for the request.
    pub id: Option<RequestId>,
    /// What is asked.
    pub query: Query,
    /// The request's own policy, which the coordinator holds to its limits.
    pub overrides: Overrides,
}

impl Question {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`ApiError`], which says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Err(ApiError::invalid(r#"the body is empty; send JSON such as {"query": "BTC/USD"}"#));
        }
        let not_a_request = |error: serde_json::Error| ApiError::invalid(format!("the body is not a request: {error}"));
        let request: RequestBody = serde_json::from_slice(body).map_err(not_a_request)?;
        // Fields that are ignored are skipped at any depth; reading them as values holds them to a depth, too.
        if body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_DEPTH {
            serde_json::from_slice::<serde_json::Value>(body).map_err(not_a_request)?;
        }
        request.question()
    }
}

impl RequestBody<'_> {
    fn question(&self) -> Result<Question, ApiError> {
        let strategy = self.strategy.as_deref().map(str::parse::<Strategy>).transpose().map_err(invalid)?;
        let on_dispute = self.on_dispute.as_deref().map(str::parse::<OnDispute>).transpose().map_err(invalid)?;
        let id = self.id.as_deref().map(RequestId::new).transpose();
        Ok(Question {
            id: id.map_err(|error| ApiError::invalid(format!("id {error}")))?,
            query: Query::new(&self.query).map_err(invalid)?,
            overrides: Overrides {
                strategy,
                precision: self.precision,
                trim_share: scalar(self.trim_share, fields::trim_share)?,
                max_deviation: scalar(self.max_deviation, fields::max_deviation)?,
                tolerance: scalar(self.tolerance, fields::tolerance)?,
                min_agreement: scalar(self.min_agreement, fields::min_agreement)?,
                max_age: self.max_age_ms.map(millis).transpose()?,
                on_dispute,
                min_responses: self.min_responses,
                quorum: self.quorum,
                timeout: self.timeout_ms.map(Duration::from_millis),
            },
        })
    }
}

fn invalid(error: impl Display) -> ApiError {
    ApiError::invalid(error.to_string())
}

/// The content of a string, or the digits of a number; anything else as it is written.
fn content(json: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(json.get()).map_or(Cow::Borrowed(json.get()), Cow::Owned)
}

/// Reads a field that is a number or a string.
fn scalar<T>(field: Option<&RawValue>, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, ApiError> {
    field.map(|json| read(&content(json))).transpose().map_err(ApiError::invalid)
}

fn millis(json: &RawValue) -> Result<Duration, ApiError> {
    let millis = json.get().parse().map(Duration::from_millis);
    millis.map_err(|_| ApiError::invalid("max_age_ms must be a whole number of milliseconds, 0 or more"))
}

pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut trace = RequestTrace::begin(api.settings.tracer.as_ref(), request.headers());
    let answer = take(&api, peer, request, &mut trace).await;
    trace.answered(&answer);
    answer
}

async fn take(api: &Api, peer: SocketAddr, request: Request, trace: &mut RequestTrace) -> Result<Response, ApiError> {
    let (Parts { headers, .. }, body) = request.into_parts();
    if let Some(limiter) = &api.limiter {
        let client = client_address(peer.ip(), &headers, &api.settings.trusted_proxies);
        limiter.check(client).map_err(ApiError::rate_limited)?;
    }
    let body = read_body(&headers, body).await?;
    let question = Question::parse(&body)?;
    trace.asks(&question);
    // An id that the coordinator draws is known with the answer.
    let span = if let Some(id) = &question.id {
        info_span!("request", %id, query = %question.query)
    } else {
        info_span!("request", id = field::Empty, query = %question.query)
    };
    answer(api, question, trace).instrument(span).await
}

async fn answer(api: &Api, question: Question, trace: &mut RequestTrace) -> Result<Response, ApiError> {
    let Question { id, query, overrides } = question;
    let is_drawn = id.is_none();
    let followed = trace.is_recorded();
    let (ended, trail) = api.coordinator.ask_within(trace.context(), followed, id, query, overrides).await;
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(error) => {
            debug!(%error, "refused");
            return Err(error.into());
        }
    };
    trace.ended(&outcome, trail);
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
    match &outcome.verdict {
        Ok(answer) => Ok(json(StatusCode::OK, &OutcomeBody::of(&outcome, answer))),
        Err(failure) => Err(ApiError::failed(*failure, Arc::clone(&outcome))),
    }
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
