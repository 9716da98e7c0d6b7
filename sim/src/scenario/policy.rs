//! How requests are asked and answered: of all queries, of some, and of one request.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Rule};
use quorate_core::pattern::Pattern;
use quorate_core::policy::{self, OnDispute, Overrides};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A policy or a part of one: see [`Overrides`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Policy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// In thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim_share_permille: Option<u32>,
    /// In thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_deviation_permille: Option<i64>,
    /// Goes before `max_deviation_permille`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outliers: Option<Outliers>,
    /// In thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_permille: Option<i64>,
    /// In thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_agreement_permille: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects_disputes: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_responses: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// An outlier rule by how values are spread; the factor is in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outliers {
    /// See [`OutlierRule::Mad`].
    Mad(u32),
    /// See [`OutlierRule::Iqr`].
    Iqr(u32),
}

/// The policy of some queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryPolicy {
    /// Which queries; see [`Pattern`].
    pub pattern: String,
    /// What of it is not as for all other queries.
    pub policy: Policy,
}

/// Thousandths as core takes a share.
pub(super) fn share(permille: u32) -> Millionths {
    Millionths::new(u64::from(permille) * 1000)
}

impl From<Outliers> for OutlierRule {
    fn from(outliers: Outliers) -> Self {
        match outliers {
            Outliers::Mad(permille) => Self::Mad(share(permille)),
            Outliers::Iqr(permille) => Self::Iqr(share(permille)),
        }
    }
}

impl Policy {
    /// As the core takes it. An unknown strategy is left to its default.
    pub fn overrides(&self) -> Overrides {
        let relative = self.max_deviation_permille.map(|permille| OutlierRule::Relative(Decimal::new(permille, 3)));
        Overrides {
            strategy: self.strategy.as_deref().and_then(|name| name.parse().ok()),
            precision: self.precision,
            trim_share: self.trim_share_permille.map(share),
            max_deviation: self.outliers.map(OutlierRule::from).or(relative),
            tolerance: self.tolerance_permille.map(|permille| Decimal::new(permille, 3)),
            min_agreement: self.min_agreement_permille.map(share),
            max_age: self.max_age_ms.map(Duration::from_millis),
            min_responses: self.min_responses,
            quorum: self.quorum,
            timeout: self.timeout_ms.map(Duration::from_millis),
            on_dispute: self
                .rejects_disputes
                .map(|rejects| if rejects { OnDispute::Reject } else { OnDispute::Answer }),
        }
    }

    /// A whole policy, with those of `base` for what is not set.
    pub(super) fn over(&self, base: &policy::Policy) -> policy::Policy {
        let set = self.overrides();
        policy::Policy {
            rule: Rule {
                strategy: set.strategy.unwrap_or(base.rule.strategy),
                precision: set.precision.unwrap_or(base.rule.precision),
                trim_share: set.trim_share.unwrap_or(base.rule.trim_share),
                max_deviation: set.max_deviation.or(base.rule.max_deviation),
                tolerance: set.tolerance.or(base.rule.tolerance),
                min_agreement: set.min_agreement.or(base.rule.min_agreement),
                max_age: set.max_age.or(base.rule.max_age),
            },
            min_responses: set.min_responses.unwrap_or(base.min_responses),
            quorum: set.quorum.or(base.quorum),
            timeout: set.timeout.unwrap_or(base.timeout),
            on_dispute: set.on_dispute.unwrap_or(base.on_dispute),
        }
    }
}

impl QueryPolicy {
    /// As the core takes it, where `base` is the policy of all other queries.
    pub(super) fn over(&self, base: &policy::Policy) -> (Pattern, policy::Policy) {
        (Pattern::new(&self.pattern), self.policy.over(base))
    }
}
