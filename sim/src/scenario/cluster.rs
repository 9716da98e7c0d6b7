//! The hosts of a scenario and their settings.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Config, Score};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::policy::{self, Limits};
use quorate_core::time::{Timestamp, saturating_nanos};
use quorate_core::worker;
use quorate_model::policy::covers;
use quorate_runtime::clock::WallJump;
use serde::{Deserialize, Serialize};

use super::knobs::{Knobs, WorkerKnobs};
use super::policy::{self as file, Expectation, Policy, QueryPolicy};
use crate::age::Age;
use crate::host::Host;

/// The hosts and what connects them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The coordinators, one to three.
    pub coordinators: Vec<Coordinator>,
    /// The settings of all coordinators.
    pub settings: Settings,
    /// The worker processes, one to twenty.
    pub workers: Vec<Worker>,
    /// The numbers of the client hosts.
    pub clients: Vec<u8>,
    /// Whether there is an adversary, which carries out the faults that are forgeries.
    pub adversary: bool,
    /// The network between the hosts.
    pub network: Network,
    /// The bus.
    pub bus: Bus,
}

/// One coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinator {
    /// Its number, which names the host.
    pub number: u8,
    /// What its clock shows when the run begins, in milliseconds.
    pub clock_ms: u64,
    /// When its time of day is wrong, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<ClockJump>,
}

/// An interval in which the time of day of a host is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// When it begins, in milliseconds of the run.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// How far the time of day is ahead, in milliseconds; behind, if negative.
    pub ahead_ms: i64,
}

/// The time of day of a host, since the Unix epoch, when its clock shows `now`.
fn wall(jump: Option<ClockJump>, clock_ms: u64, now: Timestamp) -> Timestamp {
    jump.map_or(now, |jump| jump.on(clock_ms).wall(now))
}

impl ClockJump {
    /// The jump on a host whose clock shows `clock_ms` when the run begins.
    pub fn on(self, clock_ms: u64) -> WallJump {
        let from = clock_ms + self.at_ms;
        let [from, until] = [from, from + self.for_ms].map(Timestamp::from_millis);
        WallJump { from, until, ahead_ms: self.ahead_ms }
    }
}

impl Coordinator {
    /// Its time of day, since the Unix epoch, when its clock shows `now`.
    pub fn wall(&self, now: Timestamp) -> Timestamp {
        wall(self.jump, self.clock_ms, now)
    }
}

/// The settings of all coordinators; see [`Config`] for what each means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Settings {
    pub policy: Policy,
    pub max_timeout_ms: u64,
    pub max_workers: u32,
    pub max_in_flight: usize,
    pub max_waiting: usize,
    pub presence_ms: u64,
    pub stall_ms: u64,
    pub redispatch_permille: u32,
    pub remember_ms: u64,
    pub max_remembered: usize,
    /// The numbers of the admitted worker names; `None` admits every worker.
    pub admitted: Option<Vec<u8>>,
    /// In millionths.
    pub quarantine_below: Option<u32>,
    /// Who should be there for the queries of no other policy.
    #[serde(default, skip_serializing_if = "Expectation::is_default")]
    pub expected: Expectation,
    /// The first whose pattern covers a query applies to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<QueryPolicy>,
    /// The weights of worker names, by number, in millionths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<u8, u64>,
    /// Bounds that a seed may make tiny.
    #[serde(default, skip_serializing_if = "Knobs::is_default")]
    pub knobs: Knobs,
    /// The rate limit of one client, as requests per second and burst; only on the network stage.
    pub rate_limit: Option<(u32, u32)>,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Its number, which names the host.
    pub number: u8,
    /// The number of the name in its results. Processes with the same name are replicas.
    pub name: u8,
    /// Whether other processes have the same name.
    pub replicated: bool,
    /// How long an observation takes, from and to, in milliseconds.
    pub observe_ms: (u64, u64),
    /// The share of observations that fail, in thousandths.
    pub fail_permille: u32,
    /// The share of values of which the source states the age, in thousandths.
    #[serde(default)]
    pub dated_permille: u32,
    /// The age of these values, from and to, in milliseconds.
    #[serde(default)]
    pub age_ms: (u64, u64),
    /// See [`worker::Config::max_concurrent`].
    pub max_concurrent: usize,
    /// See [`worker::Config::max_queued`].
    pub max_queued: usize,
    /// See [`worker::Config::max_remembered`].
    pub max_remembered: usize,
    /// See [`worker::Config::remember`], in milliseconds.
    pub remember_ms: u64,
    /// See [`worker::Config::announce_every`], in milliseconds.
    pub announce_ms: u64,
    /// Bounds that a seed may make tiny.
    #[serde(default, skip_serializing_if = "WorkerKnobs::is_default")]
    pub knobs: WorkerKnobs,
    /// What its clock shows when the run begins, in milliseconds.
    pub clock_ms: u64,
    /// When its time of day is wrong, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<ClockJump>,
    /// Whether it states the time of day at which it observed a value instead of the value's age, as some third-party
    /// workers do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed_at: bool,
    /// Whether it takes packs of tasks, which programs of earlier versions do not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packs: bool,
    /// The patterns of the queries that it offers; it offers all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<String>,
}

