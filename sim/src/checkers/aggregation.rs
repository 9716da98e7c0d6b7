//! An answer is what the model's aggregation of its observations comes to, under the policy in force.
//!
//! That holds for the value, the counts, the agreement, the status, the spread, the tie, the weights that are set and who
//! was excluded; with fewer usable values than required, or where workers do not agree and must, there is no answer, and
//! a failure is the one that its reasons make.

use std::collections::BTreeMap;

use quorate_core::aggregate::{Aggregate, AggregateError, Candidate, Exclusion, Millionths, Spread, Strategy};
use quorate_core::coordinator::{Undelivered, UndeliveredCause};
use quorate_core::id::WorkerId;
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Outcome, Status};
use quorate_core::value::Value;
use quorate_model::aggregate::aggregate_candidates;
use rust_decimal::Decimal;

use super::ledger::{Asking, Fact, Source, Told};
use super::terms::{Policies, Terms, strategy_name};
use super::{Checker, Context};
use crate::event::Event;
use crate::scenario::worker_name;

#[derive(Debug)]
pub(super) struct Aggregation {
    policies: Policies,
    weights: BTreeMap<WorkerId, Millionths>,
    may_cordon: bool,
}

pub(super) fn new(context: &Context<'_>) -> Aggregation {
    let settings = &context.scenario.cluster.settings;
    Aggregation {
        policies: Policies::of_settings(settings),
        weights: settings.weights.iter().map(|(of, weight)| (worker_name(*of), Millionths::new(*weight))).collect(),
        may_cordon: settings.cordon_below.is_some(),
    }
}

/// One outcome to judge.
struct Case<'a> {
    terms: Terms,
    /// What is set of the workers' weights.
    weights: &'a BTreeMap<WorkerId, Millionths>,
    may_cordon: bool,
    asking: &'a Asking,
    outcome: &'a Outcome,
    /// Whether the bus was down at some time while it was in flight.
    bus_was_down: bool,
    /// What the bus said of its task, if it ended by that.
    undelivered: Option<Undelivered>,
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        self.check_all().map_err(|why| format!("{}: {why}; {:?}", self.outcome.request, self.outcome))
    }

    fn check_all(&self) -> Result<(), String> {
        let Outcome { observations, succeeded, strategy, .. } = self.outcome;
        if *strategy != self.terms.rule.strategy {
            return Err(format!("the strategy was to be {}", strategy_name(self.terms.rule.strategy)));
        }
        let values = observations.iter().filter(|observation| observation.observed.is_ok()).count();
        if values != *succeeded as usize {
            return Err(format!("{values} succeeded, not {succeeded}"));
        }
        for observation in observations {
            match (&observation.observed, observation.excluded) {
                (Err(_), Some(_)) => return Err(format!("{} failed and is excluded", observation.worker)),
                (_, Some(Exclusion::Cordoned)) if !self.may_cordon => {
                    return Err(format!("{} is cordoned, but nobody is to be", observation.worker));
                }
                _ => {}
            }
            self.check_weight(observation)?;
        }
        if self.outcome.cause == Cause::Undelivered {
            return self.check_undelivered();
        }
        let (judged, candidates): (Vec<&Observation>, Vec<Candidate<'_>>) =
            observations.iter().filter_map(candidate).unzip();
        let (reference, excluded) = match aggregate_candidates(&self.terms.rule, &candidates) {
            Ok(mut reference) => {
                let excluded = std::mem::take(&mut reference.excluded);
                (Some(reference), excluded)
            }
            Err(AggregateError::NoValues { excluded }) => (None, excluded),
        };
        let useless = |why: &Exclusion| matches!(why, Exclusion::NotANumber | Exclusion::Stale);
        self.check_quorum(candidates.len() - excluded.iter().filter(|(_, why)| useless(why)).count())?;
        let excluded: BTreeMap<usize, Exclusion> = excluded.into_iter().collect();
        for (index, observation) in judged.into_iter().enumerate() {
            let excluded = excluded.get(&index).copied();
            if observation.excluded != excluded {
                return Err(format!("{} was to be excluded for {excluded:?}", observation.worker));
            }
        }
        match &self.outcome.verdict {
            Ok(answer) => self.check_answer(answer, reference.as_ref()),
            Err(failure) => self.check_failure(*failure, reference.as_ref()),
        }
    }

    /// A value has a weight where weights are used: the one that is set, or the worker's score, which is judged elsewhere.
    fn check_weight(&self, observation: &Observation) -> Result<(), String> {
        let is_used = self.terms.rule.strategy == Strategy::WeightedMedian && observation.observed.is_ok();
        let set = self.weights.get(&observation.worker).copied().unwrap_or(Millionths::ONE);
        let right = match observation.weight {
            None => !is_used,
            Some(weight) if self.weights.is_empty() => is_used && weight <= Millionths::ONE,
            Some(weight) => is_used && weight == set,
        };
        if right { Ok(()) } else { Err(format!("{} weighs {:?}", observation.worker, observation.weight)) }
    }

    fn check_quorum(&self, usable: usize) -> Result<(), String> {
        if self.outcome.cause != Cause::QuorumMet {
            return Ok(());
        }
        match self.terms.quorum {
            Some(quorum) if usable >= quorum as usize && self.outcome.verdict.is_ok() => Ok(()),
            quorum => Err(format!("{usable} are no quorum of {quorum:?}")),
        }
    }

    /// A task that reached nobody, and that nobody answered.
    fn check_undelivered(&self) -> Result<(), String> {
        let cause = match &self.outcome.verdict {
            Err(Failure::NoWorkers) => UndeliveredCause::NoResponders,
            Err(Failure::BusDown) => UndeliveredCause::Disconnected,
            Err(Failure::Overloaded) => UndeliveredCause::QueueFull,
            _ => return Err("a task that reaches nobody fails for that".to_owned()),
        };
        if !self.outcome.observations.is_empty() {
            return Err("a task that reached nobody was answered".to_owned());
        }
        let told = Undelivered { task: self.asking.task, cause };
        if self.undelivered != Some(told) {
            return Err(format!("nobody said that its task was undelivered for {cause:?}"));
        }
        Ok(())
    }

    fn check_answer(&self, answer: &Answer, reference: Option<&Aggregate>) -> Result<(), String> {
        let used = reference.map_or(0, |reference| reference.used);
        let required = self.terms.min_responses;
        let Some(reference) = reference.filter(|_| used >= required as usize) else {
            return Err(format!("{used} values are used, and {required} are required"));
        };
        if !is_written(&answer.value, &reference.value) {
            return Err(format!("the answer was to be {:?}", reference.value));
        }
        if answer.used as usize != used || answer.tie != reference.tie {
            return Err(format!("{used} were to be used, with a tie: {}", reference.tie));
        }
        if answer.agreeing as usize != reference.agreeing {
            return Err(format!("{} were to agree", reference.agreeing));
        }
        if answer.spread.as_ref().map(written) != reference.spread.as_ref().map(written) {
            return Err(format!("the spread was to be {:?}", reference.spread));
        }
        if reference.disputed && self.terms.rejects_disputes {
            return Err("it was to be rejected, since the workers do not agree".to_owned());
        }
        let status = if reference.disputed { Status::Disputed } else { status(self.outcome, used) };
        if answer.status != status {
            return Err(format!("the status was to be {status:?}"));
        }
        Ok(())
    }

    fn check_failure(&self, failure: Failure, reference: Option<&Aggregate>) -> Result<(), String> {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let usable = reference.map_or(0, |reference| count(reference.used));
        let required = self.terms.min_responses;
        if let Some(reference) = reference.filter(|_| usable >= required) {
            if !(reference.disputed && self.terms.rejects_disputes) {
                return Err(format!("{usable} values are enough for an answer"));
            }
            let expected = Failure::Disputed { agreeing: count(reference.agreeing), used: usable };
            return if failure == expected { Ok(()) } else { Err(format!("it was to fail with {expected:?}")) };
        }
        let at_deadline = self.outcome.cause == Cause::DeadlinePassed;
        let without_outage = if usable == 0 && at_deadline {
            Failure::DeadlineExceeded
        } else {
            Failure::InsufficientResponses { usable, required }
        };
        let expected = if at_deadline && self.bus_was_down { Failure::BusDown } else { without_outage };
        if failure == expected {
            return Ok(());
        }
        Err(format!("it was to fail with {expected:?}"))
    }
}

