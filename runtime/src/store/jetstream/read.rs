//! Reads entries with direct gets, which any replica answers at once, from what it has.
//!
//! Such an answer may be behind. That is good enough for [`read`] and [`get`]. For [`last`] it is not, nor is the
//! answer of the leader (`STREAM.MSG.GET`): a server that was paused, or that is cut off, still takes itself for the
//! leader for some seconds. So [`last`] first writes a barrier into the stream, which needs a majority, and
//! believes only an answer from which the barrier is not missing. Those who ask at the same time share one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::header::{NATS_EXPECTED_STREAM, NATS_LAST_SEQUENCE, NATS_MESSAGE_TTL};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::link::{ANSWER_WITHIN, Link, Silence, api};
use super::message::{StreamMessage, number};
use super::place::Place;
use super::single::{Which, sequence_at, single};
use crate::store::{Entry, From, Key, READ_BYTES};
use crate::wire::JsonTime;

/// The most messages that are asked for at a time.
const BATCH: usize = 256;
/// How long a barrier stays in its stream, in seconds.
const BARRIER_TTL: u64 = 30;
/// The status that ends an answer of several messages.
const NO_CONTENT: u16 = 204;
/// How long an answer may take before a barrier is written again, or another replica is asked.
const ASK_AGAIN: Duration = Duration::from_secs(1);
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
    max_bytes: usize,
    next_by_subj: &'a str,
}

/// A question for the newest message on each of several subjects, at one moment.
#[derive(Serialize)]
struct Newest<'a> {
    multi_last: &'a [&'a str],
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
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() < limit && (entries.is_empty() || bytes < READ_BYTES) {
        let batch = (limit - entries.len()).min(BATCH);
        // The time is rounded down to milliseconds.
        let start_time = if seq.is_none() { earliest.map(JsonTime) } else { None };
        let question = InOrder { seq, start_time, batch, max_bytes: READ_BYTES, next_by_subj: &subject };
        let messages = match direct_get(link, &place.stream, &question).await {
            // The first message may be one that breaks connections.
            Err(Silence::Lost) => {
                let sequence = match (seq, earliest) {
                    (Some(sequence), _) => sequence,
                    (None, time) => sequence_at(link, &place.stream, time.unwrap_or_default()).await?,
                };
                let next = single(link, &place.stream, Which::Next { sequence, subject: &subject }).await?;
                next.into_iter().collect()
            }
            messages => messages?,
        };
        let Some(last) = messages.last() else { break };
        seq = Some(last.sequence.saturating_add(1));
        bytes += messages.iter().map(|stored| stored.body.len()).sum::<usize>();
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
    let question = json(&Which::At(sequence))?;
    let answer = match link.request(api(&format!("DIRECT.GET.{}", place.stream)), None, question).await {
        Err(Silence::Lost) => {
            let message = single(link, &place.stream, Which::At(sequence)).await?;
            return Ok(message.and_then(|message| message.into_entry(place)));
        }
        answer => answer?,
    };
    match StreamMessage::from_direct_get(&answer) {
        Some(stored) => Ok(stored.into_entry(place)),
        None if answer.status == Some(StatusCode::NOT_FOUND) => Ok(None),
        None => Err(strange(&answer)),
    }
}

/// The barriers of one place.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    /// How many have been begun.
    begun: AtomicU64,
    written: Mutex<Written>,
}

/// The last barrier that was written.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    number: u64,
    sequence: u64,
}

impl Barriers {
    /// The sequence of a barrier that was begun after this was called. Of those who wait for the one before, the first
    /// writes the next one for all.
    async fn pass(&self, link: &Link, place: &Place) -> Result<u64, Silence> {
        let seen = self.begun.load(Ordering::SeqCst);
        let mut written = self.written.lock().await;
        if written.number <= seen {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            // The caller gives up in the end. A leader that is elected meanwhile never hears of the first one.
            let sequence = loop {
                if let Ok(sequence) = timeout(ASK_AGAIN, write_barrier(link, place)).await {
                    break sequence?;
                }
            };
            *written = Written { number, sequence };
        }
        Ok(written.sequence)
    }
}