/// The network between the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The latency of every message, from and to, in microseconds.
    pub latency_us: (u64, u64),
}

/// The bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// How long a connection may be silent before it is given up, in milliseconds.
    pub keepalive_ms: u64,
    /// The pause before another attempt to connect, at least and at most, in milliseconds.
    pub reconnect_ms: (u64, u64),
    /// The maximum number of messages that wait for one connection at the broker before it is closed as too slow.
    pub broker_queue: usize,
    /// The maximum number of messages in the outgoing queue of a coordinator; those of other hosts are never short.
    pub publish_queue: usize,
    /// The maximum number of messages in one subscription of a host; only on the network stage.
    pub subscription_queue: usize,
}

impl Bus {
    /// The capacity of the outgoing queue of a host, in messages. A worker's is never short: it answers several
    /// coordinators at once, and messages that it cannot send are lost silently.
    pub(crate) fn outgoing(&self, host: Host) -> usize {
        if matches!(host, Host::Coordinator(_)) { self.publish_queue } else { 1024 }
    }
}

impl Settings {
    /// The policies and the weights as the text of a policy file.
    pub fn policy_file(&self) -> String {
        file::file(&self.policies, &self.weights)
    }

    /// The configuration of the coordinator's machine.
    pub fn config(&self) -> Config {
        let policy = self.policy.over(&policy::Policy::default());
        let expected = self.expected.config();
        let mut config = Config {
            policy,
            policies: self.policies.iter().map(|of_some| of_some.over(&policy, &expected).into()).collect(),
            expected,
            limits: Limits { max_timeout: Duration::from_millis(self.max_timeout_ms), max_workers: self.max_workers },
            max_in_flight: self.max_in_flight,
            max_waiting: self.max_waiting,
            presence: Duration::from_millis(self.presence_ms),
            stall: Duration::from_millis(self.stall_ms),
            redispatch_permille: self.redispatch_permille,
            remember: Duration::from_millis(self.remember_ms),
            max_remembered: self.max_remembered,
            admitted: self.admitted.as_ref().map(|names| names.iter().map(|name| worker_name(*name)).collect()),
            quarantine_below: self.quarantine_below.map(Score::from_millionths),
            weights: self
                .weights
                .iter()
                .map(|(name, weight)| (worker_name(*name), Millionths::new(*weight)))
                .collect::<BTreeMap<_, _>>()
                .into(),
            events: true,
            ..Config::default()
        };
        self.knobs.apply(&mut config);
        config
    }
}

impl Worker {
    /// The name in its results.
    pub fn id(&self) -> WorkerId {
        worker_name(self.name)
    }

    /// How it states that a value is `age` old when its clock shows `now`.
    pub fn says_age(&self, age: Duration, now: Timestamp) -> Age {
        if !self.observed_at {
            // The wire has whole milliseconds.
            return Age::Stated(Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        }
        let wall = wall(self.jump, self.clock_ms, now);
        Age::ObservedAt(Timestamp::from_nanos(wall.as_nanos().saturating_sub(saturating_nanos(age))))
    }

    /// The queries that it offers.
    pub fn offer(&self) -> Offer {
        Offer::new(self.offers.iter().map(String::as_str)).expect("a scenario offers a few queries")
    }

    /// Whether it offers a query.
    pub fn does_offer(&self, query: &str) -> bool {
        let covers = |pattern: &String| covers(pattern.as_bytes(), query.as_bytes());
        self.offers.is_empty() || self.offers.iter().any(covers)
    }

    /// The configuration of the worker's machine.
    pub fn config(&self) -> worker::Config {
        let mut config = worker::Config {
            offer: self.offer(),
            max_concurrent: self.max_concurrent,
            max_queued: self.max_queued,
            remember: Duration::from_millis(self.remember_ms),
            max_remembered: self.max_remembered,
            announce_every: Duration::from_millis(self.announce_ms),
            ..worker::Config::default()
        };
        self.knobs.apply(&mut config);
        config
    }
}

/// The worker name with this number.
pub fn worker_name(number: u8) -> WorkerId {
    WorkerId::new(&format!("w{number}")).expect("a letter and a number are an identifier")
}
