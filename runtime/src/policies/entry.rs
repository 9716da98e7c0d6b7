//! One policy of a policy file, as it is written and as it is checked.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use quorate_core::coordinator::{Config, Expected, QueryPolicy};
use quorate_core::id::WorkerId;
use quorate_core::pattern::Pattern;
use quorate_core::policy::{Overrides, PolicyError};
use serde::de::{self, Deserialize, Deserializer};
use toml::Spanned;

use super::fields;
use crate::config_file::Problem;

/// One `[[policy]]`, as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) query: Spanned<String>,
    strategy: Option<Spanned<String>>,
    precision: Option<Spanned<u32>>,
    trim_share: Option<Spanned<Scalar>>,
    max_deviation: Option<Spanned<Scalar>>,
    tolerance: Option<Spanned<Scalar>>,
    min_agreement: Option<Spanned<Scalar>>,
    on_dispute: Option<Spanned<String>>,
    decimals: Option<Spanned<u8>>,
    max_age_ms: Option<u64>,
    min_responses: Option<Spanned<u32>>,
    quorum: Option<Spanned<u32>>,
    timeout_ms: Option<Spanned<u64>>,
    expect: Option<Vec<Spanned<String>>>,
    min_expected: Option<Spanned<u32>>,
}

/// A text, or a number. Only the position of a number is needed: its digits are read from the file.
pub(super) enum Scalar {
    Number,
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string")
            }

            fn visit_i64<E>(self, _: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number)
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The text of a scalar, or the digits of a number as the file has them: binary floating point would lose some.
pub(super) fn written<'a>(scalar: &'a Spanned<Scalar>, text: &'a str) -> Cow<'a, str> {
    match scalar.get_ref() {
        Scalar::Text(text) => text.into(),
        Scalar::Number => text.get(scalar.span()).unwrap_or_default().into(),
    }
}

/// Checks a policy of the file `text`.
pub(super) fn check(entry: &Spanned<Entry>, text: &str, default: &Config) -> Result<QueryPolicy, Problem> {
    let (whole, entry) = (entry.span(), entry.get_ref());
    let query = entry.query.get_ref();
    if query.is_empty() {
        return Err((entry.query.span(), "query is empty: write a query, or \"*\" for any".into()));
    }
    let policy = default
        .policy
        .with(&overrides(entry, text)?, &default.limits)
        .map_err(|error| (place(entry, error).unwrap_or(whole), error.to_string()))?;
    Ok(QueryPolicy { pattern: Pattern::new(query), policy, expected: expected(entry, default)? })
}

/// Who should be there for the queries of a policy.
fn expected(entry: &Entry, default: &Config) -> Result<Expected, Problem> {
    let most = default.limits.max_workers;
    let mut expected = default.expected.clone();
    if let Some(names) = &entry.expect {
        expected.workers = names.iter().map(worker_id).collect::<Result<_, _>>()?;
        if let Some(beyond) = names.get(most as usize) {
            return Err((beyond.span(), format!("expect names at most {most} workers")));
        }
    }
    if let Some(least) = &entry.min_expected {
        if *least.get_ref() > most {
            return Err((least.span(), format!("min_expected must be between 0 and {most}")));
        }
        expected.least = *least.get_ref();
    }
    Ok(expected)
}

/// Reads the name of a worker.
pub(super) fn worker_id(name: &Spanned<String>) -> Result<WorkerId, Problem> {
    WorkerId::new(name.get_ref()).map_err(|error| (name.span(), format!("the name of a worker {error}")))
}

fn overrides(entry: &Entry, text: &str) -> Result<Overrides, Problem> {
    Ok(Overrides {
        strategy: named(entry.strategy.as_ref())?,
        precision: value(entry.precision.as_ref()),
        trim_share: read(entry.trim_share.as_ref(), text, fields::trim_share)?,
        max_deviation: read(entry.max_deviation.as_ref(), text, fields::max_deviation)?,
        tolerance: read(entry.tolerance.as_ref(), text, fields::tolerance)?,
        min_agreement: read(entry.min_agreement.as_ref(), text, fields::min_agreement)?,
        max_age: entry.max_age_ms.map(Duration::from_millis),
        min_responses: value(entry.min_responses.as_ref()),
        quorum: value(entry.quorum.as_ref()),
        timeout: value(entry.timeout_ms.as_ref()).map(Duration::from_millis),
        on_dispute: named(entry.on_dispute.as_ref())?,
        decimals: value(entry.decimals.as_ref()),
    })
}

/// The position of the field that is out of its range; `None` if the entry does not set it.
fn place(entry: &Entry, error: PolicyError) -> Option<Range<usize>> {
    fn of<T>(field: Option<&Spanned<T>>) -> Option<Range<usize>> {
        field.map(Spanned::span)
    }
    match error {
        PolicyError::Timeout { .. } => of(entry.timeout_ms.as_ref()),
        PolicyError::MinResponses { .. } => of(entry.min_responses.as_ref()),
        PolicyError::Quorum { .. } => of(entry.quorum.as_ref()).or_else(|| of(entry.min_responses.as_ref())),
        PolicyError::Precision => of(entry.precision.as_ref()),
        PolicyError::Decimals => of(entry.decimals.as_ref()),
        PolicyError::TrimShare => of(entry.trim_share.as_ref()),
        PolicyError::MaxDeviation => of(entry.max_deviation.as_ref()),
        PolicyError::Tolerance => of(entry.tolerance.as_ref()),
        PolicyError::MinAgreement => of(entry.min_agreement.as_ref()),
    }
}

fn value<T: Copy>(field: Option<&Spanned<T>>) -> Option<T> {
    field.map(|field| *field.get_ref())
}

fn read<T>(
    field: Option<&Spanned<Scalar>>,
    text: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Problem> {
    let read = |field: &Spanned<Scalar>| read(&written(field, text)).map_err(|problem| (field.span(), problem));
    field.map(read).transpose()
}

fn named<T: std::str::FromStr<Err: fmt::Display>>(field: Option<&Spanned<String>>) -> Result<Option<T>, Problem> {
    let read =
        |field: &Spanned<String>| field.get_ref().parse().map_err(|error: T::Err| (field.span(), error.to_string()));
    field.map(read).transpose()
}
