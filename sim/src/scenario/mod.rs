//! A scenario: a cluster, a workload and a timed schedule of faults, as a plain value that is stored as JSON.
//!
//! `cluster.rs`, `policy.rs` and `knobs.rs` configure the hosts, `fault.rs` lists what goes wrong, and `visit.rs` what
//! clients do besides asking questions. `generate.rs` and `generate/` draw a scenario from a seed; `quiet.rs` has one
//! without faults.

mod cluster;
mod fault;
mod generate;
mod knobs;
mod policy;
mod quiet;
mod store;
mod visit;

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub use cluster::{Bus, ClockJump, Cluster, Coordinator, Network, Settings, Worker, worker_name};
pub use fault::{Fault, FaultKind, Flood, Forgery, Mischief};
pub use knobs::{Knobs, WorkerKnobs};
pub use policy::{Expectation, Outliers, Policy, QueryPolicy};
pub use store::{Feed, Keeper, StoreConfig, StoreFault, StoreFaultKind, Stored, Submission};

pub use visit::{Edges, Linger, Malformed, Page, Proxy, Visit, VisitKind, forwarded_for};

use crate::host::Host;

/// Everything that determines a run, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Determines every random choice during the run.
    pub seed: u64,
    /// The hosts and their settings.
    pub cluster: Cluster,
    /// What clients ask, ordered by time.
    pub requests: Vec<Request>,
    /// What goes wrong, ordered by time.
    pub faults: Vec<Fault>,
    /// The visits of clients, and the settings of the coordinators' HTTP API.
    #[serde(default, skip_serializing_if = "Edges::is_plain")]
    pub edges: Edges,
    /// What the stage with a store plays.
    #[serde(default, skip_serializing_if = "Stored::is_empty")]
    pub stored: Stored,
    /// When all faults have ended, in milliseconds; every request begins before that.
    pub heal_ms: u64,
}

/// One request of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// When it is made, in milliseconds.
    pub at_ms: u64,
    /// Which client makes it.
    pub client: u8,
    /// Which coordinator it asks.
    pub coordinator: u8,
    /// The index of its query in [`QUERIES`]; an index beyond the end is a query that no worker knows.
    pub query: u8,
    /// The id it chooses, as a number; several requests may choose the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// The policy fields that it sets.
    #[serde(default)]
    pub policy: Policy,
    /// When its client stops waiting and leaves, in milliseconds after the request; `None` waits for the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up_ms: Option<u64>,
    /// The maximum number of retries, under the same id, when no reply came or the reply may be retried.
    #[serde(default)]
    pub retries: u8,
}

/// A question that the simulated workers can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its text.
    pub text: &'static str,
    /// What an honest worker observes.
    pub truth: Truth,
}

/// What an honest worker observes for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// A number near `mantissa` / 10^`scale`: at most `noise` units of the mantissa away from it.
    Number {
        /// Its digits.
        mantissa: i64,
        /// The number of decimal places.
        scale: u32,
        /// How far an honest observation may be off, in units of the mantissa.
        noise: u64,
        /// Whether it is sent as text, as many feeds do.
        as_text: bool,
    },
    /// Exactly this text.
    Text(&'static str),
}

/// All questions that the workers can answer.
pub const QUERIES: [Question; 6] = [
    Question { text: "BTC/USD", truth: Truth::Number { mantissa: 4_200_000, scale: 2, noise: 21_000, as_text: false } },
    Question {
        text: "MATIC/USD",
        truth: Truth::Number { mantissa: 80_000_000, scale: 8, noise: 400_000, as_text: false },
    },
    Question {
        text: "block/latest",
        truth: Truth::Number { mantissa: 21_000_000, scale: 0, noise: 2, as_text: false },
    },
    Question {
        text: "temperature/north pole",
        truth: Truth::Number { mantissa: -3_150, scale: 2, noise: 40, as_text: false },
    },
    Question {
        text: "ETH/USD as text",
        truth: Truth::Number { mantissa: 250_000, scale: 2, noise: 900, as_text: true },
    },
    Question { text: "label/cat.jpg", truth: Truth::Text("cat") },
];

/// The query that no worker can answer.
pub const UNKNOWN_QUERY: &str = "unknown/query";

impl Request {
    /// The text of the query.
    pub fn query_text(&self) -> &'static str {
        QUERIES.get(usize::from(self.query)).map_or(UNKNOWN_QUERY, |question| question.text)
    }

    /// The id it chooses, as a text.
    pub fn id_text(&self) -> Option<String> {
        self.id.map(|id| format!("request-{id}"))
    }
}

impl Scenario {
    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// If the file cannot be read or is not a scenario; the text says where.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a scenario", path.display()))
    }

    /// Writes the scenario to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self).expect("a scenario has only texts, numbers and lists");
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// All hosts, in the order in which timelines show them.
    pub fn hosts(&self) -> impl Iterator<Item = Host> {
        let Cluster { clients, coordinators, workers, adversary, .. } = &self.cluster;
        let clients = clients.iter().map(|number| Host::Client(*number));
        let coordinators = coordinators.iter().map(|coordinator| Host::Coordinator(coordinator.number));
        let workers = workers.iter().map(|worker| Host::Worker(worker.number));
        clients.chain(coordinators).chain([Host::Broker]).chain(workers).chain(adversary.then_some(Host::Adversary))
    }
}
