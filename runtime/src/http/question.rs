//! The body of `POST /request`: a query, and how it is to be answered.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use quorate_core::aggregate::Strategy;
use quorate_core::id::RequestId;
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::query::Query;
use quorate_core::value::Value;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::policies::fields;
use crate::wire::schema::{
    Id, MaxDeviation, MinAgreement, OnDisputeName, QueryText, StrategyName, Tolerance, TrimShare,
};

/// The deepest nesting of a body, at which serde_json gives up.
const MAX_DEPTH: usize = 128;

/// A query, and how it is to be answered. Fields that are absent or null take the values of the coordinator's flags and
/// policy file; the defaults named here are those of the flags. Unknown fields are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(
    as = Request,
    examples(
        json!({"query": "BTC/USD"}),
        json!({"query": "BTC/USD", "id": "order-7781-price", "strategy": "median", "max_deviation": 0.05,
               "min_responses": 2, "quorum": 3, "timeout_ms": 2500}),
    )
)]
pub struct RequestBody<'a> {
    /// What is asked. The workers interpret it; the coordinator does not.
    #[serde(borrow)]
    #[schema(value_type = QueryText)]
    query: Cow<'a, str>,
    /// Your name for the request, so that a retry is recognised. If absent, the coordinator draws one of 128 bits.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Id>)]
    id: Option<Cow<'a, str>>,
    /// How the values are aggregated. Default: `average`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<StrategyName>)]
    strategy: Option<Cow<'a, str>>,
    /// The decimals that `majority` keeps when it compares numbers. Default: 2.
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 28)]
    precision: Option<&'a RawValue>,
    /// The share of the values that `trimmed_mean` leaves out at each end. Default: 0.25.
    #[serde(borrow, default)]
    #[schema(value_type = Option<TrimShare>)]
    trim_share: Option<&'a RawValue>,
    /// Which values are excluded as outliers. Default: none.
    #[serde(borrow, default)]
    #[schema(value_type = Option<MaxDeviation>)]
    max_deviation: Option<&'a RawValue>,
    /// A value agrees with the answer if it is no farther from it than this fraction of the answer's magnitude.
    /// Default: 0.01, or 0 for `majority`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Tolerance>)]
    tolerance: Option<&'a RawValue>,
    /// If fewer than this share of the used values agree with the answer, it is `disputed`. Default: no bound.
    #[serde(borrow, default)]
    #[schema(value_type = Option<MinAgreement>)]
    min_agreement: Option<&'a RawValue>,
    /// Values that are known to be older, in milliseconds, are excluded. Default: no bound.
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, maximum = 18_446_744_073_709_551_615_u64)]
    max_age_ms: Option<&'a RawValue>,
    /// What becomes of a disputed answer. Default: `answer`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<OnDisputeName>)]
    on_dispute: Option<Cow<'a, str>>,
    /// The least number of used values; with fewer, 422. Default: 1.
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    min_responses: Option<&'a RawValue>,
    /// Answer as soon as this many usable values have arrived, at least `min_responses`. Default: wait for all.
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 1000)]
    quorum: Option<&'a RawValue>,
    /// The time in milliseconds within which the request ends, at most the coordinator's `--max-timeout-ms` (60000).
    /// Default: `--timeout-ms` (5000).
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 60000)]
    timeout_ms: Option<&'a RawValue>,
}

/// A request as the coordinator receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The caller's name for the request.
    pub id: Option<RequestId>,
    /// The query.
    pub query: Query,
    /// The request's own policy, which the coordinator checks against its limits.
    pub overrides: Overrides,
}

