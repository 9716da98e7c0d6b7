//! The workers that a coordinator knows.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::exact::number;

/// The answer of `GET /workers`.
#[derive(Clone, Debug, Deserialize)]
pub struct Workers {
    /// Live and recent workers.
    pub workers: Vec<Worker>,
    /// The workers that some policy expects by name, and that are not there.
    #[serde(default)]
    pub absent: Vec<String>,
    /// The coordinator's counters, by name.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// One worker with its record.
#[derive(Clone, Debug, Deserialize)]
pub struct Worker {
    /// Its name.
    pub worker_id: String,
    /// `live`, `draining`, `left` or `expired`.
    pub state: String,
    /// Whether it announces itself.
    #[serde(default)]
    pub announced: bool,
    /// Its reliability, 0 to 1.
    #[serde(deserialize_with = "number")]
    pub score: Decimal,
    /// Whether it is asked and its values are not used. Coordinators up to 0.1 call this `cordoned`.
    #[serde(default, alias = "cordoned")]
    pub quarantined: bool,
    /// Whether it was silent for longer than usual, so that requests do not wait for it.
    #[serde(default)]
    pub suspect: bool,
    /// The queries that it offers, as patterns; `*` stands for every query. Empty if the coordinator does not list them.
    #[serde(default)]
    pub queries: Vec<String>,
    /// Values it sent in time.
    #[serde(default)]
    pub successes: u64,
    /// Failures it reported in time.
    #[serde(default)]
    pub failures: u64,
    /// Requests that still awaited it at their deadline.
    #[serde(default)]
    pub timeouts: u64,
    /// Results that came after their request had ended.
    #[serde(default)]
    pub late: u64,
    /// Values that were judged bad.
    #[serde(default)]
    pub outliers: u64,
    /// Times it contradicted itself within one request.
    #[serde(default)]
    pub equivocations: u64,
    /// Quantiles of its response times; `None` before its first answer.
    #[serde(default)]
    pub response_time: Option<ResponseTimes>,
    /// Milliseconds since it was last heard.
    #[serde(default)]
    pub last_heard_ms: Option<u64>,
    /// Its last failure.
    #[serde(default)]
    pub last_failure: Option<LastFailure>,
    /// The last times that its score was lowered, at most 8, oldest first.
    #[serde(default)]
    pub blames: Vec<Blame>,
}

/// The last failure of a worker.
#[derive(Clone, Debug, Deserialize)]
pub struct LastFailure {
    /// The worker's words, at most 256 bytes of them.
    pub text: String,
    /// The request that it failed to answer.
    pub request_id: String,
    /// Milliseconds since then.
    pub ago_ms: u64,
}

/// One time that the score of a worker was lowered.
#[derive(Clone, Debug, Deserialize)]
pub struct Blame {
    /// `outlier`, `failure`, `silence` or `equivocation`.
    pub blame: String,
    /// The request that it happened in.
    pub request_id: String,
    /// The score until then.
    #[serde(deserialize_with = "number")]
    pub score_before: Decimal,
    /// The score since.
    #[serde(deserialize_with = "number")]
    pub score: Decimal,
    /// Milliseconds since then.
    pub ago_ms: u64,
}

/// Quantiles of response times, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ResponseTimes {
    /// Half were no longer than this.
    pub p50: u64,
    /// Nine of ten were no longer than this.
    pub p90: u64,
    /// Ninety-nine of a hundred were no longer than this.
    pub p99: u64,
}
