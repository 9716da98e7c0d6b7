//! Who has left, or has not been heard for the presence time, is not expected; who was heard and did not leave is.
//!
//! A late result makes no worker known, and no result extends the time of a farewell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Config, Coordinator, Input, Output, Presence as Announcement, PresenceState};
use quorate_core::coordinator::{Worker as Found, WorkerState};
use quorate_core::id::WorkerId;
use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;

use super::flights::{Flight, Flights};
use super::hosts::PerHost;
use super::{Checker, Context};
use crate::event::{Event, What};

/// Every so many passes all workers are looked at.
const ALL_EVERY: u64 = 32;

/// What a coordinator should know of a worker.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each holds or not, whatever the others do")]
struct Known {
    state: WorkerState,
    announced: bool,
    replicated: bool,
    last_heard: Timestamp,
    /// Whether it had a record when the machine settled last.
    proven: bool,
    /// The processes that are live, and when each said so last.
    instances: Vec<(Arc<str>, Timestamp)>,
    /// The pass in which it last announced anything.
    announced_in: u64,
    /// Whether it may have processes that are not among the instances.
    vague: bool,
}

/// The workers that a request expects.
#[derive(Clone, Debug)]
struct Expected {
    live: Arc<Vec<WorkerId>>,
    /// Of these, whom it expects for certain: those that have a record, or all if nobody has one.
    must: Arc<Vec<WorkerId>>,
    /// Those of whom it was not certain then.
    unsure: Arc<Vec<WorkerId>>,
}

/// A result that came.
#[derive(Debug)]
struct Heard {
    worker: WorkerId,
    at: Timestamp,
    /// Whether its request may have been in flight, so that it may have made its worker known.
    may_join: bool,
}

/// One coordinator.
#[derive(Debug, Default)]
struct Process {
    now: Timestamp,
    /// The number of this pass.
    pass: u64,
    known: BTreeMap<WorkerId, Known>,
    /// Nobody's presence ends before this.
    next_expiry: Option<Timestamp>,
    /// Who must be looked at when the machine settles.
    touched: Vec<WorkerId>,
    /// The results of this pass.
    results: Vec<Heard>,
    /// Nobody's presence ends before this, since the machine could hear nobody.
    spared_until: Timestamp,
    /// The results so far by which the machine says that it heard somebody.
    heard: u64,
    /// The results and announcements so far of workers that are not admitted, or have no place.
    unadmitted: u64,
    unsure: Arc<Vec<WorkerId>>,
    /// Who is live, as long as it holds.
    live: Option<Arc<Vec<WorkerId>>>,
    flights: Flights<Expected>,
}

