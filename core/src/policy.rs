//! How one request is answered: by which strategy, from how many values, and by when.

use std::str::FromStr;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::aggregate::{Millionths, NEAR, OutlierRule, Rule, Strategy};

/// The shortest timeout a request may ask for.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);
/// The most decimals that a number can have, and so the most that a request may ask for.
pub const MAX_DECIMALS: u32 = 28;

/// How one request is answered. A policy in use is always valid: see [`Policy::with`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How the values are combined.
    pub rule: Rule,
    /// The request fails if fewer values than this are used; at least 1.
    pub min_responses: u32,
    /// The request ends as soon as this many usable values have come; at least [`Policy::min_responses`]. `None` waits
    /// for all workers.
    pub quorum: Option<u32>,
    /// The longest time from submission to answer.
    pub timeout: Duration,
    /// What happens to a disputed answer.
    pub on_dispute: OnDispute,
    /// The decimals to which an answer that is a number is rounded, half-even: 0 to 28; `None` keeps all. Whether the
    /// values agree is decided before.
    pub decimals: Option<u8>,
}

/// What happens to a disputed answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OnDispute {
    /// It is returned, marked as disputed.
    #[default]
    Answer,
    /// It is rejected: the request fails, with the evidence.
    Reject,
}

impl OnDispute {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::Answer, Self::Reject];

    /// The choice's name in requests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Reject => "reject",
        }
    }
}

/// A text that names no [`OnDispute`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("on_dispute must be answer or reject")]
pub struct UnknownOnDispute;

impl FromStr for OnDispute {
    type Err = UnknownOnDispute;

    fn from_str(name: &str) -> Result<Self, UnknownOnDispute> {
        Self::ALL.into_iter().find(|choice| choice.name() == name).ok_or(UnknownOnDispute)
    }
}

/// Averages the values that are near their median, and disputes an answer with which no more than half agree.
impl Default for Policy {
    fn default() -> Self {
        Self {
            rule: Rule {
                max_deviation: OutlierRule::Relative(NEAR),
                min_agreement: Some(Millionths::new(510_000)),
                ..Rule::default()
            },
            min_responses: 1,
            quorum: None,
            timeout: Duration::from_secs(5),
            on_dispute: OnDispute::Answer,
            decimals: None,
        }
    }
}

/// The fields of a [`Policy`] that a request sets itself; `None` keeps the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overrides {
    /// See [`Rule::strategy`].
    pub strategy: Option<Strategy>,
    /// See [`Rule::precision`].
    pub precision: Option<u32>,
    /// See [`Rule::trim_share`].
    pub trim_share: Option<Millionths>,
    /// See [`Rule::max_deviation`].
    pub max_deviation: Option<OutlierRule>,
    /// See [`Rule::tolerance`].
    pub tolerance: Option<Decimal>,
    /// See [`Rule::min_agreement`].
    pub min_agreement: Option<Millionths>,
    /// See [`Rule::max_age`].
    pub max_age: Option<Duration>,
    /// See [`Policy::min_responses`].
    pub min_responses: Option<u32>,
    /// See [`Policy::quorum`].
    pub quorum: Option<u32>,
    /// See [`Policy::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Policy::on_dispute`].
    pub on_dispute: Option<OnDispute>,
    /// See [`Policy::decimals`].
    pub decimals: Option<u8>,
}

/// The server's limits for requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest timeout a request may ask for.
    pub max_timeout: Duration,
    /// The largest `min_responses` and `quorum`, and the most workers that are known at a time.
    pub max_workers: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_timeout: Duration::from_mins(1), max_workers: 1000 }
    }
}

/// Why a policy is invalid; the text names the field and its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PolicyError {
    /// [`Policy::timeout`] is out of range.
    #[error("timeout_ms must be between {} and {}", MIN_TIMEOUT.as_millis(), .max.as_millis())]
    Timeout {
        /// The server's limit.
        max: Duration,
    },
    /// [`Policy::min_responses`] is out of range.
    #[error("min_responses must be between 1 and {max}")]
    MinResponses {
        /// The server's limit.
        max: u32,
    },
    /// [`Policy::quorum`] is out of range.
    #[error("quorum must be between min_responses ({min}) and {max}")]
    Quorum {
        /// The request's `min_responses`.
        min: u32,
        /// The server's limit.
        max: u32,
    },
    /// [`Rule::precision`] is out of range.
    #[error("precision must be between 0 and {MAX_DECIMALS}")]
    Precision,
    /// [`Policy::decimals`] is out of range.
    #[error("decimals must be between 0 and {MAX_DECIMALS}")]
    Decimals,
    /// [`Rule::trim_share`] is a half or more.
    #[error("trim_share must be at least 0 and below 0.5, with at most 6 decimals")]
    TrimShare,
    /// [`Rule::max_deviation`] is negative.
    #[error("max_deviation must not be negative")]
    MaxDeviation,
    /// [`Rule::tolerance`] is negative.
    #[error("tolerance must not be negative")]
    Tolerance,
    /// [`Rule::min_agreement`] is more than 1.
    #[error("min_agreement must be between 0 and 1, with at most 6 decimals")]
    MinAgreement,
}

