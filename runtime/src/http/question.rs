//! The body of `POST /request`: a query, and how it is to be answered.

use std::borrow::Cow;
use std::collections::BTreeMap;
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
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema as _, ToSchema};

use super::error::ApiError;
use super::nearest::nearest;
use crate::policies::fields;
use crate::wire::Numbers;
use crate::wire::schema::{
    Id, MaxDeviation, MinAgreement, NumbersName, OnDisputeName, QueryText, StrategyName, Tolerance, TrimShare,
};

/// A query, and how it is to be answered. Fields that are absent or null take the values of the coordinator's flags and
/// policy file; the defaults named here are those of the flags. Unknown fields are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
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
    /// Which values are excluded as outliers. Default: 0.06.
    #[serde(borrow, default)]
    #[schema(value_type = Option<MaxDeviation>)]
    max_deviation: Option<&'a RawValue>,
    /// A value agrees with the answer if it is no farther from it than this fraction of the answer's magnitude.
    /// Default: 0.06, or 0 for `majority`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Tolerance>)]
    tolerance: Option<&'a RawValue>,
    /// If fewer than this share of the used values agree with the answer, it is `disputed`. Default: 0.51.
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
    /// The decimals to which an answer that is a number is rounded, halves to the even neighbour; the outcome then has the
    /// exact number as `exact_value`. Default: all.
    #[serde(borrow, default)]
    #[schema(value_type = Option<u64>, minimum = 0, maximum = 28)]
    decimals: Option<&'a RawValue>,
    /// How the values of the answer are written if they are numbers. Default: `number`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<NumbersName>)]
    numbers: Option<Cow<'a, str>>,
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
    /// How the caller wants the numbers of the answer.
    pub numbers: Numbers,
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
        let request: RequestBody = serde_json::from_slice(body).map_err(|error| {
            ApiError::invalid(unknown_field(body).unwrap_or_else(|| format!("the body is not a request: {error}")))
        })?;
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
                decimals: count("decimals", self.decimals)?.map(|decimals| u8::try_from(decimals).unwrap_or(u8::MAX)),
            },
            numbers: self.numbers.as_deref().map(str::parse).transpose().map_err(invalid)?.unwrap_or_default(),
        })
    }
}

/// What is wrong with a body that is an object with a field that no request has: names the nearest field.
fn unknown_field(body: &[u8]) -> Option<String> {
    let fields: BTreeMap<Cow<str>, &RawValue> = serde_json::from_slice(body).ok()?;
    let RefOr::T(Schema::Object(request)) = RequestBody::schema() else { return None };
    let known: Vec<&str> = request.properties.keys().map(String::as_str).collect();
    let unknown = fields.keys().find(|name| !known.contains(&name.as_ref()))?;
    Some(match nearest(unknown, known.iter().copied()).first() {
        Some(nearest) => format!("unknown field {unknown:?}: did you mean {nearest:?}?"),
        None => format!("unknown field {unknown:?}: a request has {}", known.join(", ")),
    })
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
    fn an_unknown_field_is_refused_and_the_nearest_is_named() {
        let refused = |fields: &str| {
            let body = format!(r#"{{"query": "q", {fields}}}"#);
            let error = Question::parse(body.as_bytes()).expect_err(fields);
            String::from_utf8(error.body().to_vec()).expect("a text")
        };
        for (fields, says) in [
            (
                r#""min_agrement": 0.9, "on_dispute": "reject""#,
                r#"unknown field \"min_agrement\": did you mean \"min_agreement\"?"#,
            ),
            (r#""timeout": 100"#, r#"did you mean \"timeout_ms\"?"#),
            (r#""Quorum": null"#, r#"did you mean \"quorum\"?"#),
            (r#""zzz": [[1]]"#, r#"unknown field \"zzz\": a request has decimals, id, max_age_ms"#),
            (r#""numbers": "hex""#, "numbers must be number or string"),
            (r#""decimals": 1.5"#, "decimals must be a whole number"),
        ] {
            assert!(refused(fields).contains(says), "{}", refused(fields));
        }
        let nested = format!(r#""x": {}1{}"#, "[".repeat(5000), "]".repeat(5000));
        assert!(refused(&nested).contains(r#"unknown field \"x\""#));
    }

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
