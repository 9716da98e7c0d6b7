//! What a request may count on: the settings with its own policy in their place, worked out apart from the core.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Rule, Strategy};
use quorate_core::policy::{OnDispute, Overrides};
use rust_decimal::Decimal;

use crate::Depth;
use crate::scenario::{Outliers, Policy, Settings};

/// How late something may be that a timer does. Over the network timers have a granularity of a millisecond, and so
/// have the ticks of the hosts.
pub(super) const fn slack(depth: Depth) -> Duration {
    match depth {
        Depth::Machines => Duration::ZERO,
        Depth::Network => Duration::from_millis(3),
    }
}

/// The policy in force for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) rule: Rule,
    pub(super) min_responses: u32,
    pub(super) quorum: Option<u32>,
    pub(super) timeout: Duration,
    pub(super) rejects_disputes: bool,
}

/// The policies of all queries.
#[derive(Clone, Debug)]
pub(super) struct Policies {
    others: Terms,
    of_some: Vec<(String, Terms)>,
}

impl Policies {
    /// What holds for requests that set nothing themselves: `docs/protocol.md` has the defaults.
    pub(super) fn of_settings(settings: &Settings) -> Self {
        let default = Terms {
            rule: Rule {
                strategy: Strategy::Average,
                precision: 2,
                trim_share: Millionths::new(250_000),
                max_deviation: None,
                tolerance: None,
                min_agreement: None,
                max_age: None,
            },
            min_responses: 1,
            quorum: None,
            timeout: Duration::from_secs(5),
            rejects_disputes: false,
        };
        let others = default.with_request(&settings.policy);
        let of_some = settings.policies.iter().map(|of| (of.pattern.clone(), others.with_request(&of.policy)));
        Self { others, of_some: of_some.collect() }
    }

    /// What holds for a request for `query` that sets nothing itself.
    pub(super) fn of(&self, query: &str) -> Terms {
        for (pattern, terms) in &self.of_some {
            if covers(pattern.as_bytes(), query.as_bytes()) {
                return *terms;
            }
        }
        self.others
    }
}

/// Whether a pattern, in which a star stands for anything, covers a query.
fn covers(pattern: &[u8], query: &[u8]) -> bool {
    match (pattern, query) {
        ([b'*', pattern @ ..], _) => (0..=query.len()).any(|skipped| covers(pattern, &query[skipped..])),
        ([wanted, pattern @ ..], [found, query @ ..]) => wanted == found && covers(pattern, query),
        ([], query) => query.is_empty(),
        (_, []) => false,
    }
}

impl Terms {
    /// With what a request sets itself.
    pub(super) fn with(self, overrides: &Overrides) -> Self {
        Self {
            rule: Rule {
                strategy: overrides.strategy.unwrap_or(self.rule.strategy),
                precision: overrides.precision.unwrap_or(self.rule.precision),
                trim_share: overrides.trim_share.unwrap_or(self.rule.trim_share),
                max_deviation: overrides.max_deviation.or(self.rule.max_deviation),
                tolerance: overrides.tolerance.or(self.rule.tolerance),
                min_agreement: overrides.min_agreement.or(self.rule.min_agreement),
                max_age: overrides.max_age.or(self.rule.max_age),
            },
            min_responses: overrides.min_responses.unwrap_or(self.min_responses),
            quorum: overrides.quorum.or(self.quorum),
            timeout: overrides.timeout.unwrap_or(self.timeout),
            rejects_disputes: overrides.on_dispute.map_or(self.rejects_disputes, |what| what == OnDispute::Reject),
        }
    }

    /// With what a client of the scenario sets, or the settings do.
    pub(super) fn with_request(self, policy: &Policy) -> Self {
        let thousandths = |permille| Decimal::new(permille, 3);
        let share = |permille: u32| Millionths::new(u64::from(permille) * 1000);
        let outliers = match (policy.outliers, policy.max_deviation_permille) {
            (Some(Outliers::Mad(permille)), _) => Some(OutlierRule::Mad(share(permille))),
            (Some(Outliers::Iqr(permille)), _) => Some(OutlierRule::Iqr(share(permille))),
            (None, permille) => permille.map(|permille| OutlierRule::Relative(thousandths(permille))),
        };
        self.with(&Overrides {
            strategy: policy.strategy.as_deref().and_then(strategy_named),
            precision: policy.precision,
            trim_share: policy.trim_share_permille.map(share),
            max_deviation: outliers,
            tolerance: policy.tolerance_permille.map(thousandths),
            min_agreement: policy.min_agreement_permille.map(share),
            max_age: policy.max_age_ms.map(Duration::from_millis),
            min_responses: policy.min_responses,
            quorum: policy.quorum,
            timeout: policy.timeout_ms.map(Duration::from_millis),
            on_dispute: policy
                .rejects_disputes
                .map(|rejects| if rejects { OnDispute::Reject } else { OnDispute::Answer }),
        })
    }

    /// Which fields are out of range.
    pub(super) fn faults(&self, settings: &Settings) -> Faults {
        let most = settings.max_workers;
        let in_range = |count: u32, least: u32| (least..=most).contains(&count);
        let is_negative = |number: Decimal| number.mantissa() < 0;
        Faults {
            timeout: self.timeout.as_millis() < 1 || self.timeout > Duration::from_millis(settings.max_timeout_ms),
            min_responses: !in_range(self.min_responses, 1),
            quorum: self.quorum.is_some_and(|quorum| !in_range(quorum, self.min_responses)),
            precision: self.rule.precision > 28,
            trim_share: self.rule.trim_share >= Millionths::new(500_000),
            max_deviation: match self.rule.max_deviation {
                Some(OutlierRule::Relative(fraction)) => is_negative(fraction),
                Some(OutlierRule::Mad(_) | OutlierRule::Iqr(_)) | None => false,
            },
            tolerance: self.rule.tolerance.is_some_and(is_negative),
            min_agreement: self.rule.min_agreement.is_some_and(|share| share.get() > 1_000_000),
        }
    }
}

/// Which fields of a policy are out of range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each field is one field of a policy")]
pub(super) struct Faults {
    pub(super) timeout: bool,
    pub(super) min_responses: bool,
    pub(super) quorum: bool,
    pub(super) precision: bool,
    pub(super) trim_share: bool,
    pub(super) max_deviation: bool,
    pub(super) tolerance: bool,
    pub(super) min_agreement: bool,
}

impl Faults {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

/// The strategies and their names in requests and answers.
const STRATEGIES: [(&str, Strategy); 7] = [
    ("average", Strategy::Average),
    ("median", Strategy::Median),
    ("majority", Strategy::Majority),
    ("weighted_median", Strategy::WeightedMedian),
    ("trimmed_mean", Strategy::TrimmedMean),
    ("min", Strategy::Min),
    ("max", Strategy::Max),
];

/// The strategy of this name.
pub(super) fn strategy_named(name: &str) -> Option<Strategy> {
    STRATEGIES.iter().find(|(known, _)| *known == name).map(|(_, strategy)| *strategy)
}

/// The name of a strategy in an answer; nothing for one that is not known here.
pub(super) fn strategy_name(strategy: Strategy) -> &'static str {
    STRATEGIES.iter().find(|(_, known)| *known == strategy).map_or("", |(name, _)| name)
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

    #[test]
    fn every_strategy_has_a_name() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy_name(*strategy), strategy.name());
            assert_eq!(strategy_named(strategy.name()), Some(*strategy));
        }
    }
}
