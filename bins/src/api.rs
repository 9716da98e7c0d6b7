//! The JSON of the HTTP API, as a client reads it. Fields it does not know are ignored.
//!
//! These are not the types that a coordinator writes. Those borrow from its machine and say everything, in words and bounds
//! of their version. A client asks coordinators of other versions, too: it demands only what it cannot do without, takes
//! words that it does not know, and keeps numbers as they are written.

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
    /// How the values become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<&'static str>,
    /// Usable answers below which the request fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_responses: Option<u32>,
    /// Successes that are enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// Milliseconds until the answer, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The outlier rule, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_deviation: Option<String>,
    /// How far from the answer a value still agrees: a decimal fraction, with its digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Scalar>,
    /// The share that must agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_agreement: Option<Scalar>,
    /// What becomes of a disputed answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_dispute: Option<&'static str>,
    /// The age in milliseconds beyond which values are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// The share that a trimmed mean leaves out at each end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_share: Option<Scalar>,
    /// Decimals that `majority` compares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<u32>,
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

    /// As a value that can be compared and computed with; `None` if it is none, or too large for one.
    pub fn value(&self) -> Option<Value> {
        let json = self.0.get();
        match serde_json::from_str::<String>(json) {
            Ok(text) => Value::text(&text).ok(),
            Err(_) => Value::number(json).ok(),
        }
    }
}

impl fmt::Display for Scalar {
    /// A string without its quotes and escapes, anything else as it came. May hold control characters.
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
    /// The one value.
    pub final_value: Scalar,
    /// How the values became one.
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
    /// Smallest and largest used value.
    #[serde(default)]
    pub spread: Option<Spread>,
    /// What the answer rests on.
    #[serde(skip)]
    pub evidence: Evidence,
}

/// What came back from the workers; it may accompany an error, too.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Evidence {
    /// One sentence on how far the answer can be relied on.
    #[serde(default)]
    pub reliability_note: String,
    /// How many workers were expected to answer, or did.
    #[serde(default)]
    pub expected: u32,
    /// How many sent a value.
    #[serde(default)]
    pub succeeded: u32,
    /// How many said that they failed.
    #[serde(default)]
    pub failed: u32,
    /// Who did not answer.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What became of each worker.
    #[serde(default)]
    pub workers: Vec<WorkerFate>,
    /// Whose value was not used.
    #[serde(default)]
    pub excluded: Vec<Excluded>,
    /// What each worker said.
    #[serde(default)]
    pub worker_responses: Vec<WorkerResponse>,
}

/// What became of one worker's part.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerFate {
    /// Which worker.
    pub worker_id: String,
    /// `used`, `excluded`, `failed`, `late` or `missing`.
    pub fate: String,
    /// How old its value was when it came, in milliseconds.
    #[serde(default)]
    pub age_ms: Option<u64>,
}

/// A value that was not used.
#[derive(Clone, Debug, Deserialize)]
pub struct Excluded {
    /// Whose it was.
    pub worker_id: String,
    /// Why it was not used.
    pub reason: String,
}

/// What one worker said.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkerResponse {
    /// Which worker.
    pub worker_id: String,
    /// Its value.
    #[serde(default)]
    pub value: Option<Scalar>,
    /// Why it failed; empty if it did not.
    #[serde(default)]
    pub err: Option<String>,
    /// How long it took, in nanoseconds.
    #[serde(default)]
    pub response_time: u64,
}

/// Smallest and largest used value.
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
    /// Every expected worker succeeded.
    Complete,
    /// At least half did.
    Partial,
    /// Fewer than half did.
    LowReliability,
    /// The workers do not agree.
    Disputed,
    /// A status this client does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// As the coordinator writes it.
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
    /// What went wrong, in few words.
    pub error: String,
    /// More about it.
    #[serde(default)]
    pub details: Option<String>,
    /// What came back from the workers, if they were asked.
    #[serde(skip)]
    pub evidence: Evidence,
}

/// The answer of `GET /health`.
#[derive(Clone, Debug, Deserialize)]
pub struct Health {
    /// `healthy`: there is an answer.
    pub status: String,
    /// Whether it is connected to NATS.
    #[serde(default)]
    pub nats: Option<bool>,
}

/// The answer of `GET /ready`, if it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Readiness {
    /// True: one that is not ready answers with an error.
    pub ready: bool,
    /// Live workers.
    #[serde(default)]
    pub workers: u64,
    /// Requests that wait for workers.
    #[serde(default)]
    pub in_flight: u64,
}

/// The answer of `GET /workers`.
#[derive(Clone, Debug, Deserialize)]
pub struct Workers {
    /// Live and recent workers.
    pub workers: Vec<Worker>,
    /// What the coordinator has counted, by name.
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
    /// Whether it is asked but not counted. Coordinators up to 0.1 say `cordoned`.
    #[serde(default, alias = "cordoned")]
    pub quarantined: bool,
    /// Values it sent in time.
    #[serde(default)]
    pub successes: u64,
    /// Failures it reported in time.
    #[serde(default)]
    pub failures: u64,
    /// Requests that ended while it was waited for.
    #[serde(default)]
    pub timeouts: u64,
    /// Results that came too late.
    #[serde(default)]
    pub late: u64,
    /// Values the outlier rule excluded.
    #[serde(default)]
    pub outliers: u64,
    /// Times it contradicted itself.
    #[serde(default)]
    pub equivocations: u64,
    /// Quantiles of its response times.
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
