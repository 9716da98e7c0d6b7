//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

use super::Api;
use super::error::ApiError;
use super::openapi::{AnsweringMetrics, STATE};
use super::status::look;
use crate::metrics::CONTENT_TYPE as METRICS_TYPE;

/// The metrics, as Prometheus scrapes them
#[utoipa::path(get, path = "/metrics", tag = STATE, responses(AnsweringMetrics))]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = look(&api).await?;
    let limiter = api.limiter.as_ref().map(super::RateLimiter::counts).unwrap_or_default();
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], api.metrics.show(&snapshot, limiter, &api.responses)).into_response())
}
