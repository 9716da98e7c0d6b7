//! The fate of each worker's part in a request.

use quorate_core::id::WorkerId;
use quorate_core::outcome::{Observation, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::{ExclusionName, Id};
use super::{JsonNumber, saturating_millis};

/// One worker of the expected set.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerFate<'a> {
    /// Who.
    #[schema(value_type = Id)]
    worker_id: &'a str,
    fate: Fate,
    /// Why its value was not used. Present only if it is excluded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ExclusionName, required = false)]
    reason: Option<&'static str>,
    /// The weight of its value. Present if the strategy uses weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    weight: Option<JsonNumber>,
    /// The age of its value on arrival, in milliseconds. Present if the worker stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    age_ms: Option<u64>,
}

/// The fate of one worker's part. `used`: its value was used. `excluded`: its value was not used, for the `reason`.
/// `failed`: it answered that it failed. `late`: it had not answered when the request ended before its deadline.
/// `missing`: it was silent until the deadline or for longer than usual, it left, or it was not there.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Fate {
    /// Its value counted.
    Used,
    /// Its value did not count.
    Excluded,
    /// It answered that it failed.
    Failed,
    /// It had not answered when the request ended, before the deadline.
    Late,
    /// It was silent until the deadline or for longer than usual, it left, or it was not there.
    Missing,
}

/// All workers of an outcome, ordered by name.
pub(super) fn workers(outcome: &Outcome) -> Vec<WorkerFate<'_>> {
    let silent = if outcome.cause.is_early() { Fate::Late } else { Fate::Missing };
    let silent = outcome.missing.iter().map(|worker| silent_fate(worker, silent));
    let mut workers: Vec<_> = outcome.observations.iter().map(answered).chain(silent).collect();
    workers.sort_unstable_by_key(|worker| worker.worker_id);
    workers
}

/// The fate of a worker that has answered, in one word.
pub(crate) fn fate_name(observation: &Observation) -> &'static str {
    match fate(observation) {
        Fate::Used => "used",
        Fate::Excluded => "excluded",
        Fate::Failed => "failed",
        Fate::Late => "late",
        Fate::Missing => "missing",
    }
}

fn fate(observation: &Observation) -> Fate {
    match (&observation.observed, observation.excluded) {
        (Err(_), _) => Fate::Failed,
        (Ok(_), Some(_)) => Fate::Excluded,
        (Ok(_), None) => Fate::Used,
    }
}

fn answered(observation: &Observation) -> WorkerFate<'_> {
    WorkerFate {
        worker_id: observation.worker.as_str(),
        fate: fate(observation),
        reason: observation.excluded.map(quorate_core::aggregate::Exclusion::name),
        weight: observation.weight.map(|weight| JsonNumber(weight.to_decimal())),
        age_ms: observation.age.map(saturating_millis),
    }
}

fn silent_fate(worker: &WorkerId, fate: Fate) -> WorkerFate<'_> {
    WorkerFate { worker_id: worker.as_str(), fate, reason: None, weight: None, age_ms: None }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::aggregate::{Exclusion, Millionths, Strategy};
    use quorate_core::id::RequestId;
    use quorate_core::outcome::Cause;
    use quorate_core::query::Query;
    use quorate_core::value::Value;
    use serde_json::json;

    use super::*;

    fn id(text: &str) -> WorkerId {
        WorkerId::new(text).expect("an id")
    }

    fn outcome(cause: Cause) -> Outcome {
        let observation = |worker, value: Result<&str, &str>| {
            let observed = value.map(|number| Value::number(number).expect("a number")).map_err(Into::into);
            Observation::new(id(worker), observed)
        };
        Outcome {
            strategy: Strategy::WeightedMedian,
            observations: vec![
                Observation { weight: Some(Millionths::new(2_500_000)), ..observation("a", Ok("1")) },
                Observation {
                    age: Some(Duration::from_micros(1_500_900)),
                    excluded: Some(Exclusion::Stale),
                    ..observation("c", Ok("2"))
                },
                observation("d", Err("boom")),
            ],
            missing: vec![id("b"), id("e")],
            succeeded: 2,
            cause,
            ..Outcome::unanswered(RequestId::new("r").expect("an id"), Query::new("q").expect("a query"))
        }
    }

    #[test]
    fn every_worker_has_one_fate_in_order() {
        assert_eq!(
            serde_json::to_value(workers(&outcome(Cause::DeadlinePassed))).expect("JSON"),
            json!([
                {"worker_id": "a", "fate": "used", "weight": 2.5},
                {"worker_id": "b", "fate": "missing"},
                {"worker_id": "c", "fate": "excluded", "reason": "stale", "age_ms": 1500},
                {"worker_id": "d", "fate": "failed"},
                {"worker_id": "e", "fate": "missing"},
            ])
        );
    }

    #[test]
    fn a_silent_worker_is_late_only_if_the_request_did_not_wait_for_it() {
        for (cause, fate) in [
            (Cause::QuorumMet, "late"),
            (Cause::Stalled, "late"),
            (Cause::AllAnswered, "missing"),
            (Cause::AllButSuspects, "missing"),
            (Cause::DeadlinePassed, "missing"),
            (Cause::Undelivered, "missing"),
        ] {
            let workers = serde_json::to_value(workers(&outcome(cause))).expect("JSON");
            assert_eq!((&workers[1]["fate"], &workers[4]["fate"]), (&json!(fate), &json!(fate)), "{cause:?}");
        }
    }
}
