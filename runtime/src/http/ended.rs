//! `GET /requests/{id}`: the outcome of a request that has ended.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use http::StatusCode;
use quorate_core::id::RequestId;
use utoipa::IntoResponses;

use super::answers::{Answers, AskedError, QUESTIONS, answers, either, reads_limited};
use super::api::Api;
use super::error::{ApiError, encoded};
use super::example;
use crate::wire::schema::Id;
use crate::wire::{Numbers, OutcomeBody, encode_outcome};

/// The responses of `GET /requests/{id}`.
struct AnsweringEnded;

impl IntoResponses for AnsweringEnded {
    fn responses() -> Answers {
        let outcome =
            serde_json::from_slice(&encode_outcome(&example::answered(), Numbers::Number)).expect("an outcome is JSON");
        let ok = either::<OutcomeBody, AskedError>("What its callers received.", outcome);
        answers(ok, vec![(ApiError::no_request(), "no request with this id has ended lately"), reads_limited()])
    }
}

/// The outcome of a request that has ended
///
/// The body is what the callers of the request received, an outcome or an error with evidence, with status 200 in
/// either case. It is found as long as its event is kept: see `GET /events`.
#[utoipa::path(
    get,
    path = "/requests/{id}",
    tag = QUESTIONS,
    params(("id" = Id, Path, description = "The id of the request.")),
    responses(AnsweringEnded)
)]
pub(super) async fn ended(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    let id = id.ok().and_then(|Path(id)| RequestId::new(&id).ok()).ok_or_else(ApiError::no_request)?;
    let outcome = api.events.outcome(&id).ok_or_else(ApiError::no_request)?;
    Ok(encoded(StatusCode::OK, outcome))
}