impl Question {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`ApiError`] with what is wrong, if it is not valid.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Err(ApiError::invalid(r#"the body is empty; send JSON such as {"query": "BTC/USD"}"#));
        }
        let not_a_request = |error: serde_json::Error| ApiError::invalid(format!("the body is not a request: {error}"));
        let request: RequestBody = serde_json::from_slice(body).map_err(not_a_request)?;
        // Ignored fields are skipped whatever their depth. Reading them as values applies the limit to them, too.
        if body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > MAX_DEPTH {
            serde_json::from_slice::<serde_json::Value>(body).map_err(not_a_request)?;
        }
        request.question()
    }
}

impl RequestBody<'_> {
    fn question(&self) -> Result<Question, ApiError> {
        let strategy = self.strategy.as_deref().map(str::parse::<Strategy>).transpose().map_err(invalid)?;
        let on_dispute = self.on_dispute.as_deref().map(str::parse::<OnDispute>).transpose().map_err(invalid)?;
        let id = self.id.as_deref().map(RequestId::new).transpose();
        Ok(Question {
            id: id.map_err(|error| ApiError::invalid(format!("id {error}")))?,
            query: Query::new(&self.query).map_err(invalid)?,
            overrides: Overrides {
                strategy,
                precision: count("precision", self.precision)?,
                trim_share: scalar(self.trim_share, fields::trim_share)?,
                max_deviation: scalar(self.max_deviation, fields::max_deviation)?,
                tolerance: scalar(self.tolerance, fields::tolerance)?,
                min_agreement: scalar(self.min_agreement, fields::min_agreement)?,
                max_age: millis("max_age_ms", self.max_age_ms)?,
                on_dispute,
                min_responses: count("min_responses", self.min_responses)?,
                quorum: count("quorum", self.quorum)?,
                timeout: millis("timeout_ms", self.timeout_ms)?,
            },
        })
    }
}

fn invalid(error: impl Display) -> ApiError {
    ApiError::invalid(error.to_string())
}

/// The content of a string; any other value as it is written.
fn content(json: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(json.get()).map_or(Cow::Borrowed(json.get()), Cow::Owned)
}

/// Reads a field that is a number or a string.
fn scalar<T>(field: Option<&RawValue>, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, ApiError> {
    field.map(|json| read(&content(json))).transpose().map_err(ApiError::invalid)
}

/// Reads a field that is a whole number in any notation of JSON: 5000, 5000.0 and 5e3 are the same.
fn whole(name: &str, field: Option<&RawValue>) -> Result<Option<u64>, ApiError> {
    let read = |json: &RawValue| {
        let number = Value::number(json.get()).ok().and_then(|value| value.as_number());
        let whole = number.filter(Decimal::is_integer).and_then(|number| number.to_u64());
        whole.ok_or_else(|| ApiError::invalid(format!("{name} must be a whole number, 0 or more")))
    };
    field.map(read).transpose()
}

/// A number that does not fit becomes the largest one, which is outside every range of a policy.
fn count(name: &str, field: Option<&RawValue>) -> Result<Option<u32>, ApiError> {
    Ok(whole(name, field)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

fn millis(name: &str, field: Option<&RawValue>) -> Result<Option<Duration>, ApiError> {
    Ok(whole(name, field)?.map(Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_the_same_however_json_writes_it() {
        let read = |number: &str| {
            let body =
                format!(r#"{{"query": "q", "timeout_ms": {number}, "precision": {number}, "max_age_ms": {number}}}"#);
            Question::parse(body.as_bytes()).map(|question| question.overrides)
        };
        for number in ["2500", "2500.0", "2.5e3", "25000e-1"] {
            let read = read(number).expect(number);
            let time = Some(Duration::from_millis(2500));
            assert_eq!((read.timeout, read.precision, read.max_age), (time, Some(2500), time), "{number}");
        }
        for number in ["-1", "2500.5", "1e-3", "18446744073709551616", "1e99", "\"2500\"", "true", "[2500]"] {
            assert!(read(number).is_err(), "{number}");
        }
        assert_eq!(read("18446744073709551615").expect("it fits").precision, Some(u32::MAX), "more than any limit");
    }
}
