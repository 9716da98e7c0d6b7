//! `POST /requests`: leaves a request, which has exactly one outcome, even if coordinators stop in between.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use quorate_core::durable::{Accepted, Rejection};
use quorate_core::id::RequestId;
use serde::Serialize;
use serde_json::json;
use tracing::debug;
use utoipa::openapi::{Header, ObjectBuilder, Type};
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, QUESTIONS, answers_as, draining, no_store, shown, stuck};
use super::api::Api;
use super::client_address::Peer;
use super::error::{ApiError, json};
use super::question::{Question, RequestBody};
use super::request;
use crate::driver::draw_instance;
use crate::wire::failure::ErrorWord;
use crate::wire::schema::Id;

/// The path that durable requests are sent to.
pub(super) const PATH: &str = "/requests";
/// The characters of ASCII that are encoded in a segment of that path. Dots are, because segments of dots alone mean
/// folders.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
/// The header that names the request.
const KEY: &str = "idempotency-key";

/// A durable request.
#[derive(Serialize, ToSchema)]
pub(super) struct RequestState<'a> {
    /// The id of the request: the caller's, or the one that was drawn.
    #[schema(value_type = Id)]
    id: &'a str,
    state: StateName,
}

/// Whether a durable request has its outcome: `done`, or not yet: `open`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = State)]
enum StateName {
    Open,
    Done,
}

impl<'a> RequestState<'a> {
    /// A request that is open.
    pub(super) fn open(id: &'a RequestId) -> Self {
        Self { id: id.as_str(), state: StateName::Open }
    }

    pub(super) fn example() -> serde_json::Value {
        json!({"id": "order-7781-price", "state": "open"})
    }
}

/// The responses of `POST /requests`.
struct AnsweringSubmit;

impl IntoResponses for AnsweringSubmit {
    fn responses() -> Answers {
        let location = Header::builder().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        let accepted =
            shown::<RequestState>("The request is stored, and will have an outcome.", RequestState::example());
        answers_as(
            StatusCode::ACCEPTED,
            accepted.header("Location", location.description(Some("Where its outcome will be.")).build()),
            vec![
                (
                    ApiError::invalid("timeout_ms must be between 1 and 60000"),
                    "the body is not JSON, lacks `query`, a field has a wrong type or range, or `id` is not the `Idempotency-Key`",
                ),
                (ApiError::too_slow(), "the body did not arrive within 10 s"),
                (Rejection::Conflict.into(), "the id is in use for another query"),
                (ApiError::too_large(request::MAX_BODY_BYTES), "the body is longer than 16 KiB"),
                (ApiError::not_json(), "the body is not declared as `application/json`"),
                (ApiError::rate_limited(std::time::Duration::from_millis(100)), "too many requests from this address"),
                no_store(),
                (Rejection::Overloaded.into(), "too many durable requests are open"),
                (Rejection::Unclear.into(), "the store does not answer: the request may be accepted or not"),
                draining(),
                stuck(),
            ],
        )
    }
}

/// Leave a request, and find its one outcome later
///
/// The request is stored before it is accepted, and has exactly one outcome, whichever coordinator stops in between:
/// another one asks the workers. They may be asked more than once. A caller that names the request, by the header
/// `Idempotency-Key` or by `id`, can repeat the submission safely. `numbers` has no effect here: how numbers are written is
/// chosen when the outcome is read.
#[utoipa::path(
    post,
    path = "/requests",
    tag = QUESTIONS,
    params(("Idempotency-Key" = Option<Id>, Header, description = "The id of the request. If the body has an `id`, both are equal.")),
    request_body = RequestBody,
    responses(AnsweringSubmit)
)]
pub(super) async fn submit(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let named = key(request.headers());
    let Question { id, query, overrides, numbers: _ } = request::read(&api, peer, request).await?;
    let id = match (named?, id) {
        (Some(named), Some(id)) if named != id => {
            return Err(ApiError::invalid("Idempotency-Key and id name different requests; send one of them"));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => drawn()?,
    };
    // Clients remove such a segment from a path, however it is encoded.
    if matches!(id.as_str(), "." | "..") {
        return Err(ApiError::invalid("the id must not be . or .., which clients remove from a path; send another id"));
    }
    let durable = api.durable.as_ref().ok_or_else(ApiError::no_store)?;
    let snapshot = api.snapshots.latest(&api.coordinator).await?;
    let timeout = durable.timeout(&query, &overrides, &snapshot.snapshot().policies);
    let timeout = timeout.map_err(|why| ApiError::invalid(why.to_string()))?;
    let accepted = durable.submit(id.clone(), query, overrides, timeout, api.clock.unix_time()).await;
    let state = match accepted {
        Ok(Accepted::Open) => StateName::Open,
        Ok(Accepted::Done) => StateName::Done,
        Err(why) => {
            debug!(%id, %why, "a durable request is not accepted");
            return Err(why.into());
        }
    };
    let mut response = json(StatusCode::ACCEPTED, &RequestState { id: id.as_str(), state });
    response.headers_mut().insert(LOCATION, location(&id));
    Ok(response)
}

/// The request that the header names.
fn key(headers: &HeaderMap) -> Result<Option<RequestId>, ApiError> {
    let mut keys = headers.get_all(KEY).iter();
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(ApiError::invalid("Idempotency-Key may be sent once"));
    }
    let text = str::from_utf8(key.as_bytes()).map_err(|_| ApiError::invalid("Idempotency-Key must be UTF-8"))?;
    // A structured field is a string in quotes.
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    RequestId::new(bare).map(Some).map_err(|error| ApiError::invalid(format!("Idempotency-Key {error}")))
}

fn drawn() -> Result<RequestId, ApiError> {
    let drawn = draw_instance().ok().and_then(|drawn| RequestId::new(&drawn).ok());
    drawn.ok_or_else(|| ApiError::not_ready(ErrorWord::Overloaded, "no id can be drawn: send one"))
}

/// The path of a request, with its id as one segment of a URL.
fn location(id: &RequestId) -> HeaderValue {
    let segment = utf8_percent_encode(id.as_str(), SEGMENT);
    HeaderValue::try_from(format!("{PATH}/{segment}")).expect("it is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_and_without_quotes() {
        let read = |text: &'static str| {
            let headers = [(http::HeaderName::from_static(KEY), HeaderValue::from_static(text))];
            key(&headers.into_iter().collect()).map(|id| id.map(|id| id.to_string()))
        };
        for (text, id) in [("a-1", "a-1"), ("\"a-1\"", "a-1"), ("\"a", "\"a"), ("a b", "a b")] {
            assert_eq!(read(text).expect(text).as_deref(), Some(id));
        }
        assert!(key(&HeaderMap::new()).expect("none").is_none());
        for text in ["", "\"\""] {
            assert!(read(text).is_err(), "{text}");
        }
        let several = |values: &[&'static [u8]]| {
            let name = http::HeaderName::from_static(KEY);
            let value = |value: &&'static [u8]| HeaderValue::from_bytes(value).expect("a value");
            key(&values.iter().map(|given| (name.clone(), value(given))).collect()).map_err(|error| error.status())
        };
        // As Latin-1, two names with other letters would become one.
        for wrong in [&[b"order-\xe9".as_slice()][..], &[b"a", b"a"]] {
            assert_eq!(several(wrong), Err(StatusCode::BAD_REQUEST), "{wrong:?}");
        }
    }

    #[test]
    fn a_location_is_one_segment() {
        let id = RequestId::new("a/b é?.-").expect("an id");
        assert_eq!(location(&id), "/requests/a%2Fb%20%C3%A9%3F%2E-");
    }
}
