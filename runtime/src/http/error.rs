//! Errors, as a client sees them.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use quorate_core::coordinator::{Refusal, Staffing};
use quorate_core::durable::Rejection;
use quorate_core::feed::FeedName;
use quorate_core::outcome::Failure;
use quorate_core::query::Query;
use serde::Serialize;

use crate::driver::{AskError, SnapshotError};
use crate::store::Unavailable;
use crate::wire::failure::{self, ErrorBody, ErrorWord};
use crate::wire::{EncodedOutcome, encode};

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    /// A stable word for programs.
    error: ErrorWord,
    /// The text of the body.
    text: ErrorText,
    /// The time after which a retry may help.
    retry_after: Option<Duration>,
    /// Whether part of the request was not read, so that the connection can't be used again.
    close: bool,
}

/// The text of an error's body.
#[derive(Debug)]
enum ErrorText {
    /// What is wrong and what to do, for people.
    Details(String),
    /// Why the request has no answer, and its evidence.
    Evidence(Failure, EncodedOutcome),
}

impl ApiError {
    fn new(status: StatusCode, error: ErrorWord, details: impl Into<String>) -> Self {
        Self { status, error, text: ErrorText::Details(details.into()), retry_after: None, close: false }
    }

    /// An error with status 503. A retry may help in a moment, unless the coordinator is about to stop.
    fn unavailable(error: ErrorWord, details: impl Into<String>) -> Self {
        let unavailable = Self::new(StatusCode::SERVICE_UNAVAILABLE, error, details);
        if error == ErrorWord::Draining { unavailable } else { unavailable.and_retry() }
    }

    /// The same error, with a hint that a retry in a second may help.
    fn and_retry(self) -> Self {
        Self { retry_after: Some(Duration::from_secs(1)), ..self }
    }

    pub(super) fn invalid(details: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorWord::InvalidRequest, details)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let details = format!("the body must be at most {limit} bytes long");
        Self { close: true, ..Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorWord::PayloadTooLarge, details) }
    }

    pub(super) fn too_slow() -> Self {
        let details = "the body did not arrive in time";
        Self { close: true, ..Self::new(StatusCode::REQUEST_TIMEOUT, ErrorWord::RequestTimeout, details) }
    }

    pub(super) fn not_json() -> Self {
        Self {
            close: true,
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorWord::UnsupportedMediaType,
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
                ErrorWord::RateLimited,
                format!("too many requests from your address; wait {} ms", wait.as_millis().max(1)),
            )
        }
    }

    /// The client has used up its allowance for routes other than `POST /request`. The connection can be used again.
    pub(super) fn reads_limited(wait: Duration) -> Self {
        Self { close: false, ..Self::rate_limited(wait) }
    }

    pub(super) fn too_many_of_client(max_subscribers: usize) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorWord::RateLimited,
                format!("your address already reads events {max_subscribers} times; close one of these streams first"),
            )
        }
    }

    /// There are more connections than one of the limits allows.
    pub(super) fn too_many_connections(details: impl Into<String>) -> Self {
        Self { close: true, ..Self::unavailable(ErrorWord::Overloaded, details) }
    }

    pub(super) fn too_many_subscribers(max_subscribers: usize) -> Self {
        Self::unavailable(ErrorWord::Overloaded, format!("{max_subscribers} streams of events are open; retry later"))
    }

    /// No worker offers the query. These are the nearest that some worker offers.
    pub(super) fn unknown_query(query: &Query, nearest: &[&str]) -> Self {
        let hint = match nearest {
            [] => String::new(),
            [name] => format!("did you mean {name}? "),
            [names @ .., last] => format!("did you mean {} or {last}? ", names.join(", ")),
        };
        let details = format!("no worker offers {query}; {hint}see GET /queries");
        Self::new(StatusCode::NOT_FOUND, ErrorWord::UnknownQuery, details)
    }

    /// There is no feed of this name. These are the nearest.
    pub(super) fn unknown_feed(name: &str, nearest: &[&str]) -> Self {
        let hint = nearest.first().map_or_else(String::new, |nearest| format!("did you mean {nearest}? "));
        let details = format!("there is no feed {name:.64}; {hint}see GET /feeds");
        Self::new(StatusCode::NOT_FOUND, ErrorWord::NotFound, details)
    }

    /// The feed has no report.
    pub(super) fn no_report(feed: &FeedName) -> Self {
        let details = format!("the feed {feed} has no report yet; GET /feeds shows its newest round");
        Self::new(StatusCode::NOT_FOUND, ErrorWord::NotFound, details)
    }

    /// No report stood at the time, as far as the store knows.
    pub(super) fn no_report_then() -> Self {
        let details = "the store keeps no report of the feed from before that time";
        Self::new(StatusCode::NOT_FOUND, ErrorWord::NotFound, details)
    }

    /// No event is kept that says how the request ended.
    pub(super) fn no_request() -> Self {
        let details = "no request with this id has ended lately; an outcome is kept as long as GET /events keeps its event, or longer in a store";
        Self::new(StatusCode::NOT_FOUND, ErrorWord::NotFound, details)
    }

    /// The coordinator has no store.
    pub(super) fn no_store() -> Self {
        let details = "the coordinator has no store for durable requests and outcomes; start it with --store";
        Self::new(StatusCode::NOT_IMPLEMENTED, ErrorWord::NoStore, details)
    }

    /// The store has not said what the coordinator needs to know.
    pub(super) fn store_unavailable(what_to_do: &str) -> Self {
        Self::unavailable(ErrorWord::StoreUnavailable, format!("the store does not answer: {what_to_do}"))
    }

    /// What is stored as the outcome of a request is none.
    pub(super) fn garbled() -> Self {
        let details = "what is stored under this id is no outcome: another program writes on the subjects of the store";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorWord::StoreUnavailable, details)
    }

    /// The outcome of a durable request is longer than what is stored.
    pub(crate) fn too_long_to_store() -> Self {
        let details = "the outcome is too long to be stored; ask POST /request without an id";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorWord::PayloadTooLarge, details)
    }

    /// Too few workers are there for any policy.
    pub(super) fn too_few_workers(staffing: &[Staffing]) -> Self {
        let short = staffing.iter().map(|it| {
            let Staffing { pattern, live, required, .. } = it;
            format!("{} has {live} of at least {required}", pattern.as_str())
        });
        let details = format!("too few workers are live for every policy: {}", short.collect::<Vec<_>>().join(", "));
        Self::unavailable(ErrorWord::TooFewWorkers, details)
    }

    pub(super) fn not_ready(error: ErrorWord, details: &str) -> Self {
        Self::unavailable(error, details)
    }

    /// The error that a dispatched request ended with.
    pub(crate) fn failed(failure: Failure, outcome: EncodedOutcome) -> Self {
        let (error, code) = failure::name_and_code(failure);
        let status = StatusCode::from_u16(code).expect("the status of a failure is one of HTTP's");
        let error =
            Self { status, error, text: ErrorText::Evidence(failure, outcome), retry_after: None, close: false };
        if status == StatusCode::SERVICE_UNAVAILABLE { error.and_retry() } else { error }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn word(&self) -> ErrorWord {
        self.error
    }

    pub(super) fn details(&self) -> Cow<'_, str> {
        match &self.text {
            ErrorText::Details(details) => details.into(),
            ErrorText::Evidence(failure, told) => failure::details(*failure, &told.outcome).into(),
        }
    }

    /// Whether the response says when a retry may help.
    pub(super) fn says_when_to_retry(&self) -> bool {
        self.retry_after.is_some()
    }

    /// Whether the body has evidence.
    pub(super) fn has_evidence(&self) -> bool {
        matches!(self.text, ErrorText::Evidence(..))
    }

    pub(crate) fn body(&self) -> Bytes {
        match &self.text {
            ErrorText::Details(details) => {
                encode(&ErrorBody { error: self.error, code: self.status.as_u16(), details, asked: None })
            }
            ErrorText::Evidence(_, told) => told.body.clone(),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(_: Unavailable) -> Self {
        Self::store_unavailable("ask again, or check NATS and its JetStream")
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Conflict => AskError::Refused(Refusal::Conflict).into(),
            Rejection::Overloaded => Self::unavailable(ErrorWord::Overloaded, format!("{rejection}: submit it again")),
            Rejection::Draining => AskError::Stopped.into(),
            Rejection::Unclear => {
                Self::store_unavailable("the request may be accepted or not; submit it again with the same id")
            }
            Rejection::Refused => {
                let details = format!("{rejection}: it is full or misconfigured; see the log of the coordinator");
                Self::unavailable(ErrorWord::StoreUnavailable, details)
            }
        }
    }
}

