//! What the stage with a store plays: coordinators that keep feeds and durable requests in one store, and what goes
//! wrong with them and with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// The part of a scenario that the stage with a store plays. The other stages ignore it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The coordinators.
    pub coordinators: Vec<Keeper>,
    /// The feeds.
    pub feeds: Vec<Feed>,
    /// The durable requests, ordered by time.
    pub requests: Vec<Submission>,
    /// What goes wrong, ordered by time.
    pub faults: Vec<StoreFault>,
    /// How the store behaves when nothing goes wrong.
    pub engine: StoreConfig,
    /// When all faults have ended, in milliseconds; every request is submitted before that.
    pub heal_ms: u64,
}

impl Stored {
    /// Whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keeper {
    /// Its number.
    pub number: u8,
    /// By how many milliseconds its clock is ahead of that of the store, or behind if negative.
    #[serde(default)]
    pub ahead_ms: i64,
}

/// A feed. Its value is a random walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its number, from which it has its name and its query.
    pub number: u8,
    /// Its heartbeat, in milliseconds.
    pub heartbeat_ms: u64,
    /// Its deviation, in millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<u32>,
    /// The time from the start of one round to that of the next, in milliseconds.
    pub interval_ms: u64,
    /// The largest step of its value from one second to the next, in units of its last digit.
    pub step: u32,
    /// What its value is when the run begins, in units of its last digit.
    pub start: i64,
    /// Of a thousand rounds, how many end disputed.
    #[serde(default)]
    pub disputed_permille: u32,
    /// Of a thousand rounds, how many end without an answer.
    #[serde(default)]
    pub failed_permille: u32,
    /// Of a thousand rounds, how many are refused.
    #[serde(default)]
    pub refused_permille: u32,
    /// How long a round takes, in milliseconds: at least, and at most.
    pub round_ms: (u64, u64),
}

impl Feed {
    /// Its name.
    pub fn name(&self) -> String {
        format!("feed-{}", self.number)
    }

    /// Its query.
    pub fn query(&self) -> String {
        format!("value/{}", self.number)
    }
}

/// A durable request, as a client submits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// When it is submitted, in milliseconds.
    pub at_ms: u64,
    /// The coordinator that it is submitted to.
    pub coordinator: u8,
    /// The id, as a number; several may have the same.
    pub id: u32,
    /// The query, as a number.
    pub query: u8,
    /// How long its round takes, in milliseconds: at least, and at most.
    pub round_ms: (u64, u64),
}

impl Submission {
    /// Its id, as a text.
    pub fn id(&self) -> String {
        format!("request-{}", self.id)
    }

    /// Its query, as a text.
    pub fn query(&self) -> String {
        format!("question/{}", self.query)
    }
}

/// How the store behaves when nothing goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// How long a message travels in one direction, in microseconds: at least, and at most.
    pub latency_us: (u64, u64),
    /// How long an entry takes from the leader to a majority, in microseconds: at least, and at most.
    pub commit_us: (u64, u64),
    /// By how much a reading or a watch may be behind, in milliseconds.
    pub lag_ms: u64,
    /// How long a client waits for an answer, in milliseconds.
    pub answer_ms: u64,
    /// How long after its time to live an entry may still be there, in milliseconds.
    pub late_expiry_ms: u64,
    /// The longest body, in bytes.
    pub max_body: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            latency_us: (200, 2_000),
            commit_us: (200, 2_000),
            lag_ms: 0,
            answer_ms: 5_000,
            late_expiry_ms: 1_000,
            max_body: 1 << 20,
        }
    }
}

/// One fault. It ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreFault {
    /// When it begins, in milliseconds.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// What goes wrong.
    pub kind: StoreFaultKind,
}

/// What goes wrong. A fault of a coordinator that does not exist is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreFaultKind {
    /// The leader of the store dies, and another one is elected. What it has taken and not yet stored is stored at the
    /// end, or never; nobody is told.
    Election,
    /// The leader of the store is paused, and goes on with what has come in the meantime.
    LeaderPaused,
    /// Nothing gets through between a coordinator and the store. Some of it arrives when the fault ends.
    Cut(Host),
    /// A coordinator reaches only a replica without a leader: its readings are as old as the fault.
    Minority(Host),
    /// Of a thousand answers of the store, this many are lost.
    LostAnswers(u32),
    /// Of a thousand messages to the store, this many come up to so many milliseconds later.
    LateRequests(u32, u64),
    /// Readings and watches are behind by up to this many milliseconds.
    Lag(u64),
    /// The disks of the store have lied: when it begins, the store loses as many of its newest entries, whose authors
    /// were told that they are stored. It may use their sequences again.
    Forget(u32),
    /// A coordinator is killed, and starts again when the fault ends.
    Crash(Host),
    /// A coordinator is paused.
    Pause(Host),
    /// A coordinator is told to stop. It starts again when the fault ends.
    Stop(Host),
    /// The file of feeds is read again, without this feed, and with it when the fault ends.
    Without(u8),
    /// The file of feeds is read again, with another heartbeat and deviation of this feed, and as before when the fault
    /// ends.
    Redefine(u8),
    /// The rounds of a feed take this many milliseconds longer.
    SlowRounds(u8, u64),
    /// Every round of a feed fails.
    FailRounds(u8),
    /// Somebody else writes what is no record on the subject of a feed, again after so many milliseconds.
    Strangers(u8, u64),
}

impl StoreFault {
    /// When it begins.
    pub(crate) fn from(&self) -> Duration {
        Duration::from_millis(self.at_ms)
    }

    /// When it ends.
    pub(crate) fn until(&self) -> Duration {
        Duration::from_millis(self.at_ms.saturating_add(self.for_ms))
    }
}