/// Watches who is expected.
pub(super) struct Presence {
    config: Config,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Presence {
    Presence { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

impl Process {
    fn time(&mut self, config: &Config, now: Timestamp) {
        self.now = self.now.max(now);
        if self.next_expiry.is_some_and(|at| at <= self.now) {
            self.expiry(config.presence);
            if self.next_expiry.is_some_and(|at| self.now.since(at) > config.max_lag) {
                self.spared_until = self.now.after(config.max_lag);
            }
            for (id, worker) in &mut self.known {
                let expiry = worker.last_heard.after(config.presence).max(self.spared_until);
                if worker.state != WorkerState::Expired && expiry <= self.now {
                    worker.state = WorkerState::Expired;
                    worker.instances.clear();
                    worker.vague = false;
                    self.touched.push(id.clone());
                }
            }
            self.live = None;
            self.expiry(config.presence);
        }
    }

    fn expiry(&mut self, presence: Duration) {
        let present = self.known.values().filter(|worker| worker.state != WorkerState::Expired);
        let expiry = |worker: &Known| worker.last_heard.after(presence).max(self.spared_until);
        self.next_expiry = present.map(expiry).min();
    }

    fn input(&mut self, config: &Config, input: &Input) {
        let admits = |worker: &WorkerId| config.admitted.as_ref().is_none_or(|admitted| admitted.contains(worker));
        match input {
            Input::Submit(submit) => {
                let expected =
                    Expected { live: self.live(), must: self.must(config), unsure: Arc::clone(&self.unsure) };
                self.flights.submitted(self.now, submit, expected);
            }
            Input::Result(result) if admits(&result.worker) => {
                let may_join = self.flights.may_have(&result.request);
                self.results.push(Heard { worker: result.worker.clone(), at: self.now, may_join });
                // A worker that is gone may have been displaced, and begins again.
                let crowded = self.is_crowded(config);
                let begins =
                    |worker: &Known| worker.state == WorkerState::Expired || (crowded && worker.may_make_room());
                if self.known.get(&result.worker).map_or(may_join, begins) {
                    self.doubt(&result.worker);
                }
            }
            Input::Presence(presence) if admits(&presence.worker) => self.announced(config, presence),
            _ => {}
        }
    }

    /// Whether there may be no room for a further worker.
    fn is_crowded(&self, config: &Config) -> bool {
        self.known.len() + self.unsure.len() >= config.limits.max_workers as usize
    }

    /// It can't be told whether a worker is live until the machine settles.
    fn doubt(&mut self, worker: &WorkerId) {
        if !self.unsure.contains(worker) {
            Arc::make_mut(&mut self.unsure).push(worker.clone());
        }
    }

    fn announced(&mut self, config: &Config, presence: &Announcement) {
        let crowded = self.is_crowded(config);
        // While nobody has a record, every new name is taken.
        let is_rated = !self.flights.is_empty() || self.known.values().any(|known| known.proven);
        match self.known.get_mut(&presence.worker) {
            None if presence.state == PresenceState::Left => {
                // A result in the same pass may have made it known.
                if self.results.iter().any(|heard| heard.worker == presence.worker) {
                    self.doubt(&presence.worker);
                }
                return;
            }
            // There may be no room for it, or too many names may be new.
            None if crowded || is_rated => {
                self.doubt(&presence.worker);
                return;
            }
            // It may have had to make room for somebody.
            Some(worker) if crowded && worker.may_make_room() => {
                worker.vague = true;
                self.doubt(&presence.worker);
            }
            _ => {}
        }
        let now = self.now;
        self.touched.push(presence.worker.clone());
        self.live = None;
        self.next_expiry =
            Some(self.next_expiry.map_or(now.after(config.presence), |at| at.min(now.after(config.presence))));
        let worker = self.known.entry(presence.worker.clone()).or_insert(Known {
            state: WorkerState::Live,
            announced: true,
            replicated: presence.replicated,
            last_heard: now,
            instances: Vec::new(),
            announced_in: self.pass,
            proven: false,
            vague: false,
        });
        worker.announced = true;
        worker.announced_in = self.pass;
        worker.replicated = presence.replicated;
        worker.last_heard = now;
        worker.instances.retain(|(_, heard)| heard.after(config.presence).max(self.spared_until) > now);
        let place = worker.instances.iter().position(|(instance, _)| *instance == presence.instance);
        if presence.state == PresenceState::Live {
            match place {
                Some(place) => worker.instances[place].1 = now,
                None if worker.instances.len() < config.max_instances => {
                    worker.instances.push((Arc::clone(&presence.instance), now));
                }
                None => {}
            }
            worker.state = WorkerState::Live;
            return;
        }
        if let Some(place) = place {
            worker.instances.swap_remove(place);
        }
        if worker.vague {
            self.doubt(&presence.worker);
            return;
        }
        // While another process of the name is live, the farewell of one changes nothing.
        if worker.instances.is_empty() {
            worker.state =
                if presence.state == PresenceState::Left { WorkerState::Left } else { WorkerState::Draining };
        }
    }

    fn live(&mut self) -> Arc<Vec<WorkerId>> {
        let known = &self.known;
        let live = self.live.get_or_insert_with(|| {
            let live = known.iter().filter(|(_, worker)| worker.state == WorkerState::Live);
            Arc::new(live.map(|(id, _)| id.clone()).collect())
        });
        Arc::clone(live)
    }

    fn must(&mut self, config: &Config) -> Arc<Vec<WorkerId>> {
        let live = self.live();
        let proven: Vec<WorkerId> = live.iter().filter(|id| self.known[*id].proven).cloned().collect();
        // What has happened in this pass may have earned somebody a record, or made somebody go.
        let founds = self.known.values().all(|known| !known.proven) && !self.is_crowded(config);
        if founds && self.results.is_empty() && self.flights.is_empty() {
            return live;
        }
        Arc::new(proven)
    }

    fn output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Publish(task) if task.attempt == 1 => {
                self.flights.asked(task);
                Ok(())
            }
            Output::Answer { .. } => match self.flights.answered(output) {
                Some((flight, outcome)) => ended(&flight, outcome),
                None => Ok(()),
            },
            Output::Publish(_) | Output::CallWorkers | Output::Ended(_) | Output::Drained => Ok(()),
        }
    }

    fn settled(&mut self, config: &Config, machine: &Coordinator) -> Result<(), String> {
        let verdict = self.look(config, machine);
        self.pass += 1;
        verdict
    }

    /// Learns who has a record.
    fn learn_records(&mut self, machine: &Coordinator) {
        let found = machine.workers().map(|(id, worker)| (id, worker.proven));
        let mut found = found.peekable();
        // Both are in the order of the ids.
        for (id, known) in &mut self.known {
            while found.next_if(|(other, _)| *other < id).is_some() {}
            known.proven = found.next_if(|(other, _)| *other == id).is_some_and(|(_, proven)| proven);
        }
    }

    fn look(&mut self, config: &Config, machine: &Coordinator) -> Result<(), String> {
        self.flights.settled();
        let counters = machine.counters();
        let heard = counters.results_accepted
            + counters.results_late
            + counters.results_duplicate
            + counters.results_equivocal
            + counters.results_no_room;
        let newly = heard.saturating_sub(self.heard);
        // A worker without a place in an answer is heard all the same, if its name is or becomes known.
        let perhaps = counters.workers_not_admitted.saturating_sub(self.unadmitted);
        (self.heard, self.unadmitted) = (heard, counters.workers_not_admitted);
        let all = self.pass.is_multiple_of(ALL_EVERY);
        if self.touched.is_empty() && self.results.is_empty() && self.unsure.is_empty() && !all {
            // A request that ends by itself may earn its workers records.
            self.learn_records(machine);
            return Ok(());
        }
        let results = std::mem::take(&mut self.results);
        let (every, none) = (newly == results.len() as u64, newly + perhaps == 0);
        let crowded = self.is_crowded(config);
        let mut learned = Vec::new();
        // Both are in the order of the ids.
        let mut others = self.known.iter().peekable();
        for (id, found) in machine.workers() {
            let last = results.iter().rev().find(|heard| heard.worker == *id).map(|heard| heard.at);
            let doubtful = self.unsure.contains(id);
            // Mostly the very same text, which is found out without a look at it.
            let next = others.next_if(|(other, _)| *other == id).or_else(|| {
                while others.next_if(|(other, _)| *other < id).is_some() {}
                others.next_if(|(other, _)| *other == id)
            });
            let Some((_, known)) = next else {
                let may_join = results.iter().any(|heard| heard.worker == *id && heard.may_join);
                if (!may_join || none) && !doubtful {
                    return Err(format!("{id} is known, and has not been heard"));
                }
                learned.push((id, found));
                continue;
            };
            match last {
                None if doubtful => {}
                None => same(id, known, found)?,
                Some(at) => {
                    // A result is a sign of life, and no more than that.
                    let changed = found.last_heard != known.last_heard;
                    let stands = matches!(known.state, WorkerState::Left | WorkerState::Draining);
                    let may_change = !none && found.last_heard <= at && !stands;
                    let must_change = every && at > known.last_heard && !stands;
                    if (changed && !may_change && !doubtful) || (!changed && must_change) {
                        return Err(format!(
                            "{id} was last heard at {:?} and sent a result at {at:?}, and counts as heard at {:?}",
                            known.last_heard, found.last_heard
                        ));
                    }
                    let returns = known.state == WorkerState::Expired && (changed || every) && !none;
                    let state = if returns { WorkerState::Live } else { known.state };
                    if found.state != state && !(doubtful && (crowded || known.announced_in == self.pass)) {
                        return Err(format!("{id} should be {state:?} and is {:?}", found.state));
                    }
                }
            }
            if last.is_some() || doubtful {
                learned.push((id, found));
            }
        }
        for (id, found) in learned {
            self.learn(id, found);
        }
        let count = machine.workers().size_hint().0;
        if count < self.known.len() {
            // Somebody had to make room.
            let kept: Vec<&WorkerId> = machine.workers().map(|(id, _)| id).collect();
            let full = count >= config.limits.max_workers as usize;
            for (id, known) in &self.known {
                let may_go = self.unsure.contains(id) || (full && known.may_make_room());
                if kept.binary_search(&id).is_err() && !may_go {
                    return Err(format!("{id} is {:?}, and not known", known.state));
                }
            }
            self.known.retain(|id, _| kept.binary_search(&id).is_ok());
        }
        self.learn_records(machine);
        self.touched.clear();
        if !self.unsure.is_empty() {
            self.unsure = Arc::default();
        }
        let live = self.known.values().filter(|worker| worker.state == WorkerState::Live).count();
        if machine.live_workers() == live {
            Ok(())
        } else {
            Err(format!("{} workers are expected, and {live} are live: {:?}", machine.live_workers(), self.live()))
        }
    }

    /// Takes what a result may have changed from the machine.
    fn learn(&mut self, id: &WorkerId, found: &Found) {
        let known = self.known.entry(id.clone()).or_insert(Known {
            state: found.state,
            announced: found.announced,
            replicated: found.replicated,
            last_heard: found.last_heard,
            instances: Vec::new(),
            announced_in: u64::MAX,
            proven: found.proven,
            vague: true,
        });
        if known.state != found.state {
            known.state = found.state;
        }
        known.announced = found.announced;
        known.replicated = found.replicated;
        known.last_heard = found.last_heard;
        self.live = None;
        // Too early is no harm.
        self.next_expiry = Some(self.next_expiry.map_or(found.last_heard, |at| at.min(found.last_heard)));
    }
}

impl Known {
    /// Whether a worker may have to make room for others: it is gone, or has no record.
    fn may_make_room(&self) -> bool {
        !self.proven || matches!(self.state, WorkerState::Left | WorkerState::Expired)
    }
}

fn same(id: &WorkerId, known: &Known, found: &Found) -> Result<(), String> {
    let should = (known.state, known.announced, known.replicated, known.last_heard);
    let is = (found.state, found.announced, found.replicated, found.last_heard);
    if should == is { Ok(()) } else { Err(format!("{id} should be {should:?} and is {is:?}")) }
}

/// Holds who was expected against who was named.
fn ended(flight: &Flight<Expected>, outcome: &Outcome) -> Result<(), String> {
    let Expected { live, must, unsure } = &flight.kept;
    for missing in &outcome.missing {
        if !live.contains(missing) && !unsure.contains(missing) {
            return Err(format!("{} expects {missing}, which was not live at {:?}", outcome.request, flight.submitted));
        }
    }
    for worker in must.iter() {
        let answered = outcome.observations.binary_search_by(|observation| observation.worker.cmp(worker)).is_ok();
        if !answered && outcome.missing.binary_search(worker).is_err() && !unsure.contains(worker) {
            return Err(format!("{} does not expect {worker}, live at {:?}", outcome.request, flight.submitted));
        }
    }
    Ok(())
}

impl Checker for Presence {
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
            What::CoordinatorOutput(_, output) => process.output(output),
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
