//! Encodes messages that no program of this project would send: those of malicious workers and the adversary.

use bytes::Bytes;
use quorate_core::coordinator::PresenceState;
use quorate_core::pattern::Pattern;
use quorate_core::time::{Timestamp, saturating_nanos};
use quorate_core::value::Value;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::{Age, Body, Message, WorkerResult, is_of_a_pack};

/// A byte that never occurs in JSON.
const GARBAGE: u8 = 0xff;

#[derive(Serialize)]
struct ResultBody<'a> {
    worker_id: &'a str,
    request_id: &'a str,
    value: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overloaded: Option<bool>,
    response_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Serialize)]
struct PresenceBody<'a> {
    worker_id: &'a str,
    state: &'static str,
    instance: &'a str,
    replicated: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queries: Vec<&'a str>,
    packs: bool,
}

#[derive(Serialize)]
struct Results<'a> {
    results: [ResultBody<'a>; 1],
}

/// Encodes the payload of a message. A result for a pack is a pack of its own.
pub(super) fn payload(message: &Message) -> Bytes {
    traced(message, None)
}

/// Encodes the payload of a message, with the trace context that a result for a pack has there.
pub(super) fn traced(message: &Message, traceparent: Option<&str>) -> Bytes {
    let json = match &message.body {
        Body::Result(said) if is_of_a_pack(&message.subject) => {
            serde_json::to_vec(&Results { results: [ResultBody { traceparent, ..result(said) }] })
        }
        Body::Result(said) => serde_json::to_vec(&result(&WorkerResult { packed: None, ..said.clone() })),
        Body::Task(task) => serde_json::to_vec(&json!({
            "id": task.request.as_str(),
            "query": task.query.as_str(),
            "ttl_ms": task.ttl.as_millis() as u64,
            "attempt": task.attempt,
        })),
        Body::Presence(presence) => serde_json::to_vec(&PresenceBody {
            worker_id: presence.worker.as_str(),
            state: match presence.state {
                PresenceState::Live => "live",
                PresenceState::Draining => "draining",
                PresenceState::Left => "left",
            },
            instance: &presence.instance,
            replicated: presence.replicated,
            queries: presence.offer.patterns().iter().map(Pattern::as_str).collect(),
            packs: presence.packs,
        }),
        Body::Outcome(told) => serde_json::to_vec(&json!({
            "request_id": told.request.as_str(),
            "query": told.query.as_str(),
            "final_value": told.value.as_ref().map(value),
        })),
        Body::Ping | Body::NoResponders => Ok(Vec::new()),
        Body::Garbage(len) => return garbage(*len),
    };
    json.expect("texts and numbers are serializable").into()
}

fn result(said: &WorkerResult) -> ResultBody<'_> {
    ResultBody {
        worker_id: said.worker.as_str(),
        request_id: said.request.as_str(),
        value: said.observed.as_ref().ok().map(value),
        err: said.observed.as_ref().err().map(AsRef::as_ref),
        overloaded: said.overloaded.then_some(true),
        response_time: saturating_nanos(said.response_time),
        age_ms: match said.age {
            Some(Age::Stated(age)) => Some(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            Some(Age::ObservedAt(_)) | None => None,
        },
        observed_at: match said.age {
            Some(Age::ObservedAt(at)) => Some(rfc3339(at)),
            Some(Age::Stated(_)) | None => None,
        },
        task: said.packed.map(|task| task.0.to_string()),
        traceparent: None,
    }
}

/// `len` bytes that cannot be decoded.
pub(super) fn garbage(len: usize) -> Bytes {
    vec![GARBAGE; len].into()
}

fn rfc3339(at: Timestamp) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos().into()).expect("before the year 2600");
    at.format(&Rfc3339).expect("four digits of a year")
}

fn value(value: &Value) -> Box<RawValue> {
    let json = match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => serde_json::to_string(&**text).expect("a text is serializable"),
    };
    RawValue::from_string(json).expect("a decimal and a text are JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use quorate_core::coordinator::Presence;
    use quorate_core::id::{RequestId, TaskId};
    use quorate_core::offer::Offer;
    use quorate_core::query::Query;

    use super::*;
    use crate::event::Task;
    use crate::network::decode;
    use crate::scenario::worker_name;

    #[test]
    fn encoded_messages_decode_to_the_same() {
        for age in [Age::Stated(Duration::from_millis(1500)), Age::ObservedAt(Timestamp::from_nanos(1_500_000_007))] {
            reads_back(age);
        }
    }

    fn reads_back(age: Age) {
        let result = |observed: Result<Value, Arc<str>>| WorkerResult {
            age: observed.is_ok().then_some(age),
            worker: worker_name(1),
            request: RequestId::new("r").expect("an id"),
            observed,
            overloaded: false,
            response_time: Duration::from_millis(2),
            packed: None,
        };
        let packed = WorkerResult { packed: Some(TaskId(7)), ..result(Ok(Value::Number(5.into()))) };
        let refusal = WorkerResult { overloaded: true, ..result(Err("no room".into())) };
        let result = |observed| Body::Result(result(observed));
        for (subject, body) in [
            ("oracle.results", result(Ok(Value::number("-42000.50").expect("a number")))),
            ("_INBOX.c1i1.9", result(Ok(Value::Text("a \"cat\"".into())))),
            ("_INBOX.c1i1.9", result(Err("no route".into()))),
            ("_INBOX.c1i1.9", Body::Result(refusal)),
            ("_INBOX.c1i1.p9", Body::Result(packed)),
            ("_INBOX.c1i1.p9", result(Err("no route".into()))),
            (
                "oracle.tasks",
                Body::Task(Task {
                    request: RequestId::new("r").expect("an id"),
                    query: Query::new("BTC/USD").expect("a query"),
                    ttl: Duration::from_millis(1500),
                    attempt: 2,
                    packed: None,
                }),
            ),
            (
                "oracle.workers",
                Body::Presence(Presence {
                    replicated: true,
                    ..Presence::new(worker_name(2), "w2i1".into(), PresenceState::Draining)
                }),
            ),
            (
                "oracle.workers",
                Body::Presence(Presence {
                    offer: Offer::new(["BTC/*", "a \"label\""]).expect("an offer"),
                    ..Presence::new(worker_name(2), "w2i1".into(), PresenceState::Live)
                }),
            ),
            ("oracle.tasks", Body::Garbage(7)),
        ] {
            let message = Message { subject: subject.into(), reply: Some(Arc::from("_INBOX.x.1")), body };
            assert_eq!(decode::message(subject, message.reply.as_deref(), &payload(&message)), message);
        }
    }
}