impl Policy {
    /// This policy with a request's own fields in place of the defaults, checked against the server's limits.
    ///
    /// # Errors
    /// [`PolicyError`] for the first field out of its range.
    pub fn with(&self, overrides: &Overrides, limits: &Limits) -> Result<Self, PolicyError> {
        let policy = Self {
            rule: Rule {
                strategy: overrides.strategy.unwrap_or(self.rule.strategy),
                precision: overrides.precision.unwrap_or(self.rule.precision),
                trim_share: overrides.trim_share.unwrap_or(self.rule.trim_share),
                max_deviation: overrides.max_deviation.unwrap_or(self.rule.max_deviation),
                tolerance: overrides.tolerance.or(self.rule.tolerance),
                min_agreement: overrides.min_agreement.or(self.rule.min_agreement),
                max_age: overrides.max_age.or(self.rule.max_age),
            },
            min_responses: overrides.min_responses.unwrap_or(self.min_responses),
            quorum: overrides.quorum.or(self.quorum),
            timeout: overrides.timeout.unwrap_or(self.timeout),
            on_dispute: overrides.on_dispute.unwrap_or(self.on_dispute),
            decimals: overrides.decimals.or(self.decimals),
        };
        policy.check(limits)?;
        Ok(policy)
    }

    fn check(&self, limits: &Limits) -> Result<(), PolicyError> {
        let max = limits.max_workers;
        if !(MIN_TIMEOUT..=limits.max_timeout).contains(&self.timeout) {
            return Err(PolicyError::Timeout { max: limits.max_timeout });
        }
        if !(1..=max).contains(&self.min_responses) {
            return Err(PolicyError::MinResponses { max });
        }
        if self.quorum.is_some_and(|quorum| !(self.min_responses..=max).contains(&quorum)) {
            return Err(PolicyError::Quorum { min: self.min_responses, max });
        }
        if self.rule.precision > MAX_DECIMALS {
            return Err(PolicyError::Precision);
        }
        if self.decimals.is_some_and(|decimals| u32::from(decimals) > MAX_DECIMALS) {
            return Err(PolicyError::Decimals);
        }
        if self.rule.trim_share.get() * 2 >= Millionths::ONE.get() {
            return Err(PolicyError::TrimShare);
        }
        if matches!(self.rule.max_deviation, OutlierRule::Relative(fraction) if fraction < Decimal::ZERO) {
            return Err(PolicyError::MaxDeviation);
        }
        if self.rule.tolerance.is_some_and(|tolerance| tolerance < Decimal::ZERO) {
            return Err(PolicyError::Tolerance);
        }
        if self.rule.min_agreement.is_some_and(|share| share > Millionths::ONE) {
            return Err(PolicyError::MinAgreement);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_on_dispute_read_back() {
        assert_eq!(OnDispute::ALL.map(OnDispute::name), ["answer", "reject"]);
        assert_eq!(OnDispute::ALL.map(|choice| choice.name().parse()), OnDispute::ALL.map(Ok));
        assert_eq!("Reject".parse::<OnDispute>(), Err(UnknownOnDispute));
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let most = Overrides {
            precision: Some(MAX_DECIMALS),
            decimals: Some(28),
            min_agreement: Some(Millionths::ONE),
            ..Overrides::default()
        };
        assert!(Policy::default().with(&most, &Limits::default()).is_ok());
    }

    #[test]
    fn a_request_stays_within_the_limits_of_the_server() {
        let limits = Limits::default();
        let refused = [
            (
                Overrides { timeout: Some(Duration::ZERO), ..Overrides::default() },
                PolicyError::Timeout { max: limits.max_timeout },
            ),
            (
                Overrides { timeout: Some(Duration::from_secs(61)), ..Overrides::default() },
                PolicyError::Timeout { max: limits.max_timeout },
            ),
            (Overrides { min_responses: Some(0), ..Overrides::default() }, PolicyError::MinResponses { max: 1000 }),
            (Overrides { min_responses: Some(1001), ..Overrides::default() }, PolicyError::MinResponses { max: 1000 }),
            (
                Overrides { min_responses: Some(3), quorum: Some(2), ..Overrides::default() },
                PolicyError::Quorum { min: 3, max: 1000 },
            ),
            (Overrides { quorum: Some(0), ..Overrides::default() }, PolicyError::Quorum { min: 1, max: 1000 }),
            (Overrides { precision: Some(29), ..Overrides::default() }, PolicyError::Precision),
            (Overrides { decimals: Some(29), ..Overrides::default() }, PolicyError::Decimals),
            (
                Overrides { max_deviation: Some(OutlierRule::Relative(Decimal::NEGATIVE_ONE)), ..Overrides::default() },
                PolicyError::MaxDeviation,
            ),
            (Overrides { trim_share: Some(Millionths::new(500_000)), ..Overrides::default() }, PolicyError::TrimShare),
            (Overrides { tolerance: Some(Decimal::NEGATIVE_ONE), ..Overrides::default() }, PolicyError::Tolerance),
            (
                Overrides { min_agreement: Some(Millionths::new(1_000_001)), ..Overrides::default() },
                PolicyError::MinAgreement,
            ),
        ];
        for (overrides, error) in refused {
            assert_eq!(Policy::default().with(&overrides, &limits), Err(error), "{overrides:?}");
        }
    }

    #[test]
    fn fields_that_a_request_does_not_set_keep_their_defaults() {
        let overrides = Overrides { strategy: Some(Strategy::Median), quorum: Some(2), ..Overrides::default() };
        let policy = Policy::default().with(&overrides, &Limits::default()).expect("within the limits");
        assert_eq!(policy.rule.strategy, Strategy::Median);
        assert_eq!(policy.quorum, Some(2));
        assert_eq!(policy.timeout, Policy::default().timeout);
    }
}
