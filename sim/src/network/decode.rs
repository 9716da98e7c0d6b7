//! Decodes the messages on the bus by the protocol's documentation, independently of the code under test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::offer::Offer;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::{Age, Body, Message, PACKS, PublishedOutcome, Task, WorkerResult, is_of_a_pack};

/// The longest payload that is decoded, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// The time to live of a task that states none, in milliseconds.
const DEFAULT_TTL_MS: u64 = 30_000;

#[derive(Deserialize)]
struct TaskBody {
    id: String,
    query: String,
    #[serde(default)]
    ttl_ms: Option<u64>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    traceparent: Option<String>,
}

#[derive(Deserialize)]
struct TasksBody {
    tasks: Vec<Box<RawValue>>,
    #[serde(default)]
    reply: Option<String>,
}

#[derive(Deserialize)]
struct ResultsBody {
    results: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct ResultBody {
    worker_id: String,
    request_id: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    err: Option<String>,
    #[serde(default)]
    overloaded: bool,
    #[serde(default)]
    response_time: u64,
    #[serde(default)]
    age_ms: Option<u64>,
    #[serde(default)]
    observed_at: Option<String>,
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    traceparent: Option<String>,
}

#[derive(Deserialize)]
struct OutcomeBody {
    request_id: String,
    query: String,
    #[serde(default)]
    final_value: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct PresenceBody {
    worker_id: String,
    state: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    replicated: bool,
    #[serde(default)]
    queries: Vec<String>,
    #[serde(default)]
    packs: bool,
}

#[derive(Deserialize)]
struct PingBody {
    id: String,
    metadata: BTreeMap<String, String>,
}

/// Decodes a message into its elements, each with its trace context: of those that a pack has, or the message itself,
/// whose trace context is in a header.
pub(super) fn elements(subject: &str, reply: Option<&str>, payload: &[u8]) -> Vec<(Message, Option<String>)> {
    let whole = |body| vec![(Message { subject: subject.into(), reply: reply.map(Arc::from), body }, None)];
    let parsed = if subject == PACKS {
        serde_json::from_slice(payload).ok().map(|TasksBody { tasks, reply: named }| (tasks, named))
    } else if is_of_a_pack(subject) && !payload.is_empty() {
        serde_json::from_slice(payload).ok().map(|ResultsBody { results }| (results, None))
    } else {
        return whole(body(subject, payload).unwrap_or(Body::Garbage(payload.len())));
    };
    let Some((packed, named)) = parsed.filter(|_| payload.len() <= MAX_BYTES) else {
        return whole(Body::Garbage(payload.len()));
    };
    let reply: Option<Arc<str>> = named.as_deref().or(reply).map(Arc::from);
    let element = |json: Box<RawValue>| {
        let bytes = json.get().as_bytes();
        let read = if subject == PACKS {
            task(bytes).map(|(task, trace)| (Body::Task(task), trace))
        } else {
            result(bytes).map(|(result, trace)| (Body::Result(result), trace))
        };
        let (body, trace) = read.unwrap_or((Body::Garbage(bytes.len()), None));
        (Message { subject: subject.into(), reply: reply.clone(), body }, trace)
    };
    packed.into_iter().map(element).collect()
}

/// Decodes a message that is no pack.
#[cfg(test)]
pub(super) fn message(subject: &str, reply: Option<&str>, payload: &[u8]) -> Message {
    let [(message, _)] = <[_; 1]>::try_from(elements(subject, reply, payload)).expect("one element");
    message
}

/// The broker's notice on this subject.
pub(super) fn no_responders(subject: &str) -> Message {
    Message { subject: subject.into(), reply: None, body: Body::NoResponders }
}

fn body(subject: &str, payload: &[u8]) -> Option<Body> {
    if payload.len() > MAX_BYTES {
        return None;
    }
    let mut tokens = subject.split('.');
    match (tokens.next()?, tokens.next()?) {
        ("oracle", "tasks") => task(payload).map(|(task, _)| Body::Task(Task { packed: None, ..task })),
        ("oracle", "workers") => presence(payload).map(Body::Presence),
        ("oracle", "outcomes") => told(payload).map(Body::Outcome),
        ("$SRV", "PING") => Some(Body::Ping),
        ("_INBOX", _) if tokens.next() == Some("ping") => ping(payload).map(Body::Presence),
        ("_INBOX", _) | ("oracle", "results") => {
            result(payload).map(|(result, _)| Body::Result(WorkerResult { packed: None, ..result }))
        }
        _ => None,
    }
}

/// A task, as if it came in a pack, with the trace context that it would have there.
fn task(payload: &[u8]) -> Option<(Task, Option<String>)> {
    let body: TaskBody = serde_json::from_slice(payload).ok()?;
    let task = Task {
        request: RequestId::new(&body.id).ok()?,
        query: Query::new(&body.query).ok()?,
        ttl: Duration::from_millis(body.ttl_ms.unwrap_or(DEFAULT_TTL_MS)),
        attempt: body.attempt.unwrap_or(1),
        packed: number(body.task.as_deref()),
    };
    Some((task, body.traceparent))
}

fn number(text: Option<&str>) -> Option<TaskId> {
    text?.parse().ok().map(TaskId)
}

fn told(payload: &[u8]) -> Option<PublishedOutcome> {
    let body: OutcomeBody = serde_json::from_slice(payload).ok()?;
    let value = body.final_value.map(|json| value(Some(&json))).transpose().ok()?;
    Some(PublishedOutcome {
        request: RequestId::new(&body.request_id).ok()?,
        query: Query::new(&body.query).ok()?,
        value,
    })
}

/// A result, as if it came in a pack, with the trace context that it would have there.
fn result(payload: &[u8]) -> Option<(WorkerResult, Option<String>)> {
    let body: ResultBody = serde_json::from_slice(payload).ok()?;
    let failure = body.err.filter(|err| !err.is_empty());
    let overloaded = body.overloaded && failure.is_some();
    let observed = match failure {
        Some(err) => Err(err.into()),
        None => value(body.value.as_deref()).map_err(Arc::from),
    };
    let observed_at = match &body.observed_at {
        Some(text) => Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos()),
        None => None,
    };
    let observed_at =
        observed_at.map(|nanos| Age::ObservedAt(Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(0))));
    let age = body.age_ms.map(|age| Age::Stated(Duration::from_millis(age))).or(observed_at);
    let result = WorkerResult {
        worker: WorkerId::new(&body.worker_id).ok()?,
        request: RequestId::new(&body.request_id).ok()?,
        response_time: Duration::from_nanos(body.response_time),
        age: age.filter(|_| observed.is_ok()),
        observed,
        overloaded,
        packed: number(body.task.as_deref()),
    };
    Some((result, body.traceparent))
}

