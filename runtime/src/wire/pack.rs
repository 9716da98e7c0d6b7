//! Packs: several tasks, or several results, in one message.
//!
//! An element has the fields of a message of its own, and what that message has outside its body: the number of its
//! task, which is the last token of the reply subject, and its trace context. One that cannot be read loses only itself.

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use quorate_core::coordinator;
use quorate_core::id::{TaskId, WorkerId};
use quorate_core::worker::{self, ReplyTo};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::result::{ResultIn, write_result};
use super::task::{TaskIn, write_task};
use super::{TraceContext, WireError, parse};

/// The most elements of a pack that are read.
pub const MAX_PACKED: usize = 1024;

/// What an element of a pack has besides the fields of a message of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extra {
    pub(super) task: Option<TaskId>,
    pub(super) trace: Option<TraceContext>,
}

impl Extra {
    /// What cannot be read counts as absent.
    pub(super) fn read(task: Option<&RawValue>, traceparent: Option<&RawValue>) -> Self {
        Self { task: from_text(task).map(TaskId), trace: from_text(traceparent) }
    }
}

fn from_text<T: FromStr>(json: Option<&RawValue>) -> Option<T> {
    serde_json::from_str::<Cow<str>>(json?.get()).ok()?.parse().ok()
}

/// The number of a task, written as a text: JavaScript rounds large numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) TaskId);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.0)
    }
}

/// Writes elements into a message from `begin` to `end`, as many as fit into `most` bytes and at most [`MAX_PACKED`], but
/// always one. Returns it with the number of its elements. Texts are bounded, so that one is far below
/// [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES).
fn fill<T>(begin: &str, end: &str, most: usize, elements: &[T], write: impl Fn(&T, &mut Vec<u8>)) -> (Bytes, usize) {
    let mut body = Vec::with_capacity(most.min(begin.len() + end.len() + 256 * elements.len()));
    body.extend_from_slice(begin.as_bytes());
    let mut count = 0;
    for element in elements.iter().take(MAX_PACKED) {
        let before = body.len();
        if count > 0 {
            body.push(b',');
        }
        write(element, &mut body);
        if count > 0 && body.len() + end.len() > most {
            body.truncate(before);
            break;
        }
        count += 1;
    }
    body.extend_from_slice(end.as_bytes());
    (body.into(), count)
}

/// Encodes a pack of the first of these tasks, to be answered on `reply`, in at most this many bytes, and returns how many
/// there are in it.
pub fn encode_tasks(tasks: &[coordinator::Task], reply: &str, most: usize) -> (Bytes, usize) {
    let reply = serde_json::to_string(reply).expect("a text is serializable");
    fill("{\"tasks\":[", &format!("],\"reply\":{reply}}}"), most, tasks, |task, body| {
        let trace = task.trace.and_then(TraceContext::of_mark);
        write_task(task, Extra { task: Some(task.id), trace }, body);
    })
}

/// Encodes a pack of the first of these results of `worker`, in at most this many bytes, and returns how many there are in
/// it.
pub fn encode_results(worker: &WorkerId, results: &[worker::WorkResult], most: usize) -> (Bytes, usize) {
    fill("{\"results\":[", "]}", most, results, |result, body| {
        let task = match result.reply {
            ReplyTo::Pack { task, .. } => task,
            ReplyTo::Shared | ReplyTo::Task(_) => None,
        };
        let trace = result.trace.and_then(TraceContext::of_mark);
        write_result(worker, result, Extra { task, trace }, body);
    })
}

#[derive(Deserialize)]
struct TasksIn<'a> {
    #[serde(borrow)]
    tasks: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    reply: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ResultsIn<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

/// The elements, of which only the first [`MAX_PACKED`] are read.
fn read<'a, T: Deserialize<'a>>(elements: Vec<&'a RawValue>) -> impl Iterator<Item = Result<T, WireError>> {
    elements.into_iter().enumerate().map(|(at, element)| {
        if at < MAX_PACKED { Ok(serde_json::from_str(element.get())?) } else { Err(WireError::TooMany) }
    })
}

