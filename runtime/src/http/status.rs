//! `GET /health`, `GET /ready` and `GET /workers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::coordinator::{ResponseTimes, WorkerState};
use quorate_core::time::saturating_nanos;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::error::{ApiError, encoded, json};
use super::openapi::{AnsweringHealth, AnsweringReady, AnsweringWorkers, STATE};
use crate::driver::{Snapshot, WorkerView};
use crate::wire::failure::ErrorWord;
use crate::wire::schema::Id;
use crate::wire::{JsonNumber, encode};

/// The routes that say whether the coordinator is alive and can serve. No rate limits them.
pub(super) const PROBES: [&str; 2] = ["/health", "/ready"];

/// That the process is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `healthy`.
    status: &'static str,
    /// The port it was told to listen on.
    port: u16,
    /// Whether NATS is connected.
    nats: bool,
}

/// Whether the process is alive
///
/// And whether NATS is connected, which it need not be to be alive.
#[utoipa::path(get, path = "/health", tag = STATE, responses(AnsweringHealth))]
pub(super) async fn health(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = api.coordinator.status().await?;
    let health = Health { status: "healthy", port: api.settings.port, nats: now.bus_connected };
    Ok(json(StatusCode::OK, &health))
}

/// That a request made now could be answered.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Always true.
    ready: bool,
    /// The workers that are live.
    workers: usize,
    /// The requests that are not answered yet.
    in_flight: usize,
}

/// Whether a request made now could be answered
#[utoipa::path(get, path = "/ready", tag = STATE, responses(AnsweringReady))]
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = api.coordinator.status().await?;
    if now.draining {
        return Err(ApiError::not_ready(ErrorWord::Draining, "the coordinator is stopping"));
    }
    if !now.bus_connected {
        return Err(ApiError::not_ready(ErrorWord::BusDown, "the bus is disconnected; it is being reconnected"));
    }
    if now.live_workers == 0 {
        return Err(ApiError::not_ready(ErrorWord::NoWorkers, "no worker is known yet"));
    }
    let readiness = Readiness { ready: true, workers: now.live_workers, in_flight: now.in_flight };
    Ok(json(StatusCode::OK, &readiness))
}

/// The known workers, and what was counted.
#[derive(Serialize, ToSchema)]
pub(super) struct Register<'a> {
    workers: Vec<WorkerBody<'a>>,
    /// The requests that are not answered yet.
    in_flight: usize,
    /// What was counted since the start, by name.
    counters: BTreeMap<&'static str, u64>,
}

/// One worker with its record.
#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(super) struct WorkerBody<'a> {
    #[schema(value_type = Id)]
    worker_id: &'a str,
    state: StateName,
    /// Whether it announces itself.
    announced: bool,
    /// Whether several replicas answer under its name.
    replicated: bool,
    /// How reliable it was lately, 0 to 1, with 6 decimals.
    score: JsonNumber,
    /// Whether its values are not counted because its score is too low.
    cordoned: bool,
    successes: u64,
    failures: u64,
    /// How often it was silent until the deadline.
    timeouts: u64,
    /// How often its answer came after the end of its request.
    late: u64,
    /// How often its value was found bad beside those of the others, whether it was used or not.
    outliers: u64,
    /// How often it answered one request twice, differently.
    equivocations: u64,
    /// From dispatch to arrival, over the last 128 answers; null before the first.
    #[schema(required)]
    response_time: Option<Quantiles>,
    /// How long ago it was heard last, in milliseconds.
    last_heard_ms: u64,
}

/// Whether a worker takes tasks. `draining`: it answers only those it has. `left`: it said so. `expired`: it has not been
/// heard for the presence time.
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

/// The known workers with their records, and what was counted
#[utoipa::path(get, path = "/workers", tag = STATE, responses(AnsweringWorkers))]
pub(super) async fn workers(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let look = api.looks.look(&api.coordinator).await?;
    Ok(encoded(StatusCode::OK, look.workers(|snapshot| encode(&Register::of(snapshot)))))
}

impl<'a> Register<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut counters: BTreeMap<_, _> = snapshot.counters.iter().collect();
        counters.insert("messages_malformed", snapshot.messages_malformed);
        counters.insert("outcomes_unpublished", snapshot.outcomes_unpublished);
        counters.insert("messages_dropped", snapshot.messages_dropped);
        let workers = snapshot.workers.iter().map(WorkerBody::of).collect();
        Self { workers, in_flight: snapshot.in_flight, counters }
    }
}

impl<'a> WorkerBody<'a> {
    pub(super) fn of(view: &'a WorkerView) -> Self {
        let WorkerView { id, worker, cordoned, last_heard } = view;
        let record = &worker.reliability;
        Self {
            worker_id: id.as_str(),
            state: worker.state.into(),
            announced: worker.announced,
            replicated: worker.replicated,
            score: JsonNumber(Decimal::new(i64::from(record.score.millionths()), 6)),
            cordoned: *cordoned,
            successes: record.successes,
            failures: record.failures,
            timeouts: record.timeouts,
            late: record.late,
            outliers: record.outliers,
            equivocations: record.equivocations,
            response_time: record.response_times().map(Quantiles::from),
            last_heard_ms: u64::try_from(last_heard.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