/// The newest entry under a key, not older than the moment of the question. A server without `barriers`, because it is in
/// no cluster, has the only copy.
pub(super) async fn last(
    link: &Link,
    place: &Place,
    key: &Key,
    barriers: Option<&Barriers>,
) -> Result<Option<Entry>, Silence> {
    let (subject, barrier) = (place.subject(key), place.barrier());
    let seen = async {
        let sequence = match barriers {
            Some(barriers) => Some(barriers.pass(link, place).await?),
            None => None,
        };
        let subjects = [subject.as_str(), &barrier];
        let question = Newest { multi_last: if sequence.is_some() { &subjects } else { &subjects[..1] } };
        loop {
            let newest = match direct_get(link, &place.stream, &question).await {
                // It may be a message that breaks connections. No replica can be asked, but only the leader.
                Err(Silence::Lost) => {
                    let newest = single(link, &place.stream, Which::Newest(&subject)).await?;
                    return Ok(newest.and_then(|message| message.into_entry(place)));
                }
                newest => newest?,
            };
            let is_barrier =
                |message: &StreamMessage, sequence| message.subject == barrier && message.sequence >= sequence;
            if sequence.is_none_or(|sequence| newest.iter().any(|message| is_barrier(message, sequence))) {
                return Ok(newest.into_iter().find_map(|message| message.into_entry(place)));
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

/// The messages that a replica answers, in its order. One that falls silent may be paused or dead: another one is asked.
async fn direct_get(link: &Link, stream: &str, question: &impl Serialize) -> Result<Vec<StreamMessage>, Silence> {
    let (question, subject) = (json(question)?, api(&format!("DIRECT.GET.{stream}")));
    let messages = async {
        loop {
            if let Some(messages) = ask_a_replica(link, &subject, &question).await? {
                return Ok(messages);
            }
        }
    };
    timeout(ANSWER_WITHIN, messages).await.unwrap_or_else(|_| Err(link.too_late(&subject)))
}

/// The messages that one replica answers, unless it falls silent.
async fn ask_a_replica(link: &Link, subject: &str, question: &Bytes) -> Result<Option<Vec<StreamMessage>>, Silence> {
    let client = link.client().await;
    let inbox = client.new_inbox();
    let mut parts = client.subscribe(inbox.clone()).await.map_err(|_| Silence::Lost)?;
    client.publish_with_reply(subject.to_owned(), inbox, question.clone()).await.map_err(|_| Silence::Lost)?;
    let mut messages: Vec<StreamMessage> = Vec::new();
    while let Ok(part) = timeout(ASK_AGAIN, parts.next()).await {
        let part = part.ok_or(Silence::Lost)?;
        if let Some(stored) = StreamMessage::from_direct_get(&part) {
            messages.push(stored);
            continue;
        }
        return match part.status {
            Some(status) if status.as_u16() == NO_CONTENT => {
                let end = number(part.headers.as_ref(), NATS_LAST_SEQUENCE);
                if end == messages.last().map(|stored| stored.sequence) {
                    Ok(Some(messages))
                } else {
                    Err(Silence::Unanswered("a part of the answer was lost".to_owned()))
                }
            }
            Some(StatusCode::NOT_FOUND) => Ok(Some(messages)),
            Some(StatusCode::NO_RESPONDERS) => Err(Silence::NoResponders(subject.to_owned())),
            _ => Err(strange(&part)),
        };
    }
    Ok(None)
}

/// An answer that says neither what was asked for nor that there is nothing.
fn strange(answer: &async_nats::Message) -> Silence {
    let status = answer.status.map_or_else(String::new, |status| status.to_string());
    Silence::Unanswered(format!("JetStream answered {status} {}", answer.description.as_deref().unwrap_or_default()))
}

fn json(question: &impl Serialize) -> Result<Bytes, Silence> {
    serde_json::to_vec(question).map(Bytes::from).map_err(|error| Silence::Unanswered(error.to_string()))
}
