//! What an outcome rests on.

use serde::Deserialize;
use time::OffsetDateTime;

use super::exact::instant;
use crate::value::Value;

/// What the workers answered; may accompany an error, too.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Evidence {
    /// One sentence on how far the answer can be relied on.
    #[serde(default)]
    pub reliability_note: String,
    /// The number of workers that were expected to answer, or did.
    #[serde(default)]
    pub expected: u32,
    /// The number of workers that sent a value.
    #[serde(default)]
    pub succeeded: u32,
    /// The number of workers that reported a failure.
    #[serde(default)]
    pub failed: u32,
    /// The workers that did not answer.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Those of the missing that were not there, and so were not asked.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Those of the missing that were not waited for, because they were silent for longer than usual.
    #[serde(default)]
    pub suspects: Vec<String>,
    /// What became of each worker.
    #[serde(default)]
    pub workers: Vec<WorkerFate>,
    /// The values that were not used.
    #[serde(default)]
    pub excluded: Vec<Excluded>,
    /// The answer of each worker.
    #[serde(default)]
    pub worker_responses: Vec<WorkerResponse>,
    /// When the request ended, by the coordinator's clock.
    #[serde(default, deserialize_with = "instant")]
    pub answered_at: Option<OffsetDateTime>,
    /// When the oldest of the used values was observed.
    #[serde(default, deserialize_with = "instant")]
    pub oldest_observed_at: Option<OffsetDateTime>,
    /// When the newest of them was observed.
    #[serde(default, deserialize_with = "instant")]
    pub newest_observed_at: Option<OffsetDateTime>,
}

/// What became of one worker's answer.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerFate {
    /// The worker.
    pub worker_id: String,
    /// `used`, `excluded`, `failed`, `late` or `missing`.
    pub fate: String,
    /// The age of its value on arrival, in milliseconds.
    #[serde(default)]
    pub age_ms: Option<u64>,
}

/// A value that was not used.
#[derive(Clone, Debug, Deserialize)]
pub struct Excluded {
    /// The worker that sent it.
    pub worker_id: String,
    /// Why it was not used.
    pub reason: String,
}

/// The answer of one worker.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerResponse {
    /// The worker.
    pub worker_id: String,
    /// Its value.
    #[serde(default)]
    pub value: Option<Value>,
    /// Why it failed; empty or absent if it did not.
    #[serde(default)]
    pub err: Option<String>,
    /// Its response time in nanoseconds.
    #[serde(default)]
    pub response_time: u64,
}
