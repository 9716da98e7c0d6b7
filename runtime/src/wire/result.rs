//! The body of a result.

use std::borrow::Cow;
use std::ops::Not;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use quorate_core::coordinator;
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::time::saturating_nanos;
use quorate_core::value::Value;
use quorate_core::worker::{self, WorkResult};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::pack::{Extra, Number};
use super::schema::Id;
use super::{JsonValue, Numbers, TraceContext, WireError, parse, value};
use crate::age;

/// Enough for nearly every result, in bytes.
const TYPICAL_BYTES: usize = 192;
/// The longest text of a failure that is kept, in bytes. The rest is cut off.
pub const MAX_ERROR_BYTES: usize = 1024;

/// A worker's answer: on the bus, and within an outcome.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkerResponse)]
pub(crate) struct ResultBody<'a> {
    /// The worker.
    #[schema(value_type = Id)]
    worker_id: &'a str,
    /// The request it answers.
    #[schema(value_type = Id)]
    request_id: &'a str,
    /// The observed value; null in a failure.
    #[schema(required)]
    value: Option<JsonValue<'a>>,
    /// The worker's reason why there is no value. Present only in a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_length = 1, max_length = 1024)]
    err: Option<&'a str>,
    /// Whether the failure is a refusal for lack of room. Only on the bus.
    #[serde(skip_serializing_if = "Not::not")]
    #[schema(ignore)]
    overloaded: bool,
    /// The response time that the worker states, in nanoseconds.
    #[schema(example = 183_042_117)]
    response_time: u64,
    /// The same as `response_time`, by a name with its unit. Not on the bus.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, example = 183_042_117)]
    response_time_ns: Option<u64>,
    /// The age of the value on arrival, in milliseconds. Present if the worker stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    age_ms: Option<u64>,
    /// Only in packs, like the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    task: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    traceparent: Option<TraceContext>,
}

impl<'a> ResultBody<'a> {
    pub(crate) fn new(
        worker: &'a WorkerId,
        request: &'a RequestId,
        observed: &'a Result<Value, Arc<str>>,
        response_time: Duration,
        age: Option<Duration>,
        numbers: Numbers,
    ) -> Self {
        let response_time = saturating_nanos(response_time);
        Self {
            worker_id: worker.as_str(),
            request_id: request.as_str(),
            value: observed.as_ref().ok().map(|value| JsonValue { value, numbers }),
            // An empty text would mean that nothing failed.
            err: observed.as_ref().err().map(|err| if err.is_empty() { "failed" } else { err }),
            overloaded: false,
            response_time,
            response_time_ns: Some(response_time),
            age_ms: age.map(saturating_millis),
            task: None,
            traceparent: None,
        }
    }
}

/// A duration in whole milliseconds, rounded down.
pub(crate) fn saturating_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Deserialize)]
pub(super) struct ResultIn<'a> {
    #[serde(borrow)]
    worker_id: Cow<'a, str>,
    #[serde(borrow)]
    request_id: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    err: Option<&'a RawValue>,
    #[serde(borrow, default)]
    overloaded: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_time_ns: Option<&'a RawValue>,
    #[serde(borrow, default)]
    age_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    observed_at: Option<&'a RawValue>,
    /// Only in packs, like the next one.
    #[serde(borrow, default)]
    task: Option<&'a RawValue>,
    #[serde(borrow, default)]
    traceparent: Option<&'a RawValue>,
}

impl ResultIn<'_> {
    /// The result, for this task. `now` is the time of day.
    pub(super) fn read(&self, task: Option<TaskId>, now: SystemTime) -> Result<coordinator::WorkerResult, WireError> {
        let stated = self.err.and_then(failure);
        // Anything but `true` says nothing, and so does `true` without the worker's own reason.
        let overloaded = stated.is_some() && self.overloaded.is_some_and(|json| json.get() == "true");
        let (observed, age) = match stated.map_or_else(|| observed(self, now), Err) {
            Ok((value, age)) => (Ok(value), age),
            Err(failure) => (Err(failure), None),
        };
        Ok(coordinator::WorkerResult {
            worker: WorkerId::new(&self.worker_id).map_err(|error| WireError::Id { field: "worker_id", error })?,
            request: RequestId::new(&self.request_id).map_err(|error| WireError::Id { field: "request_id", error })?,
            task,
            observed,
            overloaded,
            // No decision depends on it, so one that can't be read counts as zero.
            response_time: (self.response_time_ns.or(self.response_time))
                .and_then(value::whole_number)
                .map_or(Duration::ZERO, Duration::from_nanos),
            age,
        })
    }

    /// What it has as an element of a pack.
    pub(super) fn extra(&self) -> Extra {
        Extra::read(self.task, self.traceparent)
    }
}

