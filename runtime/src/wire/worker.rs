//! A worker as readers of a coordinator see it.

use std::collections::BTreeSet;

use quorate_core::coordinator::{ResponseTimes, WorkerState};
use quorate_core::time::saturating_nanos;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::Id;
use super::{JsonNumber, saturating_millis};
use crate::driver::WorkerView;

/// One worker with its record.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkerRecord)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(crate) struct WorkerBody<'a> {
    #[schema(value_type = Id)]
    worker_id: &'a str,
    state: StateName,
    /// Whether it announces itself.
    announced: bool,
    /// Whether several replicas answer under its name.
    replicated: bool,
    /// Its recent reliability, 0 to 1, with 6 decimals.
    score: JsonNumber,
    /// Whether its values are not counted because its score is too low.
    quarantined: bool,
    /// Whether it was silent for longer than usual while others answered, and has not been heard since. Requests wait for
    /// it only as long as it usually takes.
    suspect: bool,
    /// The queries that it offers: patterns in which `*` stands for any characters. `*` alone stands for every query.
    #[schema(value_type = Vec<String>, example = json!(["BTC/*"]))]
    queries: BTreeSet<&'a str>,
    successes: u64,
    failures: u64,
    /// How often it was silent until the deadline.
    timeouts: u64,
    /// How often its answer came after the end of its request.
    late: u64,
    /// How often its value was judged bad against the others', whether it was used or not.
    outliers: u64,
    /// How often it answered one request twice, differently.
    equivocations: u64,
    /// From dispatch to arrival, over the last 128 answers, in time or late; null before the first.
    #[schema(required)]
    response_time: Option<Quantiles>,
    /// The time since its last message, in milliseconds.
    last_heard_ms: u64,
}

/// Whether a worker takes tasks. `draining`: it answers only those it has. `left`: it announced that. `expired`: it has
/// not been heard for the presence timeout.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WorkerState)]
enum StateName {
    Live,
    Draining,
    Left,
    Expired,
}

impl From<WorkerState> for StateName {
    fn from(state: WorkerState) -> Self {
        match state {
            WorkerState::Live => Self::Live,
            WorkerState::Draining => Self::Draining,
            WorkerState::Left => Self::Left,
            WorkerState::Expired => Self::Expired,
        }
    }
}

/// Quantiles of a time, in nanoseconds.
#[derive(Serialize, ToSchema)]
struct Quantiles {
    p50: u64,
    p90: u64,
    p99: u64,
}

impl From<ResponseTimes> for Quantiles {
    fn from(times: ResponseTimes) -> Self {
        Self { p50: saturating_nanos(times.p50), p90: saturating_nanos(times.p90), p99: saturating_nanos(times.p99) }
    }
}

impl<'a> WorkerBody<'a> {
    pub(crate) fn new(view: &'a WorkerView) -> Self {
        let WorkerView { id, worker, quarantined, last_heard, .. } = view;
        let record = &worker.reliability;
        Self {
            worker_id: id.as_str(),
            state: worker.state.into(),
            announced: worker.announced,
            replicated: worker.replicated,
            score: record.score.into(),
            quarantined: *quarantined,
            suspect: worker.suspect,
            queries: view.queries(),
            successes: record.successes,
            failures: record.failures,
            timeouts: record.timeouts,
            late: record.late,
            outliers: record.outliers,
            equivocations: record.equivocations,
            response_time: record.response_times().map(Quantiles::from),
            last_heard_ms: saturating_millis(*last_heard),
        }
    }
}
