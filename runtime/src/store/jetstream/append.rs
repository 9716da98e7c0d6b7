//! Stores entries: a message whose headers say what must be the newest one on its subject.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM, NATS_MESSAGE_TTL, NATS_ROLLUP};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;

use super::link::{ApiError, Link, Silence};
use super::place::Place;
use crate::store::{Append, AppendError, Key, Log};

/// Stores an entry.
pub(super) async fn append(
    link: &Link,
    place: &Place,
    log: Log,
    key: &Key,
    append: Append,
) -> Result<u64, AppendError> {
    let Append { after, body, ttl } = append;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, after.to_string());
    headers.insert(NATS_EXPECTED_STREAM, place.stream.as_str());
    if log == Log::Open {
        // The bucket of the other log that keeps only the last does so by itself.
        headers.insert(NATS_ROLLUP, "sub");
    }
    if let Some(ttl) = ttl {
        headers.insert(NATS_MESSAGE_TTL, whole_seconds(ttl).to_string());
    }
    let answer = link.request(place.subject(key), Some(headers), body).await.map_err(|silence| match silence {
        Silence::TooLarge(why) => AppendError::Refused(why),
        Silence::NoResponders(_) | Silence::Unanswered(_) => AppendError::Unclear(silence.to_string()),
    })?;
    match serde_json::from_slice(&answer.payload) {
        Ok(Response::Ok(PublishAck { sequence, .. })) => Ok(sequence),
        Ok(Response::Err { error }) => Err(refusal(&error)),
        Err(error) => Err(AppendError::Unclear(format!("the acknowledgement cannot be read: {error}"))),
    }
}

/// The time to live as JetStream reads it: whole seconds, rounded up, and at least one.
pub(super) fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1)
}

/// What an error that JetStream answers to an entry means.
fn refusal(error: &ApiError) -> AppendError {
    let why = error.to_string();
    match error.error_code() {
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => AppendError::Conflict,
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
        | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM
        | ErrorCode::STREAM_NOT_MATCH
        | ErrorCode::STREAM_SEALED
        | ErrorCode::STREAM_ROLLUP_FAILED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::MEMORY_RESOURCES_EXCEEDED
        | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
        | ErrorCode::MESSAGE_TTL_DISABLED
        | ErrorCode::MESSAGE_TTL_INVALID => AppendError::Refused(why),
        // A stream that discards what is new says so with a general code.
        ErrorCode::STREAM_STORE_FAILED if why.contains("maximum") => AppendError::Refused(why),
        _ => AppendError::Unclear(why),
    }
}
