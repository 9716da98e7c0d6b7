//! What the body of a response must say, field by field.

use std::collections::BTreeMap;

use quorate_core::aggregate::{Exclusion, Strategy};
use quorate_core::id::WorkerId;
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Outcome, Status};
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use time::OffsetDateTime;

/// The strategies, with their names in requests and answers.
const STRATEGIES: [(&str, Strategy); 7] = [
    ("average", Strategy::Average),
    ("median", Strategy::Median),
    ("majority", Strategy::Majority),
    ("weighted_median", Strategy::WeightedMedian),
    ("trimmed_mean", Strategy::TrimmedMean),
    ("min", Strategy::Min),
    ("max", Strategy::Max),
];

/// Whether there is a strategy of this name.
pub(super) fn is_strategy(name: &str) -> bool {
    STRATEGIES.iter().any(|(known, _)| *known == name)
}

/// The name of a strategy in an answer; empty for one unknown to this checker.
fn strategy_name(strategy: Strategy) -> &'static str {
    STRATEGIES.iter().find(|(_, known)| *known == strategy).map_or("", |(name, _)| name)
}

/// The share of the used values that agree, rounded half-even to millionths.
pub(super) fn agreement(agreeing: u32, used: u32) -> Json {
    let (parts, used) = (u64::from(agreeing) * 1_000_000, u64::from(used.max(1)));
    let (floor, rest) = (parts / used, parts % used);
    let up = rest * 2 > used || (rest * 2 == used && floor % 2 == 1);
    number(Decimal::from_i128_with_scale(i128::from(floor + u64::from(up)), 6).normalize())
}

pub(super) fn answered(answer: &Answer) -> Map<String, Json> {
    let spread = answer.spread.as_ref().map_or(Json::Null, |spread| {
        json!({
            "min": number(spread.min),
            "max": number(spread.max),
            "interquartile": spread.interquartile.map_or(Json::Null, number),
            "mad": number(spread.mad),
        })
    });
    let status = match answer.status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::LowReliability => "low_reliability",
        Status::Disputed => "disputed",
    };
    let mut said = fields([
        ("final_value", value(&answer.value)),
        ("status", json!(status)),
        ("tie", json!(answer.tie)),
        ("spread", spread),
    ]);
    if let Some(exact) = answer.exact {
        said.insert("exact_value".to_owned(), number(exact));
    }
    said
}

/// The evidence, which every outcome has.
pub(super) fn evidence(outcome: &Outcome) -> Map<String, Json> {
    let Outcome { request, query, strategy, observations, missing, .. } = outcome;
    let succeeded = observations.iter().filter(|observation| observation.observed.is_ok()).count();
    let expected = observations.len() + missing.len() + outcome.unnamed as usize;
    let names = |workers: &[WorkerId]| -> Json { workers.iter().map(|worker| json!(worker.as_str())).collect() };
    let excluded = |observation: &Observation| {
        let reason = reason(observation.excluded?);
        Some(json!({"worker_id": observation.worker.as_str(), "reason": reason}))
    };
    let response = |observation: &Observation| {
        let mut response = json!({
            "worker_id": observation.worker.as_str(),
            "request_id": request.as_str(),
            "value": observation.observed.as_ref().map_or(Json::Null, value),
            "response_time": observation.response_time.as_nanos() as u64,
            "response_time_ns": observation.response_time.as_nanos() as u64,
        });
        if let Err(err) = &observation.observed {
            response["err"] = json!(if err.is_empty() { "failed" } else { err.as_ref() });
        }
        if let Some(age) = observation.age {
            response["age_ms"] = json!(age.as_millis() as u64);
        }
        response
    };
    let mut said = fields([
        ("request_id", json!(request.as_str())),
        ("query", json!(query.as_str())),
        ("strategy", json!(strategy_name(*strategy))),
        ("expected", json!(expected)),
        ("succeeded", json!(succeeded)),
        ("failed", json!(observations.len() - succeeded)),
        ("missing", names(missing)),
        ("excluded", observations.iter().filter_map(excluded).collect()),
        ("workers", fates(outcome)),
        ("worker_responses", observations.iter().map(response).collect()),
        ("reliability_note", json!(note(outcome))),
        ("elapsed", json!(outcome.elapsed.as_nanos() as u64)),
        ("elapsed_ns", json!(outcome.elapsed.as_nanos() as u64)),
        ("answered_at", moment(outcome.answered_at)),
    ]);
    if let Some(observed) = outcome.observed {
        said.insert("oldest_observed_at".to_owned(), moment(observed.oldest));
        said.insert("newest_observed_at".to_owned(), moment(observed.newest));
    }
    for (field, workers) in [("absent", &outcome.absent), ("suspects", &outcome.suspects)] {
        if !workers.is_empty() {
            said.insert(field.to_owned(), names(workers));
        }
    }
    said
}

