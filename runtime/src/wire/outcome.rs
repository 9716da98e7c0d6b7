//! An outcome as its callers and those who follow all outcomes see it.

use std::fmt::Write as _;

use bytes::Bytes;
use quorate_core::aggregate::Spread;
use quorate_core::outcome::{Answer, Observation, Outcome, Status};
use quorate_core::query::Query;
use quorate_core::time::saturating_nanos;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;

use super::failure::{Asked, ErrorBody, details, name_and_code};
use super::fate::{self, WorkerFate};
use super::{JsonNumber, JsonValue, OUTCOMES, ResultBody};

/// Room for the answer of a few workers, so that writing it moves nothing.
const TYPICAL_BODY_BYTES: usize = 1024;

/// The body of an outcome: that of its HTTP answer, with a value or with an error.
pub fn encode_outcome(outcome: &Outcome) -> Bytes {
    match &outcome.verdict {
        Ok(answer) => encode(&OutcomeBody::of(outcome, answer)),
        Err(failure) => {
            let (error, code) = name_and_code(*failure);
            let details = details(*failure, outcome);
            encode(&ErrorBody { error, code, details: &details, asked: Some(Asked::of(outcome)) })
        }
    }
}

/// JSON of about the size of an outcome.
pub(crate) fn encode(body: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(TYPICAL_BODY_BYTES);
    serde_json::to_writer(&mut bytes, body).expect("answers are serializable");
    bytes.into()
}

/// Where the outcomes of a query are published: `oracle.outcomes.` and the query as one token of a subject. Bytes that a
/// token cannot have, and `%`, are written as `%` and two hexadecimal digits, as in a URL.
pub fn outcome_subject(query: &Query) -> String {
    let mut subject = String::with_capacity(OUTCOMES.len() + 1 + query.as_str().len());
    subject.push_str(OUTCOMES);
    subject.push('.');
    for byte in query.as_str().bytes() {
        match byte {
            b'.' | b'*' | b'>' | b'%' => {}
            b'!'..=b'~' => {
                subject.push(char::from(byte));
                continue;
            }
            _ => {}
        }
        write!(subject, "%{byte:02X}").expect("a string takes every text");
    }
    subject
}

/// Decimals of an agreement.
const AGREEMENT_DECIMALS: u32 = 6;

/// What the workers said: part of every outcome, with an answer or without.
#[derive(Debug, Serialize)]
pub(crate) struct Evidence<'a> {
    request_id: &'a str,
    query: &'a str,
    strategy: &'static str,
    expected: u32,
    succeeded: u32,
    failed: u32,
    missing: Vec<&'a str>,
    excluded: Vec<ExcludedBody<'a>>,
    workers: Vec<WorkerFate<'a>>,
    worker_responses: Vec<ResultBody<'a>>,
    reliability_note: String,
    elapsed: u64,
}

#[derive(Debug, Serialize)]
struct ExcludedBody<'a> {
    worker_id: &'a str,
    reason: &'static str,
}

/// The body of an answer.
#[derive(Debug, Serialize)]
pub struct OutcomeBody<'a> {
    final_value: JsonValue<'a>,
    status: &'static str,
    agreement: JsonNumber,
    tie: bool,
    spread: Option<SpreadBody>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

#[derive(Debug, Serialize)]
struct SpreadBody {
    min: JsonNumber,
    max: JsonNumber,
    interquartile: Option<JsonNumber>,
    mad: JsonNumber,
}

impl From<Spread> for SpreadBody {
    fn from(spread: Spread) -> Self {
        Self {
            min: JsonNumber(spread.min),
            max: JsonNumber(spread.max),
            interquartile: spread.interquartile.map(JsonNumber),
            mad: JsonNumber(spread.mad),
        }
    }
}

/// The share of the used values that agree, rounded half-even.
pub(crate) fn agreement(agreeing: u32, used: u32) -> JsonNumber {
    let share = Decimal::from(agreeing).checked_div(used.into()).unwrap_or_default();
    JsonNumber(share.round_dp_with_strategy(AGREEMENT_DECIMALS, RoundingStrategy::MidpointNearestEven).normalize())
}

impl<'a> OutcomeBody<'a> {
    /// The body for an outcome and the answer in it.
    pub fn of(outcome: &'a Outcome, answer: &'a Answer) -> Self {
        Self {
            final_value: JsonValue(&answer.value),
            status: status_name(answer.status),
            tie: answer.tie,
            agreement: agreement(answer.agreeing, answer.used),
            spread: answer.spread.map(SpreadBody::from),
            evidence: Evidence::of(outcome),
        }
    }
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(outcome: &'a Outcome) -> Self {
        let excluded = |observation: &'a Observation| {
            observation.excluded.map(|why| ExcludedBody { worker_id: observation.worker.as_str(), reason: why.name() })
        };
        let response = |observation: &'a Observation| {
            let Observation { worker, observed, response_time, age, .. } = observation;
            ResultBody::new(worker, &outcome.request, observed, *response_time, *age)
        };
        Self {
            request_id: outcome.request.as_str(),
            query: outcome.query.as_str(),
            strategy: outcome.strategy.name(),
            expected: outcome.expected(),
            succeeded: outcome.succeeded,
            failed: outcome.failed(),
            missing: outcome.missing.iter().map(quorate_core::id::WorkerId::as_str).collect(),
            excluded: outcome.observations.iter().filter_map(excluded).collect(),
            workers: fate::workers(outcome),
            worker_responses: outcome.observations.iter().map(response).collect(),
            reliability_note: outcome.reliability_note(),
            elapsed: saturating_nanos(outcome.elapsed),
        }
    }
}

/// How a request ended, in the word its callers get: the status of the answer, or the error.
pub(crate) fn verdict_name(outcome: &Outcome) -> &'static str {
    match &outcome.verdict {
        Ok(answer) => status_name(answer.status),
        Err(failure) => name_and_code(*failure).0,
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::LowReliability => "low_reliability",
        Status::Disputed => "disputed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_becomes_one_token_of_a_subject_and_can_be_read_back() {
        for (query, token) in [
            ("BTC/USD", "BTC/USD"),
            ("eth block", "eth%20block"),
            ("a.b.*.>", "a%2Eb%2E%2A%2E%3E"),
            ("100%", "100%25"),
            ("größe", "gr%C3%B6%C3%9Fe"),
        ] {
            let subject = outcome_subject(&Query::new(query).expect("a query"));
            assert_eq!(subject, format!("oracle.outcomes.{token}"));
        }
    }

    #[test]
    fn an_agreement_is_rounded_to_the_even_sixth_decimal() {
        for (agreeing, used, expected) in [
            (3, 3, "1"),
            (0, 3, "0"),
            (1, 2, "0.5"),
            (1, 3, "0.333333"),
            (2, 3, "0.666667"),
            // 0.0078125 and 0.0234375 lie in the middle.
            (1, 128, "0.007812"),
            (3, 128, "0.023438"),
            (0, 0, "0"),
        ] {
            let json = serde_json::to_string(&agreement(agreeing, used)).expect("a number");
            assert_eq!(json, expected, "{agreeing}/{used}");
        }
    }
}
