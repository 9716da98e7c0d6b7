//! How requests ended: how long each took, and the fate of each expected worker's result.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::core::Collector as _;
use prometheus::{Histogram, HistogramOpts};
use quorate_core::Coordinator;
use quorate_core::aggregate::Exclusion;
use quorate_core::outcome::Outcome;

use super::page::Page;
use crate::driver::Tap;
use crate::wire::EncodedOutcome;

const DURATION: &str = "quorate_request_duration_seconds";
const DURATION_HELP: &str = "From the submission of an accepted request to its end, by whether there was an answer.";

/// Upper bounds in seconds. No request lasts longer than the coordinator's longest timeout, 60 s by default. An alert
/// tells requests that last more than 4 s, which is near the default timeout, from others.
const BUCKETS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 4.0, 5.0, 10.0, 30.0, 60.0];

/// Statistics of ended requests. They are recorded by one task, without a lock.
#[derive(Debug)]
pub(super) struct Ended {
    answered: Histogram,
    failed: Histogram,
    parts: Parts,
}

/// The number of results, and of silent workers, by fate.
#[derive(Debug, Default)]
struct Parts {
    used: AtomicU64,
    failed: AtomicU64,
    not_a_number: AtomicU64,
    outlier: AtomicU64,
    stale: AtomicU64,
    quarantined: AtomicU64,
    newcomer: AtomicU64,
    late: AtomicU64,
    missing: AtomicU64,
}

impl Default for Ended {
    fn default() -> Self {
        Self { answered: histogram("answered"), failed: histogram("failed"), parts: Parts::default() }
    }
}

fn histogram(result: &str) -> Histogram {
    let options = HistogramOpts::new(DURATION, DURATION_HELP).buckets(BUCKETS.to_vec());
    Histogram::with_opts(options.const_label("result", result)).expect("good names, and buckets that ascend")
}