/// The sentence that counts the used values, and says what else is wrong.
fn note(outcome: &Outcome) -> String {
    let expected = outcome.observations.len() + outcome.missing.len() + outcome.unnamed as usize;
    let mut not_used: BTreeMap<usize, (&str, &str, usize)> = BTreeMap::new();
    let mut used = 0;
    for observation in outcome.observations.iter().filter(|observation| observation.observed.is_ok()) {
        let (place, one, several) = match observation.excluded {
            None => {
                used += 1;
                continue;
            }
            Some(Exclusion::NotANumber) => (0, "not a number", "not a number"),
            Some(Exclusion::Outlier) => (1, "an outlier", "outliers"),
            Some(Exclusion::Stale) => (2, "stale", "stale"),
            Some(Exclusion::Quarantined) => (3, "quarantined", "quarantined"),
            Some(Exclusion::Newcomer) => (4, "a newcomer", "newcomers"),
        };
        not_used.entry(place).or_insert((one, several, 0)).2 += 1;
    }
    let counted = if expected > 0 && used == expected {
        "All workers responded successfully".to_owned()
    } else if used > 0 && 2 * used >= expected {
        format!("Partial response: {used}/{expected} workers succeeded")
    } else {
        format!("Low reliability: only {used}/{expected} workers succeeded")
    };
    let words =
        |(one, several, count)| if count == 1 { format!("1 as {one}") } else { format!("{count} as {several}") };
    let all = not_used.into_values().map(words).collect::<Vec<_>>().join(", ");
    let excluded = (!all.is_empty()).then(|| all.replacen(" as ", " excluded as ", 1));
    let disagreement = match &outcome.verdict {
        Err(Failure::Disputed { .. }) => Some("values disagree".to_owned()),
        Err(_) => None,
        Ok(answer) => match answer.used - answer.agreeing {
            _ if answer.status == Status::Disputed => Some("values disagree".to_owned()),
            0 if answer.tie => Some("several values are equally frequent".to_owned()),
            0 => None,
            1 => Some(format!("1 of {used} values disagrees")),
            some => Some(format!("{some} of {used} values disagree")),
        },
    };
    let absent = match outcome.absent.len() + outcome.unnamed as usize {
        0 => None,
        absent => Some(format!("{absent} not there")),
    };
    let suspects = match outcome.suspects.len() {
        0 => None,
        suspects => Some(format!("{suspects} not waited for, silent for longer than usual")),
    };
    let parts: Vec<String> = [Some(counted), excluded, disagreement, absent, suspects].into_iter().flatten().collect();
    parts.join("; ")
}

/// The reason for an exclusion, as an answer names it.
fn reason(excluded: Exclusion) -> &'static str {
    match excluded {
        Exclusion::NotANumber => "not_a_number",
        Exclusion::Outlier => "outlier",
        Exclusion::Stale => "stale",
        Exclusion::Quarantined => "quarantined",
        Exclusion::Newcomer => "newcomer",
    }
}

/// The fate of each worker's part, ordered by worker.
fn fates(outcome: &Outcome) -> Json {
    let mut fates: BTreeMap<&str, Json> = BTreeMap::new();
    for Observation { worker, observed, excluded, weight, age, .. } in &outcome.observations {
        let fate = match (observed, excluded) {
            (Err(_), _) => "failed",
            (Ok(_), Some(_)) => "excluded",
            (Ok(_), None) => "used",
        };
        let mut said = json!({"worker_id": worker.as_str(), "fate": fate});
        if let Some(excluded) = excluded {
            said["reason"] = json!(reason(*excluded));
        }
        if let Some(weight) = weight {
            said["weight"] = number(Decimal::from_i128_with_scale(weight.get().into(), 6).normalize());
        }
        if let Some(age) = age {
            said["age_ms"] = json!(age.as_millis() as u64);
        }
        fates.insert(worker.as_str(), said);
    }
    // The request did not wait for these workers, which may still answer.
    let was_early = matches!(outcome.cause, Cause::QuorumMet | Cause::Stalled);
    for worker in &outcome.missing {
        let fate = if was_early { "late" } else { "missing" };
        fates.insert(worker.as_str(), json!({"worker_id": worker.as_str(), "fate": fate}));
    }
    fates.into_values().collect()
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value as JSON parses it: a number has the digits of a float. `check_digits` compares the rest.
fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text.as_ref()),
        Value::Number(decimal) => number(*decimal),
    }
}

/// A time of day, in UTC and in milliseconds.
fn moment(at: UnixTime) -> Json {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_nanos())).expect("before the year 2554");
    let (hour, minute, second, milli) = time.to_hms_milli();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    json!(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
}

fn number(decimal: Decimal) -> Json {
    serde_json::from_str(&decimal.to_string()).unwrap_or(Json::Null)
}
