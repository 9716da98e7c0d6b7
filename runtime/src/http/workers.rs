//! `GET /workers`: the known workers, and what explains their scores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::id::WorkerId;
use quorate_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, STATE, answers, draining, reads_limited, shown, stuck};
use super::api::Api;
use super::error::{ApiError, encoded};
use super::events::{Blamed, Events, History, WorkerFailure};
use crate::driver::{Snapshot, WorkerView};
use crate::wire::schema::Id;
use crate::wire::{JsonNumber, WorkerBody, encode, saturating_millis};

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