impl Ended {
    fn record(&self, outcome: &Outcome) {
        let durations = if outcome.verdict.is_ok() { &self.answered } else { &self.failed };
        durations.observe(outcome.elapsed.as_secs_f64());
        let parts = &self.parts;
        for observation in &outcome.observations {
            let part = match (&observation.observed, observation.excluded) {
                (Err(_), _) => &parts.failed,
                (Ok(_), None) => &parts.used,
                (Ok(_), Some(Exclusion::NotANumber)) => &parts.not_a_number,
                (Ok(_), Some(Exclusion::Outlier)) => &parts.outlier,
                (Ok(_), Some(Exclusion::Stale)) => &parts.stale,
                (Ok(_), Some(Exclusion::Quarantined)) => &parts.quarantined,
                (Ok(_), Some(Exclusion::Newcomer)) => &parts.newcomer,
            };
            part.fetch_add(1, Ordering::Relaxed);
        }
        if !outcome.missing.is_empty() {
            let silent = if outcome.cause.is_early() { &parts.late } else { &parts.missing };
            silent.fetch_add(outcome.missing.len() as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        page.histogram([&self.answered, &self.failed].into_iter().flat_map(Histogram::collect));
        let count = |part: &AtomicU64| part.load(Ordering::Relaxed);
        let parts = &self.parts;
        page.counters(
            "quorate_observations_total",
            "Accepted results when their request ended, by fate.",
            "fate",
            [
                ("used", count(&parts.used)),
                ("failed", count(&parts.failed)),
                ("excluded_not_a_number", count(&parts.not_a_number)),
                ("excluded_outlier", count(&parts.outlier)),
                ("excluded_stale", count(&parts.stale)),
                ("excluded_quarantined", count(&parts.quarantined)),
                ("excluded_newcomer", count(&parts.newcomer)),
            ],
        );
        page.counters(
            "quorate_silent_workers_total",
            "Expected workers that had not answered when a request ended: missing, or late because it ended early.",
            "fate",
            [("missing", count(&parts.missing)), ("late", count(&parts.late))],
        );
    }
}

/// Records the requests that a coordinator ends.
#[derive(Debug)]
pub struct EndedTap(Arc<Ended>);

impl EndedTap {
    pub(super) fn new(ended: Arc<Ended>) -> Self {
        Self(ended)
    }
}

impl Tap<Coordinator> for EndedTap {
    fn ended(&mut self, outcome: &EncodedOutcome) {
        self.0.record(&outcome.outcome);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::id::{RequestId, WorkerId};
    use quorate_core::outcome::{Cause, Observation};
    use quorate_core::query::Query;
    use quorate_core::value::Value;

    use super::*;

    fn outcome(cause: Cause, elapsed: Duration) -> Outcome {
        let worker = |name: &str| WorkerId::new(name).expect("an id");
        let used = Observation::new(worker("w"), Ok(Value::number("1").expect("a number")));
        let observation = |excluded| Observation { excluded, ..used.clone() };
        // One of the first kind, two of the second, and so on.
        let kinds = [
            None,
            Some(Exclusion::NotANumber),
            Some(Exclusion::Outlier),
            Some(Exclusion::Stale),
            Some(Exclusion::Quarantined),
            Some(Exclusion::Newcomer),
        ];
        let mut observations: Vec<_> =
            kinds.iter().enumerate().flat_map(|(at, kind)| vec![observation(*kind); at + 1]).collect();
        observations.extend(vec![Observation { observed: Err("boom".into()), ..observation(None) }; 6]);
        Outcome {
            observations,
            missing: vec![worker("x"); 7],
            succeeded: 15,
            elapsed,
            cause,
            ..Outcome::unanswered(RequestId::new("r").expect("an id"), Query::new("q").expect("a query"))
        }
    }

    #[test]
    fn every_part_of_a_request_is_counted_by_its_fate_and_every_end_in_the_first_bucket_that_holds_it() {
        let ended = Ended::default();
        for (cause, elapsed) in [
            (Cause::DeadlinePassed, Duration::from_millis(1)),
            (Cause::QuorumMet, Duration::from_micros(1_001)),
            (Cause::Stalled, Duration::from_mins(1)),
            (Cause::AllAnswered, Duration::from_secs(61)),
        ] {
            ended.record(&outcome(cause, elapsed));
        }
        let mut page = Page::default();
        ended.show(&mut page);
        let text = page.text();
        for (sample, value) in [
            (r#"quorate_observations_total{fate="used"}"#, 4),
            (r#"quorate_observations_total{fate="excluded_not_a_number"}"#, 8),
            (r#"quorate_observations_total{fate="excluded_outlier"}"#, 12),
            (r#"quorate_observations_total{fate="excluded_stale"}"#, 16),
            (r#"quorate_observations_total{fate="excluded_quarantined"}"#, 20),
            (r#"quorate_observations_total{fate="failed"}"#, 24),
            (r#"quorate_silent_workers_total{fate="missing"}"#, 14),
            (r#"quorate_silent_workers_total{fate="late"}"#, 14),
            (r#"quorate_request_duration_seconds_bucket{result="failed",le="0.001"}"#, 1),
            (r#"quorate_request_duration_seconds_bucket{result="failed",le="0.0025"}"#, 2),
            (r#"quorate_request_duration_seconds_bucket{result="failed",le="30"}"#, 2),
            (r#"quorate_request_duration_seconds_bucket{result="failed",le="60"}"#, 3),
            (r#"quorate_request_duration_seconds_bucket{result="failed",le="+Inf"}"#, 4),
            (r#"quorate_request_duration_seconds_count{result="failed"}"#, 4),
            (r#"quorate_request_duration_seconds_count{result="answered"}"#, 0),
        ] {
            assert!(text.lines().any(|line| line == format!("{sample} {value}")), "{sample} {value}: {text}");
        }
    }
}
