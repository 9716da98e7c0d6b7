//! The results of a measurement.

use std::collections::BTreeMap;

use serde::Serialize;

/// The results of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Requests that were begun and have ended, with or without success.
    pub requests: u64,
    /// Requests that were answered with a success.
    pub ok: u64,
    /// The others, by HTTP status, or as `connect`, `timeout` or `io`.
    pub errors: BTreeMap<String, u64>,
    /// The time from the beginning of the measurement to the end of its last request.
    pub seconds: f64,
    /// Successful answers per second.
    pub requests_per_second: f64,
    /// Latency of the successful answers, from before the request is sent to the last byte of the answer; `None` if
    /// there are none.
    pub latency_us: Option<Latency>,
    /// The number of successful answers by latency.
    #[serde(skip)]
    pub histogram: Histogram,
}

/// Latencies in microseconds with three significant digits, ascending, each with its count.
pub type Histogram = Vec<(u64, u64)>;

/// Quantiles in microseconds, with three significant digits.
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
