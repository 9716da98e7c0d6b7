//! The policy in force for a request: the operator's for its query, with the caller's overrides.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Rule};
use quorate_core::coordinator::{Config, Expected};
use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;
use quorate_core::policy::{Limits, Overrides, Policy, PolicyError};
use rust_decimal::Decimal;

/// The operator's policy for a query, and who should be there for it: those of the first pattern that covers it, or else
/// the default ones.
pub fn of_operator<'a>(config: &'a Config, query: &str) -> (&'a Policy, &'a Expected) {
    for it in &config.policies {
        if covers(it.pattern.as_str().as_bytes(), query.as_bytes()) {
            return (&it.policy, &it.expected);
        }
    }
    (&config.policy, &config.expected)
}

/// Whether an offer includes a query. One without patterns includes every query.
pub(crate) fn offers(offer: &Offer, query: &str) -> bool {
    let mut patterns = offer.patterns().iter().map(|pattern| pattern.as_str().as_bytes());
    offer.patterns().is_empty() || patterns.any(|pattern| covers(pattern, query.as_bytes()))
}

/// Whether an offer includes some query that a pattern covers.
pub(crate) fn offers_some(offer: &Offer, pattern: &Pattern) -> bool {
    let of = |pattern: &Pattern| pattern.as_str().as_bytes().to_vec();
    offer.patterns().is_empty() || offer.patterns().iter().any(|offered| meet(&of(offered), &of(pattern)))
}

/// Whether some text is covered by both patterns.
fn meet(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if meet(rest, other) => true,
        (_, [b'*', rest @ ..]) if meet(one, rest) => true,
        ([b'*', ..], [_, rest @ ..]) => meet(one, rest),
        ([_, rest @ ..], [b'*', ..]) => meet(rest, other),
        ([a, one @ ..], [b, other @ ..]) => a == b && meet(one, other),
        _ => false,
    }
}

/// Whether a pattern covers a query. A star matches any text.
pub fn covers(pattern: &[u8], query: &[u8]) -> bool {
    match (pattern, query) {
        ([b'*', pattern @ ..], _) => (0..=query.len()).any(|skipped| covers(pattern, &query[skipped..])),
        ([wanted, pattern @ ..], [found, query @ ..]) => wanted == found && covers(pattern, query),
        ([], query) => query.is_empty(),
        (_, []) => false,
    }
}

/// The policy in force for a request for `query` with these overrides.
///
/// # Errors
/// [`PolicyError`] for the first field that is out of range.
pub fn in_force(config: &Config, query: &str, overrides: &Overrides) -> Result<Policy, PolicyError> {
    let policy = with(of_operator(config, query).0, overrides);
    fault(&policy, &config.limits).map_or(Ok(policy), Err)
}

/// A policy with a caller's overrides in place of its own fields.
pub fn with(policy: &Policy, overrides: &Overrides) -> Policy {
    Policy {
        rule: Rule {
            strategy: overrides.strategy.unwrap_or(policy.rule.strategy),
            precision: overrides.precision.unwrap_or(policy.rule.precision),
            trim_share: overrides.trim_share.unwrap_or(policy.rule.trim_share),
            max_deviation: overrides.max_deviation.unwrap_or(policy.rule.max_deviation),
            tolerance: overrides.tolerance.or(policy.rule.tolerance),
            min_agreement: overrides.min_agreement.or(policy.rule.min_agreement),
            max_age: overrides.max_age.or(policy.rule.max_age),
        },
        min_responses: overrides.min_responses.unwrap_or(policy.min_responses),
        quorum: overrides.quorum.or(policy.quorum),
        timeout: overrides.timeout.unwrap_or(policy.timeout),
        on_dispute: overrides.on_dispute.unwrap_or(policy.on_dispute),
        decimals: overrides.decimals.or(policy.decimals),
    }
}

/// The error for the first field that is out of range.
fn fault(policy: &Policy, limits: &Limits) -> Option<PolicyError> {
    let (max, max_timeout) = (limits.max_workers, limits.max_timeout);
    let Policy { rule, min_responses: min, quorum, timeout, decimals, .. } = *policy;
    let is_negative = |number: Decimal| number.mantissa() < 0;
    let is_outlier_rule_negative =
        matches!(rule.max_deviation, OutlierRule::Relative(fraction) if is_negative(fraction));
    let faults = [
        (timeout < Duration::from_millis(1) || timeout > max_timeout, PolicyError::Timeout { max: max_timeout }),
        (min == 0 || min > max, PolicyError::MinResponses { max }),
        (quorum.is_some_and(|quorum| quorum < min || quorum > max), PolicyError::Quorum { min, max }),
        (rule.precision > 28, PolicyError::Precision),
        (decimals.is_some_and(|decimals| decimals > 28), PolicyError::Decimals),
        (rule.trim_share >= Millionths::new(500_000), PolicyError::TrimShare),
        (is_outlier_rule_negative, PolicyError::MaxDeviation),
        (rule.tolerance.is_some_and(is_negative), PolicyError::Tolerance),
        (rule.min_agreement.is_some_and(|share| share.get() > 1_000_000), PolicyError::MinAgreement),
    ];
    faults.into_iter().find_map(|(is_so, error)| is_so.then_some(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_covers_anything() {
        for (pattern, query, expected) in [
            ("BTC/USD", "BTC/USD", true),
            ("BTC/USD", "BTC/USDT", false),
            ("*", "", true),
            ("*/USD", "BTC/USD", true),
            ("*/USD", "BTC/USD as text", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(covers(pattern.as_bytes(), query.as_bytes()), expected, "{pattern} {query}");
        }
    }
}