/// A value that may be used.
fn candidate(observation: &Observation) -> Option<(&Observation, Candidate<'_>)> {
    let value = observation.observed.as_ref().ok()?;
    let weight = observation.weight.unwrap_or(Millionths::ONE);
    let candidate = Candidate { weight, age: observation.age, ..Candidate::from(value) };
    let counts = !matches!(observation.excluded, Some(Exclusion::Cordoned | Exclusion::Newcomer));
    counts.then_some((observation, candidate))
}

/// The digits of a decimal, zeros at the end included.
fn digits(number: Decimal) -> (i128, u32) {
    (number.mantissa(), number.scale())
}

/// Whether two values are written in the same way.
fn is_written(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => digits(*a) == digits(*b),
        (a, b) => a == b,
    }
}

/// How a spread is written.
fn written(spread: &Spread) -> [Option<(i128, u32)>; 4] {
    let Spread { min, max, interquartile, mad } = *spread;
    [Some(min), Some(max), interquartile, Some(mad)].map(|number| number.map(digits))
}

/// The status that the share of workers whose values were used gives.
fn status(outcome: &Outcome, used: usize) -> Status {
    let expected = outcome.observations.len() + outcome.missing.len();
    if expected > 0 && used == expected {
        Status::Complete
    } else if used > 0 && 2 * used >= expected {
        Status::Partial
    } else {
        Status::LowReliability
    }
}

impl Checker for Aggregation {
    fn event(&mut self, _: &Event<'_>) -> Result<(), String> {
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        let Told::Answered { source: Source::Ended { asking, is_first: true, undelivered, .. }, outcome, .. } =
            fact.what
        else {
            return Ok(());
        };
        let case = Case {
            terms: self.policies.of(asking.query.as_str()).with(&asking.overrides),
            weights: &self.weights,
            may_cordon: self.may_cordon,
            asking,
            outcome,
            bus_was_down: fact.book.bus_was_down(asking.submitted),
            undelivered: *undelivered,
        };
        case.check()
    }
}

#[cfg(test)]
mod tests;
