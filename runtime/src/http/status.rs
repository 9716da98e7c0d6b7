//! `GET /health`, `GET /ready` and `GET /workers`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::coordinator::Staffing;
use quorate_core::id::WorkerId;
use quorate_core::pattern::Pattern;
use quorate_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, STATE, answers, draining, reads_limited, shown, stuck};
use super::api::Api;
use super::error::{ApiError, encoded, json};
use super::events::{Blamed, Events, History, WorkerFailure};
use crate::driver::{Snapshot, WorkerView};
use crate::wire::failure::ErrorWord;
use crate::wire::schema::Id;
use crate::wire::{JsonNumber, WorkerBody, encode, saturating_millis};

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

/// The known workers, and what the coordinator has counted.
#[derive(Serialize, ToSchema)]
pub(super) struct Register<'a> {
    workers: Vec<KnownWorker<'a>>,
    /// The workers that some policy expects by name, and that are not there, in order.
    #[schema(value_type = Vec<Id>)]
    absent: BTreeSet<&'a str>,
    /// The number of requests in flight.
    in_flight: usize,
    /// The counters since the start, by name.
    counters: BTreeMap<&'static str, u64>,
}

/// A worker, and what explains its score.
#[derive(Serialize, ToSchema)]
struct KnownWorker<'a> {
    #[serde(flatten)]
    record: WorkerBody<'a>,
    /// The last failure that a request accepted from it; null if none is kept.
    #[schema(required)]
    last_failure: Option<LastFailure>,
    /// The last times its score was lowered, at most 8, oldest first. A good value raises it.
    blames: Vec<BlameBody>,
}

/// The last failure of a worker.
#[derive(Serialize, ToSchema)]
struct LastFailure {
    /// The worker's words, at most 256 bytes of them.
    text: String,
    /// The request that it failed to answer.
    #[schema(value_type = Id)]
    request_id: String,
    /// The time since then, in milliseconds.
    ago_ms: u64,
}

/// One time the score of a worker was lowered.
#[derive(Serialize, ToSchema)]
#[schema(as = Blame)]
struct BlameBody {
    /// `outlier`: its value was judged bad against the others'. `failure`: it reported a failure. `silence`: it was
    /// silent until the deadline. `equivocation`: it answered one request twice, differently.
    #[schema(example = "outlier")]
    blame: &'static str,
    /// The request that it happened in.
    #[schema(value_type = Id)]
    request_id: String,
    /// Its score until then.
    score_before: JsonNumber,
    /// Its score since.
    score: JsonNumber,
    /// The time since then, in milliseconds.
    ago_ms: u64,
}

impl<'a> KnownWorker<'a> {
    fn of(view: &'a WorkerView, history: History, now: Timestamp) -> Self {
        let ago_ms = |at| saturating_millis(now.since(at));
        let last_failure = history.failure.map(|WorkerFailure { at, request, text }| LastFailure {
            text: text.to_string(),
            request_id: request.to_string(),
            ago_ms: ago_ms(at),
        });
        let blames = history.blames.into_iter().map(|Blamed { at, request, blame, before, after }| BlameBody {
            blame: blame.name(),
            request_id: request.to_string(),
            score_before: before.into(),
            score: after.into(),
            ago_ms: ago_ms(at),
        });
        Self { record: view.body(), last_failure, blames: blames.collect() }
    }
}

/// The responses of `GET /workers`.
struct AnsweringWorkers;

impl IntoResponses for AnsweringWorkers {
    fn responses() -> Answers {
        let worker = json!({
            "worker_id": "kraken", "state": "live", "announced": true, "replicated": false, "score": 0.9375,
            "quarantined": false, "suspect": false, "queries": ["BTC/*", "ETH/USD"], "successes": 412, "failures": 3, "timeouts": 1, "late": 1, "outliers": 0,
            "equivocations": 0, "last_heard_ms": 812,
            "response_time": {"p50": 182_000_311, "p90": 260_114_200, "p99": 611_900_045},
            "last_failure": {"text": "api.kraken.com: answered 502 Bad Gateway", "request_id": "order-7780-price", "ago_ms": 61_200},
            "blames": [{"blame": "failure", "request_id": "order-7780-price", "score_before": 1, "score": 0.9375, "ago_ms": 61_200}],
        });
        let counters = json!({"requests_accepted": 417, "results_accepted": 418, "results_late": 1});
        let example = json!({"workers": [worker], "absent": ["coinbase"], "in_flight": 0, "counters": counters});
        answers(
            shown::<Register>("The known workers and the counters.", example),
            vec![reads_limited(), stuck(), draining()],
        )
    }
}

/// The known workers with their scores and counters, and what the coordinator has counted
#[utoipa::path(get, path = "/workers", tag = STATE, responses(AnsweringWorkers))]
pub(super) async fn workers(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = api.snapshots.latest(&api.coordinator).await?;
    let body = snapshot.workers(|snapshot| encode(&Register::of(snapshot, &api.events, api.clock.now())));
    Ok(encoded(StatusCode::OK, body))
}

impl<'a> Register<'a> {
    fn of(snapshot: &'a Snapshot, events: &Events, now: Timestamp) -> Self {
        let mut counters: BTreeMap<_, _> = snapshot.counters.iter().collect();
        counters.insert("messages_malformed", snapshot.messages_malformed);
        counters.insert("outcomes_unpublished", snapshot.outcomes_unpublished);
        counters.insert("messages_dropped", snapshot.messages_dropped);
        let known = |view: &'a WorkerView| KnownWorker::of(view, events.history(&view.id), now);
        let workers = snapshot.workers.iter().map(known).collect();
        let absent = snapshot.absent().into_iter().map(WorkerId::as_str).collect();
        Self { workers, absent, in_flight: snapshot.in_flight, counters }
    }
}
