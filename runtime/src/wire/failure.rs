//! A failure as its caller receives it: a word for programs, a sentence for people, and the evidence.

use std::fmt;

use quorate_core::outcome::{Failure, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::evidence::{Evidence, agreement};
use super::value::{JsonNumber, Numbers};

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) error: ErrorWord,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub(crate) code: u16,
    /// What went wrong and what to do, as a sentence for people: may change.
    pub(crate) details: &'a str,
    /// What the workers said, if they were asked. The document has a schema of its own for an error with it.
    #[serde(flatten)]
    #[schema(ignore)]
    pub(crate) asked: Option<FailureEvidence<'a>>,
}

/// What went wrong, as a word for programs: stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorWord {
    InvalidRequest,
    NotFound,
    UnknownQuery,
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    Disputed,
    PayloadTooLarge,
    UnsupportedMediaType,
    InsufficientResponses,
    RateLimited,
    NoWorkers,
    TooFewWorkers,
    Overloaded,
    BusDown,
    Draining,
    DeadlineExceeded,
    NoStore,
    StoreUnavailable,
}

/// The word as in JSON.
impl fmt::Display for ErrorWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// What an error says about a request that was dispatched and has no answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureEvidence<'a> {
    /// The share of the used values that agree with what would have been the answer. Present if the dispute is the
    /// error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    agreement: Option<JsonNumber>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

impl<'a> FailureEvidence<'a> {
    pub(crate) fn of(outcome: &'a Outcome, numbers: Numbers) -> Self {
        let agreement = match outcome.verdict {
            Err(Failure::Disputed { agreeing, used }) => Some(agreement(agreeing, used)),
            _ => None,
        };
        Self { agreement, evidence: Evidence::of(outcome, numbers) }
    }
}

/// The word and the HTTP status of a failure.
pub(crate) fn name_and_code(failure: Failure) -> (ErrorWord, u16) {
    match failure {
        Failure::InsufficientResponses { .. } => (ErrorWord::InsufficientResponses, 422),
        Failure::Disputed { .. } => (ErrorWord::Disputed, 409),
        Failure::DeadlineExceeded => (ErrorWord::DeadlineExceeded, 504),
        Failure::NoWorkers => (ErrorWord::NoWorkers, 503),
        Failure::BusDown => (ErrorWord::BusDown, 503),
        Failure::Overloaded => (ErrorWord::Overloaded, 503),
    }
}

/// What happened, and what to do.
pub(crate) fn details(failure: Failure, outcome: &Outcome) -> String {
    match failure {
        Failure::InsufficientResponses { usable, .. } if usable == outcome.expected() => {
            format!("{failure}: no more workers are there; start more, or ask with a smaller min_responses")
        }
        Failure::InsufficientResponses { .. } => format!("{failure}: {}", outcome.reliability_note()),
        Failure::DeadlineExceeded => format!("{failure}: ask again with a larger timeout_ms, or see GET /workers"),
        Failure::NoWorkers => format!("{failure}: start a worker, or check that it reaches the same bus"),
        Failure::Disputed { .. } => format!("{failure}: see worker_responses, or ask with on_dispute = answer"),
        Failure::BusDown | Failure::Overloaded => format!("{failure}: ask again"),
    }
}