impl From<SnapshotError> for ApiError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Stopped => AskError::Stopped.into(),
            SnapshotError::Stuck => Self::unavailable(ErrorWord::Overloaded, error.to_string()),
        }
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(Refusal::Policy(why)) => Self::invalid(why.to_string()),
            AskError::Refused(Refusal::Conflict) => Self::new(
                StatusCode::CONFLICT,
                ErrorWord::Conflict,
                "the id was already used for another query; choose another id",
            ),
            AskError::Refused(refusal @ Refusal::Overloaded) => {
                Self::unavailable(ErrorWord::Overloaded, format!("{refusal}: ask again"))
            }
            AskError::Busy => Self::unavailable(ErrorWord::Overloaded, format!("{error}: ask again")),
            AskError::Refused(refusal @ Refusal::BusDown) => {
                Self::unavailable(ErrorWord::BusDown, format!("{refusal}: ask again"))
            }
            AskError::Refused(refusal @ Refusal::NoWorkers) => {
                Self::unavailable(ErrorWord::NoWorkers, format!("{refusal}: ask again, or see GET /workers"))
            }
            AskError::Refused(refusal @ Refusal::UnknownQuery) => {
                Self::new(StatusCode::NOT_FOUND, ErrorWord::UnknownQuery, format!("{refusal}; see GET /queries"))
            }
            AskError::Refused(Refusal::Draining) | AskError::Stopped => {
                Self::unavailable(ErrorWord::Draining, "the coordinator is stopping; ask another one")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = encoded(self.status, self.body());
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

/// A JSON response.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    encoded(status, encode(body))
}

/// A response with a body that is already encoded as JSON.
pub(super) fn encoded(status: StatusCode, body: Bytes) -> Response {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

pub(super) async fn not_found(uri: http::Uri) -> ApiError {
    let details = format!("there is no {:.100}; ask POST /request", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, ErrorWord::NotFound, details)
}

pub(super) async fn method_not_allowed(method: http::Method, uri: http::Uri) -> ApiError {
    let details = format!("{:.100} does not allow {method}; see the Allow header", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, ErrorWord::MethodNotAllowed, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_coordinator_suggests_a_retry_unless_it_stops() {
        for (error, comes_back) in [
            (ApiError::not_ready(ErrorWord::NoWorkers, ""), true),
            (ApiError::not_ready(ErrorWord::BusDown, ""), true),
            (ApiError::not_ready(ErrorWord::Draining, ""), false),
            (AskError::Busy.into(), true),
            (AskError::Refused(Refusal::Draining).into(), false),
            (AskError::Stopped.into(), false),
        ] {
            assert_eq!(error.says_when_to_retry(), comes_back, "{}", error.word());
            let response = error.into_response();
            assert_eq!(response.headers().contains_key(RETRY_AFTER), comes_back);
        }
    }
}
