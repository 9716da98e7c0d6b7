//! The fuzz targets: each takes any bytes, and panics if the code under test handles them wrongly.
//!
//! `fuzz/` runs them with libFuzzer; a test here replays what is kept in `fuzz/corpus/` and `fuzz/regressions/`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::coordinator::{self, Config, QueryPolicy};
use quorate_core::id::TaskId;
use quorate_core::policy::{Limits, Policy};
use quorate_core::worker::{self, ReplyTo, WorkResult};
use quorate_model::aggregate::aggregate_candidates;
use quorate_model::arbitrary;
use quorate_runtime::http::Question;
use quorate_runtime::policies;
use quorate_runtime::wire;

/// A target: its name, which is also that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order of their names.
pub const TARGETS: [Target; 9] = [
    ("aggregation", aggregation),
    ("coordinator", coordinator),
    ("feeds", feeds),
    ("policy_file", policy_file),
    ("request_body", request_body),
    ("wire_result", wire_result),
    ("wire_result_pack", wire_result_pack),
    ("wire_task", wire_task),
    ("wire_task_pack", wire_task_pack),
];

/// The subject on which the answers to single tasks go.
const INBOX: &str = "_INBOX.a.7";

/// A task as a coordinator would send it to be read like this.
fn sent_task(task: &worker::Task) -> coordinator::Task {
    let id = match task.reply {
        ReplyTo::Pack { task, .. } => task,
        ReplyTo::Task(_) | ReplyTo::Shared => None,
    };
    coordinator::Task {
        id: id.unwrap_or(TaskId(7)),
        request: task.request.clone(),
        query: task.query.clone(),
        ttl: task.ttl.unwrap_or(Duration::ZERO),
        attempt: 1,
        trace: task.trace,
        may_be_packed: true,
    }
}

fn same_task(again: &worker::Task, task: &worker::Task) {
    assert_eq!((&again.request, &again.query), (&task.request, &task.query));
    assert_eq!(again.ttl, Some(task.ttl.unwrap_or(Duration::ZERO)));
}

/// A task that is accepted survives being encoded and decoded again.
pub fn wire_task(data: &[u8]) {
    let Ok(task) = wire::decode_task(data, Some(INBOX)) else { return };
    let again = wire::decode_task(&wire::encode_task(&sent_task(&task)), Some(INBOX));
    let again = again.expect("an accepted task is accepted again");
    same_task(&again, &task);
    assert_eq!(again.reply, task.reply);
}

/// The accepted tasks of a pack survive being packed and unpacked again.
pub fn wire_task_pack(data: &[u8]) {
    let Ok(tasks) = wire::decode_tasks(data, Some(INBOX)) else { return };
    let tasks: Vec<_> = tasks.flatten().collect();
    let sent: Vec<_> = tasks.iter().map(sent_task).collect();
    let (mut rest, mut again) = (&sent[..], Vec::new());
    while !rest.is_empty() {
        let (body, count) = wire::encode_tasks(rest, INBOX, wire::MAX_MESSAGE_BYTES);
        assert!(body.len() <= wire::MAX_MESSAGE_BYTES);
        let unpacked = wire::decode_tasks(&body, None).expect("a pack is accepted");
        again.extend(unpacked.map(|task| task.expect("an accepted task is accepted again")));
        rest = &rest[count..];
    }
    assert_eq!(again.len(), tasks.len());
    for ((again, sent), task) in again.iter().zip(&sent).zip(&tasks) {
        same_task(again, task);
        assert_eq!(again.trace, task.trace);
        assert_eq!(again.reply, ReplyTo::Pack { subject: INBOX.into(), task: Some(sent.id) });
    }
}

/// The time of day at which results are read.
fn time_of_day() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// A result as a worker would send it to be read like this.
fn sent_result(result: &coordinator::WorkerResult, reply: ReplyTo) -> WorkResult {
    WorkResult {
        request: result.request.clone(),
        reply,
        observed: result.observed.clone(),
        overloaded: result.overloaded,
        response_time: result.response_time,
        age: result.age,
        trace: None,
    }
}

fn same_result(again: &coordinator::WorkerResult, result: &coordinator::WorkerResult) {
    assert_eq!((&again.worker, &again.request, again.task), (&result.worker, &result.request, result.task));
    assert_eq!((again.response_time, again.overloaded), (result.response_time, result.overloaded));
    match (&again.observed, &result.observed) {
        (Ok(again), Ok(value)) => assert_eq!(again, value),
        // An empty error text is encoded as `failed`, so that it still says that something failed.
        (Err(again), Err(error)) => assert!(again == error || error.is_empty()),
        _ => panic!("{:?} became {:?}", result.observed, again.observed),
    }
    // An age is sent in whole milliseconds.
    let millis = |age: Option<Duration>| age.map(|age| age.as_millis());
    assert!(result.observed.is_err() || millis(again.age) == millis(result.age), "{:?} {:?}", result.age, again.age);
}

