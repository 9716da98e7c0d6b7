//! Reads the fields of a policy, as requests and policy files write them. Each error names the field and says what
//! would be right.

use quorate_core::aggregate::{Millionths, OutlierRule};
use quorate_core::policy::PolicyError;
use quorate_core::value::Value;
use rust_decimal::Decimal;

/// Reads `max_deviation`.
pub(crate) fn max_deviation(text: &str) -> Result<OutlierRule, String> {
    text.parse().map_err(|error| format!("max_deviation {error}"))
}

/// Reads `tolerance`.
pub(crate) fn tolerance(text: &str) -> Result<Decimal, String> {
    decimal(text).ok_or_else(|| "tolerance must be a decimal fraction such as 0.01".to_owned())
}

/// Reads `trim_share`. The policy checks the upper end of its range.
pub(crate) fn trim_share(text: &str) -> Result<Millionths, String> {
    millionths(text).ok_or_else(|| PolicyError::TrimShare.to_string())
}

/// Reads `min_agreement`. The policy checks the upper end of its range.
pub(crate) fn min_agreement(text: &str) -> Result<Millionths, String> {
    millionths(text).ok_or_else(|| PolicyError::MinAgreement.to_string())
}

/// Reads a factor from 0 to a million, with at most 6 decimals.
pub(crate) fn millionths(text: &str) -> Option<Millionths> {
    Millionths::from_decimal(decimal(text)?)
}

/// Reads a decimal in JSON's grammar.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    match Value::number(text) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}
