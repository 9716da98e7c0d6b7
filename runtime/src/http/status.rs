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

use super::Api;
use super::error::{ApiError, json};
use crate::driver::{AskError, Snapshot, Status, WorkerView};
use crate::wire::JsonNumber;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    port: u16,
    nats: bool,
}

/// Alive, and whether the bus is connected.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = status(&api).await?;
    let health = Health { status: "healthy", port: api.settings.port, nats: now.bus_connected };
    Ok(json(StatusCode::OK, &health))
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    workers: usize,
    in_flight: usize,
}

/// Whether a request made now could be answered.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = status(&api).await?;
    if now.draining {
        return Err(ApiError::not_ready("draining", "the coordinator is stopping"));
    }
    if !now.bus_connected {
        return Err(ApiError::not_ready("bus_down", "the bus is disconnected; it is being reconnected"));
    }
    if now.live_workers == 0 {
        return Err(ApiError::not_ready("no_workers", "no worker is known yet"));
    }
    let readiness = Readiness { ready: true, workers: now.live_workers, in_flight: now.in_flight };
    Ok(json(StatusCode::OK, &readiness))
}

#[derive(Serialize)]
struct Register<'a> {
    workers: Vec<WorkerBody<'a>>,
    in_flight: usize,
    counters: BTreeMap<&'static str, u64>,
}

/// One worker with its record.
#[derive(Serialize)]
pub(super) struct WorkerBody<'a> {
    worker_id: &'a str,
    state: &'static str,
    announced: bool,
    replicated: bool,
    score: JsonNumber,
    cordoned: bool,
    successes: u64,
    failures: u64,
    timeouts: u64,
    late: u64,
    outliers: u64,
    equivocations: u64,
    response_time: Option<Quantiles>,
    last_heard_ms: u64,
}

/// Quantiles in nanoseconds.
#[derive(Serialize)]
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

/// The known workers with their records, and what was counted.
pub(super) async fn workers(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = look(&api).await?;
    let mut counters: BTreeMap<_, _> = snapshot.counters.iter().collect();
    counters.insert("messages_malformed", snapshot.messages_malformed);
    counters.insert("outcomes_unpublished", snapshot.outcomes_unpublished);
    counters.insert("messages_dropped", snapshot.messages_dropped);
    let workers = snapshot.workers.iter().map(WorkerBody::of).collect();
    Ok(json(StatusCode::OK, &Register { workers, in_flight: snapshot.in_flight, counters }))
}

impl<'a> WorkerBody<'a> {
    pub(super) fn of(view: &'a WorkerView) -> Self {
        let WorkerView { id, worker, cordoned, last_heard } = view;
        let record = &worker.reliability;
        Self {
            worker_id: id.as_str(),
            state: match worker.state {
                WorkerState::Live => "live",
                WorkerState::Draining => "draining",
                WorkerState::Left => "left",
                WorkerState::Expired => "expired",
            },
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

async fn status(api: &Api) -> Result<Status, ApiError> {
    api.coordinator.status().await.ok_or_else(|| ApiError::from(AskError::Stopped))
}

pub(super) async fn look(api: &Api) -> Result<Snapshot, ApiError> {
    api.coordinator.look().await.ok_or_else(|| ApiError::from(AskError::Stopped))
}
