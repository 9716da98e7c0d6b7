//! What all connections have counted, and whether they continue.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{End, Histogram, Latency, Report};

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// With this HTTP status.
    Status(u16),
    /// No connection could be made.
    Connect,
    /// No answer within the time limit.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    Io,
}

/// Permission to make one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit {
    began: Instant,
    measured: bool,
}

/// What all connections have counted.
#[derive(Debug)]
pub(super) struct Tally {
    begins: Instant,
    end: End,
    counts: Mutex<Counts>,
}

/// The longest latency that is distinguished, in microseconds: an hour. Longer ones count as an hour.
const MAX_LATENCY_US: u64 = 3_600_000_000;

#[derive(Debug)]
struct Counts {
    /// Measured requests that were begun.
    begun: u64,
    ended: u64,
    ok: u64,
    errors: BTreeMap<Ending, u64>,
    latency_us: hdrhistogram::Histogram<u64>,
    last: Instant,
    stopped: bool,
}

impl Tally {
    /// A tally that begins now, with the warm-up.
    pub(super) fn new(end: End, warmup: Duration) -> Self {
        let begins = Instant::now() + warmup;
        let counts = Counts {
            begun: 0,
            ended: 0,
            ok: 0,
            errors: BTreeMap::new(),
            latency_us: hdrhistogram::Histogram::new_with_bounds(1, MAX_LATENCY_US, 3)
                .expect("the bounds are in order"),
            last: begins,
            stopped: false,
        };
        Self { begins, end, counts: Mutex::new(counts) }
    }

    /// When the measurement begins, after the warm-up.
    pub(super) fn begins(&self) -> Instant {
        self.begins
    }

    /// Permission to make another request; `None` at the end.
    pub(super) fn permit(&self) -> Option<Permit> {
        let began = Instant::now();
        let measured = began >= self.begins;
        let mut counts = self.lock();
        let over = match self.end {
            End::After(duration) => began >= self.begins + duration,
            End::Requests(requests) => counts.begun >= requests,
        };
        if over || counts.stopped {
            return None;
        }
        counts.begun += u64::from(measured);
        Some(Permit { began, measured })
    }

    /// Counts a request that has ended.
    pub(super) fn record(&self, permit: Permit, ending: Ending) {
        if !permit.measured {
            return;
        }
        let now = Instant::now();
        let micros = u64::try_from((now - permit.began).as_micros()).unwrap_or(u64::MAX);
        let mut counts = self.lock();
        counts.ended += 1;
        counts.last = now;
        if matches!(ending, Ending::Status(200..300)) {
            counts.ok += 1;
            counts.latency_us.saturating_record(micros);
        } else {
            *counts.errors.entry(ending).or_default() += 1;
        }
    }

    /// When no further request is permitted; `None` if the number of requests decides.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.end {
            End::After(duration) => Some(self.begins + duration),
            End::Requests(_) => None,
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }

    /// Ended requests, and errors among them.
    pub(super) fn counts(&self) -> (u64, u64) {
        let counts = self.lock();
        (counts.ended, counts.ended - counts.ok)
    }

    pub(super) fn report(&self) -> Report {
        let counts = self.lock();
        let seconds = (counts.last - self.begins).as_secs_f64();
        let quantile = |quantile| counts.latency_us.value_at_quantile(quantile);
        Report {
            requests: counts.ended,
            ok: counts.ok,
            errors: counts.errors.iter().map(|(ending, count)| (ending.name(), *count)).collect(),
            seconds,
            requests_per_second: if seconds > 0.0 { counts.ok as f64 / seconds } else { 0.0 },
            latency_us: (counts.ok > 0).then(|| Latency {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                p99_9: quantile(0.999),
                max: counts.latency_us.max(),
            }),
            histogram: recorded(&counts.latency_us),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn recorded(latency_us: &hdrhistogram::Histogram<u64>) -> Histogram {
    latency_us.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value())).collect()
}

impl Ending {
    fn name(self) -> String {
        match self {
            Self::Status(code) => code.to_string(),
            Self::Connect => "connect".to_owned(),
            Self::Timeout => "timeout".to_owned(),
            Self::Io => "io".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_the_warm_up_are_made_but_not_counted() {
        let tally = Tally::new(End::Requests(1), Duration::from_hours(1));
        for _ in 0..3 {
            let permit = tally.permit().expect("a warm-up has no count");
            tally.record(permit, Ending::Io);
        }
        assert_eq!(tally.report(), Report::default());
    }

    #[test]
    fn a_latency_is_reported_as_long_as_it_was() {
        let tally = Tally::new(End::Requests(1), Duration::ZERO);
        let began = Instant::now().checked_sub(Duration::from_millis(250)).expect("the machine runs for longer");
        tally.record(Permit { began, measured: true }, Ending::Status(200));
        let p50 = tally.report().latency_us.expect("a request was answered").p50;
        assert!((250_000..1_000_000).contains(&p50), "{p50} µs");
    }

    #[test]
    fn a_count_is_kept_exactly_and_errors_are_part_of_it() {
        let tally = Tally::new(End::Requests(3), Duration::ZERO);
        for ending in [Ending::Status(200), Ending::Status(429), Ending::Io] {
            let permit = tally.permit().expect("three are permitted");
            tally.record(permit, ending);
        }
        assert!(tally.permit().is_none());
        let report = tally.report();
        assert_eq!((report.requests, report.ok), (3, 1));
        assert_eq!(report.errors, BTreeMap::from([("429".to_owned(), 1), ("io".to_owned(), 1)]));
    }
}
