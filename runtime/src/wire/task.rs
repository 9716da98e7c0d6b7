//! The body of a task.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::coordinator;
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_core::worker;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{WireError, parse, value};

#[derive(Serialize)]
struct TaskOut<'a> {
    id: &'a str,
    query: &'a str,
    ttl_ms: u64,
    attempt: u32,
}

/// The fields of a task that a worker needs. `attempt` is for people who watch the bus.
#[derive(Deserialize)]
struct TaskIn<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    query: Cow<'a, str>,
    #[serde(borrow, default)]
    ttl_ms: Option<&'a RawValue>,
}

/// Encodes a task. The time to live is rounded up to whole milliseconds.
pub fn encode_task(task: &coordinator::Task) -> Bytes {
    let message = TaskOut {
        id: task.request.as_str(),
        query: task.query.as_str(),
        ttl_ms: u64::try_from(task.ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
        attempt: task.attempt,
    };
    serde_json::to_vec(&message).expect("texts and integers are serializable").into()
}

/// Reads a task that is to be answered on `reply`. Its trace context is not in the body but in the headers.
///
/// # Errors
/// [`WireError`] if it is not a task.
pub fn decode_task(payload: &[u8], reply: Option<&str>) -> Result<worker::Task, WireError> {
    let message: TaskIn = parse(payload)?;
    Ok(worker::Task {
        request: RequestId::new(&message.id).map_err(|error| WireError::Id { field: "id", error })?,
        query: Query::new(&message.query)?,
        ttl: message.ttl_ms.and_then(value::whole_number).map(Duration::from_millis),
        reply: reply.map(Arc::from),
        trace: None,
    })
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
        };
        let body = encode_task(&task);
        assert_eq!(body, r#"{"id":"r\"1","query":"BTC/USD","ttl_ms":1,"attempt":2}"#);
        let read = decode_task(&body, Some("_INBOX.a.7")).expect("a task");
        assert_eq!((read.request, read.query), (task.request, task.query));
        assert_eq!(read.ttl, Some(Duration::from_millis(1)));
        assert_eq!(read.reply.as_deref(), Some("_INBOX.a.7"));
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
