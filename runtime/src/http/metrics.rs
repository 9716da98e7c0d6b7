//! `GET /metrics`, and the count of answers that it shows.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

use super::Api;
use super::error::ApiError;
use super::openapi::{AnsweringMetrics, STATE};
use super::status::look;
use crate::metrics::{CONTENT_TYPE as METRICS_TYPE, Metrics};

/// The metrics, as Prometheus scrapes them
#[utoipa::path(get, path = "/metrics", tag = STATE, responses(AnsweringMetrics))]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = look(&api).await?;
    let limiter = api.limiter.as_ref().map(super::RateLimiter::counts).unwrap_or_default();
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], api.metrics.show(&snapshot, limiter)).into_response())
}

/// Counts every answer by its route and status.
pub(super) async fn count_response(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    metrics.responses().count(path.as_ref().map(MatchedPath::as_str), response.status());
    response
}
