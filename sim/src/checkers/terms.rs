//! What a request may count on: the settings with its own policy in their place, worked out apart from the core.

use std::time::Duration;

use quorate_core::aggregate::Strategy;
use quorate_core::policy::Overrides;
use rust_decimal::Decimal;

use crate::Depth;
use crate::scenario::{Policy, Settings};

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
    pub(super) strategy: Strategy,
    pub(super) precision: u32,
    pub(super) max_deviation: Option<Decimal>,
    pub(super) min_responses: u32,
    pub(super) quorum: Option<u32>,
    pub(super) timeout: Duration,
}

impl Terms {
    /// What holds for a request that sets nothing itself: `docs/protocol.md` has the defaults.
    pub(super) fn of_settings(settings: &Settings) -> Self {
        let Policy { strategy, precision, max_deviation_permille, min_responses, quorum, timeout_ms } =
            &settings.policy;
        Self {
            strategy: strategy.as_deref().and_then(strategy_named).unwrap_or(Strategy::Average),
            precision: precision.unwrap_or(2),
            max_deviation: max_deviation_permille.map(|permille| Decimal::new(permille, 3)),
            min_responses: min_responses.unwrap_or(1),
            quorum: *quorum,
            timeout: Duration::from_millis(timeout_ms.unwrap_or(5000)),
        }
    }

    /// With what a request sets itself.
    pub(super) fn with(self, overrides: &Overrides) -> Self {
        Self {
            strategy: overrides.strategy.unwrap_or(self.strategy),
            precision: overrides.precision.unwrap_or(self.precision),
            max_deviation: overrides.max_deviation.or(self.max_deviation),
            min_responses: overrides.min_responses.unwrap_or(self.min_responses),
            quorum: overrides.quorum.or(self.quorum),
            timeout: overrides.timeout.unwrap_or(self.timeout),
        }
    }

    /// With what a client of the scenario sets.
    pub(super) fn with_request(self, policy: &Policy) -> Self {
        self.with(&Overrides {
            strategy: policy.strategy.as_deref().and_then(strategy_named),
            precision: policy.precision,
            max_deviation: policy.max_deviation_permille.map(|permille| Decimal::new(permille, 3)),
            min_responses: policy.min_responses,
            quorum: policy.quorum,
            timeout: policy.timeout_ms.map(Duration::from_millis),
        })
    }

    /// Which fields are out of range.
    pub(super) fn faults(&self, settings: &Settings) -> Faults {
        let most = settings.max_workers;
        let in_range = |count: u32, least: u32| (least..=most).contains(&count);
        Faults {
            timeout: self.timeout.as_millis() < 1 || self.timeout > Duration::from_millis(settings.max_timeout_ms),
            min_responses: !in_range(self.min_responses, 1),
            quorum: self.quorum.is_some_and(|quorum| !in_range(quorum, self.min_responses)),
            precision: self.precision > 28,
            max_deviation: self.max_deviation.is_some_and(|fraction| fraction.mantissa() < 0),
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
    pub(super) max_deviation: bool,
}

impl Faults {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

/// The strategy of this name.
pub(super) fn strategy_named(name: &str) -> Option<Strategy> {
    match name {
        "average" => Some(Strategy::Average),
        "median" => Some(Strategy::Median),
        "majority" => Some(Strategy::Majority),
        _ => None,
    }
}

/// The name of a strategy in an answer.
pub(super) const fn strategy_name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Average => "average",
        Strategy::Median => "median",
        Strategy::Majority => "majority",
    }
}
