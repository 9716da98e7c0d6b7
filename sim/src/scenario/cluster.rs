//! The hosts of a scenario and how they are set up.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Config, Score};
use quorate_core::id::WorkerId;
use quorate_core::policy::{self, Limits};
use quorate_core::time::{Timestamp, saturating_nanos};
use quorate_core::worker;
use quorate_runtime::clock::WallJump;
use serde::{Deserialize, Serialize};

use super::knobs::{Knobs, WorkerKnobs};
use super::policy::{self as file, Policy, QueryPolicy};
use crate::age::Age;
use crate::host::Host;

/// The hosts and what connects them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The coordinators, one to three.
    pub coordinators: Vec<Coordinator>,
    /// What they are all set up with.
    pub settings: Settings,
    /// The worker processes, one to twenty.
    pub workers: Vec<Worker>,
    /// The numbers of the client hosts.
    pub clients: Vec<u8>,
    /// Whether there is somebody on the bus who means no good; the forgeries of the faults are its doing.
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
    /// Its number: the host's name.
    pub number: u8,
    /// What its clock shows when the run begins, in milliseconds.
    pub clock_ms: u64,
    /// When its time of day is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<ClockJump>,
}

/// The time of day of a host is wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockJump {
    /// From when, in milliseconds of the run.
    pub at_ms: u64,
    /// For how long, in milliseconds.
    pub for_ms: u64,
    /// By how many milliseconds it is ahead; behind, if negative.
    pub ahead_ms: i64,
}

/// The time of day of a host, from the beginning of 1970, when its clock shows `now`.
fn wall(jump: Option<ClockJump>, clock_ms: u64, now: Timestamp) -> Timestamp {
    jump.map_or(now, |jump| jump.on(clock_ms).wall(now))
}

impl ClockJump {
    /// On a host whose clock shows `clock_ms` when the run begins.
    pub fn on(self, clock_ms: u64) -> WallJump {
        let from = clock_ms + self.at_ms;
        let [from, until] = [from, from + self.for_ms].map(Timestamp::from_millis);
        WallJump { from, until, ahead_ms: self.ahead_ms }
    }
}

impl Coordinator {
    /// The time of day, from the beginning of 1970, when its clock shows `now`.
    pub fn wall(&self, now: Timestamp) -> Timestamp {
        wall(self.jump, self.clock_ms, now)
    }
}

/// What all coordinators are set up with: see [`Config`] for what each means.
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
    /// The numbers of the worker names that count; `None` admits every worker.
    pub admitted: Option<Vec<u8>>,
    /// In millionths.
    pub quarantine_below: Option<u32>,
    /// The first whose pattern covers a query is its policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<QueryPolicy>,
    /// What the worker names with these numbers weigh, in millionths.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights: BTreeMap<u8, u64>,
    /// Bounds that a seed may make tiny.
    #[serde(default, skip_serializing_if = "Knobs::is_default")]
    pub knobs: Knobs,
    /// Requests per second and at once of one client; only where there is HTTP.
    pub rate_limit: Option<(u32, u32)>,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    /// Its number: the host's name.
    pub number: u8,
    /// The number of the name its results carry. Processes with the same name are replicas.
    pub name: u8,
    /// Whether other processes have the same name.
    pub replicated: bool,
    /// How long observing takes, from and to, in milliseconds.
    pub observe_ms: (u64, u64),
    /// In how many of a thousand cases observing fails.
    pub fail_permille: u32,
    /// In how many of a thousand cases its source says how old a value is.
    #[serde(default)]
    pub dated_permille: u32,
    /// How old its values are then, from and to, in milliseconds.
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
    /// When its time of day is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<ClockJump>,
    /// Whether it says when it observed a value, by its time of day, and not how old the value is: as workers do that
    /// others have written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed_at: bool,
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
    /// After how long without a sign of life a connection is given up, in milliseconds.
    pub keepalive_ms: u64,
    /// The pause before another attempt to connect, at least and at most, in milliseconds.
    pub reconnect_ms: (u64, u64),
    /// How many messages wait for one connection at the broker before it is closed as too slow.
    pub broker_queue: usize,
    /// How many messages wait in the outgoing queue of a coordinator; a worker's is never short.
    pub publish_queue: usize,
    /// How many messages wait in one subscription of a host; only where there is a network.
    pub subscription_queue: usize,
}

impl Bus {
    /// How many messages wait in the outgoing queue of a host. A worker's is never short: it answers several coordinators
    /// at once, and what it cannot send is lost without a word.
    pub(crate) fn outgoing(&self, host: Host) -> usize {
        if matches!(host, Host::Coordinator(_)) { self.publish_queue } else { 1024 }
    }
}

impl Settings {
    /// The policies and the weights as a policy file says them.
    pub fn policy_file(&self) -> String {
        file::file(&self.policies, &self.weights)
    }

    /// As the core takes them.
    pub fn config(&self) -> Config {
        let policy = self.policy.over(&policy::Policy::default());
        let mut config = Config {
            policy,
            policies: self.policies.iter().map(|of_some| of_some.over(&policy)).collect(),
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
            weights: self.weights.iter().map(|(name, weight)| (worker_name(*name), Millionths::new(*weight))).collect(),
            events: true,
            ..Config::default()
        };
        self.knobs.apply(&mut config);
        config
    }
}

impl Worker {
    /// The name its results carry.
    pub fn id(&self) -> WorkerId {
        worker_name(self.name)
    }

    /// How it says that a value is so old, when its clock shows `now`.
    pub fn says_age(&self, age: Duration, now: Timestamp) -> Age {
        if !self.observed_at {
            // The wire has whole milliseconds.
            return Age::Stated(Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        }
        let wall = wall(self.jump, self.clock_ms, now);
        Age::ObservedAt(Timestamp::from_nanos(wall.as_nanos().saturating_sub(saturating_nanos(age))))
    }

    /// As the core takes it.
    pub fn config(&self) -> worker::Config {
        let mut config = worker::Config {
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

/// The name of the workers with this number.
pub fn worker_name(number: u8) -> WorkerId {
    WorkerId::new(&format!("w{number}")).expect("a letter and a number are an identifier")
}
