//! The policy in force for a request: the operator's for its query, with the caller's overrides.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Rule};
use quorate_core::coordinator::Config;
use quorate_core::policy::{Limits, Overrides, Policy, PolicyError};
use rust_decimal::Decimal;

/// The operator's policy for a query: that of the first pattern that covers it, or else the default one.
pub fn of_operator<'a>(config: &'a Config, query: &str) -> &'a Policy {
    for (pattern, policy) in &config.policies {
        if covers(pattern.as_str().as_bytes(), query.as_bytes()) {
            return policy;
        }
    }
    &config.policy
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
    let policy = with(of_operator(config, query), overrides);
    fault(&policy, &config.limits).map_or(Ok(policy), Err)
}

/// A policy with a caller's overrides in place of its own fields.
pub fn with(policy: &Policy, overrides: &Overrides) -> Policy {
    Policy {
        rule: Rule {
            strategy: overrides.strategy.unwrap_or(policy.rule.strategy),
            precision: overrides.precision.unwrap_or(policy.rule.precision),
            trim_share: overrides.trim_share.unwrap_or(policy.rule.trim_share),
            max_deviation: overrides.max_deviation.or(policy.rule.max_deviation),
            tolerance: overrides.tolerance.or(policy.rule.tolerance),
            min_agreement: overrides.min_agreement.or(policy.rule.min_agreement),
            max_age: overrides.max_age.or(policy.rule.max_age),
        },
        min_responses: overrides.min_responses.unwrap_or(policy.min_responses),
        quorum: overrides.quorum.or(policy.quorum),
        timeout: overrides.timeout.unwrap_or(policy.timeout),
        on_dispute: overrides.on_dispute.unwrap_or(policy.on_dispute),
    }
}

/// The error for the first field that is out of range.
fn fault(policy: &Policy, limits: &Limits) -> Option<PolicyError> {
    let (max, max_timeout) = (limits.max_workers, limits.max_timeout);
    let Policy { rule, min_responses: min, quorum, timeout, .. } = *policy;
    let is_negative = |number: Decimal| number.mantissa() < 0;
    let is_outlier_rule_negative =
        matches!(rule.max_deviation, Some(OutlierRule::Relative(fraction)) if is_negative(fraction));
    let faults = [
        (timeout < Duration::from_millis(1) || timeout > max_timeout, PolicyError::Timeout { max: max_timeout }),
        (min == 0 || min > max, PolicyError::MinResponses { max }),
        (quorum.is_some_and(|quorum| quorum < min || quorum > max), PolicyError::Quorum { min, max }),
        (rule.precision > 28, PolicyError::Precision),
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
