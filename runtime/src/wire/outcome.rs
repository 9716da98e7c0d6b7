//! An outcome as its callers, and the followers of all outcomes, receive it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::aggregate::Spread;
use quorate_core::outcome::{Answer, Outcome, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::evidence::{Evidence, agreement};
use super::failure::{ErrorBody, FailureEvidence, details, name_and_code};
use super::{JsonDecimal, JsonNumber, JsonValue, Numbers};

/// Room for the outcome of a few workers, so that writing it does not reallocate.
pub(crate) const TYPICAL_BODY_BYTES: usize = 1024;

/// An outcome in the form in which everybody receives it: its callers over HTTP, and the followers of all outcomes on
/// the bus and as events. It is encoded once, and all of them receive the same bytes.
#[derive(Clone, Debug)]
pub struct EncodedOutcome {
    /// How the request ended.
    pub outcome: Arc<Outcome>,
    /// The outcome as JSON, with a value or with an error.
    pub body: Bytes,
}

impl EncodedOutcome {
    pub(crate) fn new(outcome: Arc<Outcome>) -> Self {
        let body = encode_outcome(&outcome, Numbers::Number);
        Self { outcome, body }
    }

    /// The same outcome for a caller that wants its numbers like this.
    pub(crate) fn with(self, numbers: Numbers) -> Self {
        match numbers {
            Numbers::Number => self,
            Numbers::String => Self { body: encode_outcome(&self.outcome, numbers), ..self },
        }
    }
}

/// Encodes an outcome as the body of its HTTP response, with a value or with an error.
pub fn encode_outcome(outcome: &Outcome, numbers: Numbers) -> Bytes {
    match &outcome.verdict {
        Ok(answer) => encode(&OutcomeBody::of(outcome, answer, numbers)),
        Err(failure) => {
            let (error, code) = name_and_code(*failure);
            let details = details(*failure, outcome);
            encode(&ErrorBody { error, code, details: &details, asked: Some(FailureEvidence::of(outcome, numbers)) })
        }
    }
}

/// Encodes a body of about the size of an outcome as JSON.
pub(crate) fn encode(body: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(TYPICAL_BODY_BYTES);
    serde_json::to_writer(&mut bytes, body).expect("answers are serializable");
    bytes.into()
}

/// The answer to a request, and what it rests on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub(crate) struct OutcomeBody<'a> {
    /// The answer; rounded, if the policy's `decimals` say so.
    final_value: JsonValue<'a>,
    /// The answer before it was rounded. Present if rounding changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exact_value: Option<JsonDecimal>,
    status: StatusName,
    /// The share of the used values, 0 to 1, that agree with the answer within the tolerance; rounded half-even to 6
    /// decimals.
    agreement: JsonNumber,
    /// Whether several values were equally frequent, so that a rule chose among them, not the workers.
    tie: bool,
    /// How far the used values lie apart; null if they are texts.
    #[schema(required)]
    spread: Option<SpreadBody>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

/// How far the used numbers lie apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Spread)]
struct SpreadBody {
    /// The smallest used number.
    min: JsonDecimal,
    /// The largest used number.
    max: JsonDecimal,
    /// The interquartile range; null if no decimal can hold it.
    #[schema(required)]
    interquartile: Option<JsonDecimal>,
    /// The median absolute deviation from the median, not scaled.
    mad: JsonDecimal,
}

/// How far an answer can be relied on. `complete`: the value of every expected worker was used, and all agree. `partial`:
/// the values of at least half of them were used. `low_reliability`: fewer were. `disputed`: the workers disagree. Either
/// `max_deviation` would have excluded half of the values or more, and so excluded none, or the agreement is below
/// `min_agreement`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Status)]
enum StatusName {
    Complete,
    Partial,
    LowReliability,
    Disputed,
}

impl SpreadBody {
    fn of(spread: Spread, numbers: Numbers) -> Self {
        let decimal = |number| JsonDecimal { number, numbers };
        Self {
            min: decimal(spread.min),
            max: decimal(spread.max),
            interquartile: spread.interquartile.map(decimal),
            mad: decimal(spread.mad),
        }
    }
}

impl<'a> OutcomeBody<'a> {
    /// The body for an outcome and the answer in it.
    fn of(outcome: &'a Outcome, answer: &'a Answer, numbers: Numbers) -> Self {
        Self {
            final_value: JsonValue { value: &answer.value, numbers },
            exact_value: answer.exact.map(|number| JsonDecimal { number, numbers }),
            status: answer.status.into(),
            tie: answer.tie,
            agreement: agreement(answer.agreeing, answer.used),
            spread: answer.spread.map(|spread| SpreadBody::of(spread, numbers)),
            evidence: Evidence::of(outcome, numbers),
        }
    }
}

/// How a request ended, in the word that its callers receive: the status of the answer, or the error.
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
