//! Every observation in an outcome was sent in that worker's name for that request, and the coordinator accepted it;
//! and every result that it accepted for the request is listed.

use std::sync::Arc;

use quorate_core::coordinator::{self, Input, Output, ResultFate, WorkerResult};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Observation, Outcome};
use quorate_core::value::Value;

use crate::checkers::hosts::{Map, PerHost};
use crate::checkers::{Checker, Context};
use crate::event::{self, Age, Body, Event, Message, What};

/// The longest text that a value may be, in bytes. A longer one counts as a failure of its worker.
const MAX_TEXT_BYTES: usize = 4096;

type Observed = Result<Value, Arc<str>>;

/// A result sent in a worker's name, by the worker or by somebody else, with the age that it stated.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    worker: WorkerId,
    observed: Observed,
    age: Option<Age>,
}

#[derive(Debug)]
pub(crate) struct Provenance {
    /// All results that were sent, by any host.
    sent: Map<RequestId, Vec<Sent>>,
    coordinators: PerHost<Process>,
}

/// The results that one coordinator has accepted.
#[derive(Debug, Default)]
struct Process {
    /// By request in flight, each list in order of the workers.
    accepted: Map<RequestId, Vec<WorkerResult>>,
    /// The result that it is handling.
    result: Option<WorkerResult>,
}

pub(crate) fn new(_context: &Context<'_>) -> Provenance {
    Provenance { sent: Map::default(), coordinators: PerHost::new() }
}

impl Process {
    fn event(&mut self, event: &coordinator::Event) {
        match event {
            coordinator::Event::Dispatched { request, .. } => drop(self.accepted.insert(request.clone(), Vec::new())),
            coordinator::Event::Result { request, fate: ResultFate::Accepted, .. } => {
                if let (Some(accepted), Some(result)) = (self.accepted.get_mut(request), self.result.take()) {
                    let place = accepted.partition_point(|other| other.worker < result.worker);
                    accepted.insert(place, result);
                }
            }
            _ => {}
        }
    }

    /// Checks that the observations of an outcome are the accepted results.
    fn ended(&mut self, outcome: &Outcome) -> Result<(), String> {
        let accepted = self.accepted.remove(&outcome.request).unwrap_or_default();
        let is = |(result, observation): (&WorkerResult, &Observation)| {
            result.worker == observation.worker
                && result.observed == observation.observed
                && result.response_time == observation.response_time
                && result.age == observation.age
        };
        if accepted.len() == outcome.observations.len() && accepted.iter().zip(&outcome.observations).all(is) {
            return Ok(());
        }
        Err(format!("the observations are not the accepted results: {accepted:?}"))
    }
}

impl Provenance {
    fn sent(&mut self, result: &event::WorkerResult) {
        let event::WorkerResult { worker, observed, age, .. } = result.clone();
        let sent = Sent { worker, observed, age };
        let all = self.sent.entry(result.request.clone()).or_default();
        if !all.contains(&sent) {
            all.push(sent);
        }
    }

    fn was_sent(&self, request: &RequestId, observation: &Observation) -> Result<(), String> {
        let sent = self.sent.get(request).map_or(&[][..], Vec::as_slice);
        if sent.iter().any(|sent| says(sent, observation)) {
            return Ok(());
        }
        Err(format!("nobody sent {observation:?}; these were sent: {sent:?}"))
    }
}

/// Checks that each worker is listed once, in order.
fn check_order(outcome: &Outcome) -> Result<(), String> {
    let observed = outcome.observations.iter().map(|observation| &observation.worker);
    if !observed.clone().is_sorted_by(|a, b| a < b) || !outcome.missing.is_sorted_by(|a, b| a < b) {
        return Err("workers are listed out of order or more than once".to_owned());
    }
    match observed.clone().find(|worker| outcome.missing.contains(worker)) {
        Some(both) => Err(format!("{both} is listed as answered and as missing")),
        None => Ok(()),
    }
}

/// Whether an observation may come from a sent result. An invalid value becomes a failure of its worker, which has no
/// age, and the text of a failure may be cut.
fn says(sent: &Sent, observation: &Observation) -> bool {
    let same_age = match (sent.age.filter(|_| observation.observed.is_ok()), observation.age) {
        (Some(Age::Stated(sent)), Some(observed)) => sent == observed,
        // The checker `wire` knows when it was read, and by which time of day.
        (Some(Age::ObservedAt(_)), Some(_)) | (None, None) => true,
        _ => false,
    };
    sent.worker == observation.worker && same_age && is_observed(&sent.observed, &observation.observed)
}

fn is_observed(sent: &Observed, observed: &Observed) -> bool {
    match (sent, observed) {
        (Ok(sent), Ok(observed)) => sent == observed,
        (Ok(Value::Text(sent)), Err(_)) => sent.len() > MAX_TEXT_BYTES,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        (Err(sent), Err(observed)) => {
            let of_the_value = observed.starts_with("value ") || observed.as_ref() == "no value";
            sent.starts_with(observed.as_ref()) && !observed.is_empty()
                || of_the_value
                || (sent.is_empty() && observed.as_ref() == "failed")
        }
    }
}

impl Checker for Provenance {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if let What::Sent(Message { body: Body::Result(result), .. }) = event.what {
            self.sent(result);
            return Ok(());
        }
        let Some(process) = self.coordinators.get(event.host) else { return Ok(()) };
        match event.what {
            What::CoordinatorInput(_, Input::Result(result)) => process.result = Some(result.clone()),
            What::CoordinatorOutput(_, Output::Event(event)) => process.event(event),
            What::CoordinatorOutput(_, Output::Ended(outcome)) => {
                let checked = check_order(outcome).and_then(|()| process.ended(outcome)).and_then(|()| {
                    outcome.observations.iter().try_for_each(|observation| self.was_sent(&outcome.request, observation))
                });
                return checked.map_err(|why| format!("{}: {why}; {outcome:?}", outcome.request));
            }
            What::CoordinatorSettled(_, machine) => {
                process.result = None;
                // A cancelled request ends without an output.
                if machine.in_flight() == 0 {
                    process.accepted.clear();
                }
            }
            What::Started { .. } => *process = Process::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
