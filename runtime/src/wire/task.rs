//! The body of a task.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::coordinator;
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_core::worker::{self, ReplyTo};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::pack::{Extra, Number};
use super::{TraceContext, WireError, parse, value};

/// Enough for nearly every task, in bytes.
const TYPICAL_BYTES: usize = 128;

#[derive(Serialize)]
struct TaskOut<'a> {
    id: &'a str,
    query: &'a str,
    ttl_ms: u64,
    attempt: u32,
    /// Only in packs, like the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<TraceContext>,
}

/// The fields of a task that a worker needs. `attempt` is for people who watch the bus.
#[derive(Deserialize)]
pub(super) struct TaskIn<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    ttl_ms: Option<&'a RawValue>,
    /// Only in packs, like the next one.
    #[serde(borrow, default)]
    task: Option<&'a RawValue>,
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
}

impl TaskIn<'_> {
    /// The task, whose answer goes there.
    pub(super) fn read(&self, reply: ReplyTo) -> Result<worker::Task, WireError> {
        Ok(worker::Task {
            request: RequestId::new(&self.id).map_err(|error| WireError::Id { field: "id", error })?,
            query: Query::new(&self.query)?,
            ttl: self.ttl_ms.and_then(value::whole_number).map(Duration::from_millis),
            reply,
            trace: None,
        })
    }

    /// What it has as an element of a pack.
    pub(super) fn extra(&self) -> Extra {
        Extra::read(self.task, self.traceparent)
    }
}

/// Encodes a task. The time to live is rounded up to whole milliseconds.
pub fn encode_task(task: &coordinator::Task) -> Bytes {
    let mut body = Vec::with_capacity(TYPICAL_BYTES);
    write_task(task, Extra::default(), &mut body);
    body.into()
}

pub(super) fn write_task(task: &coordinator::Task, extra: Extra, body: &mut Vec<u8>) {
    let message = TaskOut {
        id: task.request.as_str(),
        query: task.query.as_str(),
        ttl_ms: u64::try_from(task.ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
        attempt: task.attempt,
        task: extra.task.map(Number),
        traceparent: extra.trace,
    };
    serde_json::to_writer(body, &message).expect("texts and integers are serializable");
}

/// Reads a task that is to be answered on `reply`. Its trace context is not in the body but in the headers.
///
/// # Errors
/// [`WireError`] if it is not a task.
pub fn decode_task(payload: &[u8], reply: Option<&str>) -> Result<worker::Task, WireError> {
    let message: TaskIn = parse(payload)?;
    message.read(reply.map_or(ReplyTo::Shared, |subject| ReplyTo::Task(subject.into())))
}

#[cfg(test)]
mod tests {
    use quorate_core::id::TaskId;

    use super::*;

    #[test]
    fn a_task_reads_back_and_its_time_to_live_is_never_rounded_to_nothing() {
        let task = coordinator::Task {
            id: TaskId(7),
            request: RequestId::new("r\"1").expect("an id"),
            query: Query::new("BTC/USD").expect("a query"),
            ttl: Duration::from_nanos(1),
            attempt: 2,
            trace: None,
            may_be_packed: false,
        };
        let body = encode_task(&task);
        assert_eq!(body, r#"{"id":"r\"1","query":"BTC/USD","ttl_ms":1,"attempt":2}"#);
        let read = decode_task(&body, Some("_INBOX.a.7")).expect("a task");
        assert_eq!((read.request, read.query), (task.request, task.query));
        assert_eq!(read.ttl, Some(Duration::from_millis(1)));
        assert_eq!(read.reply, ReplyTo::Task("_INBOX.a.7".into()));
    }

    #[test]
    fn only_id_and_query_are_needed_and_the_rest_is_bounded() {
        assert_eq!(decode_task(br#"{"id":"1","query":"q","more":[1]}"#, None).expect("a task").ttl, None);
        for (ttl, read) in [("1500.9", Some(1500)), ("-5", None), ("\"5\"", None), ("null", None)] {
            let body = format!(r#"{{"id":"1","query":"q","ttl_ms":{ttl},"attempt":"x"}}"#);
            let task = decode_task(body.as_bytes(), None).expect("a task");
            assert_eq!(task.ttl, read.map(Duration::from_millis), "{ttl}");
        }
        let long = format!(r#"{{"id":"1","query":"{}"}}"#, "q".repeat(257));
        let nested = format!(r#"{{"id":"1","query":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for body in
            ["", "{", "[]", r#"{"id":"1"}"#, r#"{"id":"","query":"q"}"#, r#"{"id":1,"query":"q"}"#, &long, &nested]
        {
            assert!(decode_task(body.as_bytes(), None).is_err(), "{body:.60}");
        }
        assert!(decode_task(b"{\"id\":\"1\",\"query\":\"\xff\"}", None).is_err());
        assert!(matches!(decode_task(&vec![b' '; 1 << 20], None), Err(WireError::TooLong)));
    }
}
