//! The JSON of the HTTP API, as a client reads it. Unknown fields are ignored.
//!
//! These are not the types that a coordinator writes. Those borrow from its machine and have every field, with the
//! names and bounds of their version. A client also asks coordinators of other versions: it requires only the fields it
//! cannot do without, accepts unknown names, and keeps numbers as they are written.

use std::collections::BTreeMap;
use std::fmt;

use quorate_core::value::Value;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The body of an answer, read from its text.
pub trait Body: Sized {
    /// Reads the text of an answer.
    ///
    /// # Errors
    /// A text that is not this body.
    fn read(json: &str) -> serde_json::Result<Self>;
}

impl Body for Outcome {
    // The evidence lies among the other fields. `serde(flatten)` would lose the digits of its numbers.
    fn read(json: &str) -> serde_json::Result<Self> {
        Ok(Self { evidence: serde_json::from_str(json)?, ..serde_json::from_str(json)? })
    }
}

impl Body for ErrorBody {
    fn read(json: &str) -> serde_json::Result<Self> {
        Ok(Self { evidence: serde_json::from_str(json)?, ..serde_json::from_str(json)? })
    }
}

impl Body for Workers {
    fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

impl Body for Queries {
    fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

impl Body for Health {
    fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

impl Body for Readiness {
    fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

/// What `POST /request` asks; `None` leaves a field to the coordinator.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ask {
    /// What to ask.
    pub query: String,
    /// The request's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How the values are combined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<&'static str>,
    /// The request fails with fewer usable values than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_responses: Option<u32>,
    /// The number of usable values with which the request ends early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// The time until the deadline, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The outlier rule, as in a request's JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_deviation: Option<String>,
    /// How far from the answer a value still agrees with it: a decimal fraction of the answer, with its digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Scalar>,
    /// The share of the used values that must agree, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<Scalar>,
    /// What happens to a disputed answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_dispute: Option<&'static str>,
    /// Values known to be older than this are excluded, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// The share of the values that `trimmed_mean` drops at each end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_share: Option<Scalar>,
    /// The decimals that `majority` keeps when it compares numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
    /// The decimals to which the answer is rounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
}

/// A JSON number or string, with all its digits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scalar(Box<RawValue>);

impl Scalar {
    /// The JSON number that `number` is written as.
    pub fn number(number: rust_decimal::Decimal) -> Self {
        Self(RawValue::from_string(number.to_string()).expect("a decimal is written as a JSON number"))
    }

    /// The value, to compare and compute with; `None` if it is neither a number nor a text, or out of bounds.
    pub fn value(&self) -> Option<Value> {
        let json = self.0.get();
        match serde_json::from_str::<String>(json) {
            Ok(text) => Value::text(&text).ok(),
            Err(_) => Value::number(json).ok(),
        }
    }
}

impl fmt::Display for Scalar {
    /// A string without its quotes and escapes, anything else as it came. May contain control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = self.0.get();
        match serde_json::from_str::<String>(json) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str(json),
        }
    }
}

/// The answer of `POST /request`.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// The request's id.
    pub request_id: String,
    /// What was asked.
    #[serde(default)]
    pub query: String,
    /// The answer.
    pub final_value: Scalar,
    /// How the values were combined.
    #[serde(default)]
    pub strategy: String,
    /// How far the answer can be relied on.
    #[serde(default)]
    pub status: Status,
    /// The time from submission to answer, in nanoseconds.
    #[serde(default)]
    pub elapsed: u64,
    /// Whether several values were equally frequent.
    #[serde(default)]
    pub tie: bool,
    /// The share of the used values that agree with the answer.
    #[serde(default)]
    pub agreement: Option<Scalar>,
    /// The smallest and the largest used value.
    #[serde(default)]
    pub spread: Option<Spread>,
    /// What the answer rests on.
    #[serde(skip)]
    pub evidence: Evidence,
}

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
    pub value: Option<Scalar>,
    /// Why it failed; empty or absent if it did not.
    #[serde(default)]
    pub err: Option<String>,
    /// Its response time in nanoseconds.
    #[serde(default)]
    pub response_time: u64,
}

/// The smallest and the largest used value.
#[derive(Clone, Debug, Deserialize)]
pub struct Spread {
    /// The smallest.
    pub min: Scalar,
    /// The largest.
    pub max: Scalar,
}

/// How far an answer can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The value of every expected worker was used, and all agree.
    Complete,
    /// The values of at least half of them were used, and some were not or do not agree.
    Partial,
    /// The values of fewer than half of them were used.
    LowReliability,
    /// The workers disagree.
    Disputed,
    /// A status this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// The name that the coordinator writes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::LowReliability => "low_reliability",
            Self::Disputed => "disputed",
            Self::Unknown => "unknown",
        }
    }
}

/// The body of an answer that is an error.
#[derive(Clone, Debug, Deserialize)]
pub struct ErrorBody {
    /// What went wrong, in a word or a few.
    pub error: String,
    /// More about it.
    #[serde(default)]
    pub details: Option<String>,
    /// What the workers answered, if they were asked.
    #[serde(skip)]
    pub evidence: Evidence,
}

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

/// The answer of `GET /queries`.
#[derive(Clone, Debug, Deserialize)]
pub struct Queries {
    /// What the live workers offer.
    pub queries: Vec<OfferedQuery>,
}

/// One query, or a pattern of queries.
#[derive(Clone, Debug, Deserialize)]
pub struct OfferedQuery {
    /// The query, or a pattern in which `*` stands for any characters.
    pub query: String,
    /// The number of live workers that offer it.
    #[serde(default)]
    pub workers: u64,
}

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
    pub score: Scalar,
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
