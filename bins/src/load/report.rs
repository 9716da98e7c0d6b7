//! The results of a measurement.

use std::collections::BTreeMap;

use serde::Serialize;

/// The results of a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "Written")]
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
    pub histogram: Histogram,
}

/// Latencies in microseconds with three significant digits, ascending, each with its count.
pub type Histogram = Vec<(u64, u64)>;

/// Quantiles in microseconds, with three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The report in JSON. Times are in milliseconds, in fields that end in `_ms`. `seconds` and `latency_us` are the same
/// in the units of earlier versions.
#[derive(Debug, Serialize)]
struct Written {
    requests: u64,
    ok: u64,
    errors: BTreeMap<String, u64>,
    elapsed_ms: f64,
    seconds: f64,
    requests_per_second: f64,
    latency_ms: Option<Quantiles<f64>>,
    latency_us: Option<Quantiles<u64>>,
}

#[derive(Debug, Serialize)]
struct Quantiles<T> {
    p50: T,
    p90: T,
    p99: T,
    p99_9: T,
    max: T,
}

impl From<Report> for Written {
    fn from(report: Report) -> Self {
        let Report { requests, ok, errors, seconds, requests_per_second, latency_us, .. } = report;
        let quantiles = |Latency { p50, p90, p99, p99_9, max }| Quantiles { p50, p90, p99, p99_9, max };
        let millis = |Quantiles { p50, p90, p99, p99_9, max }| {
            let [p50, p90, p99, p99_9, max] = [p50, p90, p99, p99_9, max].map(|micros: u64| micros as f64 / 1000.0);
            Quantiles { p50, p90, p99, p99_9, max }
        };
        Self {
            requests,
            ok,
            errors,
            // To the microsecond, like the latencies.
            elapsed_ms: (seconds * 1e6).round() / 1000.0,
            seconds,
            requests_per_second,
            latency_ms: latency_us.map(quantiles).map(millis),
            latency_us: latency_us.map(quantiles),
        }
    }
}