/// A value, or the failure of its worker that it becomes, with the same text as in the code under test.
fn value(json: Option<&RawValue>) -> Result<Value, String> {
    let text = json.map_or("null", RawValue::get);
    match text.as_bytes() {
        b"null" => Err("no value".to_owned()),
        [b'"', ..] => {
            let text: String = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Value::text(&text).map_err(|error| format!("value {error}"))
        }
        [b'-' | b'0'..=b'9', ..] => Value::number(text).map_err(|error| format!("value {error}")),
        _ => Err("value must be a number or a string".to_owned()),
    }
}

fn presence(payload: &[u8]) -> Option<Presence> {
    let body: PresenceBody = serde_json::from_slice(payload).ok()?;
    let worker = WorkerId::new(&body.worker_id).ok()?;
    let presence = Presence::new(worker, body.instance.into(), state(&body.state)?);
    Some(Presence { replicated: body.replicated, packs: body.packs, offer: offer(&body.queries)?, ..presence })
}

fn ping(payload: &[u8]) -> Option<Presence> {
    let body: PingBody = serde_json::from_slice(payload).ok()?;
    let metadata = |name: &str| body.metadata.get(name).map(String::as_str);
    let worker = WorkerId::new(metadata("worker_id")?).ok()?;
    let state = state(metadata("state").unwrap_or("live"))?;
    let replicated = metadata("replicated") == Some("true");
    let queries: Vec<String> = serde_json::from_str(metadata("queries").unwrap_or("[]")).ok()?;
    let packs = metadata("packs") == Some("true");
    let presence = Presence::new(worker, body.id.as_str().into(), state);
    Some(Presence { replicated, packs, offer: offer(&queries)?, ..presence })
}

fn offer(queries: &[String]) -> Option<Offer> {
    Offer::new(queries.iter().map(String::as_str)).ok()
}

fn state(name: &str) -> Option<PresenceState> {
    match name {
        "live" => Some(PresenceState::Live),
        "draining" => Some(PresenceState::Draining),
        "left" => Some(PresenceState::Left),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// The examples of one kind in the protocol's documentation.
    fn examples(kind: &str) -> Vec<String> {
        let protocol =
            std::fs::read_to_string(quorate_test_support::workspace("docs/protocol.md")).expect("the protocol");
        let fence = format!("```json {kind}\n");
        let bodies = protocol.split(&fence).skip(1);
        bodies.map(|rest| rest.split("```").next().expect("an end").to_owned()).collect()
    }

    #[test]
    fn the_examples_of_the_protocol_are_understood() {
        for (subject, kind) in [("oracle.tasks", "task"), ("oracle.results", "result"), ("oracle.workers", "presence")]
        {
            let examples = examples(kind);
            assert!(!examples.is_empty(), "{kind}");
            for example in examples {
                let read = message(subject, None, example.as_bytes());
                assert!(!matches!(read.body, Body::Garbage(_)), "{example}");
            }
        }
    }

    #[test]
    fn results_decode_as_the_programs_decode_them() {
        for example in examples("result") {
            let theirs = quorate_runtime::wire::decode_result(example.as_bytes(), None, SystemTime::UNIX_EPOCH)
                .expect("a result");
            match message("_INBOX.c1i1.7", None, example.as_bytes()).body {
                Body::Result(ours) => {
                    assert_eq!((ours.worker, ours.request), (theirs.worker, theirs.request));
                    assert_eq!((ours.observed, ours.response_time), (theirs.observed, theirs.response_time));
                    assert_eq!(ours.overloaded, theirs.overloaded);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn undecodable_bytes_are_garbage() {
        for subject in ["oracle.tasks", "oracle.results", "oracle.workers", "_INBOX.c1i1.1", "_INBOX.c1i1.ping", "x"] {
            assert_eq!(message(subject, None, b"\xff\xff").body, Body::Garbage(2), "{subject}");
        }
        assert_eq!(message("$SRV.PING.quorate-worker", Some("_INBOX.c1i1.ping"), b"").body, Body::Ping);
    }
}
