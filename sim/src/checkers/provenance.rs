//! Every observation in an outcome was sent by somebody in that worker's name for that request, and received in time.
//!
//! The first result of a worker counts, from when its request was asked to when it was answered; who was expected and
//! is not among them is missing. For a worker without a record there may be no place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::coordinator::{Input, Output, Task, WorkerResult, WorkerState};
use quorate_core::id::{RequestId, TaskId, WorkerId};
use quorate_core::outcome::{Observation, Outcome};
use quorate_core::time::Timestamp;
use quorate_core::value::Value;

use super::ledger::{Map, update};
use super::{Checker, Context};
use crate::event::{self, Age, Body, Event, What};
use crate::host::Host;
use crate::scenario::worker_name;

/// The longest text that a value may be, in bytes: a longer one is a failure of its worker.
const MAX_TEXT_BYTES: usize = 4096;

type Observed = Result<Value, Arc<str>>;

/// What somebody sent in a worker's name, and how old that was said to be.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    worker: WorkerId,
    observed: Observed,
    age: Option<Age>,
}

#[derive(Debug)]
pub(super) struct Provenance {
    admitted: Option<BTreeSet<WorkerId>>,
    max_workers: usize,
    /// Whether what is in flight may weigh so little that answers are not kept.
    is_tight: bool,
    /// What was sent, whoever sent it.
    sent: Map<RequestId, Vec<Sent>>,
    coordinators: BTreeMap<Host, Desk>,
}

/// What came in at one coordinator.
#[derive(Debug, Default)]
struct Desk {
    collecting: Map<RequestId, Collected>,
    /// Everybody who was heard, as far as there is room.
    heard: BTreeSet<WorkerId>,
    /// Who had a record when the coordinator last settled.
    proven: BTreeSet<WorkerId>,
    /// Who had answered on a reply subject then, whose answers on the other subject are not taken.
    direct: BTreeSet<WorkerId>,
    /// Whether more were heard than there is room for.
    is_crowded: bool,
    /// What happened since the coordinator last settled.
    lately: Lately,
}

#[derive(Debug, Default)]
struct Lately {
    /// When somebody asked, if anybody did.
    submitted: Option<Timestamp>,
    /// What came in after that.
    results: Vec<WorkerResult>,
    /// What was asked of the workers.
    asked: Vec<RequestId>,
    /// What answers came in for.
    answered: Vec<RequestId>,
    /// Who may have answered on a reply subject for the first time.
    direct: BTreeSet<WorkerId>,
    /// Whether anything was heard of workers, so that it can't be told who was live before.
    heard: bool,
}

/// What came in for one request.
#[derive(Debug)]
struct Collected {
    task: TaskId,
    received: Vec<Received>,
    /// The live workers when it was asked, if that can be told.
    expected: Option<Vec<WorkerId>>,
}

#[derive(Debug)]
struct Received {
    worker: WorkerId,
    observed: Observed,
    response_time: Duration,
    age: Option<Duration>,
    when: When,
    /// Whether the worker had a record, so that there was a place for it.
    has_place: bool,
}

/// When something came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// Since the coordinator last settled, perhaps before it was told that the request was asked, or not to be taken.
    Early,
    /// Since the coordinator last settled: perhaps after the end of the request.
    Lately,
    /// Before that.
    InTime,
}

pub(super) fn new(context: &Context<'_>) -> Provenance {
    let settings = &context.scenario.cluster.settings;
    Provenance {
        admitted: settings.admitted.as_ref().map(|names| names.iter().map(|name| worker_name(*name)).collect()),
        max_workers: settings.max_workers as usize,
        is_tight: settings.knobs.max_in_flight_bytes.is_some(),
        sent: Map::default(),
        coordinators: BTreeMap::new(),
    }
}

impl Received {
    fn new(result: &WorkerResult, when: When, proven: &BTreeSet<WorkerId>) -> Self {
        Self {
            worker: result.worker.clone(),
            observed: result.observed.clone(),
            response_time: result.response_time,
            age: result.age,
            when,
            has_place: proven.contains(&result.worker),
        }
    }

    fn is(&self, observation: &Observation) -> bool {
        self.worker == observation.worker
            && self.response_time == observation.response_time
            && self.age == observation.age
            && self.observed == observation.observed
    }
}

impl Collected {
    /// Whether a worker was expected, as far as that is known.
    fn is_expected(&self, worker: &WorkerId) -> bool {
        self.expected.as_ref().is_some_and(|expected| expected.contains(worker))
    }

