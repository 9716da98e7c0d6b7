//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use utoipa::IntoResponses;

use super::answers::{Answers, STATE, answers, draining, reads_limited, stuck, success, text};
use super::api::Api;
use super::error::ApiError;
use crate::metrics::{CONTENT_TYPE as METRICS_TYPE, Kept};

/// The responses of `GET /metrics`.
struct AnsweringMetrics;

impl IntoResponses for AnsweringMetrics {
    fn responses() -> Answers {
        let metrics = text("# TYPE quorate_requests_in_flight gauge\nquorate_requests_in_flight 0\n");
        answers(
            success("In Prometheus' text format.", METRICS_TYPE, metrics),
            vec![reads_limited(), stuck(), draining()],
        )
    }
}

/// The metrics, as Prometheus scrapes them
#[utoipa::path(get, path = "/metrics", tag = STATE, responses(AnsweringMetrics))]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = api.snapshots.latest(&api.coordinator).await?;
    let text = snapshot.metrics(|snapshot| {
        let kept = Kept { board: &api.feeds.board, durable: api.durable.as_ref(), now: api.clock.unix_time() };
        api.metrics.show(snapshot, &api.edge(), &api.responses, kept).into()
    });
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], text).into_response())
}
