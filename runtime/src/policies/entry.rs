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

/// Defines an entry of a TOML file that has the fields of a policy besides its own.
macro_rules! with_policy_fields {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident { $($(#[$field_doc:meta])* $field_visibility:vis $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $visibility struct $name {
            $($(#[$field_doc])* $field_visibility $field: $type,)*
            strategy: Option<toml::Spanned<String>>,
            precision: Option<toml::Spanned<u32>>,
            trim_share: Option<toml::Spanned<$crate::policies::entry::Scalar>>,
            max_deviation: Option<toml::Spanned<$crate::policies::entry::Scalar>>,
            tolerance: Option<toml::Spanned<$crate::policies::entry::Scalar>>,
            min_agreement: Option<toml::Spanned<$crate::policies::entry::Scalar>>,
            on_dispute: Option<toml::Spanned<String>>,
            decimals: Option<toml::Spanned<u8>>,
            max_age_ms: Option<u64>,
            min_responses: Option<toml::Spanned<u32>>,
            quorum: Option<toml::Spanned<u32>>,
            timeout_ms: Option<toml::Spanned<u64>>,
        }

        impl $name {
            fn policy_fields(&self) -> $crate::policies::entry::PolicyFields<'_> {
                $crate::policies::entry::PolicyFields {
                    strategy: self.strategy.as_ref(),
                    precision: self.precision.as_ref(),
                    trim_share: self.trim_share.as_ref(),
                    max_deviation: self.max_deviation.as_ref(),
                    tolerance: self.tolerance.as_ref(),
                    min_agreement: self.min_agreement.as_ref(),
                    on_dispute: self.on_dispute.as_ref(),
                    decimals: self.decimals.as_ref(),
                    max_age_ms: self.max_age_ms,
                    min_responses: self.min_responses.as_ref(),
                    quorum: self.quorum.as_ref(),
                    timeout_ms: self.timeout_ms.as_ref(),
                }
            }
        }
    };
}
pub(crate) use with_policy_fields;

/// The fields of a policy, as an entry of a file has them.
#[derive(Clone, Copy)]
pub(crate) struct PolicyFields<'a> {
    pub(crate) strategy: Option<&'a Spanned<String>>,
    pub(crate) precision: Option<&'a Spanned<u32>>,
    pub(crate) trim_share: Option<&'a Spanned<Scalar>>,
    pub(crate) max_deviation: Option<&'a Spanned<Scalar>>,
    pub(crate) tolerance: Option<&'a Spanned<Scalar>>,
    pub(crate) min_agreement: Option<&'a Spanned<Scalar>>,
    pub(crate) on_dispute: Option<&'a Spanned<String>>,
    pub(crate) decimals: Option<&'a Spanned<u8>>,
    pub(crate) max_age_ms: Option<u64>,
    pub(crate) min_responses: Option<&'a Spanned<u32>>,
    pub(crate) quorum: Option<&'a Spanned<u32>>,
    pub(crate) timeout_ms: Option<&'a Spanned<u64>>,
}

with_policy_fields! {
    /// One `[[policy]]`, as written.
    pub(super) struct Entry {
        pub(super) query: Spanned<String>,
        expect: Option<Vec<Spanned<String>>>,
        min_expected: Option<Spanned<u32>>,
    }
}

/// A text, or a number. Only the position of a number is needed: its digits are read from the file.
pub(crate) enum Scalar {
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
pub(crate) fn written<'a>(scalar: &'a Spanned<Scalar>, text: &'a str) -> Cow<'a, str> {
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
    let fields = entry.policy_fields();
    let policy = default
        .policy
        .with(&fields.overrides(text)?, &default.limits)
        .map_err(|error| (fields.place(error).unwrap_or(whole), error.to_string()))?;
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

impl PolicyFields<'_> {
    /// What they set, for a file with this text.
    pub(crate) fn overrides(self, text: &str) -> Result<Overrides, Problem> {
        Ok(Overrides {
            strategy: named(self.strategy)?,
            precision: value(self.precision),
            trim_share: read(self.trim_share, text, fields::trim_share)?,
            max_deviation: read(self.max_deviation, text, fields::max_deviation)?,
            tolerance: read(self.tolerance, text, fields::tolerance)?,
            min_agreement: read(self.min_agreement, text, fields::min_agreement)?,
            max_age: self.max_age_ms.map(Duration::from_millis),
            min_responses: value(self.min_responses),
            quorum: value(self.quorum),
            timeout: value(self.timeout_ms).map(Duration::from_millis),
            on_dispute: named(self.on_dispute)?,
            decimals: value(self.decimals),
        })
    }

    /// The position of the field that is out of its range; `None` if the entry does not set it.
    pub(crate) fn place(self, error: PolicyError) -> Option<Range<usize>> {
        fn of<T>(field: Option<&Spanned<T>>) -> Option<Range<usize>> {
            field.map(Spanned::span)
        }
        match error {
            PolicyError::Timeout { .. } => of(self.timeout_ms),
            PolicyError::MinResponses { .. } => of(self.min_responses),
            PolicyError::Quorum { .. } => of(self.quorum).or_else(|| of(self.min_responses)),
            PolicyError::Precision => of(self.precision),
            PolicyError::Decimals => of(self.decimals),
            PolicyError::TrimShare => of(self.trim_share),
            PolicyError::MaxDeviation => of(self.max_deviation),
            PolicyError::Tolerance => of(self.tolerance),
            PolicyError::MinAgreement => of(self.min_agreement),
        }
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