    /// Takes a result. Where there may have been no room or no place for the first of a worker, any counts.
    fn take(&mut self, result: &WorkerResult, when: When, is_crowded: bool, proven: &BTreeSet<WorkerId>) -> bool {
        let is_for_this = result.task.is_none_or(|task| task == self.task);
        let of_it = |received: &&Received| received.worker == result.worker && received.when != When::Early;
        let is_expected = self.is_expected(&result.worker);
        let is_first = !self.received.iter().filter(of_it).any(|received| received.has_place || is_expected);
        let counts = is_for_this && (is_first || is_crowded);
        if counts {
            self.received.push(Received::new(result, when, proven));
        }
        counts
    }

    /// Holds what an outcome lists against what came in. `is_crowded`: there may have been no room for somebody.
    fn check(&self, outcome: &Outcome, is_crowded: bool) -> Result<(), String> {
        for observation in &outcome.observations {
            if !self.received.iter().any(|received| received.is(observation)) {
                return Err(format!("{observation:?} is not what came in first of that worker, if anything did"));
            }
        }
        if is_crowded {
            return Ok(());
        }
        let is_listed = |worker: &WorkerId| outcome.observations.iter().any(|listed| listed.worker == *worker);
        let mut is_over = false;
        for received in self.received.iter().filter(|received| received.when != When::Early) {
            match (is_listed(&received.worker), received.when) {
                (true, _) if is_over => {
                    return Err(format!("what {} said is listed, and what came before is not", received.worker));
                }
                (true, _) => {}
                (false, _) if !received.has_place && !self.is_expected(&received.worker) => {}
                (false, When::InTime) => return Err(format!("what {} said is not listed", received.worker)),
                (false, _) => is_over = true,
            }
        }
        if let Some(expected) = &self.expected {
            let missing: Vec<&WorkerId> = expected.iter().filter(|worker| !is_listed(worker)).collect();
            if !missing.iter().copied().eq(&outcome.missing) {
                return Err(format!("{missing:?} are missing, not {:?}", outcome.missing));
            }
        }
        Ok(())
    }
}

impl Desk {
    fn result(&mut self, result: &WorkerResult) {
        if self.lately.submitted.is_some() {
            self.lately.results.push(result.clone());
        }
        // Else it cannot be told whether it is taken.
        let mut when = When::Lately;
        if result.task.is_some() {
            self.lately.direct.insert(result.worker.clone());
        } else if self.direct.contains(&result.worker) {
            return;
        } else if self.lately.direct.contains(&result.worker) {
            when = When::Early;
        }
        if let Some(collected) = self.collecting.get_mut(&result.request)
            && collected.take(result, when, self.is_crowded, &self.proven)
        {
            self.lately.answered.push(result.request.clone());
        }
    }

    fn asked(&mut self, task: &Task) {
        let early = self
            .lately
            .results
            .iter()
            .filter(|result| result.request == task.request && result.task.is_none_or(|of| of == task.id));
        let received = early.map(|result| Received::new(result, When::Early, &self.proven)).collect();
        self.collecting.insert(task.request.clone(), Collected { task: task.id, received, expected: None });
        self.lately.asked.push(task.request.clone());
    }

    fn settled(&mut self, now: Timestamp, machine: &Coordinator) {
        let lately = &mut self.lately;
        // Nothing that was heard came between the asking and now: whoever is live now was live then.
        if !lately.asked.is_empty() && !lately.heard && lately.submitted == Some(now) {
            let is_live = |state| state == WorkerState::Live;
            let live = || machine.workers().filter(|(_, worker)| is_live(worker.state));
            let proven = live().filter(|(_, worker)| worker.proven).count();
            let live: Vec<WorkerId> = live().map(|(id, _)| id.clone()).collect();
            // Else some of those without a record are expected, and it is not told here who.
            let is_everybody = machine.workers().all(|(_, worker)| !worker.proven) || live.len() == proven;
            for request in lately.asked.iter().filter(|_| is_everybody) {
                if let Some(collected) = self.collecting.get_mut(request) {
                    collected.expected = Some(live.clone());
                }
            }
        }
        for request in lately.answered.drain(..).chain(lately.asked.drain(..)) {
            if let Some(collected) = self.collecting.get_mut(&request) {
                for received in collected.received.iter_mut().filter(|received| received.when == When::Lately) {
                    received.when = When::InTime;
                }
            }
        }
        if lately.heard || !self.collecting.is_empty() {
            update(&mut self.proven, machine, |worker| worker.proven);
            update(&mut self.direct, machine, |worker| worker.answers_directly);
            lately.direct.clear();
        }
        lately.results.clear();
        (lately.submitted, lately.heard) = (None, false);
        // What was cancelled ends without a word.
        if machine.in_flight() == 0 && !self.collecting.is_empty() {
            self.collecting.clear();
        }
    }
}

