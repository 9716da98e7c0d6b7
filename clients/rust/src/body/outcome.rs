//! The answer to a request.

use rust_decimal::Decimal;
use serde::Deserialize;

use super::Evidence;
use super::exact::{number, optional};
use crate::value::Value;

/// The answer of `POST /request`.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// The request's id.
    pub request_id: String,
    /// What was asked.
    #[serde(default)]
    pub query: String,
    /// The answer.
    pub final_value: Value,
    /// The answer before it was rounded to the decimals that the policy or the request sets; `None` if it was not rounded.
    #[serde(default)]
    pub exact_value: Option<Value>,
    /// How the values were combined.
    #[serde(default)]
    pub strategy: String,
    /// How far the answer can be relied on.
    #[serde(default)]
    pub status: Status,
    /// The time from submission to answer, in nanoseconds.
    #[serde(default)]
    pub elapsed: u64,
    /// Whether several values were equally frequent.
    #[serde(default)]
    pub tie: bool,
    /// The share of the used values that agree with the answer.
    #[serde(default, deserialize_with = "optional")]
    pub agreement: Option<Decimal>,
    /// The smallest and the largest used value.
    #[serde(default)]
    pub spread: Option<Spread>,
    /// What the answer rests on.
    #[serde(skip)]
    pub evidence: Evidence,
}

/// The smallest and the largest used value.
#[derive(Clone, Debug, Deserialize)]
pub struct Spread {
    /// The smallest.
    #[serde(deserialize_with = "number")]
    pub min: Decimal,
    /// The largest.
    #[serde(deserialize_with = "number")]
    pub max: Decimal,
}

/// How far an answer can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The value of every expected worker was used, and all agree.
    Complete,
    /// The values of at least half of them were used, and some were not or do not agree.
    Partial,
    /// The values of fewer than half of them were used.
    LowReliability,
    /// The workers disagree.
    Disputed,
    /// A status this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// The name that the coordinator writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::LowReliability => "low_reliability",
            Self::Disputed => "disputed",
            Self::Unknown => "unknown",
        }
    }
}
