//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;

use super::api::Api;
use super::error::ApiError;
use super::openapi::{AnsweringMetrics, STATE};
use crate::metrics::CONTENT_TYPE as METRICS_TYPE;

/// The metrics, as Prometheus scrapes them
#[utoipa::path(get, path = "/metrics", tag = STATE, responses(AnsweringMetrics))]
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let look = api.looks.look(&api.coordinator).await?;
    let text = look.metrics(|snapshot| api.metrics.show(snapshot, &api.edge(), &api.responses).into());
    Ok(([(CONTENT_TYPE, METRICS_TYPE)], text).into_response())
}
