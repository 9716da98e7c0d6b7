//! What a client asks.

use rust_decimal::Decimal;
use serde::Serialize;

use super::exact::written;

/// What `POST /request` asks; `None` leaves a field to the coordinator.
///
/// ```
/// use quorate_client::Ask;
///
/// let ask = Ask { strategy: Some("median".to_owned()), min_responses: Some(2), ..Ask::new("BTC/USD") };
/// # assert_eq!(ask.query, "BTC/USD");
/// ```
///
/// Words such as that of the strategy are texts, because a later coordinator may know more of them. A coordinator
/// refuses a word that it does not know. There is no field for `numbers`: a client of this crate receives exact numbers
/// in either form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ask {
    /// What to ask.
    pub query: String,
    /// The request's own id; a retry under the same id receives the same answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How the values are combined: `average`, `median`, `majority`, `weighted_median`, `trimmed_mean`, `min` or `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// The request fails with fewer usable values than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_responses: Option<u32>,
    /// The number of usable values with which the request ends early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// The time until the deadline, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The outlier rule: a fraction of the median such as `0.06`, `mad:K`, `iqr:K`, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_deviation: Option<String>,
    /// How far from the answer a value still agrees with it: a decimal fraction of the answer, with its digits.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub tolerance: Option<Decimal>,
    /// The share of the used values that must agree, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub min_agreement: Option<Decimal>,
    /// Whether a disputed answer is returned (`answer`), or refused with 409 (`reject`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_dispute: Option<String>,
    /// Values known to be older than this are excluded, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// The share of the values that `trimmed_mean` drops at each end.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub trim_share: Option<Decimal>,
    /// The decimals that `majority` keeps when it compares numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// The decimals to which the answer is rounded, half-even.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
}

impl Ask {
    /// A question under the coordinator's policy for it.
    pub fn new(query: impl Into<String>) -> Self {
        Self { query: query.into(), ..Self::default() }
    }
}

impl From<&str> for Ask {
    fn from(query: &str) -> Self {
        Self::new(query)
    }
}

impl From<String> for Ask {
    fn from(query: String) -> Self {
        Self::new(query)
    }
}

impl From<&Self> for Ask {
    fn from(ask: &Self) -> Self {
        ask.clone()
    }
}
