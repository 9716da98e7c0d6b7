//! A failure as its caller gets it: a word for programs, a sentence for people, and what the workers said.

use quorate_core::outcome::{Failure, Outcome};
use serde::Serialize;

use super::outcome::{Evidence, agreement};
use super::value::JsonNumber;

/// The body of every error.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    /// A stable word for programs.
    pub(crate) error: &'static str,
    /// The HTTP status.
    pub(crate) code: u16,
    /// What to do, for people.
    pub(crate) details: &'a str,
    /// What the workers said, if they were asked.
    #[serde(flatten)]
    pub(crate) asked: Option<Asked<'a>>,
}

/// What is said of a request that was asked and has no answer.
#[derive(Debug, Serialize)]
pub(crate) struct Asked<'a> {
    /// How far the workers agreed, if that is why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<JsonNumber>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

impl<'a> Asked<'a> {
    pub(crate) fn of(outcome: &'a Outcome) -> Self {
        let agreement = match outcome.verdict {
            Err(Failure::Disputed { agreeing, used }) => Some(agreement(agreeing, used)),
            _ => None,
        };
        Self { agreement, evidence: Evidence::of(outcome) }
    }
}

/// The word and the HTTP status of a failure.
pub(crate) fn name_and_code(failure: Failure) -> (&'static str, u16) {
    match failure {
        Failure::InsufficientResponses { .. } => ("insufficient_responses", 422),
        Failure::Disputed { .. } => ("disputed", 409),
        Failure::DeadlineExceeded => ("deadline_exceeded", 504),
        Failure::NoWorkers => ("no_workers", 503),
        Failure::BusDown => ("bus_down", 503),
        Failure::Overloaded => ("overloaded", 503),
    }
}

/// What happened, and what to do.
pub(crate) fn details(failure: Failure, outcome: &Outcome) -> String {
    match failure {
        Failure::InsufficientResponses { .. } => format!("{failure}: {}", outcome.reliability_note()),
        Failure::DeadlineExceeded => format!("{failure}: ask again with a larger timeout_ms, or see GET /workers"),
        Failure::NoWorkers => format!("{failure}: start a worker, or check that it reaches the same bus"),
        Failure::Disputed { .. } => format!("{failure}: see worker_responses, or ask with on_dispute = answer"),
        Failure::BusDown | Failure::Overloaded => format!("{failure}: ask again"),
    }
}
