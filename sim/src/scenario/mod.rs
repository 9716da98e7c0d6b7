//! What is played: a cluster, a workload and a timed schedule of faults, as a plain value that reads and writes as
//! JSON.
//!
//! `cluster.rs`, `policy.rs` and `knobs.rs` set up the hosts, `fault.rs` lists what goes wrong, `visit.rs` what clients
//! do besides asking. `generate.rs` and `generate/` draw all of it from a seed; `quiet.rs` is one in which nothing goes wrong.

mod cluster;
mod fault;
mod generate;
mod knobs;
mod policy;
mod quiet;
mod visit;

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub use cluster::{Bus, ClockJump, Cluster, Coordinator, Network, Settings, Worker, worker_name};
pub use fault::{Fault, FaultKind, Flood, Forgery, Mischief};
pub use knobs::{Knobs, WorkerKnobs};
pub use policy::{Outliers, Policy, QueryPolicy};

pub use visit::{Edges, Linger, Malformed, Page, Proxy, Visit, VisitKind, forwarded_for};

use crate::host::Host;

/// Everything that decides a run. With the seed, it decides it to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Decides whatever is left to chance during the run.
    pub seed: u64,
    /// The hosts and how they are set up.
    pub cluster: Cluster,
    /// What clients ask, in the order of time.
    pub requests: Vec<Request>,
    /// What goes wrong, in the order of time.
    pub faults: Vec<Fault>,
    /// What there is at the edge of the coordinators.
    #[serde(default, skip_serializing_if = "Edges::is_plain")]
    pub edges: Edges,
    /// When all faults end, in milliseconds; every request begins before that.
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
    /// Which of the [`QUERIES`] it asks; beyond their number, one that nobody knows.
    pub query: u8,
    /// The id it chooses, as a number; several requests may choose the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// What it sets of its policy.
    #[serde(default)]
    pub policy: Policy,
    /// When it stops waiting and goes away, in milliseconds after it was made; `None` waits for the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gives_up_ms: Option<u64>,
    /// How often it asks again, under the same id, when it got no answer or was told to retry.
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

/// What is observed for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// A number near `mantissa` / 10^`scale`: at most `noise` units of the mantissa away from it.
    Number {
        /// The digits.
        mantissa: i64,
        /// How many of them are decimals.
        scale: u32,
        /// How far an honest observation may be from it.
        noise: u64,
        /// Whether it is sent as a text, as many feeds do.
        as_text: bool,
    },
    /// A text: this one.
    Text(&'static str),
}

/// All questions that can be answered.
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

/// The question nobody can answer.
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
    /// If the file cannot be read or holds no scenario; the text says where.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no scenario", path.display()))
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

    /// All hosts, in the order in which columns and checks name them.
    pub fn hosts(&self) -> impl Iterator<Item = Host> {
        let Cluster { clients, coordinators, workers, adversary, .. } = &self.cluster;
        let clients = clients.iter().map(|number| Host::Client(*number));
        let coordinators = coordinators.iter().map(|coordinator| Host::Coordinator(coordinator.number));
        let workers = workers.iter().map(|worker| Host::Worker(worker.number));
        clients.chain(coordinators).chain([Host::Broker]).chain(workers).chain(adversary.then_some(Host::Adversary))
    }
}
