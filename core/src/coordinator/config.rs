//! The coordinator's settings; every one of them is a bound or a wait.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The policy of a request that sets nothing itself, where none of `policies` covers its query.
    pub policy: Policy,
    /// The policies of some queries; the first whose pattern covers a query is the query's.
    pub policies: Vec<(Pattern, Policy)>,
    /// How far a request's own policy may go.
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
    /// The most processes behind one worker's name that are told apart.
    pub max_instances: usize,
    /// How many of a worker's last response times are kept for the quantiles; at least 1.
    pub response_times: usize,
    /// A timer that fires later than this shows that the coordinator itself has not run. Then no worker is blamed for
    /// silence in that time, and a worker whose presence ran out in it has as long again to be heard.
    pub max_lag: Duration,
    /// While no worker is known: the pause after an answer that ends the collecting.
    pub stall: Duration,
    /// When silent workers are asked a second time, in thousandths of the timeout; 0 never asks again.
    pub redispatch_permille: u32,
    /// How long after a reconnect the requests that may have lost their task are asked again, unless half of the time
    /// they have left is less: the workers reconnect too.
    pub reconnect_grace: Duration,
    /// How long a request waits for a sign of its expected workers after a notice that nobody listens for its task.
    /// Without one it fails; never later than its deadline.
    pub no_responders_grace: Duration,
    /// How long an outcome is remembered by its id.
    pub remember: Duration,
    /// How many outcomes are remembered; the oldest is forgotten first.
    pub max_remembered: usize,
    /// What the remembered outcomes may weigh, in bytes as [`Outcome::bytes`](crate::outcome::Outcome::bytes) counts
    /// them.
    pub max_remembered_bytes: usize,
    /// How many workers without a record take part in one answer beside those that have one. Some are expected in turn,
    /// and the others join by answering. This many may join founders.
    pub max_newcomers: u32,
    /// One new name becomes known per this time, and at most `admit_burst` at once. Names that announce themselves before
    /// any worker has a record are not bounded.
    pub admit_every: Duration,
    /// How many new names become known at once; at least 1.
    pub admit_burst: u32,
    /// How long a worker that has a record and is gone is kept before it may have to make room for a new one.
    pub keep_gone: Duration,
    /// How many queries are kept per worker to which it has sent a value. It is blamed for silence and failures on
    /// these only.
    pub kept_queries: usize,
    /// The workers whose results and presence count, and which need no record to decide; `None` admits every worker.
    pub admitted: Option<BTreeSet<WorkerId>>,
    /// A worker whose score is below this is asked but not counted; `None` counts every worker.
    pub quarantine_below: Option<Score>,
    /// What workers weigh, where a strategy uses weights, and 1 for those that are not listed; if nobody is listed, every
    /// worker weighs its score.
    pub weights: BTreeMap<WorkerId, Millionths>,
    /// Whether the coordinator tells its [`Event`](super::Event)s.
    pub events: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
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
            weights: BTreeMap::new(),
            events: false,
        }
    }
}

impl Config {
    /// The policy of a request for `query` that sets nothing itself.
    pub fn policy_of(&self, query: &Query) -> &Policy {
        let covers = |(pattern, _): &&(Pattern, Policy)| pattern.matches(query.as_str());
        self.policies.iter().find(covers).map_or(&self.policy, |(_, policy)| policy)
    }

    /// What a worker with this score weighs.
    pub fn weight(&self, worker: &WorkerId, score: Score) -> Millionths {
        if self.weights.is_empty() {
            return Millionths::new(score.millionths().into());
        }
        self.weights.get(worker).copied().unwrap_or(Millionths::ONE)
    }

    /// How long after its submission a request of this timeout is asked a second time; `None` if never.
    pub(super) fn redispatch_after(&self, timeout: Duration) -> Option<Duration> {
        let nanos = timeout.as_nanos() * u128::from(self.redispatch_permille) / 1000;
        (self.redispatch_permille > 0).then(|| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}
