//! An outcome as its callers and those who follow all outcomes see it.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use quorate_core::aggregate::Spread;
use quorate_core::outcome::{Answer, Observation, Outcome, Status};
use quorate_core::query::Query;
use quorate_core::time::saturating_nanos;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use utoipa::ToSchema;

use super::failure::{Asked, ErrorBody, details, name_and_code};
use super::fate::{self, WorkerFate};
use super::schema::{ExclusionName, Id, QueryText, StrategyName};
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
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Evidence<'a> {
    /// The id of the request: the caller's, or the one that was drawn.
    #[schema(value_type = Id)]
    request_id: &'a str,
    #[schema(value_type = QueryText)]
    query: &'a str,
    #[schema(value_type = StrategyName)]
    strategy: &'static str,
    /// The workers that were expected when the request was dispatched, and those that answered unexpected.
    expected: u32,
    /// How many of them answered with a value, used or not.
    succeeded: u32,
    /// How many of them answered that they failed.
    failed: u32,
    /// Who of them did not answer.
    #[schema(value_type = Vec<Id>)]
    missing: Vec<&'a str>,
    /// Whose value was not used, and why.
    excluded: Vec<ExcludedBody<'a>>,
    /// What became of each worker that was expected or answered, ordered by worker.
    workers: Vec<WorkerFate<'a>>,
    /// The first answer of each worker that answered, ordered by worker.
    worker_responses: Vec<ResultBody<'a>>,
    /// One sentence for people: how many of the expected workers' values were used, and what was left out.
    #[schema(example = "Partial response: 2/3 workers succeeded")]
    reliability_note: String,
    /// From the arrival of the request to its end, in nanoseconds.
    #[schema(example = 241_502_388)]
    elapsed: u64,
}

/// A value that was not used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Excluded)]
struct ExcludedBody<'a> {
    /// Whose value.
    #[schema(value_type = Id)]
    worker_id: &'a str,
    #[schema(value_type = ExclusionName)]
    reason: &'static str,
}

/// The answer to a request, and what it rests on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub(crate) struct OutcomeBody<'a> {
    /// The answer.
    final_value: JsonValue<'a>,
    status: StatusName,
    /// The share of the used values, 0 to 1, that agree with the answer within the tolerance; rounded half-even to 6
    /// decimals.
    agreement: JsonNumber,
    /// Whether several values were equally frequent, so that a rule and not the workers chose among them.
    tie: bool,
    /// How far the used values lie apart; null if they are texts.
    #[schema(required)]
    spread: Option<SpreadBody>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

/// How far numbers lie apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Spread)]
struct SpreadBody {
    /// The smallest used number.
    min: JsonNumber,
    /// The largest used number.
    max: JsonNumber,
    /// The distance of the first and the third quartile; null if no decimal holds it.
    #[schema(required)]
    interquartile: Option<JsonNumber>,
    /// The median absolute deviation from the median, not scaled.
    mad: JsonNumber,
}

/// How far an answer can be relied on. `complete`: the value of every expected worker was used. `partial`: those of at
/// least half of them were. `low_reliability`: fewer were. `disputed`: the workers do not agree: `max_deviation` would
/// have excluded half of the values or more, and so excluded none, or the agreement is below `min_agreement`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Status)]
enum StatusName {
    Complete,
    Partial,
    LowReliability,
    Disputed,
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
    fn of(outcome: &'a Outcome, answer: &'a Answer) -> Self {
        Self {
            final_value: JsonValue(&answer.value),
            status: answer.status.into(),
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
pub(crate) fn verdict_name(outcome: &Outcome) -> String {
    match &outcome.verdict {
        Ok(answer) => StatusName::from(answer.status).to_string(),
        Err(failure) => name_and_code(*failure).0.to_string(),
    }
}

impl fmt::Display for StatusName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl From<Status> for StatusName {
    fn from(status: Status) -> Self {
        match status {
            Status::Complete => Self::Complete,
            Status::Partial => Self::Partial,
            Status::LowReliability => Self::LowReliability,
            Status::Disputed => Self::Disputed,
        }
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
