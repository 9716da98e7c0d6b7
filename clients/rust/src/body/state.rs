//! Whether a coordinator is alive, and whether it can serve.

use serde::Deserialize;

/// The answer of `GET /health`.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// `healthy` whenever it answers.
    pub status: String,
    /// Whether the coordinator is connected to NATS.
    #[serde(default)]
    pub nats: Option<bool>,
}

/// The answer of `GET /ready` if the coordinator is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Readiness {
    /// Always true: a coordinator that is not ready answers with an error.
    pub ready: bool,
    /// Live workers.
    #[serde(default)]
    pub workers: u64,
    /// The number of requests in flight.
    #[serde(default)]
    pub in_flight: u64,
    /// The policies that lack workers.
    #[serde(default)]
    pub short: Vec<ShortPolicy>,
}

/// A policy that lacks workers.
#[derive(Clone, Debug, Deserialize)]
pub struct ShortPolicy {
    /// The pattern of its queries.
    pub query: String,
    /// Whether its requests can succeed.
    #[serde(default)]
    pub served: bool,
    /// Live workers that offer some of its queries.
    #[serde(default)]
    pub workers: u64,
    /// The number of workers that it needs, whatever their names.
    #[serde(default)]
    pub needed: u64,
    /// The workers that it expects by name, and that are not there.
    #[serde(default)]
    pub missing: Vec<String>,
}
