//! What a measurement found.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a measurement found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// How many requests were begun and have ended, well or not.
    pub requests: u64,
    /// How many were answered with a success.
    pub ok: u64,
    /// How many were not: by HTTP status, or `connect`, `timeout`, `io`.
    pub errors: BTreeMap<String, u64>,
    /// From the beginning of the measurement to the end of its last request.
    pub seconds: f64,
    /// Successful answers per second.
    pub requests_per_second: f64,
    /// Latency of the successful answers, from before the request is sent to the last byte of its answer; `None`
    /// without any.
    pub latency_us: Option<Latency>,
    /// How many successful answers took how long.
    #[serde(skip)]
    pub histogram: Histogram,
}

/// Latencies in microseconds, three digits exact, ascending, each with how often it was.
pub type Histogram = Vec<(u64, u64)>;

/// Quantiles in microseconds, three digits exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half were no longer than this.
    pub p50: u64,
    /// Nine of ten were no longer than this.
    pub p90: u64,
    /// Ninety-nine of a hundred were no longer than this.
    pub p99: u64,
    /// All but one of a thousand were no longer than this.
    pub p99_9: u64,
    /// The longest.
    pub max: u64,
}
