//! Names without a record neither decide an answer nor outnumber the workers. If enough workers have a record when a
//! request is asked, or some have had one for a while, only values of workers with a record decide its answer where there
//! are any, and no more others take part than there are places.

use std::collections::BTreeSet;
use std::sync::Arc;

use quorate_core::aggregate::Exclusion;
use quorate_core::coordinator::{Config, Coordinator, Input, Output, WorkerState};
use quorate_core::id::WorkerId;
use quorate_core::outcome::{Observation, Outcome};
use quorate_core::time::Timestamp;

use super::flights::Flights;
use super::hosts::PerHost;
use super::{Checker, Context};
use crate::event::{Event, What};

/// One coordinator.
#[derive(Debug, Default)]
struct Process {
    /// Who had a record when the machine settled last.
    proven: Arc<BTreeSet<WorkerId>>,
    /// Who has ever had one.
    ever_proven: BTreeSet<WorkerId>,
    /// When those with a record who were gone then were last heard.
    gone: Vec<Timestamp>,
    is_one_live: bool,
    /// Since when somebody has had a record.
    since: Option<Timestamp>,
    /// Requests that were asked, with those who had a record then and how many others may take part, if that is certain.
    flights: Flights<Option<(Arc<BTreeSet<WorkerId>>, usize)>>,
    /// Whether a request has ended in this pass, by which others may have earned a record.
    has_ended: bool,
}