impl Provenance {
    fn input(&mut self, host: Host, now: Timestamp, input: &Input) {
        let desk = self.coordinators.entry(host).or_default();
        desk.is_crowded |= self.is_tight;
        let is_admitted = |worker: &WorkerId| self.admitted.as_ref().is_none_or(|names| names.contains(worker));
        let worker = match input {
            Input::Submit(_) => {
                // Several at once are told apart by nothing but their times.
                let same = desk.lately.submitted.is_none_or(|submitted| submitted == now);
                desk.lately.submitted = Some(if same { now } else { Timestamp::MAX });
                return;
            }
            Input::Result(result) => &result.worker,
            Input::Presence(presence) => &presence.worker,
            _ => return,
        };
        desk.lately.heard = true;
        if !is_admitted(worker) {
            return;
        }
        if !desk.is_crowded && !desk.heard.contains(worker) {
            desk.is_crowded = desk.heard.len() >= self.max_workers;
            desk.heard.insert(worker.clone());
        }
        if let Input::Result(result) = input {
            desk.result(result);
        }
    }

    fn sent(&mut self, result: &event::WorkerResult) {
        let event::WorkerResult { worker, observed, age, .. } = result.clone();
        let sent = Sent { worker, observed, age };
        let all = self.sent.entry(result.request.clone()).or_default();
        if !all.contains(&sent) {
            all.push(sent);
        }
    }

    fn answered(&mut self, host: Host, outcome: &Outcome) -> Result<(), String> {
        let Some(desk) = self.coordinators.get_mut(&host) else { return Ok(()) };
        // Others who waited for it, and those who ask again, are told the same.
        let Some(collected) = desk.collecting.remove(&outcome.request) else { return Ok(()) };
        let is_crowded = desk.is_crowded;
        let check = || {
            check_order(outcome)?;
            collected.check(outcome, is_crowded)?;
            for observation in &outcome.observations {
                let sent = self.sent.get(&outcome.request).map_or(&[][..], Vec::as_slice);
                if !sent.iter().any(|sent| says(sent, observation)) {
                    return Err(format!("nobody sent {observation:?}; sent was {sent:?}"));
                }
            }
            let of = |worker: &&WorkerId| !desk.heard.contains(worker);
            match outcome.missing.iter().find(of) {
                Some(unheard) if !is_crowded => Err(format!("{unheard} is missing, and was never heard")),
                _ => Ok(()),
            }
        };
        check().map_err(|why| format!("{}: {why}; {outcome:?}", outcome.request))
    }
}

/// Each worker is listed once, in order.
fn check_order(outcome: &Outcome) -> Result<(), String> {
    let observed = outcome.observations.iter().map(|observation| &observation.worker);
    if !observed.clone().is_sorted_by(|a, b| a < b) || !outcome.missing.is_sorted_by(|a, b| a < b) {
        return Err("the workers are not listed in order and once".to_owned());
    }
    match observed.clone().find(|worker| outcome.missing.contains(worker)) {
        Some(both) => Err(format!("{both} answered and is missing")),
        None => Ok(()),
    }
}

/// Whether what was sent is what was observed. What is wrong with a value becomes its worker's failure, which has no age,
/// and the words of a failure may be cut.
fn says(sent: &Sent, observation: &Observation) -> bool {
    let same_age = match (sent.age.filter(|_| observation.observed.is_ok()), observation.age) {
        (Some(Age::Stated(sent)), Some(observed)) => sent == observed,
        // When it was read, and by which time of day, another checker watches.
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
        match event.what {
            What::Sent(message) => {
                if let Body::Result(result) = &message.body {
                    self.sent(result);
                }
            }
            What::CoordinatorInput(now, input) => self.input(event.host, now, input),
            What::CoordinatorOutput(_, Output::Publish(task)) if task.attempt == 1 => {
                self.coordinators.entry(event.host).or_default().asked(task);
            }
            What::CoordinatorOutput(_, Output::Answer { reply: Ok(outcome), .. }) => {
                return self.answered(event.host, outcome);
            }
            What::CoordinatorSettled(now, machine) => {
                if let Some(desk) = self.coordinators.get_mut(&event.host) {
                    desk.settled(now, machine);
                }
            }
            What::Started { .. } | What::Crashed => drop(self.coordinators.remove(&event.host)),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
