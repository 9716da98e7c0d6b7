//! Server-sent events: their format, and the responses that stream them.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::Stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::answers::{Error, draining, reads_limited};
use super::error::ApiError;

/// Where a browser that reconnects names the last event that it received.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to buffer the response.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// What a client receives first: the time in milliseconds after which it may reconnect.
pub(super) const RETRY: &str = "retry: 1000\n\n";
/// What is sent when there is nothing to say.
pub(super) const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// Writes an event. `data` has no line breaks.
pub(super) fn event(id: Option<&str>, name: &str, data: &[u8]) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    [id.as_bytes(), b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"].concat().into()
}

/// The last event that a client has received, as the headers or the address name it. An id in the headers is newer: a
/// browser adds it when it reconnects.
pub(super) fn last_event_id(headers: &HeaderMap, in_address: Option<String>) -> Option<String> {
    let header = headers.get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    header.or(in_address)
}

/// A response that is a stream of events.
pub(super) fn streamed(texts: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (ACCEL_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(texts)).into_response()
}

/// The errors of a route that streams events, for its description. `invalid` is an example of a wrong parameter.
pub(super) fn errors(invalid: &str) -> Vec<Error> {
    vec![
        (ApiError::invalid(invalid), "a parameter cannot be read"),
        reads_limited(),
        (ApiError::too_many_of_client(32), "this address reads events too many times at once"),
        (ApiError::too_many_subscribers(256), "too many clients read events"),
        draining(),
    ]
}
