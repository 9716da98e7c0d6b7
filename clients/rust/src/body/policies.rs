//! How a coordinator answers requests that set no policy of their own.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::exact::optional;
use crate::value::Value;

/// The answer of `GET /policies`.
#[derive(Clone, Debug, Deserialize)]
pub struct Policies {
    /// The policies in the order in which they are tried; the default one is the last.
    pub policies: Vec<Policy>,
    /// The weights of workers that the operator has set.
    #[serde(default)]
    pub weights: BTreeMap<String, Value>,
}

/// How requests for some queries are answered.
#[derive(Clone, Debug, Deserialize)]
pub struct Policy {
    /// The pattern of its queries.
    pub query: String,
    /// How the values are combined.
    #[serde(default)]
    pub strategy: String,
    /// The decimals that `majority` keeps when it compares numbers.
    #[serde(default)]
    pub precision: Option<u32>,
    /// The share of the values that `trimmed_mean` drops at each end.
    #[serde(default, deserialize_with = "optional")]
    pub trim_share: Option<Decimal>,
    /// The outlier rule: a fraction of the median, `mad:K`, `iqr:K`, or `none`.
    #[serde(default)]
    pub max_deviation: Option<String>,
    /// How far from the answer a value still agrees with it, as a fraction of the answer.
    #[serde(default, deserialize_with = "optional")]
    pub tolerance: Option<Decimal>,
    /// The share of the used values that must agree; `None` if there is no bound.
    #[serde(default, deserialize_with = "optional")]
    pub min_agreement: Option<Decimal>,
    /// Values known to be older than this are excluded, in milliseconds; `None` if there is no bound.
    #[serde(default)]
    pub max_age_ms: Option<u64>,
    /// What happens to a disputed answer: `answer` or `reject`.
    #[serde(default)]
    pub on_dispute: String,
    /// A request fails with fewer usable values than this.
    #[serde(default)]
    pub min_responses: u32,
    /// The number of usable values with which a request ends early; `None` if it waits for all.
    #[serde(default)]
    pub quorum: Option<u32>,
    /// The time until the deadline, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// The decimals to which answers are rounded; `None` if they are not.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// The workers that should be there.
    #[serde(default)]
    pub expect: Vec<String>,
    /// The number of workers that should be there.
    #[serde(default)]
    pub min_expected: u32,
}
