//! Reads entries with direct gets, which any replica answers at once, from what it has.
//!
//! Such an answer may be behind. That is good enough for [`read`] and [`get`]. For [`last`] it is not, nor is the
//! answer of the leader (`STREAM.MSG.GET`): a server that was paused, or that is cut off, still takes itself for the
//! leader for some seconds. So [`last`] first writes a barrier into the stream, which needs a majority, and
//! believes only an answer from which the barrier is not missing.

use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_STREAM, NATS_LAST_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::link::{ANSWER_WITHIN, Link, Silence, api};
use super::message::{StreamMessage, number};
use super::place::Place;
use crate::store::{Entry, From, Key};
use crate::wire::JsonTime;

/// The most messages that are asked for at a time.
const BATCH: usize = 256;
/// How long a barrier stays in its stream, in seconds.
const BARRIER_TTL: u64 = 60;
/// The status that ends an answer of several messages.
const NO_CONTENT: u16 = 204;
/// The pause before a replica that is behind is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// A question for messages in order.
#[derive(Serialize)]
struct InOrder<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<JsonTime>,
    batch: usize,
    next_by_subj: &'a str,
}

/// A question for the newest message on each of several subjects, at one moment.
#[derive(Serialize)]
struct Newest<'a> {
    multi_last: &'a [&'a str],
}

/// A question for one message.
#[derive(Serialize)]
struct One {
    seq: u64,
}

/// The entries from a place on.
pub(super) async fn read(
    link: &Link,
    place: &Place,
    key: Option<&Key>,
    from: From,
    limit: usize,
) -> Result<Vec<Entry>, Silence> {
    let subject = key.map_or_else(|| place.all(), |key| place.subject(key));
    let (mut seq, earliest) = match from {
        From::Sequence(sequence) => (Some(sequence.max(1)), None),
        From::Time(time) => (None, Some(time)),
    };
    let mut entries = Vec::new();
    while entries.len() < limit {
        let batch = (limit - entries.len()).min(BATCH);
        // The time is rounded down to milliseconds.
        let start_time = if seq.is_none() { earliest.map(JsonTime) } else { None };
        let question = InOrder { seq, start_time, batch, next_by_subj: &subject };
        let messages = direct_get(link, &place.stream, &question).await?;
        let Some(last) = messages.last() else { break };
        seq = Some(last.sequence.saturating_add(1));
        let later = |stored: &StreamMessage| earliest.is_none_or(|earliest| stored.stored_at >= earliest);
        entries.extend(messages.into_iter().filter(later).filter_map(|stored| stored.into_entry(place)));
    }
    Ok(entries)
}

/// The entry with a sequence.
pub(super) async fn get(link: &Link, place: &Place, sequence: u64) -> Result<Option<Entry>, Silence> {
    if sequence == 0 {
        return Ok(None);
    }
    let answer =
        link.request(api(&format!("DIRECT.GET.{}", place.stream)), None, json(&One { seq: sequence })?).await?;
    match StreamMessage::from_direct_get(&answer) {
        Some(stored) => Ok(stored.into_entry(place)),
        None if answer.status == Some(StatusCode::NOT_FOUND) => Ok(None),
        None => Err(strange(&answer)),
    }
}

/// The newest entry under a key, not older than the moment of the question.
pub(super) async fn last(link: &Link, place: &Place, key: &Key, replicated: bool) -> Result<Option<Entry>, Silence> {
    let (subject, barrier) = (place.subject(key), place.barrier());
    if !replicated {
        let newest = direct_get(link, &place.stream, &Newest { multi_last: &[&subject] }).await?;
        return Ok(newest.into_iter().find_map(|stored| stored.into_entry(place)));
    }
    let seen = async {
        let sequence = write_barrier(link, place).await?;
        loop {
            let newest = direct_get(link, &place.stream, &Newest { multi_last: &[&subject, &barrier] }).await?;
            if newest.iter().any(|stored| stored.subject == barrier && stored.sequence >= sequence) {
                return Ok(newest.into_iter().find_map(|stored| stored.into_entry(place)));
            }
            sleep(PAUSE).await;
        }
    };
    timeout(ANSWER_WITHIN, seen).await.unwrap_or_else(|_| Err(Silence::too_late()))
}

/// Writes a barrier, and returns its sequence once a majority has it.
async fn write_barrier(link: &Link, place: &Place) -> Result<u64, Silence> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_STREAM, place.stream.as_str());
    headers.insert(NATS_MESSAGE_TTL, BARRIER_TTL.to_string());
    let answer = link.request(place.barrier(), Some(headers), Bytes::new()).await?;
    match serde_json::from_slice(&answer.payload) {
        Ok(Response::Ok(PublishAck { sequence, .. })) => Ok(sequence),
        Ok(Response::Err { error }) => Err(Silence::Unanswered(error.to_string())),
        Err(error) => Err(Silence::Unanswered(error.to_string())),
    }
}

/// The messages that a replica answers, in its order.
async fn direct_get(link: &Link, stream: &str, question: &impl Serialize) -> Result<Vec<StreamMessage>, Silence> {
    let question = json(question)?;
    let answers = async {
        let lost = || Silence::Unanswered("the connection to NATS was lost".to_owned());
        let client = link.client().await;
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.map_err(|_| lost())?;
        let subject = api(&format!("DIRECT.GET.{stream}"));
        client.publish_with_reply(subject.clone(), inbox, question).await.map_err(|_| lost())?;
        let mut messages: Vec<StreamMessage> = Vec::new();
        loop {
            let answer = answers.next().await.ok_or_else(lost)?;
            if let Some(stored) = StreamMessage::from_direct_get(&answer) {
                messages.push(stored);
                continue;
            }
            return match answer.status {
                Some(status) if status.as_u16() == NO_CONTENT => {
                    let end = number(answer.headers.as_ref(), NATS_LAST_SEQUENCE);
                    if end == messages.last().map(|stored| stored.sequence) {
                        Ok(messages)
                    } else {
                        Err(Silence::Unanswered("a part of the answer was lost".to_owned()))
                    }
                }
                Some(StatusCode::NOT_FOUND) => Ok(messages),
                Some(StatusCode::NO_RESPONDERS) => Err(Silence::NoResponders(subject)),
                _ => Err(strange(&answer)),
            };
        }
    };
    timeout(ANSWER_WITHIN, answers).await.unwrap_or_else(|_| Err(Silence::too_late()))
}

/// An answer that says neither what was asked for nor that there is nothing.
fn strange(answer: &async_nats::Message) -> Silence {
    let status = answer.status.map_or_else(String::new, |status| status.to_string());
    Silence::Unanswered(format!("JetStream answered {status} {}", answer.description.as_deref().unwrap_or_default()))
}

fn json(question: &impl Serialize) -> Result<Bytes, Silence> {
    serde_json::to_vec(question).map(Bytes::from).map_err(|error| Silence::Unanswered(error.to_string()))
}
