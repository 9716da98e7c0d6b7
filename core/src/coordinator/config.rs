//! The coordinator's settings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::reliability::Score;
use crate::aggregate::Millionths;
use crate::id::WorkerId;
use crate::pattern::Pattern;
use crate::policy::{Limits, Policy};
use crate::query::Query;

/// The settings of a [`Coordinator`](super::Coordinator).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The policy of requests that set no policy of their own, if none of `policies` matches the query.
    pub policy: Policy,
    /// Who should be there for the queries that none of `policies` matches.
    pub expected: Expected,
    /// Policies for some queries. The first whose pattern matches a query applies to it.
    pub policies: Vec<Arc<QueryPolicy>>,
    /// The limits of a request's own policy.
    pub limits: Limits,
    /// The most requests in flight; a further one is refused.
    pub max_in_flight: usize,
    /// What the requests in flight may weigh, in bytes as [`Outcome::bytes`](crate::outcome::Outcome::bytes) counts
    /// them. A further request is refused, and an answer beyond it is dropped.
    pub max_in_flight_bytes: usize,
    /// The most callers that may wait for one request under the same id.
    pub max_waiting: usize,
    /// How long a worker counts as live after it was last heard.
    pub presence: Duration,
    /// The most processes of one worker that are told apart.
    pub max_instances: usize,
    /// The number of a worker's latest response times that are kept for the quantiles; at least 1.
    pub response_times: usize,
    /// A timer that fires later than this shows that the coordinator itself was paused. Then no worker is blamed for
    /// silence during the pause, and a worker whose presence ran out during it has this long to be heard again.
    pub max_lag: Duration,
    /// The stall timeout: a request that expected no worker ends when no further result has come for this long.
    pub stall: Duration,
    /// When a task is redispatched to silent workers, in thousandths of the timeout; 0 turns the redispatch off.
    pub redispatch_permille: u32,
    /// How long after a reconnect the requests whose tasks may be lost are redispatched, unless half of their remaining
    /// time is less: the workers reconnect too.
    pub reconnect_grace: Duration,
    /// How long a request waits for a sign of life of its expected workers after a notice that nobody listens for its
    /// task. Without one it fails, at the latest at its deadline.
    pub no_responders_grace: Duration,
    /// The least time for which a request waits for a worker. Beyond it and the worker's own usual time, a live worker
    /// that is silent while others have answered is suspect, and no request waits longer for it. `None` suspects nobody.
    pub suspect_after: Option<Duration>,
    /// The number of response times from which a worker's usual time is known; at least 1, at most `response_times`. Before,
    /// it is neither suspect nor blamed for silence.
    pub usual_samples: usize,
    /// How often a task goes out alone although every live worker takes packs, so that workers which take none and are
    /// not known yet hear of it. Zero turns packs off.
    pub single_every: Duration,
    /// How long an outcome is remembered by its id.
    pub remember: Duration,
    /// The number of outcomes that are remembered; the oldest is forgotten first.
    pub max_remembered: usize,
    /// What the remembered outcomes may weigh, in bytes as [`Outcome::bytes`](crate::outcome::Outcome::bytes) counts
    /// them.
    pub max_remembered_bytes: usize,
    /// The most newcomers that take part in one request besides the workers with a record. Some are expected in turn;
    /// the others take part by answering. As many may take part besides founders.
    pub max_newcomers: u32,
    /// New names become known at a rate of one per this time, with at most `admit_burst` at once. Names that announce
    /// themselves before any worker has a record are exempt.
    pub admit_every: Duration,
    /// The number of new names that may become known at once; at least 1.
    pub admit_burst: u32,
    /// A gone worker with a record is kept for this long after it was last heard. Then it may have to make room for a
    /// new name.
    pub keep_gone: Duration,
    /// The number of queries kept per worker, the latest to which it has sent a value. It is blamed for silence and
    /// failures on these only.
    pub kept_queries: usize,
    /// The workers that are admitted by name, which have a record from the start; `None` admits every worker.
    pub admitted: Option<BTreeSet<WorkerId>>,
    /// The score below which workers are quarantined: they are asked, and their values are not used. `None` quarantines
    /// none.
    pub quarantine_below: Option<Score>,
    /// The weights of workers, if a strategy uses weights. A worker that is not listed weighs 1. If none is listed,
    /// every worker weighs its score.
    pub weights: Arc<BTreeMap<WorkerId, Millionths>>,
    /// Whether the coordinator emits [`Event`](super::Event)s.
    pub events: bool,
}

/// The weight of a worker with this score, by the weights that the operator set.
pub(super) fn weight(weights: &BTreeMap<WorkerId, Millionths>, worker: &WorkerId, score: Score) -> Millionths {
    if weights.is_empty() {
        return Millionths::new(score.millionths().into());
    }
    weights.get(worker).copied().unwrap_or(Millionths::ONE)
}

/// What replaces the policies of a running coordinator. The adapter has checked them, like the whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policies {
    /// Replaces [`Config::policies`].
    pub policies: Vec<Arc<QueryPolicy>>,
    /// Replaces [`Config::weights`].
    pub weights: Arc<BTreeMap<WorkerId, Millionths>>,
}

/// The policy of some queries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueryPolicy {
    /// The queries it applies to.
    pub pattern: Pattern,
    /// How their requests are answered.
    pub policy: Policy,
    /// Who should be there for them.
    pub expected: Expected,
}

/// The workers that should be there for a query. Those that are not are missing from its answers, and are not waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expected {
    /// The workers by name.
    pub workers: BTreeSet<WorkerId>,
    /// The least number of workers.
    pub least: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            expected: Expected::default(),
            policies: Vec::new(),
            limits: Limits::default(),
            max_in_flight: 10_000,
            max_in_flight_bytes: 256 << 20,
            max_waiting: 64,
            presence: Duration::from_secs(10),
            max_instances: 64,
            response_times: 128,
            max_lag: Duration::from_secs(1),
            stall: Duration::from_millis(300),
            redispatch_permille: 500,
            reconnect_grace: Duration::from_millis(250),
            no_responders_grace: Duration::from_millis(500),
            suspect_after: Some(Duration::from_millis(100)),
            usual_samples: 8,
            single_every: Duration::from_secs(1),
            remember: Duration::from_mins(1),
            max_remembered: 10_000,
            max_remembered_bytes: 64 << 20,
            max_newcomers: 3,
            admit_every: Duration::from_millis(100),
            admit_burst: 32,
            keep_gone: Duration::from_hours(1),
            kept_queries: 64,
            admitted: None,
            quarantine_below: None,
            weights: Arc::default(),
            events: false,
        }
    }
}

impl Config {
    /// The policy of requests for `query` that set nothing themselves.
    pub fn policy_of(&self, query: &Query) -> &Policy {
        self.operators(query).map_or(&self.policy, |it| &it.policy)
    }

    /// The first of [`Config::policies`] that applies to a query.
    pub(super) fn operators(&self, query: &Query) -> Option<&Arc<QueryPolicy>> {
        self.policies.iter().find(|it| it.pattern.matches(query.as_str()))
    }

    /// How long after its submission a request with this timeout is redispatched; `None` if never.
    pub(super) fn redispatch_after(&self, timeout: Duration) -> Option<Duration> {
        let nanos = timeout.as_nanos() * u128::from(self.redispatch_permille) / 1000;
        (self.redispatch_permille > 0).then(|| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}
