//! `GET /health`, `GET /ready` and `GET /workers`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::api::Api;
use super::error::{ApiError, encoded, json};
use super::openapi::{AnsweringHealth, AnsweringReady, AnsweringWorkers, STATE};
use crate::driver::{Snapshot, WorkerView};
use crate::wire::failure::ErrorWord;
use crate::wire::{WorkerBody, encode};

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
        let workers = snapshot.workers.iter().map(WorkerView::body).collect();
        Self { workers, in_flight: snapshot.in_flight, counters }
    }
}
