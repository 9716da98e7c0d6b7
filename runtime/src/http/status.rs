//! `GET /health` and `GET /ready`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::coordinator::Staffing;
use quorate_core::pattern::Pattern;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, STATE, answers, draining, shown, stuck};
use super::api::Api;
use super::error::{ApiError, json};
use crate::wire::failure::ErrorWord;
use crate::wire::schema::Id;

/// The routes that say whether the coordinator is alive and can serve. No rate limits them.
pub(super) const PROBES: [&str; 2] = ["/health", "/ready"];

/// The process is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `healthy`.
    status: &'static str,
    /// The port that the coordinator listens on.
    port: u16,
    /// Whether NATS is connected.
    nats: bool,
}

/// The responses of `GET /health`.
struct AnsweringHealth;

impl IntoResponses for AnsweringHealth {
    fn responses() -> Answers {
        let example = json!({"status": "healthy", "port": 8080, "nats": true});
        answers(shown::<Health>("It is alive.", example), vec![stuck(), draining()])
    }
}

/// Whether the process is alive
///
/// Also says whether NATS is connected. A coordinator without NATS is alive as well.
#[utoipa::path(get, path = "/health", tag = STATE, responses(AnsweringHealth))]
pub(super) async fn health(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = api.coordinator.readiness().await?;
    let health = Health { status: "healthy", port: api.settings.port, nats: now.bus_connected };
    Ok(json(StatusCode::OK, &health))
}

/// A request made now can be answered.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// Always true.
    ready: bool,
    /// The number of live workers.
    workers: usize,
    /// The number of requests in flight.
    in_flight: usize,
    /// The policies for which too few workers are there.
    short: Vec<ShortPolicy>,
}

/// A policy for which too few workers are there.
#[derive(Serialize, ToSchema)]
struct ShortPolicy {
    /// The queries of the policy: a pattern in which `*` stands for any characters. `*` alone is the default policy.
    #[schema(example = "BTC/*")]
    query: String,
    /// Whether a request can succeed: whether `min_responses` workers are there.
    served: bool,
    /// The number of live workers that offer some of these queries.
    workers: u32,
    /// The number that should be there: the larger of `min_responses` and `min_expected`.
    needed: u32,
    /// The workers that the policy expects by name, and that are not there.
    #[schema(value_type = Vec<Id>)]
    missing: Vec<String>,
}

impl ShortPolicy {
    fn of(staffing: &Staffing) -> Self {
        Self {
            query: staffing.pattern.as_str().to_owned(),
            served: staffing.can_serve(),
            workers: staffing.live,
            needed: staffing.needed,
            missing: staffing.missing.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The responses of `GET /ready`.
struct AnsweringReady;

impl IntoResponses for AnsweringReady {
    fn responses() -> Answers {
        answers(
            shown::<Readiness>(
                "It can serve.",
                json!({
                    "ready": true, "workers": 3, "in_flight": 0,
                    "short": [{"query": "BTC/*", "served": true, "workers": 3, "needed": 3, "missing": ["kraken"]}],
                }),
            ),
            vec![
                (no_workers(), "no live worker is known"),
                (ApiError::too_few_workers(&[few()]), "fewer workers are there than every policy requires"),
                (bus_down(), "NATS is not connected"),
                stuck(),
                draining(),
            ],
        )
    }
}

fn no_workers() -> ApiError {
    ApiError::not_ready(ErrorWord::NoWorkers, "no worker is known yet")
}

/// A policy that cannot be served, for an example.
fn few() -> Staffing {
    Staffing { pattern: Pattern::new("*"), live: 1, required: 2, needed: 2, missing: Vec::new(), unnamed: 0 }
}

fn bus_down() -> ApiError {
    ApiError::not_ready(ErrorWord::BusDown, "the bus is disconnected; it is being reconnected")
}

/// Whether a request made now can be answered
///
/// It can while some policy has as many workers as it requires. The response lists the policies that lack workers.
#[utoipa::path(get, path = "/ready", tag = STATE, responses(AnsweringReady))]
pub(super) async fn ready(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let now = api.coordinator.readiness().await?;
    if now.draining {
        return Err(ApiError::not_ready(ErrorWord::Draining, "the coordinator is stopping"));
    }
    if !now.bus_connected {
        return Err(bus_down());
    }
    if now.live_workers == 0 {
        return Err(no_workers());
    }
    if !now.staffing.iter().any(Staffing::can_serve) {
        return Err(ApiError::too_few_workers(&now.staffing));
    }
    let short = now.staffing.iter().filter(|it| it.is_short()).map(ShortPolicy::of).collect();
    let readiness = Readiness { ready: true, workers: now.live_workers, in_flight: now.in_flight, short };
    Ok(json(StatusCode::OK, &readiness))
}
