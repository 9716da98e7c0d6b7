//! What goes wrong, as a client sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use quorate_core::coordinator::Refusal;
use quorate_core::outcome::{Failure, Outcome};
use serde::Serialize;

use super::outcome::{Evidence, agreement};
use crate::driver::AskError;
use crate::wire::JsonNumber;

/// Room for the answer of a few workers, so that writing it moves nothing.
const TYPICAL_BODY_BYTES: usize = 1024;

/// An error answer.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    /// A stable word for programs.
    error: &'static str,
    /// What to do, for people.
    details: String,
    /// When asking again may help.
    retry_after: Option<Duration>,
    /// What the workers said, if they were asked.
    evidence: Option<Arc<Outcome>>,
    /// Whether the rest of the request was not read, so that the connection can't be used again.
    close: bool,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'static str,
    code: u16,
    details: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<JsonNumber>,
    #[serde(flatten)]
    evidence: Option<Evidence<'a>>,
}

impl ApiError {
    fn new(status: StatusCode, error: &'static str, details: impl Into<String>) -> Self {
        Self { status, error, details: details.into(), retry_after: None, evidence: None, close: false }
    }

    fn unavailable(error: &'static str, details: impl Into<String>) -> Self {
        let mut unavailable = Self::new(StatusCode::SERVICE_UNAVAILABLE, error, details);
        unavailable.retry_after = Some(Duration::from_secs(1));
        unavailable
    }

    pub(super) fn invalid(details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", details)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let details = format!("the body must be at most {limit} bytes long");
        Self { close: true, ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", details) }
    }

    pub(super) fn too_slow() -> Self {
        let details = "the body did not arrive in time";
        Self { close: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", details) }
    }

    pub(super) fn not_json() -> Self {
        Self {
            close: true,
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send JSON with the header Content-Type: application/json",
            )
        }
    }

    pub(super) fn rate_limited(wait: Duration) -> Self {
        Self {
            retry_after: Some(wait),
            close: true,
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                format!("too many requests from your address; wait {} ms", wait.as_millis().max(1)),
            )
        }
    }

    pub(super) fn not_ready(error: &'static str, details: &str) -> Self {
        Self::unavailable(error, details)
    }

    /// The error that a request which was asked ended with.
    pub(super) fn failed(failure: Failure, outcome: Arc<Outcome>) -> Self {
        let details = match failure {
            Failure::InsufficientResponses { .. } => format!("{failure}: {}", outcome.reliability_note()),
            Failure::DeadlineExceeded => format!("{failure}: ask again with a larger timeout_ms, or see GET /workers"),
            Failure::NoWorkers => format!("{failure}: start a worker, or check that it reaches the same bus"),
            Failure::Disputed { .. } => format!("{failure}: see worker_responses, or ask with on_dispute = answer"),
            Failure::BusDown | Failure::Overloaded => format!("{failure}: ask again"),
        };
        let error = match failure {
            Failure::InsufficientResponses { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "insufficient_responses", details)
            }
            Failure::Disputed { .. } => Self::new(StatusCode::CONFLICT, "disputed", details),
            Failure::DeadlineExceeded => Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded", details),
            Failure::NoWorkers => Self::unavailable("no_workers", details),
            Failure::BusDown => Self::unavailable("bus_down", details),
            Failure::Overloaded => Self::unavailable("overloaded", details),
        };
        Self { evidence: Some(outcome), ..error }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(Refusal::Policy(why)) => Self::invalid(why.to_string()),
            AskError::Refused(Refusal::Conflict) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "the id was already used for another query; choose another id",
            ),
            AskError::Refused(refusal @ Refusal::Overloaded) => {
                Self::unavailable("overloaded", format!("{refusal}: ask again"))
            }
            AskError::Busy => Self::unavailable("overloaded", format!("{error}: ask again")),
            AskError::Refused(refusal @ Refusal::BusDown) => {
                Self::unavailable("bus_down", format!("{refusal}: ask again"))
            }
            AskError::Refused(Refusal::Draining) | AskError::Stopped => Self {
                retry_after: None,
                ..Self::unavailable("draining", "the coordinator is stopping; ask another one")
            },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.error,
            code: self.status.as_u16(),
            details: &self.details,
            agreement: self.evidence.as_deref().and_then(disputed_agreement),
            evidence: self.evidence.as_deref().map(Evidence::of),
        };
        let mut response = json(self.status, &body);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// How far the workers agreed, if that is why there is no answer.
fn disputed_agreement(outcome: &Outcome) -> Option<JsonNumber> {
    match outcome.verdict {
        Err(Failure::Disputed { agreeing, used }) => Some(agreement(agreeing, used)),
        _ => None,
    }
}

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(TYPICAL_BODY_BYTES);
    serde_json::to_writer(&mut bytes, body).expect("answers are serializable");
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

pub(super) async fn not_found(uri: http::Uri) -> ApiError {
    let details = format!("there is no {:.100}; ask POST /request", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "not_found", details)
}

pub(super) async fn method_not_allowed(method: http::Method, uri: http::Uri) -> ApiError {
    let details = format!("{:.100} does not take {method}; see the Allow header", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", details)
}
