//! The policies of requests: for all queries, for some queries, and for one request.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule, Rule};
use quorate_core::coordinator::{self, Expected};
use quorate_core::pattern::Pattern;
use quorate_core::policy::{self, OnDispute, Overrides};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::worker_name;

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
    /// Takes precedence over `max_deviation_permille`.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
}

/// An outlier rule that depends on the spread of the values; the factor is in thousandths.
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
    /// The queries it applies to; see [`Pattern`].
    pub pattern: String,
    /// The fields that differ from the policy of all other queries.
    pub policy: Policy,
    /// Who should be there for them; `None` for those that should be there for all other queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
}

/// Who should be there for a query: see [`Expected`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// The numbers of worker names.
    pub names: Vec<u8>,
    /// The least number of workers.
    pub least: u32,
}

impl Expectation {
    /// Whether nobody in particular should be there.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn config(&self) -> Expected {
        Expected { workers: self.names.iter().map(|name| worker_name(*name)).collect(), least: self.least }
    }
}

/// The text of a policy file with these policies and weights of worker names, in millionths.
pub(super) fn file(policies: &[QueryPolicy], weights: &BTreeMap<u8, u64>) -> String {
    let mut text: String = policies.iter().map(QueryPolicy::text).collect();
    if !weights.is_empty() {
        text += "[weights]\n";
    }
    for (name, weight) in weights {
        let weight = Decimal::from_i128_with_scale((*weight).into(), 6);
        writeln!(text, "{} = {weight}", worker_name(*name)).expect("a string takes every text");
    }
    text
}

/// Converts thousandths to the core's type for shares.
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
    /// The overrides of the core. An unknown strategy is left at its default.
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
            decimals: self.decimals,
        }
    }

    /// A complete policy, with the fields of `base` for what is not set.
    pub(super) fn over(&self, base: &policy::Policy) -> policy::Policy {
        let set = self.overrides();
        policy::Policy {
            rule: Rule {
                strategy: set.strategy.unwrap_or(base.rule.strategy),
                precision: set.precision.unwrap_or(base.rule.precision),
                trim_share: set.trim_share.unwrap_or(base.rule.trim_share),
                max_deviation: set.max_deviation.unwrap_or(base.rule.max_deviation),
                tolerance: set.tolerance.or(base.rule.tolerance),
                min_agreement: set.min_agreement.or(base.rule.min_agreement),
                max_age: set.max_age.or(base.rule.max_age),
            },
            min_responses: set.min_responses.unwrap_or(base.min_responses),
            quorum: set.quorum.or(base.quorum),
            timeout: set.timeout.unwrap_or(base.timeout),
            on_dispute: set.on_dispute.unwrap_or(base.on_dispute),
            decimals: set.decimals.or(base.decimals),
        }
    }
}

impl QueryPolicy {
    /// Its section of a policy file.
    fn text(&self) -> String {
        let Policy {
            strategy,
            precision,
            trim_share_permille,
            max_deviation_permille,
            outliers,
            tolerance_permille,
            min_agreement_permille,
            max_age_ms,
            rejects_disputes,
            min_responses,
            quorum,
            timeout_ms,
            decimals,
        } = &self.policy;
        let decimal = |permille: i64| Decimal::new(permille, 3).to_string();
        let quoted = |text: &dyn std::fmt::Display| format!("\"{text}\"");
        let outliers = outliers.map(|outliers| match outliers {
            Outliers::Mad(permille) => quoted(&format_args!("mad:{}", decimal(permille.into()))),
            Outliers::Iqr(permille) => quoted(&format_args!("iqr:{}", decimal(permille.into()))),
        });
        let dispute = rejects_disputes.map(|rejects| quoted(&if rejects { "reject" } else { "answer" }));
        let fields = [
            ("query", Some(quoted(&self.pattern))),
            ("strategy", strategy.as_ref().map(|name| quoted(name))),
            ("precision", precision.map(|precision| precision.to_string())),
            ("trim_share", trim_share_permille.map(|share| decimal(share.into()))),
            ("max_deviation", outliers.or(max_deviation_permille.map(decimal))),
            ("tolerance", tolerance_permille.map(decimal)),
            // As text, which a policy file accepts for a number.
            ("min_agreement", min_agreement_permille.map(|share| quoted(&decimal(share.into())))),
            ("max_age_ms", max_age_ms.map(|millis| millis.to_string())),
            ("on_dispute", dispute),
            ("min_responses", min_responses.map(|count| count.to_string())),
            ("quorum", quorum.map(|count| count.to_string())),
            ("timeout_ms", timeout_ms.map(|millis| millis.to_string())),
            ("decimals", decimals.map(|decimals| decimals.to_string())),
            ("expect", self.expected.as_ref().map(|it| names(&it.names))),
            ("min_expected", self.expected.as_ref().map(|it| it.least.to_string())),
        ];
        let lines = fields.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}\n", value?)));
        format!("[[policy]]\n{}", lines.collect::<String>())
    }

    /// The complete policy; `base` and `others` hold for all other queries.
    pub(super) fn over(&self, base: &policy::Policy, others: &Expected) -> coordinator::QueryPolicy {
        coordinator::QueryPolicy {
            pattern: Pattern::new(&self.pattern),
            policy: self.policy.over(base),
            expected: self.expected.as_ref().map_or_else(|| others.clone(), Expectation::config),
        }
    }
}

/// An array of worker names.
fn names(numbers: &[u8]) -> String {
    let names: Vec<_> = numbers.iter().map(|number| format!("\"{}\"", worker_name(*number))).collect();
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_file_has_what_is_set() {
        let policy = Policy {
            strategy: Some("median".to_owned()),
            trim_share_permille: Some(200),
            outliers: Some(Outliers::Mad(3500)),
            rejects_disputes: Some(true),
            ..Policy::default()
        };
        let expected = Some(Expectation { names: vec![1, 2], least: 3 });
        let first = QueryPolicy { pattern: "*/USD".to_owned(), policy, expected };
        let text = file(&[first], &BTreeMap::from([(1, 0), (2, 3_500_000)]));
        assert_eq!(
            text,
            "[[policy]]\nquery = \"*/USD\"\nstrategy = \"median\"\ntrim_share = 0.200\nmax_deviation = \"mad:3.500\"\n\
             on_dispute = \"reject\"\nexpect = [\"w1\", \"w2\"]\nmin_expected = 3\n[weights]\nw1 = 0.000000\nw2 = 3.500000\n"
        );
    }
}
