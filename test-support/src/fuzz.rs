//! The fuzz targets: each takes any bytes, and panics if the code under test handles them wrongly.
//!
//! `fuzz/` runs them with libFuzzer; a test here replays what is kept in `fuzz/corpus/` and `fuzz/regressions/`.

use std::time::{Duration, UNIX_EPOCH};

use quorate_core::coordinator::{self, Config, QueryPolicy};
use quorate_core::id::TaskId;
use quorate_core::policy::{Limits, Policy};

use quorate_core::worker::WorkResult;
use quorate_model::aggregate::aggregate_candidates;
use quorate_model::arbitrary;
use quorate_runtime::http::Question;
use quorate_runtime::policies;
use quorate_runtime::wire;

/// A target: its name, which is also that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order of their names.
pub const TARGETS: [Target; 6] = [
    ("aggregation", aggregation),
    ("coordinator", coordinator),
    ("policy_file", policy_file),
    ("request_body", request_body),
    ("wire_result", wire_result),
    ("wire_task", wire_task),
];

/// A task that is accepted survives being encoded and decoded again.
pub fn wire_task(data: &[u8]) {
    let Ok(task) = wire::decode_task(data, Some("_INBOX.a.7")) else { return };
    let sent = coordinator::Task {
        id: TaskId(7),
        request: task.request.clone(),
        query: task.query.clone(),
        ttl: task.ttl.unwrap_or(Duration::ZERO),
        attempt: 1,
        trace: None,
    };
    let again =
        wire::decode_task(&wire::encode_task(&sent), Some("_INBOX.a.7")).expect("an accepted task is accepted again");
    assert_eq!((&again.request, &again.query, &again.reply), (&task.request, &task.query, &task.reply));
    assert_eq!(again.ttl, Some(task.ttl.unwrap_or(Duration::ZERO)));
}

/// A result that is accepted survives being encoded and decoded again.
pub fn wire_result(data: &[u8]) {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let Ok(result) = wire::decode_result(data, Some(TaskId(7)), now) else { return };
    let sent = WorkResult {
        request: result.request.clone(),
        reply: None,
        observed: result.observed.clone(),
        overloaded: result.overloaded,
        response_time: result.response_time,
        age: result.age,
        trace: None,
    };
    let again = wire::decode_result(&wire::encode_result(&result.worker, &sent), Some(TaskId(7)), now);
    let again = again.expect("an accepted result is accepted again");
    assert_eq!((&again.worker, &again.request), (&result.worker, &result.request));
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