/// Encodes a result of `worker`.
pub fn encode_result(worker: &WorkerId, result: &worker::WorkResult) -> Bytes {
    let mut body = Vec::with_capacity(TYPICAL_BYTES);
    write_result(worker, result, Extra::default(), &mut body);
    body.into()
}

pub(super) fn write_result(worker: &WorkerId, result: &worker::WorkResult, extra: Extra, body: &mut Vec<u8>) {
    let WorkResult { request, observed, overloaded, response_time, age, .. } = result;
    let message = ResultBody {
        overloaded: *overloaded,
        // A coordinator that knows both names prefers the new one; one that knows only the old one needs it.
        response_time_ns: None,
        task: extra.task.map(Number),
        traceparent: extra.trace,
        ..ResultBody::new(worker, request, observed, *response_time, *age, Numbers::Number)
    };
    serde_json::to_writer(body, &message).expect("texts and numbers are serializable");
}

/// Reads a result that arrived on the reply subject of `task`, or else on the subject that all coordinators share.
/// `now` is the time of day, which turns a time of observation into an age.
///
/// A result that names its worker and its request is always accepted: if its value or its age is invalid, it is a
/// failure of that worker.
///
/// # Errors
/// [`WireError`] if it does not name its worker and its request.
pub fn decode_result(
    payload: &[u8],
    task: Option<TaskId>,
    now: SystemTime,
) -> Result<coordinator::WorkerResult, WireError> {
    parse::<ResultIn>(payload)?.read(task, now)
}

/// The worker's reason why there is no value; `None` if it is empty.
fn failure(err: &RawValue) -> Option<Arc<str>> {
    let text: Cow<str> = match serde_json::from_str::<String>(err.get()) {
        Ok(text) => text.into(),
        Err(_) => err.get().into(),
    };
    (!text.is_empty()).then(|| cut(&text).into())
}

/// The value and its age, if the worker states no failure.
fn observed(message: &ResultIn, now: SystemTime) -> Result<(Value, Option<Duration>), Arc<str>> {
    let value = value::read(message.value.ok_or("no value")?)?;
    Ok((value, age::stated(message.age_ms, message.observed_at, now)?))
}

