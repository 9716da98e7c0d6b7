//! Scores move the right way: each is what the outcomes and contradictions since then make of the one before, and
//! decides alone whose values are cordoned, and what they weigh where no weights are set.
//!
//! What a value says of its worker is what the model says, whether it is used or not. Silence and failures lower no
//! score for a query to which the worker has sent no value, or in less time than the operator's policy gives.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::time::Duration;

use quorate_core::aggregate::{Assessment, Candidate, Exclusion, Millionths};
use quorate_core::coordinator::{Config, Coordinator, Input, Output, Reliability as Record};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Cause, Observation, Outcome};
use quorate_core::policy::Policy;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_model::aggregate::{aggregate_candidates, assess};
use rust_decimal::Decimal;

use super::flights::{Flight, Flights};
use super::hosts::PerHost;
use super::ledger::Map;
use super::{Checker, Context};
use crate::event::{Event, What};
use crate::trace::TraceHash;

/// Full trust, in millionths.
const FULL: u32 = 1_000_000;
/// Every so many passes all workers are looked at.
const ALL_EVERY: u64 = 64;

/// The most orders of events within one pass that are tried.
const MAX_ORDERS: u64 = 10_000;

/// A score after one more event of weight 1/16, rounded away from where it was.
fn after(score: u32, good: bool) -> u32 {
    let goal = if good { FULL } else { 0 };
    let way = score.abs_diff(goal);
    let step = way / 16 + u32::from(!way.is_multiple_of(16));
    if good { score + step } else { score - step }
}

/// What a worker's record was when it was last seen.
#[derive(Clone, Copy, Debug)]
struct Known {
    score: u32,
    counts: Counts,
    /// The lowest and the highest score it may have had in this pass.
    low: u32,
    high: u32,
    /// The pass in which it last changed.
    changed_in: u64,
    /// Whether it had a record, and so a place in every answer.
    proven: bool,
    /// Whether it had answered on a reply subject, so that what came on the other subject did not count.
    direct: bool,
}