/// Watches the workers without a record.
pub(super) struct Newcomers {
    config: Config,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Newcomers {
    Newcomers { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

impl Process {
    fn input(&mut self, config: &Config, now: Timestamp, input: &Input) {
        if let Input::Submit(submit) = input {
            let long_gone = self.gone.iter().filter(|heard| heard.after(config.keep_gone) <= now).count();
            let records = self.proven.len() - long_gone;
            // They found again.
            self.since = self.since.filter(|_| records > 0);
            let is_old = self.since.is_some_and(|since| since.after(config.presence) <= now);
            let most = config.max_newcomers as usize;
            let most = if self.is_one_live { most } else { records.max(most) + most };
            // Else nobody needs a record, or who expires just now may be long gone at once.
            let is_judged = config.admitted.is_none() && config.keep_gone > config.presence;
            let is_certain = is_judged && (records >= 3 || (records > 0 && is_old));
            self.flights.submitted(now, submit, is_certain.then(|| (Arc::clone(&self.proven), most)));
        }
    }

    fn output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Publish(task) if task.attempt == 1 => {
                self.flights.asked(task);
                Ok(())
            }
            Output::Answer { .. } => {
                let Some((flight, outcome)) = self.flights.answered(output) else { return Ok(()) };
                let first = !std::mem::replace(&mut self.has_ended, true);
                match flight.kept {
                    Some((proven, most)) if first => self.ended(&proven, most, outcome),
                    _ => Ok(()),
                }
            }
            Output::Publish(_) | Output::CallWorkers | Output::Ended(_) | Output::Drained => Ok(()),
        }
    }

    /// Judges an outcome, by those who had a record when its request was asked.
    fn ended(&self, before: &BTreeSet<WorkerId>, most: usize, outcome: &Outcome) -> Result<(), String> {
        let is_new = |worker: &&WorkerId| !self.proven.contains(*worker) && !before.contains(*worker);
        let said = outcome.observations.iter().map(|observation| &observation.worker);
        // A worker that has been displaced since had a record when it joined.
        let newcomers = said.chain(&outcome.missing).filter(|worker| !self.ever_proven.contains(*worker)).count();
        if newcomers > most {
            return Err(format!("{newcomers} without a record take part in {}; {outcome:?}", outcome.request));
        }
        let mut values = outcome.observations.iter().filter(|observation| observation.observed.is_ok());
        let had_record = |worker: &WorkerId| before.contains(worker) && self.proven.contains(worker);
        let is_cordoned = |observation: &Observation| observation.excluded == Some(Exclusion::Cordoned);
        let has_value = values.clone().any(|it| had_record(&it.worker) && !is_cordoned(it));
        let decides = values.find(|observation| observation.excluded.is_none() && is_new(&&observation.worker));
        match decides {
            Some(stranger) if has_value => {
                Err(format!("{} has no record, and decides {}; {outcome:?}", stranger.worker, outcome.request))
            }
            _ => Ok(()),
        }
    }

    fn settled(&mut self, now: Timestamp, machine: &Coordinator) {
        self.flights.settled();
        self.has_ended = false;
        let mut count = 0;
        self.is_one_live = false;
        self.gone.clear();
        let mut is_same = true;
        for (id, worker) in machine.workers().filter(|(_, worker)| worker.proven) {
            count += 1;
            match worker.state {
                WorkerState::Live => self.is_one_live = true,
                WorkerState::Left | WorkerState::Expired => self.gone.push(worker.last_heard),
                WorkerState::Draining => {}
            }
            is_same &= self.proven.contains(id);
        }
        if !is_same || count != self.proven.len() {
            let proven = machine.workers().filter(|(_, worker)| worker.proven);
            self.proven = Arc::new(proven.map(|(id, _)| id.clone()).collect());
            self.ever_proven.extend(self.proven.iter().cloned());
        }
        self.since = if count == 0 { None } else { self.since.or(Some(now)) };
    }
}

impl Checker for Newcomers {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Started { .. }
            | What::CoordinatorInput(..)
            | What::CoordinatorOutput(..)
            | What::CoordinatorSettled(..) => {}
            _ => return Ok(()),
        }
        let Some(process) = self.processes.get(event.host) else { return Ok(()) };
        match event.what {
            What::CoordinatorInput(now, input) => process.input(&self.config, now, input),
            What::CoordinatorOutput(_, output) => return process.output(output),
            What::CoordinatorSettled(now, machine) => process.settled(now, machine),
            _ => *process = Process::default(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Input, Output};
    use quorate_core::id::Ticket;
    use quorate_core::outcome::Outcome;

    use crate::checkers::rig::{COORDINATOR, Rig, live, result, submit};
    use crate::event::What;

    /// Three workers that have a record, and a request that they and a stranger have answered.
    fn answered(rig: &mut Rig, number: u64) -> Outcome {
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        rig.coordinator(0, Input::Presence(live("w2")));
        rig.coordinator(0, Input::Presence(live("w3")));
        rig.coordinator(1, submit(1));
        rig.coordinator(2, result("w1", 1, None, 5));
        rig.coordinator(2, result("w2", 1, None, 5));
        rig.coordinator(2, result("w3", 1, None, 5));
        rig.coordinator(3, submit(number));
        rig.coordinator(4, result("stranger", number, None, 9));
        rig.coordinator(4, result("w1", number, None, 5));
        rig.coordinator(4, result("w3", number, None, 5));
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w2", number, None, 5)));
        rig.coordinator.handle_input(rig.now(), result("w2", number, None, 5));
        match rig.coordinator.poll_output() {
            Some(Output::Ended(outcome)) => (*outcome).clone(),
            other => panic!("{other:?}"),
        }
    }

    fn tell(rig: &mut Rig, outcome: Outcome) {
        let answer = Output::Answer { ticket: Ticket(2), reply: Ok(outcome.into()) };
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &answer));
    }

    #[test]
    fn strangers_are_compared_with_those_who_have_a_record() {
        let mut rig = Rig::new(super::new);
        let outcome = answered(&mut rig, 2);
        tell(&mut rig, outcome);
        rig.expect_fine();
    }

    #[test]
    fn a_stranger_that_decides_is_found() {
        let mut rig = Rig::new(super::new);
        let mut outcome = answered(&mut rig, 2);
        outcome.observations[0].excluded = None;
        tell(&mut rig, outcome);
        rig.expect_violation("stranger has no record, and decides");
    }

    #[test]
    fn too_many_strangers_are_found() {
        let mut rig = Rig::new(super::new);
        let mut outcome = answered(&mut rig, 2);
        outcome.missing = ["s1", "s2", "s3"].map(|name| live(name).worker).into();
        tell(&mut rig, outcome);
        rig.expect_violation("4 without a record take part");
    }
}
