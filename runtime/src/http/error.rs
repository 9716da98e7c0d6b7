//! What goes wrong, as a client sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use quorate_core::coordinator::Refusal;
use quorate_core::outcome::{Failure, Outcome};
use serde::Serialize;

use crate::driver::AskError;
use crate::wire::encode;
use crate::wire::failure::{self, Asked, ErrorBody};

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

impl ApiError {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn word(&self) -> &'static str {
        self.error
    }

    pub(super) fn details(&self) -> &str {
        &self.details
    }

    fn new(status: StatusCode, error: &'static str, details: impl Into<String>) -> Self {
        Self { status, error, details: details.into(), retry_after: None, evidence: None, close: false }
    }

    fn unavailable(error: &'static str, details: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, details).and_retry()
    }

    /// The same error, which asking again in a moment may help.
    fn and_retry(self) -> Self {
        Self { retry_after: Some(Duration::from_secs(1)), ..self }
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

    pub(super) fn too_many_subscribers(max_subscribers: usize) -> Self {
        Self::unavailable("overloaded", format!("{max_subscribers} clients read events already: ask again"))
    }

    pub(super) fn not_ready(error: &'static str, details: &str) -> Self {
        Self::unavailable(error, details)
    }

    /// The error that a request which was asked ended with.
    pub(super) fn failed(failure: Failure, outcome: Arc<Outcome>) -> Self {
        let (error, code) = failure::name_and_code(failure);
        let status = StatusCode::from_u16(code).expect("the status of a failure is one of HTTP's");
        let error = Self::new(status, error, failure::details(failure, &outcome));
        let error = Self { evidence: Some(outcome), ..error };
        if status == StatusCode::SERVICE_UNAVAILABLE { error.and_retry() } else { error }
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
            asked: self.evidence.as_deref().map(Asked::of),
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

/// A JSON answer.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], encode(body)).into_response()
}

pub(super) async fn not_found(uri: http::Uri) -> ApiError {
    let details = format!("there is no {:.100}; ask POST /request", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "not_found", details)
}

pub(super) async fn method_not_allowed(method: http::Method, uri: http::Uri) -> ApiError {
    let details = format!("{:.100} does not take {method}; see the Allow header", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", details)
}
