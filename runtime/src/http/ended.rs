//! `GET /requests/{id}`: the outcome of a request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use http::{StatusCode, Uri};
use quorate_core::id::RequestId;
use tracing::debug;
use utoipa::IntoResponses;

use super::answers::{Answers, AskedError, QUESTIONS, answers, either, reads_limited, shown};
use super::api::Api;
use super::error::{ApiError, encoded, json};
use super::example;
use super::submit::RequestState;
use crate::durable::{Stand, WAIT_LIMIT};
use crate::wire::schema::{Id, NumbersName};
use crate::wire::{Numbers, OutcomeBody, encode_outcome};

/// The responses of `GET /requests/{id}`.
struct AnsweringEnded;

impl IntoResponses for AnsweringEnded {
    fn responses() -> Answers {
        let outcome =
            serde_json::from_slice(&encode_outcome(&example::answered(), Numbers::Number)).expect("an outcome is JSON");
        let ok = either::<OutcomeBody, AskedError>("What its callers received.", outcome);
        let mut answers = answers(
            ok,
            vec![
                (ApiError::invalid("wait_ms must be between 0 and 60000"), "a parameter is out of range"),
                (ApiError::no_request(), "no request with this id has ended lately, and none is open"),
                reads_limited(),
                (ApiError::store_unavailable("ask again"), "the store does not answer"),
            ],
        );
        let open = shown::<RequestState>("The request is open: it has no outcome yet.", RequestState::example());
        answers.insert(StatusCode::ACCEPTED.as_str().to_owned(), open.build().into());
        answers
    }
}

/// The outcome of a request
///
/// The body is what the callers of the request received, an outcome or an error, with status 200 in either case. If the
/// coordinator has a store, it is found wherever it was asked, as long as the store keeps it. Otherwise it is found as
/// long as its event is kept: see `GET /events`. A durable request without an outcome is 202.
#[utoipa::path(
    get,
    path = "/requests/{id}",
    tag = QUESTIONS,
    params(
        ("id" = Id, Path, description = "The id of the request."),
        ("wait_ms" = Option<u64>, Query, maximum = 60000, description = "How long the outcome of an open request is awaited, in milliseconds. Default: 0."),
        ("numbers" = Option<NumbersName>, Query, description = "How the values are written if they are numbers. Default: `number`."),
    ),
    responses(AnsweringEnded)
)]
pub(super) async fn ended(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let id = id.ok().and_then(|Path(id)| RequestId::new(&id).ok()).ok_or_else(ApiError::no_request)?;
    let Reading { wait, numbers } = Reading::of(&uri)?;
    if let Some(durable) = &api.durable {
        match durable.ends(&id, wait).await {
            Ok(Stand::Unknown) => {}
            Ok(Stand::Open) => return Ok(json(StatusCode::ACCEPTED, &RequestState::open(&id))),
            Ok(Stand::Done(stored)) => return Ok(encoded(StatusCode::OK, stored.body(numbers))),
            Ok(Stand::Garbled) => return Err(ApiError::garbled()),
            Err(error) => {
                debug!(%error, "nobody knows whether an outcome is stored");
                return Err(ApiError::store_unavailable("ask again"));
            }
        }
    }
    let outcome = api.events.outcome(&id).ok_or_else(ApiError::no_request)?;
    Ok(encoded(StatusCode::OK, outcome))
}

/// How an outcome is read.
struct Reading {
    wait: Duration,
    numbers: Numbers,
}

impl Reading {
    fn of(uri: &Uri) -> Result<Self, ApiError> {
        let mut reading = Self { wait: Duration::ZERO, numbers: Numbers::default() };
        for (name, text) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "wait_ms" => {
                    let wait = text.parse().ok().map(Duration::from_millis).filter(|wait| *wait <= WAIT_LIMIT);
                    reading.wait = wait.ok_or_else(|| ApiError::invalid("wait_ms must be between 0 and 60000"))?;
                }
                "numbers" => reading.numbers = text.parse().map_err(ApiError::invalid)?,
                _ => {}
            }
        }
        Ok(reading)
    }
}
