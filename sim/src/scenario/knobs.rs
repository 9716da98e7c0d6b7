//! Bounds and waits that production leaves at their defaults, and that a seed may make tiny so that they are reached.

use std::time::Duration;

use quorate_core::{coordinator, worker};
use serde::{Deserialize, Serialize};

/// The knobs of all coordinators; `None` leaves the default. See [`coordinator::Config`] for what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Knobs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_times: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lag_ms: Option<u64>,
    /// The maximum number of messages that the driver takes from each subscription in a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_responders_grace_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_newcomers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admit_every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admit_burst: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_gone_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_queries: Option<usize>,
    /// 0 suspects nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspect_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usual_samples: Option<usize>,
    /// The maximum number of bytes of a pack of tasks that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_bytes: Option<usize>,
    /// 0 turns packs off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_remembered_bytes: Option<usize>,
}

/// The knobs of one worker process; `None` leaves the default. See [`worker::Config`] for what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct WorkerKnobs {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_reply_places: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_ttl_ms: Option<u64>,
    /// The maximum number of bytes of a pack of results that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ttl_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_grace_ms: Option<u64>,
    /// The maximum number of messages that the driver takes from each subscription in a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
}

fn set<T>(of: &mut T, to: Option<T>) {
    if let Some(to) = to {
        *of = to;
    }
}

impl Knobs {
    /// Whether everything is left at its default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply(&self, config: &mut coordinator::Config) {
        set(&mut config.max_instances, self.max_instances);
        set(&mut config.response_times, self.response_times);
        set(&mut config.reconnect_grace, self.reconnect_grace_ms.map(Duration::from_millis));
        set(&mut config.max_lag, self.max_lag_ms.map(Duration::from_millis));
        set(&mut config.no_responders_grace, self.no_responders_grace_ms.map(Duration::from_millis));
        set(&mut config.max_newcomers, self.max_newcomers);
        set(&mut config.admit_every, self.admit_every_ms.map(Duration::from_millis));
        set(&mut config.admit_burst, self.admit_burst);
        set(&mut config.keep_gone, self.keep_gone_ms.map(Duration::from_millis));
        set(&mut config.kept_queries, self.kept_queries);
        let after = |millis| (millis > 0).then(|| Duration::from_millis(millis));
        set(&mut config.suspect_after, self.suspect_after_ms.map(after));
        set(&mut config.usual_samples, self.usual_samples);
        set(&mut config.single_every, self.single_every_ms.map(Duration::from_millis));
        set(&mut config.max_in_flight_bytes, self.max_in_flight_bytes);
        set(&mut config.max_remembered_bytes, self.max_remembered_bytes);
    }
}

impl WorkerKnobs {
    /// Whether everything is left at its default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply(&self, config: &mut worker::Config) {
        set(&mut config.max_reply_places, self.max_reply_places);
        set(&mut config.default_ttl, self.default_ttl_ms.map(Duration::from_millis));
        set(&mut config.max_ttl, self.max_ttl_ms.map(Duration::from_millis));
        set(&mut config.drain_grace, self.drain_grace_ms.map(Duration::from_millis));
    }
}