impl Known {
    /// It changes in this pass, from what it was before.
    fn changes_in(&mut self, pass: u64) {
        if self.changed_in != pass {
            (self.low, self.high, self.changed_in) = (self.score, self.score, pass);
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    successes: u64,
    failures: u64,
    timeouts: u64,
    late: u64,
    outliers: u64,
    equivocations: u64,
}

impl From<&Record> for Counts {
    fn from(record: &Record) -> Self {
        let Record { successes, failures, timeouts, late, outliers, equivocations, .. } = *record;
        Self { successes, failures, timeouts, late, outliers, equivocations }
    }
}

/// What happened to a worker in one pass.
#[derive(Debug, Default)]
struct Touched {
    values: u64,
    failures: u64,
    /// Whether an answer came on a reply subject, after which others may not count.
    is_direct: bool,
    /// The requests in which it may have contradicted itself: both answers came on the reply subject.
    contradictions: Vec<RequestId>,
    /// How its part in each request that ended was judged, in order; `None` if it may have been blamed or not.
    judged: Vec<Option<bool>>,
    outliers: u64,
    timeouts: u64,
    perhaps_timeouts: u64,
    /// Whether some value of its was held against what cannot be told here.
    is_uncertain: bool,
}

/// A worker's first answer to a request: the scores it may have had then.
#[derive(Debug)]
struct Answered {
    worker: WorkerId,
    low: u32,
    high: u32,
    pass: u64,
    /// The value; `None` of a failure.
    observed: Option<Value>,
    /// Whether a further answer may contradict it: it came on the reply subject, and none has for certain.
    may_be_contradicted: bool,
    /// Whether there may have been no place for it, so that a further answer may be the first that counts.
    is_doubtful: bool,
}

/// What is kept of a request.
#[derive(Debug)]
struct Kept {
    policy: Option<Policy>,
    answered: Vec<Answered>,
}

/// One coordinator.
#[derive(Debug, Default)]
struct Process {
    now: Timestamp,
    pass: u64,
    in_pass: bool,
    bus_up: bool,
    last_down: Option<Timestamp>,
    /// When it was last found out that the machine had not run for a while, if it was for certain.
    slept_until: Option<Timestamp>,
    /// When it may have been found out: nothing was heard of the machine for so long.
    perhaps_slept_until: Option<Timestamp>,
    /// Whether the bus went or came in this pass, so that an outcome may have been before or after it.
    bus_changed: bool,
    /// When each worker last said that it leaves.
    farewells: Map<WorkerId, Timestamp>,
    known: Map<WorkerId, Known>,
    touched: Map<WorkerId, Touched>,
    flights: Flights<Kept>,
    /// To which queries each worker has sent a value in time, or may have.
    queries: Map<WorkerId, Vec<Query>>,
    /// The first answers of this pass.
    answered: Vec<(RequestId, WorkerId)>,
    /// Who was ever heard of. Beyond the number that is kept, some may have had to make room and begun anew.
    names: HashSet<WorkerId, BuildHasherDefault<TraceHash>>,
}

/// Watches the records of all workers.
pub(super) struct Reliability {
    config: Config,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Reliability {
    Reliability { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

impl Process {
    fn time(&mut self, config: &Config, now: Timestamp) {
        let now = self.now.max(now);
        if now.since(self.now) > config.max_lag {
            self.perhaps_slept_until = Some(now);
        }
        self.now = now;
        if !self.in_pass {
            self.in_pass = true;
            self.pass += 1;
        }
    }

    fn hear(&mut self, worker: &WorkerId) {
        if !self.names.contains(worker) {
            self.names.insert(worker.clone());
        }
    }

    fn is_crowded(&self, config: &Config) -> bool {
        let is_tight = config.max_in_flight_bytes < Config::default().max_in_flight_bytes;
        is_tight || self.names.len() > config.limits.max_workers as usize
    }

    fn input(&mut self, config: &Config, input: &Input) {
        match input {
            Input::Result(result) => self.hear(&result.worker),
            Input::Presence(presence) => self.hear(&presence.worker),
            _ => {}
        }
        match input {
            Input::Submit(submit) => {
                let policy = config.policy_of(&submit.query).with(&submit.overrides, &config.limits);
                self.flights.submitted(self.now, submit, Kept { policy: policy.ok(), answered: Vec::new() });
            }
            Input::Result(result) => {
                let touched = touch(&mut self.touched, &result.worker);
                *(if result.observed.is_ok() { &mut touched.values } else { &mut touched.failures }) += 1;
                let Some(flight) = self.flights.get(&result.request) else { return };
                if result.task.is_some_and(|task| task != flight.task) {
                    return;
                }
                touched.is_direct |= result.task.is_some();
                let may_be_astray = result.task.is_none() && touched.is_direct;
                let known = self.known.get(&result.worker);
                if result.task.is_none() && known.is_some_and(|known| known.direct) {
                    return;
                }
                let (low, high) = match known {
                    Some(known) if known.changed_in == self.pass => (known.low, known.high),
                    Some(known) => (known.score, known.score),
                    None => (FULL, FULL),
                };
                let first = flight.kept.answered.iter_mut().find(|answered| answered.worker == result.worker);
                if let Some(first) = first {
                    let differs = match (&first.observed, &result.observed) {
                        (Some(first), Ok(second)) => first != second,
                        (None, Err(_)) => false,
                        _ => true,
                    };
                    let is_new = !touched.contradictions.contains(&result.request);
                    let may_contradict = first.is_doubtful || (first.may_be_contradicted && differs);
                    if result.task.is_some() && may_contradict && is_new {
                        touched.contradictions.push(result.request.clone());
                    }
                    if first.is_doubtful {
                        (first.low, first.high) = (first.low.min(low), first.high.max(high));
                        (first.pass, first.may_be_contradicted) = (self.pass, true);
                        self.answered.push((result.request.clone(), result.worker.clone()));
                        if result.observed.is_ok() {
                            has_answered(&mut self.queries, &result.worker, &flight.query);
                        }
                    }
                    return;
                }
                let (worker, may_be_contradicted) = (result.worker.clone(), result.task.is_some());
                let observed = result.observed.as_ref().ok().cloned();
                if result.observed.is_ok() {
                    has_answered(&mut self.queries, &result.worker, &flight.query);
                }
                flight.kept.answered.push(Answered {
                    worker,
                    low,
                    high,
                    pass: self.pass,
                    observed,
                    may_be_contradicted,
                    is_doubtful: may_be_astray || known.is_none_or(|known| !known.proven),
                });
                self.answered.push((result.request.clone(), result.worker.clone()));
            }
            Input::Presence(presence) if presence.state != quorate_core::coordinator::PresenceState::Live => {
                self.farewells.insert(presence.worker.clone(), self.now);
            }
            Input::BusUp => {
                self.bus_up = true;
                self.bus_changed = true;
            }
            Input::BusDown => {
                self.bus_up = false;
                self.bus_changed = true;
                self.last_down = Some(self.now);
            }
            Input::Cancel(_) | Input::Undelivered(_) | Input::Presence(_) | Input::Drain => {}
        }
    }

    fn output(&mut self, config: &Config, output: &Output) -> Result<(), String> {
        match output {
            Output::Publish(task) if task.attempt == 1 => {
                self.flights.asked(task);
                Ok(())
            }
            Output::Answer { .. } => match self.flights.answered(output) {
                Some((flight, outcome)) => self.ended(config, &flight, outcome),
                None => Ok(()),
            },
            Output::Publish(_) | Output::CallWorkers | Output::Ended(_) | Output::Drained => Ok(()),
        }
    }

    /// Whether a worker may be held to a request that it failed or was silent on.
    fn may_be_held(&self, config: &Config, flight: &Flight<Kept>, worker: &WorkerId) -> bool {
        let gives_time = flight.deadline.since(flight.submitted) >= config.policy_of(&flight.query).timeout;
        gives_time && self.queries.get(worker).is_some_and(|queries| queries.contains(&flight.query))
    }

    fn ended(&mut self, config: &Config, flight: &Flight<Kept>, outcome: &Outcome) -> Result<(), String> {
        if outcome.cause == Cause::DeadlinePassed {
            let end = flight.submitted.after(outcome.elapsed);
            if end.since(flight.deadline) > config.max_lag {
                self.slept_until = Some(end);
            }
            let since = |at: Option<Timestamp>| at.is_some_and(|at| at >= flight.submitted);
            let bus_failed = !self.bus_up || since(self.last_down) || since(self.slept_until);
            let perhaps_failed = self.bus_changed || since(self.perhaps_slept_until);
            for worker in &outcome.missing {
                let left = self.farewells.get(worker).is_some_and(|at| *at >= flight.submitted);
                if left || perhaps_failed || !bus_failed {
                    // An answer of the same pass may have come before that or after it.
                    let pass = self.pass;
                    if let Some(known) = self.known.get_mut(worker) {
                        known.changes_in(pass);
                        known.low = after(known.low, false);
                    }
                }
                let may_be_held = self.may_be_held(config, flight, worker);
                let touched = touch(&mut self.touched, worker);
                if bus_failed && !self.bus_changed {
                    // Nobody is blamed.
                } else if left || perhaps_failed {
                    touched.perhaps_timeouts += 1;
                    if may_be_held {
                        touched.judged.push(None);
                    }
                } else {
                    touched.timeouts += 1;
                    if may_be_held {
                        touched.judged.push(None);
                    }
                }
            }
        }
        let crowded = self.is_crowded(config);
        let by_score = config.weights.is_empty();
        let below = config.cordon_below.map(quorate_core::coordinator::Score::millionths);
        let assessed = assessments(flight.kept.policy.as_ref(), config.policy_of(&flight.query), outcome);
        for (index, observation) in outcome.observations.iter().enumerate() {
            if observation.observed.is_ok()
                && !crowded
                && let Some(answered) =
                    flight.kept.answered.iter().find(|answered| answered.worker == observation.worker)
            {
                let (mut low, mut high) = (answered.low, answered.high);
                if answered.pass == self.pass {
                    if let Some(known) =
                        self.known.get(&observation.worker).filter(|known| known.changed_in == self.pass)
                    {
                        (low, high) = (low.min(known.low), high.max(known.high));
                    }
                    // What else it said in this pass may have contradicted itself.
                    let said = touch(&mut self.touched, &observation.worker);
                    if said.values + said.failures > 1 {
                        low = 0;
                    }
                }
                if let Some(weight) = observation.weight.filter(|_| by_score)
                    && !(u64::from(low)..=u64::from(high)).contains(&weight.get())
                {
                    return Err(format!(
                        "{} weighs {weight} in {} with a score of {low} to {high}",
                        observation.worker, outcome.request
                    ));
                }
                let cordoned = observation.excluded == Some(Exclusion::Cordoned);
                let may_be = below.is_some_and(|below| low < below);
                let must_be = below.is_some_and(|below| high < below);
                if (cordoned && !may_be) || (!cordoned && must_be) {
                    let was = if cordoned { "is cordoned" } else { "is not cordoned" };
                    return Err(format!(
                        "{} {was} in {} with a score of {low} to {high}",
                        observation.worker, outcome.request
                    ));
                }
            }
            let may_be_held = self.may_be_held(config, flight, &observation.worker);
            let touched = touch(&mut self.touched, &observation.worker);
            match (&observation.observed, assessed.as_ref().map(|assessed| assessed[index])) {
                (Err(_), _) => touched.judged.extend(may_be_held.then_some(None)),
                (Ok(_), Ok(Assessment::Good)) => touched.judged.push(Some(true)),
                (Ok(_), Ok(Assessment::Neutral)) => {}
                (Ok(_), Ok(Assessment::Bad)) => {
                    touched.outliers += 1;
                    touched.judged.push(Some(false));
                }
                (Ok(_), Err(Uncertain)) => touched.is_uncertain = true,
            }
            if let Some(known) = self.known.get_mut(&observation.worker) {
                known.changes_in(self.pass);
                (known.low, known.high) = (after(known.low, false), after(known.high, true));
            }
        }
        Ok(())
    }

    fn settled(&mut self, config: &Config, machine: &Coordinator) -> Result<(), String> {
        self.flights.settled();
        self.bus_changed = false;
        self.in_pass = false;
        let all = self.pass.is_multiple_of(ALL_EVERY);
        if self.touched.is_empty() && !all {
            return Ok(());
        }
        let crowded = self.is_crowded(config);
        for (worker, found) in machine.workers() {
            let touched = self.touched.remove(worker);
            if touched.is_none() && !all {
                continue;
            }
            let touched = touched.unwrap_or_default();
            let record = &found.reliability;
            let counts = Counts::from(record);
            let before = self.known.get(worker).copied();
            let (score, old) = before.map_or((FULL, Counts::default()), |known| (known.score, known.counts));
            let fine = matches(score, old, &touched, record.score.millionths(), counts);
            // A worker that had to make room and came back begins anew.
            if !fine && !crowded && !touched.is_uncertain {
                return Err(format!(
                    "the record of {worker} was {score} with {old:?} and is {} with {counts:?}, after {touched:?}",
                    record.score.millionths()
                ));
            }
            let score = record.score.millionths();
            let changed_in = if before.is_none_or(|known| known.score != score) {
                self.pass
            } else {
                before.map_or(0, |known| known.changed_in)
            };
            let contradicted = counts.equivocations != old.equivocations;
            if counts.equivocations.saturating_sub(old.equivocations) == touched.contradictions.len() as u64 {
                // At most once in one request.
                for request in &touched.contradictions {
                    let flight = self.flights.get(request);
                    let mine =
                        flight.and_then(|of| of.kept.answered.iter_mut().find(|answered| answered.worker == *worker));
                    if let Some(answered) = mine {
                        answered.may_be_contradicted = false;
                    }
                }
            }
            let (low, high) = match before {
                _ if contradicted => (0, FULL),
                Some(known) if known.changed_in == self.pass => (known.low.min(score), known.high.max(score)),
                Some(known) => (known.score.min(score), known.score.max(score)),
                None => (score.min(FULL), FULL),
            };
            let (proven, direct) = (found.proven, found.answers_directly);
            self.known.insert(worker.clone(), Known { score, counts, low, high, changed_in, proven, direct });
        }
        // An answer may have come before or after whatever else changed its worker's score in the same pass.
        for (request, worker) in self.answered.drain(..) {
            if let Some(known) = self.known.get(&worker).filter(|known| known.changed_in == self.pass)
                && let Some(flight) = self.flights.get(&request)
            {
                for answered in flight.kept.answered.iter_mut().filter(|answered| answered.worker == worker) {
                    (answered.low, answered.high) = (answered.low.min(known.low), answered.high.max(known.high));
                }
            }
        }
        // Who is left is not known to the machine.
        for (worker, _) in self.touched.drain() {
            self.known.remove(&worker);
        }
        let counters = machine.counters();
        if all && !crowded {
            let sums = machine.workers().fold((0, 0), |(answers, equivocal), (_, worker)| {
                let record = &worker.reliability;
                (answers + record.successes + record.failures, equivocal + record.equivocations)
            });
            let counted = (counters.results_accepted, counters.results_equivocal);
            if sums != counted {
                return Err(format!("the records add up to {sums:?} answers and contradictions, of {counted:?}"));
            }
            // Those of strangers are in nobody's record.
            let late: u64 = machine.workers().map(|(_, worker)| worker.reliability.late).sum();
            if late > counters.results_late {
                return Err(format!("the records add up to {late} late results, of {}", counters.results_late));
            }
        }
        Ok(())
    }
}

/// A worker has sent a value to a query, or may have.
fn has_answered(queries: &mut Map<WorkerId, Vec<Query>>, worker: &WorkerId, query: &Query) {
    let queries = queries.entry(worker.clone()).or_default();
    if !queries.contains(query) {
        queries.push(query.clone());
    }
}

/// Whether a record may have become another by what happened.
fn matches(score: u32, old: Counts, touched: &Touched, new_score: u32, new: Counts) -> bool {
    let answers = touched.values + touched.failures;
    let grown = |new: u64, old: u64| new.checked_sub(old);
    let (Some(successes), Some(failures), Some(late), Some(timeouts), Some(equivocations)) = (
        grown(new.successes, old.successes),
        grown(new.failures, old.failures),
        grown(new.late, old.late),
        grown(new.timeouts, old.timeouts),
        grown(new.equivocations, old.equivocations),
    ) else {
        return false;
    };
    let counted = successes <= touched.values
        && failures <= touched.failures
        && successes + failures + late + equivocations <= answers
        && equivocations <= touched.contradictions.len() as u64
        && (touched.timeouts..=touched.timeouts + touched.perhaps_timeouts).contains(&timeouts)
        && new.outliers == old.outliers + touched.outliers;
    // There are too many orders to try them all: a burst within one pass is left to the next look.
    let uncertain = touched.judged.iter().filter(|judged| judged.is_none()).count();
    let orders = (touched.judged.len() as u64 + 1)
        .saturating_pow(u32::try_from(equivocations).unwrap_or(u32::MAX))
        .saturating_mul(2_u64.saturating_pow(u32::try_from(uncertain).unwrap_or(u32::MAX)));
    counted && (orders > MAX_ORDERS || reaches(score, &touched.judged, equivocations, new_score))
}

/// Whether a score becomes another by judgements in their order, of which those that are not certain are blame or
/// nothing, with so many contradictions anywhere among them.
fn reaches(score: u32, judged: &[Option<bool>], contradictions: u64, goal: u32) -> bool {
    if contradictions > 0 && reaches(after(score, false), judged, contradictions - 1, goal) {
        return true;
    }
    match judged.split_first() {
        None => contradictions == 0 && score == goal,
        Some((Some(good), rest)) => reaches(after(score, *good), rest, contradictions, goal),
        Some((None, rest)) => {
            reaches(after(score, false), rest, contradictions, goal) || reaches(score, rest, contradictions, goal)
        }
    }
}

/// What cannot be told by an outcome: against which cordoned values the others were held, where no value counted.
struct Uncertain;

/// What the values of an outcome say of their workers: nothing, if a caller had it that not all came that the operator
/// would have waited for.
fn assessments(policy: Option<&Policy>, usual: &Policy, outcome: &Outcome) -> Result<Vec<Assessment>, Uncertain> {
    let policy = policy.ok_or(Uncertain)?;
    let waits = policy.timeout >= usual.timeout && policy.quorum == usual.quorum;
    if policy.rule.max_age != usual.rule.max_age || !(waits || outcome.cause == Cause::AllAnswered) {
        return Ok(vec![Assessment::Neutral; outcome.observations.len()]);
    }
    let rule = &policy.rule;
    let candidate = |observation: &'_ Observation| {
        let weight = observation.weight.unwrap_or(Millionths::ONE);
        observation.observed.as_ref().ok().map(|value| (value.clone(), weight, observation.age))
    };
    let counts =
        |observation: &&Observation| !matches!(observation.excluded, Some(Exclusion::Cordoned | Exclusion::Newcomer));
    let reference: Vec<_> = outcome.observations.iter().filter(counts).filter_map(candidate).collect();
    let reference = candidates(&reference);
    let nothing = Value::Number(Decimal::ZERO);
    let Ok(answer) = aggregate_candidates(rule, &reference) else {
        let is_cordoned = |observation: &Observation| observation.excluded == Some(Exclusion::Cordoned);
        return if outcome.observations.iter().any(is_cordoned) {
            Err(Uncertain)
        } else {
            Ok(vec![Assessment::Neutral; outcome.observations.len()])
        };
    };
    let all: Vec<_> = outcome
        .observations
        .iter()
        .map(|observation| candidate(observation).unwrap_or_else(|| (nothing.clone(), Millionths::ONE, None)))
        .collect();
    Ok(assess(rule, usual.rule.max_deviation, &reference, &answer, &candidates(&all)))
}

fn candidates(values: &[(Value, Millionths, Option<Duration>)]) -> Vec<Candidate<'_>> {
    values
        .iter()
        .map(|(value, weight, age)| Candidate { weight: *weight, age: *age, ..Candidate::from(value) })
        .collect()
}

fn touch<'a>(touched: &'a mut Map<WorkerId, Touched>, worker: &WorkerId) -> &'a mut Touched {
    if !touched.contains_key(worker) {
        touched.insert(worker.clone(), Touched::default());
    }
    touched.get_mut(worker).expect("it was just put there")
}

impl Checker for Reliability {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorInput(..)
            | What::CoordinatorWoken(_)
            | What::CoordinatorOutput(..)
            | What::CoordinatorSettled(..)
            | What::Started { .. } => {}
            _ => return Ok(()),
        }
        let Some(process) = self.processes.get(event.host) else { return Ok(()) };
        let verdict = match event.what {
            What::CoordinatorInput(now, input) => {
                process.time(&self.config, now);
                process.input(&self.config, input);
                Ok(())
            }
            What::CoordinatorWoken(now) => {
                process.time(&self.config, now);
                Ok(())
            }
            What::CoordinatorOutput(_, output) => process.output(&self.config, output),
            What::CoordinatorSettled(_, machine) => process.settled(&self.config, machine),
            _ => {
                *process = Process::default();
                Ok(())
            }
        };
        verdict.map_err(|text| format!("at {}: {text}", event.host))
    }
}

#[cfg(test)]
mod tests;