/// Reads the tasks of a pack, which came with `reply` as its reply subject. The pack may name another one.
///
/// # Errors
/// [`WireError`] if it is not a pack of tasks, or for each element that is not a task.
pub fn decode_tasks(
    payload: &[u8],
    reply: Option<&str>,
) -> Result<impl Iterator<Item = Result<worker::Task, WireError>>, WireError> {
    let message: TasksIn = parse(payload)?;
    let reply: Option<Arc<str>> = message.reply.as_deref().or(reply).map(Arc::from);
    Ok(read(message.tasks).map(move |task: Result<TaskIn, _>| {
        let task = task?;
        let Extra { task: number, trace } = task.extra();
        let to = reply.clone().map_or(ReplyTo::Shared, |subject| ReplyTo::Pack { subject, task: number });
        Ok(worker::Task { trace: trace.map(TraceContext::mark), ..task.read(to)? })
    }))
}

/// Reads the results of a pack, each with its trace context. `now` is the time of day. A result without a number of a
/// task is as on the shared subject.
///
/// # Errors
/// [`WireError`] if it is not a pack of results, or for each element that does not name its worker and its request.
pub fn decode_results(
    payload: &[u8],
    now: SystemTime,
) -> Result<impl Iterator<Item = Result<(coordinator::WorkerResult, Option<TraceContext>), WireError>>, WireError> {
    let message: ResultsIn = parse(payload)?;
    Ok(read(message.results).map(move |result: Result<ResultIn, _>| {
        let result = result?;
        let Extra { task, trace } = result.extra();
        Ok((result.read(task, now)?, trace))
    }))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use quorate_core::id::RequestId;
    use quorate_core::query::Query;
    use quorate_core::value::Value;

    use super::*;
    use crate::wire::{MAX_MESSAGE_BYTES, SpanId, TraceId};

    const INBOX: &str = "_INBOX.s3cret.p1";

    fn traced() -> TraceContext {
        TraceContext::new(TraceId::new([7; 16]).expect("not zero"), SpanId::new([9; 8]).expect("not zero"), true)
    }

    fn task(number: u64, request: &str) -> coordinator::Task {
        coordinator::Task {
            id: TaskId(number),
            request: RequestId::new(request).expect("an id"),
            query: Query::new("BTC/USD").expect("a query"),
            ttl: Duration::from_millis(500),
            attempt: 2,
            trace: None,
            may_be_packed: true,
        }
    }

    fn result(reply: ReplyTo, request: &str) -> worker::WorkResult {
        worker::WorkResult {
            request: RequestId::new(request).expect("an id"),
            reply,
            observed: Ok(Value::number("1.50").expect("a number")),
            overloaded: false,
            response_time: Duration::from_nanos(5),
            age: None,
            trace: None,
        }
    }

    fn name() -> WorkerId {
        WorkerId::new("w").expect("an id")
    }

    #[test]
    fn tasks_read_back_each_with_its_number_and_its_trace() {
        let tasks = [task(7, "r\"1"), coordinator::Task { trace: Some(traced().mark()), ..task(u64::MAX, "r2") }];
        let (body, count) = encode_tasks(&tasks, INBOX, MAX_MESSAGE_BYTES);
        let text = format!(
            "{{\"tasks\":[{{\"id\":\"r\\\"1\",\"query\":\"BTC/USD\",\"ttl_ms\":500,\"attempt\":2,\"task\":\"7\"}},\
             {{\"id\":\"r2\",\"query\":\"BTC/USD\",\"ttl_ms\":500,\"attempt\":2,\"task\":\"18446744073709551615\",\
             \"traceparent\":\"{}\"}}],\"reply\":\"{INBOX}\"}}",
            traced()
        );
        assert_eq!((body.as_ref(), count), (text.as_bytes(), 2));
        let read: Vec<_> = decode_tasks(&body, None).expect("a pack").map(|task| task.expect("a task")).collect();
        for (read, task) in read.iter().zip(&tasks) {
            assert_eq!((&read.request, &read.query, read.ttl), (&task.request, &task.query, Some(task.ttl)));
            assert_eq!(read.reply, ReplyTo::Pack { subject: INBOX.into(), task: Some(task.id) });
            assert_eq!(read.trace, task.trace);
        }
    }

    #[test]
    fn results_read_back_each_with_its_number_and_its_trace() {
        let to = |task| ReplyTo::Pack { subject: INBOX.into(), task };
        let marked = worker::WorkResult { trace: Some(traced().mark()), ..result(to(Some(TaskId(9))), "r2") };
        let results = [result(to(None), "r1"), marked];
        let (body, count) = encode_results(&name(), &results, MAX_MESSAGE_BYTES);
        assert_eq!(count, 2);
        let read: Vec<_> =
            decode_results(&body, UNIX_EPOCH).expect("a pack").map(|result| result.expect("a result")).collect();
        for ((read, trace), (sent, task)) in read.iter().zip(results.iter().zip([None, Some(TaskId(9))])) {
            assert_eq!((&read.worker, &read.request, read.task), (&name(), &sent.request, task));
            assert_eq!((&read.observed, read.response_time), (&sent.observed, sent.response_time));
            assert_eq!(trace.map(TraceContext::mark), sent.trace);
        }
    }

    #[test]
    fn a_bad_element_loses_only_itself() {
        let body = r#"{"tasks":[{"id":"a","query":"q"},7,{"id":"","query":"q"},{"id":"b","query":"q","task":7}]}"#;
        let read: Vec<_> = decode_tasks(body.as_bytes(), Some("inbox")).expect("a pack").collect();
        let requests: Vec<_> = read.iter().map(|task| task.as_ref().ok().map(|task| task.request.as_str())).collect();
        assert_eq!(requests, [Some("a"), None, None, Some("b")]);
        let last = read[3].as_ref().expect("a task");
        assert_eq!(last.reply, ReplyTo::Pack { subject: "inbox".into(), task: None }, "a number is no text");

        let body = r#"{"results":[{"worker_id":"w","request_id":"a","value":1},null,{"worker_id":"w"},
            {"worker_id":"w","request_id":"b","task":"x"}]}"#;
        let read: Vec<_> = decode_results(body.as_bytes(), UNIX_EPOCH).expect("a pack").collect();
        let requests: Vec<_> =
            read.iter().map(|result| result.as_ref().ok().map(|(result, _)| result.request.as_str())).collect();
        assert_eq!(requests, [Some("a"), None, None, Some("b")]);
        for body in ["", "[]", "{}", r#"{"tasks":7}"#, r#"{"tasks":[}"#, r#"{"tasks":[],"reply":7}"#] {
            assert!(decode_tasks(body.as_bytes(), None).is_err(), "{body}");
        }
        for body in ["", "[]", "{}", r#"{"results":{}}"#] {
            assert!(decode_results(body.as_bytes(), UNIX_EPOCH).is_err(), "{body}");
        }
        let shared = decode_tasks(br#"{"tasks":[{"id":"a","query":"q"}]}"#, None).expect("a pack").next();
        assert_eq!(shared.expect("an element").expect("a task").reply, ReplyTo::Shared);
    }

    #[test]
    fn a_pack_is_bounded_in_bytes_and_in_elements_and_loses_none() {
        let long = "x".repeat(128);
        for (request, most) in [("r", MAX_PACKED), (&long, MAX_PACKED - 1)] {
            let tasks: Vec<_> = (0..3000).map(|number| task(number, request)).collect();
            let mut rest = &tasks[..];
            let mut read = Vec::new();
            while !rest.is_empty() {
                let (body, count) = encode_tasks(rest, INBOX, MAX_MESSAGE_BYTES);
                assert!(body.len() <= MAX_MESSAGE_BYTES && (1..=most).contains(&count), "{} {count}", body.len());
                read.extend(decode_tasks(&body, None).expect("a pack").map(|task| match task.expect("a task").reply {
                    ReplyTo::Pack { task: Some(task), .. } => task.0,
                    other => panic!("{other:?}"),
                }));
                rest = &rest[count..];
            }
            assert!(read.into_iter().eq(0..3000));
        }
        let many = format!("{{\"tasks\":[{}1]}}", "1,".repeat(30_000));
        let read = decode_tasks(many.as_bytes(), None).expect("a pack");
        assert!(read.skip(MAX_PACKED).all(|task| matches!(task, Err(WireError::TooMany))));
        assert!(matches!(decode_tasks(&vec![b' '; 1 << 20], None), Err(WireError::TooLong)));
    }

    #[test]
    fn the_longest_element_fits() {
        let request = RequestId::new(&"\"".repeat(128)).expect("an id");
        let query = Query::new(&"\u{10ffff}".repeat(256)).expect("a query");
        let task = coordinator::Task { request: request.clone(), query, trace: Some(traced().mark()), ..task(1, "r") };
        assert!(encode_tasks(&[task], INBOX, MAX_MESSAGE_BYTES).0.len() <= MAX_MESSAGE_BYTES);
        let text = Value::text(&"\"".repeat(4096)).expect("a text");
        let reply = ReplyTo::Pack { subject: INBOX.into(), task: Some(TaskId(1)) };
        let result = worker::WorkResult { observed: Ok(text), request, ..result(reply, "r") };
        assert!(encode_results(&name(), &[result], MAX_MESSAGE_BYTES).0.len() <= MAX_MESSAGE_BYTES);
    }
}
