//! The evidence of an outcome, as JSON.

use quorate_core::id::WorkerId;
use quorate_core::outcome::{Observation, Outcome};
use quorate_core::time::saturating_nanos;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Serialize;
use utoipa::ToSchema;

use super::fate::{self, WorkerFate};
use super::schema::{ExclusionName, Id, QueryText, StrategyName};
use super::{JsonNumber, JsonTime, Numbers, ResultBody};

/// The decimals of an agreement.
const AGREEMENT_DECIMALS: u32 = 6;

/// What the workers said: part of every outcome, with an answer or without.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Evidence<'a> {
    /// The id of the request: the caller's, or the one that was drawn.
    #[schema(value_type = Id)]
    request_id: &'a str,
    #[schema(value_type = QueryText)]
    query: &'a str,
    #[schema(value_type = StrategyName)]
    strategy: &'static str,
    /// The number of workers that should have answered: those that were expected when the request was dispatched, those
    /// that answered unexpected, and those that should have been there by the operator's policy.
    expected: u32,
    /// The number of them that answered with a value, used or not.
    succeeded: u32,
    /// The number of them that answered with a failure.
    failed: u32,
    /// Those that did not answer.
    #[schema(value_type = Vec<Id>)]
    missing: Vec<&'a str>,
    /// Those of the missing that were not there, and so were not asked. Present if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Id>, required = false)]
    absent: Vec<&'a str>,
    /// Those of the missing that the request waited for no longer, because they had been silent for longer than usual.
    /// Present if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Id>, required = false)]
    suspects: Vec<&'a str>,
    /// The workers whose values were not used, and why.
    excluded: Vec<ExcludedBody<'a>>,
    /// What became of each worker that was expected or answered, ordered by worker.
    workers: Vec<WorkerFate<'a>>,
    /// The first answer of each worker that answered, ordered by worker.
    worker_responses: Vec<ResultBody<'a>>,
    /// One sentence for people: how many of the expected workers' values were used, and what else is wrong.
    #[schema(example = "Partial response: 2/3 workers succeeded")]
    reliability_note: String,
    /// From the arrival of the request to its end, in nanoseconds.
    #[schema(example = 241_502_388)]
    elapsed: u64,
    /// The same as `elapsed`, by a name with its unit.
    #[schema(example = 241_502_388)]
    elapsed_ns: u64,
    /// The time of day of the end, by the coordinator's clock. A retry receives the time of the first answer.
    answered_at: JsonTime,
    /// When the oldest used value was observed: on arrival, or earlier by the age that its worker states. Present if a
    /// value was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    oldest_observed_at: Option<JsonTime>,
    /// When the newest used value was observed. Present if a value was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    newest_observed_at: Option<JsonTime>,
}

/// A value that was not used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Excluded)]
struct ExcludedBody<'a> {
    /// The worker.
    #[schema(value_type = Id)]
    worker_id: &'a str,
    #[schema(value_type = ExclusionName)]
    reason: &'static str,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(outcome: &'a Outcome, numbers: Numbers) -> Self {
        let names = |workers: &'a [WorkerId]| workers.iter().map(WorkerId::as_str).collect();
        let excluded = |observation: &'a Observation| {
            observation.excluded.map(|why| ExcludedBody { worker_id: observation.worker.as_str(), reason: why.name() })
        };
        let response = |observation: &'a Observation| {
            let Observation { worker, observed, response_time, age, .. } = observation;
            ResultBody::new(worker, &outcome.request, observed, *response_time, *age, numbers)
        };
        Self {
            request_id: outcome.request.as_str(),
            query: outcome.query.as_str(),
            strategy: outcome.strategy.name(),
            expected: outcome.expected(),
            succeeded: outcome.succeeded,
            failed: outcome.failed(),
            missing: names(&outcome.missing),
            absent: names(&outcome.absent),
            suspects: names(&outcome.suspects),
            excluded: outcome.observations.iter().filter_map(excluded).collect(),
            workers: fate::workers(outcome),
            worker_responses: outcome.observations.iter().map(response).collect(),
            reliability_note: outcome.reliability_note(),
            elapsed: saturating_nanos(outcome.elapsed),
            elapsed_ns: saturating_nanos(outcome.elapsed),
            answered_at: JsonTime(outcome.answered_at),
            oldest_observed_at: outcome.observed.map(|observed| JsonTime(observed.oldest)),
            newest_observed_at: outcome.observed.map(|observed| JsonTime(observed.newest)),
        }
    }
}

/// The share of the used values that agree, rounded half-even.
pub(super) fn agreement(agreeing: u32, used: u32) -> JsonNumber {
    let share = Decimal::from(agreeing).checked_div(used.into()).unwrap_or_default();
    JsonNumber(share.round_dp_with_strategy(AGREEMENT_DECIMALS, RoundingStrategy::MidpointNearestEven).normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_is_rounded_to_the_even_sixth_decimal() {
        for (agreeing, used, expected) in [
            (3, 3, "1"),
            (0, 3, "0"),
            (1, 2, "0.5"),
            (1, 3, "0.333333"),
            (2, 3, "0.666667"),
            // 0.0078125 and 0.0234375 are halfway between two results.
            (1, 128, "0.007812"),
            (3, 128, "0.023438"),
            (0, 0, "0"),
        ] {
            let json = serde_json::to_string(&agreement(agreeing, used)).expect("a number");
            assert_eq!(json, expected, "{agreeing}/{used}");
        }
    }
}
