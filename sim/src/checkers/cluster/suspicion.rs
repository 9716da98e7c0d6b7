//! A worker that is heard is not suspect, and an answer leaves out suspects only if it would be accepted without them.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::coordinator::{Config, Coordinator, Event as Decision, Input, Output, PresenceState, ResultFate};
use quorate_core::id::{RequestId, Ticket, WorkerId};
use quorate_core::outcome::{Cause, Outcome, Status};
use quorate_core::policy::Policy;
use quorate_model::policy;

use crate::checkers::hosts::{PerHost, ProcessChecker};
use crate::checkers::{Checker, Context};
use crate::event::{Event, What};

pub(crate) struct Suspicion {
    config: Config,
    processes: PerHost<Process>,
}

/// What one coordinator has done.
#[derive(Debug, Default)]
struct Process {
    /// The policies of the requests that wait for their dispatch, by ticket, and of those in flight.
    submitted: BTreeMap<Ticket, Policy>,
    in_flight: BTreeMap<RequestId, Policy>,
    /// The workers that were heard in this pass, and have not become suspect since.
    heard: BTreeSet<WorkerId>,
}

pub(crate) fn new(context: &Context<'_>) -> Suspicion {
    Suspicion { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

impl Process {
    fn input(&mut self, input: &Input, config: &Config) {
        match input {
            Input::Submit(submit) => {
                if let Ok(policy) = policy::in_force(config, submit.query.as_str(), &submit.overrides) {
                    self.submitted.insert(submit.ticket, policy);
                }
            }
            Input::Presence(presence) if presence.state != PresenceState::Left => {
                self.heard.insert(presence.worker.clone());
            }
            _ => {}
        }
    }

    fn decided(&mut self, decision: &Decision) {
        match decision {
            Decision::Dispatched { ticket, request } => {
                if let Some(policy) = self.submitted.remove(ticket) {
                    self.in_flight.insert(request.clone(), policy);
                }
            }
            Decision::Result { worker, fate: ResultFate::Accepted | ResultFate::Late, .. } => {
                self.heard.insert(worker.clone());
            }
            Decision::Worker { worker, suspect: true, .. } => drop(self.heard.remove(worker)),
            _ => {}
        }
    }

    fn ended(&mut self, outcome: &Outcome) -> Result<(), String> {
        let policy = self.in_flight.remove(&outcome.request);
        if outcome.cause != Cause::AllButSuspects {
            return Ok(());
        }
        let asked = outcome.observations.len() + outcome.missing.len() - outcome.absent.len();
        let faults = [
            (outcome.suspects.is_empty(), "there are none"),
            (outcome.suspects.iter().any(|it| !outcome.missing.contains(it)), "one of them has answered"),
            (outcome.verdict.is_err(), "there is no answer"),
            (outcome.verdict.as_ref().is_ok_and(|answer| answer.status == Status::Disputed), "the values disagree"),
            (outcome.used() as usize * 2 < asked, "most of those that were asked are missing"),
            (policy.is_some_and(|policy| policy.quorum.is_some()), "its quorum was not met"),
            (policy.is_some_and(|policy| outcome.used() < policy.min_responses), "it needed more values"),
        ];
        match faults.into_iter().find(|(is_so, _)| *is_so) {
            Some((_, why)) => Err(format!("{} ended without its suspects, although {why}", outcome.request)),
            None => Ok(()),
        }
    }

    fn settled(&mut self, machine: &Coordinator) -> Result<(), String> {
        let is_suspect = |worker: &&WorkerId| machine.worker(worker).is_some_and(|known| known.suspect);
        let suspect = self.heard.iter().find(is_suspect).cloned();
        self.heard.clear();
        suspect.map_or(Ok(()), |worker| Err(format!("{worker} was heard, and is still suspect")))
    }
}

impl ProcessChecker for Process {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorOutput(_, Output::Event(decision)) => self.decided(decision),
            What::CoordinatorOutput(_, Output::Ended(outcome)) => return self.ended(outcome),
            What::CoordinatorSettled(_, machine) => return self.settled(machine),
            _ => {}
        }
        Ok(())
    }
}

impl Checker for Suspicion {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if let What::CoordinatorInput(_, input) = event.what
            && let Some(process) = self.processes.get(event.host)
        {
            process.input(input, &self.config);
        }
        self.processes.event(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::{answer, ask, live};
    use crate::checkers::testing::rig::Rig;
    use crate::scenario::Scenario;

    /// Worker 2 becomes suspect in request 2, and request 3 does not wait for it.
    fn without_a_suspect() -> Rig {
        let mut scenario = Scenario::quiet();
        scenario.cluster.settings.knobs.usual_samples = Some(1);
        Rig::at(&scenario, Depth::Machines, new)
    }

    fn run(rig: &mut Rig) {
        rig.coordinator(0, &Input::BusUp);
        for worker in ["w1", "w2"] {
            rig.coordinator(0, &Input::Presence(live(worker)));
        }
        rig.coordinator(1, &ask(1));
        for worker in ["w1", "w2"] {
            rig.coordinator(2, &answer(worker, 1, None, 1));
        }
        for (number, at) in [(2, 10), (3, 20)] {
            rig.coordinator(at, &ask(number));
            rig.coordinator(at + 1, &answer("w1", number, None, 1));
        }
        for at in [110, 120] {
            rig.wake_coordinator(at);
        }
    }

    #[test]
    fn an_answer_without_a_suspect_is_fine() {
        let mut rig = without_a_suspect();
        run(&mut rig);
        assert_eq!(rig.coordinator.counters().suspects_early, 1);
        rig.expect_fine();
    }

    #[test]
    fn an_answer_that_should_have_waited_is_found() {
        let tampered = |tamper: fn(&mut Outcome), words: &str| {
            let mut rig = without_a_suspect();
            rig.tamper_outcome(move |outcome| {
                if outcome.cause == Cause::AllButSuspects {
                    tamper(outcome);
                }
            });
            run(&mut rig);
            rig.expect_violation(words);
        };
        tampered(|outcome| outcome.suspects.clear(), "there are none");
        tampered(|outcome| outcome.missing.clear(), "one of them has answered");
        tampered(|outcome| outcome.verdict.as_mut().expect("an answer").status = Status::Disputed, "disagree");
        let silent = |outcome: &mut Outcome| {
            let twice: Vec<WorkerId> = outcome.missing.iter().cycle().take(3).cloned().collect();
            outcome.missing = twice;
        };
        tampered(silent, "most of those that were asked are missing");
    }

    #[test]
    fn a_worker_that_is_heard_and_stays_suspect_is_found() {
        let mut rig = without_a_suspect();
        run(&mut rig);
        rig.input(&Input::Presence(live("w2")));
        rig.settled_coordinator();
        rig.expect_violation("w2 was heard, and is still suspect");
    }
}
