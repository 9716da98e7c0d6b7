//! An outcome as a client sees it.

use quorate_core::aggregate::Spread;
use quorate_core::outcome::{Answer, Observation, Outcome, Status};
use quorate_core::time::saturating_nanos;
use quorate_core::value::Value;
use serde::{Serialize, Serializer};

use crate::wire::{JsonValue, ResultBody};

/// What the workers said: part of every outcome, with an answer or without.
#[derive(Debug, Serialize)]
pub(super) struct Evidence<'a> {
    request_id: &'a str,
    query: &'a str,
    strategy: &'static str,
    expected: u32,
    succeeded: u32,
    failed: u32,
    missing: Vec<&'a str>,
    excluded: Vec<ExcludedBody<'a>>,
    worker_responses: Vec<ResultBody<'a>>,
    reliability_note: String,
    elapsed: u64,
}

#[derive(Debug, Serialize)]
struct ExcludedBody<'a> {
    worker_id: &'a str,
    reason: &'static str,
}

/// The body of an answer.
#[derive(Debug, Serialize)]
pub struct OutcomeBody<'a> {
    final_value: JsonValue<'a>,
    status: &'static str,
    tie: bool,
    spread: Option<SpreadBody>,
    #[serde(flatten)]
    evidence: Evidence<'a>,
}

#[derive(Debug)]
struct SpreadBody(Spread);

impl Serialize for SpreadBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let (min, max) = (Value::Number(self.0.min), Value::Number(self.0.max));
        let mut body = serializer.serialize_struct("Spread", 2)?;
        body.serialize_field("min", &JsonValue(&min))?;
        body.serialize_field("max", &JsonValue(&max))?;
        body.end()
    }
}

impl<'a> OutcomeBody<'a> {
    /// The body for an outcome and the answer in it.
    pub fn of(outcome: &'a Outcome, answer: &'a Answer) -> Self {
        Self {
            final_value: JsonValue(&answer.value),
            status: status_name(answer.status),
            tie: answer.tie,
            spread: answer.spread.map(SpreadBody),
            evidence: Evidence::of(outcome),
        }
    }
}

impl<'a> Evidence<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        let excluded = |observation: &'a Observation| {
            observation.excluded.map(|why| ExcludedBody { worker_id: observation.worker.as_str(), reason: why.name() })
        };
        let response = |observation: &'a Observation| {
            let Observation { worker, observed, response_time, age, .. } = observation;
            ResultBody::new(worker, &outcome.request, observed, *response_time, *age)
        };
        Self {
            request_id: outcome.request.as_str(),
            query: outcome.query.as_str(),
            strategy: outcome.strategy.name(),
            expected: outcome.expected(),
            succeeded: outcome.succeeded,
            failed: outcome.failed(),
            missing: outcome.missing.iter().map(quorate_core::id::WorkerId::as_str).collect(),
            excluded: outcome.observations.iter().filter_map(excluded).collect(),
            worker_responses: outcome.observations.iter().map(response).collect(),
            reliability_note: outcome.reliability_note(),
            elapsed: saturating_nanos(outcome.elapsed),
        }
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::LowReliability => "low_reliability",
        Status::Disputed => "disputed",
    }
}