/// A result that is accepted survives being encoded and decoded again.
pub fn wire_result(data: &[u8]) {
    let Ok(result) = wire::decode_result(data, Some(TaskId(7)), time_of_day()) else { return };
    let body = wire::encode_result(&result.worker, &sent_result(&result, ReplyTo::Shared));
    let again = wire::decode_result(&body, Some(TaskId(7)), time_of_day());
    same_result(&again.expect("an accepted result is accepted again"), &result);
}

/// The accepted results of a pack, each packed alone, survive being unpacked again.
pub fn wire_result_pack(data: &[u8]) {
    let Ok(results) = wire::decode_results(data, time_of_day()) else { return };
    for (result, _) in results.flatten() {
        let reply = ReplyTo::Pack { subject: INBOX.into(), task: result.task };
        let (body, count) =
            wire::encode_results(&result.worker, &[sent_result(&result, reply)], wire::MAX_MESSAGE_BYTES);
        assert!(count == 1 && body.len() <= wire::MAX_MESSAGE_BYTES);
        let again = wire::decode_results(&body, time_of_day()).expect("a pack is accepted").next();
        let (again, _) = again.expect("one result").expect("an accepted result is accepted again");
        same_result(&again, &result);
    }
}

/// A body is refused, or accepted and then checked against the limits.
pub fn request_body(data: &[u8]) {
    let Ok(question) = Question::parse(data) else { return };
    if let Ok(policy) = Policy::default().with(&question.overrides, &Limits::default()) {
        let again = policy.with(&question.overrides, &Limits::default());
        assert_eq!(again, Ok(policy), "applying a request's own policy twice changes nothing");
    }
}

/// A file is accepted with all its policies within the limits, or refused with a place within it.
pub fn policy_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match policies::parse("fuzz.toml", text, &Config::default()) {
        Ok(file) => {
            for found in file.policies {
                let QueryPolicy { pattern, policy, .. } = found.as_ref();
                let again = policy.with(&quorate_core::policy::Overrides::default(), &Limits::default());
                assert_eq!(again, Ok(*policy), "{pattern:?}");
            }
        }
        Err(error) => {
            let error = error.to_string();
            let place = error.strip_prefix("fuzz.toml:").expect("an error begins with its file");
            let (line, rest) = place.split_once(':').expect("and says the line");
            let (column, _) = rest.split_once(": ").expect("and the column, and then what is wrong");
            let line: usize = line.parse().expect("a line is a number");
            assert!(line >= 1 && line <= text.split('\n').count() + 1, "{error}");
            assert!(column.parse::<usize>().is_ok_and(|column| column >= 1), "{error}");
        }
    }
}

/// For any rule and any values, the aggregation and its model agree.
pub fn aggregation(data: &[u8]) {
    let Some((rule, sent)) = arbitrary::bytes::aggregation(data) else { return };
    let candidates: Vec<_> = sent.iter().map(arbitrary::aggregation::Sent::candidate).collect();
    let said = arbitrary::aggregation::run(&rule, &sent);
    let expected = aggregate_candidates(&rule, &candidates);
    // Compared as text, because equality does not tell 1.0 from 1.00, and no answer may have trailing zeros.
    assert_eq!(format!("{said:?}"), format!("{expected:?}"), "{rule:?} {sent:?}");
}

/// For any inputs at any times, the coordinator and its model agree, and a recording replays to the same outputs.
pub fn coordinator(data: &[u8]) {
    let Some((config, seed, steps)) = arbitrary::bytes::coordinator(data) else { return };
    match arbitrary::Run::play(config, seed, &steps) {
        Ok(run) => assert!(run.replays(), "a recording must replay to the same outputs"),
        Err(divergence) => panic!("{divergence}"),
    }
}

/// For any inputs at any times, the feeds and their model agree, go on afterwards, and replay to the same outputs.
pub fn feeds(data: &[u8]) {
    match arbitrary::FeedsRun::play_bytes(data) {
        Ok(run) => assert!(run.replays(), "a recording must replay to the same outputs"),
        Err(divergence) => panic!("{divergence}"),
    }
}