/// At most [`MAX_ERROR_BYTES`] of a text, cut between characters.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_ERROR_BYTES)]
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use quorate_core::worker::ReplyTo;

    use super::*;

    fn decoded(value: &str) -> Result<Value, String> {
        let body = format!(r#"{{"worker_id":"w","request_id":"r",{value},"response_time":5,"more":null}}"#);
        decode_result(body.as_bytes(), None, UNIX_EPOCH).expect("a result").observed.map_err(|err| err.to_string())
    }

    #[test]
    fn a_result_reads_back() {
        let worker = WorkerId::new("w").expect("an id");
        let observations = [
            Ok(Value::number("42000.123456789012345678").expect("a number")),
            Ok(Value::text("BTC").expect("a text")),
            Err("no route".into()),
        ];
        for observed in observations {
            let age = observed.is_ok().then_some(Duration::from_millis(1500));
            let result = worker::WorkResult {
                request: RequestId::new("r").expect("an id"),
                reply: ReplyTo::Shared,
                observed,
                overloaded: false,
                response_time: Duration::from_millis(3),
                age,
                trace: None,
            };
            let read = decode_result(&encode_result(&worker, &result), Some(TaskId(9)), UNIX_EPOCH).expect("a result");
            assert_eq!((read.observed, read.age), (result.observed, age));
            assert_eq!(read.response_time, result.response_time);
            assert_eq!((read.worker, read.request, read.task), (worker.clone(), result.request, Some(TaskId(9))));
        }
    }

    #[test]
    fn a_refusal_for_lack_of_room_reads_back_and_is_written_only_then() {
        for overloaded in [true, false] {
            let result = worker::WorkResult {
                request: RequestId::new("r").expect("an id"),
                reply: ReplyTo::Shared,
                observed: Err("worker is overloaded".into()),
                overloaded,
                response_time: Duration::ZERO,
                age: None,
                trace: None,
            };
            let bytes = encode_result(&WorkerId::new("w").expect("an id"), &result);
            let json: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(json.get("overloaded"), overloaded.then_some(&serde_json::Value::Bool(true)));
            assert_eq!(decode_result(&bytes, None, UNIX_EPOCH).expect("a result").overloaded, overloaded);
        }
    }

    #[test]
    fn only_a_failure_that_says_so_is_a_refusal_for_lack_of_room() {
        for (fields, is_refusal) in [
            (r#""err":"full","overloaded":true"#, true),
            (r#""overloaded":true,"value":1,"err":{"code":5}"#, true),
            (r#""err":"full""#, false),
            (r#""err":"full","overloaded":false"#, false),
            (r#""err":"full","overloaded":null"#, false),
            (r#""err":"full","overloaded":"true""#, false),
            (r#""err":"full","overloaded":1"#, false),
            (r#""err":"full","overloaded":[true]"#, false),
            (r#""value":1,"overloaded":true"#, false),
            (r#""value":1,"err":"","overloaded":true"#, false),
            (r#""value":true,"overloaded":true"#, false),
            (r#""overloaded":true"#, false),
        ] {
            let body = format!(r#"{{"worker_id":"w","request_id":"r",{fields}}}"#);
            let read = decode_result(body.as_bytes(), None, UNIX_EPOCH).expect("a result");
            assert_eq!(read.overloaded, is_refusal, "{fields}");
        }
        for overloaded in ["true", r#""true""#, "[]"] {
            assert!(decoded(&format!(r#""value":1,"overloaded":{overloaded}"#)).is_ok(), "{overloaded}");
        }
    }

    #[test]
    fn an_invalid_value_is_a_failure_of_its_worker() {
        let failures = [
            (r#""value":1,"err":"boom""#, "boom"),
            (r#""value":1,"err":{"code":5}"#, r#"{"code":5}"#),
            (r#""x":1"#, "no value"),
            (r#""value":null"#, "no value"),
            (r#""value":true"#, "value must be a number or a string"),
            (r#""value":[1]"#, "value must be a number or a string"),
            (r#""value":1e99"#, "value is not exactly representable"),
        ];
        for (json, error) in failures {
            let found = decoded(json).expect_err(json);
            assert!(found.starts_with(error), "{json}: {found}");
        }
        for json in [r#""value":1,"err":null"#, r#""value":1,"err":"""#, r#""err":"","value":1.0"#] {
            assert_eq!(decoded(json), Ok(Value::number("1").expect("a number")), "{json}");
        }
        let long = decoded(&format!(r#""err":"{}""#, "é".repeat(2000))).expect_err("a failure");
        assert_eq!(long.len(), MAX_ERROR_BYTES);
    }

    #[test]
    fn the_age_of_a_value_is_stated_or_computed_from_its_time() {
        let decoded = |fields: &str| {
            let body = format!(r#"{{"worker_id":"w","request_id":"r",{fields}}}"#);
            let now = UNIX_EPOCH + Duration::from_secs(20);
            let read = decode_result(body.as_bytes(), None, now).expect("a result");
            (read.observed.map_err(|error| error.to_string()), read.age.map(|age| age.as_millis()))
        };
        let one = || Ok(Value::number("1").expect("a number"));
        for (fields, age) in [
            (r#""value":1"#, None),
            (r#""value":1,"age_ms":null,"observed_at":null"#, None),
            (r#""value":1,"age_ms":0"#, Some(0)),
            (r#""value":1,"observed_at":"1970-01-01T00:00:15Z""#, Some(5_000)),
            (r#""value":1,"observed_at":"1970-01-01T00:00:15Z","age_ms":1500"#, Some(1_500)),
        ] {
            assert_eq!(decoded(fields), (one(), age), "{fields}");
        }
        for (fields, says) in [
            (r#""value":1,"age_ms":-1"#, "age_ms must be"),
            (r#""value":1,"age_ms":"1""#, "age_ms must be"),
            (r#""value":1,"observed_at":15"#, "observed_at must be"),
            (r#""value":1,"observed_at":"noon","age_ms":5"#, "observed_at must be"),
            (r#""err":"boom","age_ms":5"#, "boom"),
        ] {
            let (observed, age) = decoded(fields);
            assert!(observed.as_ref().is_err_and(|error| error.starts_with(says)), "{fields}: {observed:?}");
            assert_eq!(age, None, "{fields}");
        }
    }

    #[test]
    fn a_response_time_that_cannot_be_read_is_zero() {
        let cases =
            [("7", 7), ("7.9", 7), ("-7", 0), ("7e9", 0), ("\"7\"", 0), ("[7]", 0), ("18446744073709551616", 0)];
        for (json, nanos) in cases {
            let body = format!(r#"{{"worker_id":"w","request_id":"r","value":1,"response_time":{json}}}"#);
            let read = decode_result(body.as_bytes(), None, UNIX_EPOCH).expect("a result");
            assert_eq!(read.response_time, Duration::from_nanos(nanos), "{json}");
        }
        let body = br#"{"worker_id":"w","request_id":"r","value":1,"response_time":7,"response_time_ns":9}"#;
        let read = decode_result(body, None, UNIX_EPOCH).expect("a result");
        assert_eq!(read.response_time, Duration::from_nanos(9), "the name with its unit comes first");
    }

    #[test]
    fn a_result_without_a_worker_or_a_request_is_refused() {
        for body in ["", "null", "{}", r#"{"worker_id":"w"}"#, r#"{"worker_id":"","request_id":"r","value":1}"#] {
            assert!(decode_result(body.as_bytes(), None, UNIX_EPOCH).is_err(), "{body}");
        }
    }
}
