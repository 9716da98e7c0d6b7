//! The same task is asked again at most once, at its time, if somebody is silent, and with the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

use quorate_core::coordinator::{Config, Input, Output, PresenceState, Task};
use quorate_core::id::WorkerId;
use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;

use super::flights::{Flight, Flights};
use super::hosts::PerHost;
use super::ledger::Map;
use super::{Checker, Context};
use crate::event::{Event, What};

/// The outages that are remembered.
const MAX_RETURNS: usize = 256;

/// What is known of a request.
#[derive(Clone, Copy, Debug)]
struct Asking {
    /// From submission to the deadline; `None` if the policy is refused.
    timeout: Option<Duration>,
    /// How many inputs came before it was submitted.
    inputs_before: u64,
    /// In which pass it was asked again.
    again_in: Option<u64>,
    /// In which pass the last result for it came.
    heard_in: u64,
}

/// One coordinator.
#[derive(Debug, Default)]
struct Process {
    now: Timestamp,
    /// The passes so far, and when the last one that is over ended and this one began.
    pass: u64,
    ended_at: Timestamp,
    began_at: Option<Timestamp>,
    /// The inputs so far. Several may come at one time, and their order matters.
    inputs: u64,
    bus_up: bool,
    /// Whether the bus was ever said to be down: what comes before that is no return.
    was_down: bool,
    /// Which inputs said that it came back after outages, and when; of very many, the last.
    returns: VecDeque<(u64, Timestamp)>,
    farewells: Map<WorkerId, Timestamp>,
    flights: Flights<Asking>,
}

/// Watches what coordinators ask.
pub(super) struct Redispatch {
    config: Config,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Redispatch {
    Redispatch { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

impl Process {
    fn time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.began_at.is_none() {
            self.began_at = Some(self.now);
            self.pass += 1;
        }
    }

    fn input(&mut self, config: &Config, input: &Input) {
        self.inputs += 1;
        match input {
            Input::Submit(submit) => {
                let timeout = config
                    .policy_of(&submit.query)
                    .with(&submit.overrides, &config.limits)
                    .ok()
                    .map(|policy| policy.timeout);
                let asking = Asking { timeout, inputs_before: self.inputs, again_in: None, heard_in: 0 };
                self.flights.submitted(self.now, submit, asking);
            }
            Input::Result(result) => {
                let pass = self.pass;
                if let Some(flight) = self.flights.get(&result.request) {
                    flight.kept.heard_in = pass;
                }
            }
            Input::Presence(presence) if presence.state != PresenceState::Live => {
                self.farewells.insert(presence.worker.clone(), self.now);
            }
            Input::BusUp => {
                if !self.bus_up && self.was_down {
                    self.returns.push_back((self.inputs, self.now));
                    if self.returns.len() > MAX_RETURNS {
                        self.returns.pop_front();
                    }
                }
                self.bus_up = true;
            }
            Input::BusDown => {
                self.bus_up = false;
                self.was_down = true;
            }
            Input::Cancel(_) | Input::Undelivered(_) | Input::Presence(_) | Input::Drain => {}
        }
    }

    fn output(&mut self, config: &Config, output: &Output) -> Result<(), String> {
        match output {
            Output::Publish(task) if task.attempt == 1 => match self.flights.asked(task) {
                None => Err(format!("asks what nobody submitted: {task:?}")),
                Some(flight) if flight.kept.timeout != Some(task.ttl) => {
                    Err(format!("asks with another time than the request has, {:?}: {task:?}", flight.kept.timeout))
                }
                Some(_) => Ok(()),
            },
            Output::Publish(task) => self.again(config, task),
            Output::Answer { .. } => match self.flights.answered(output) {
                Some((flight, outcome)) => self.ended(config, &flight, outcome),
                None => Ok(()),
            },
            Output::CallWorkers | Output::Ended(_) | Output::Drained => Ok(()),
        }
    }

    fn again(&mut self, config: &Config, task: &Task) -> Result<(), String> {
        let (pass, began_at, now) = (self.pass, self.began_at.unwrap_or(self.now), self.now);
        let Some(flight) = self.flights.get(&task.request) else {
            return Err(format!("asks again what is not in flight: {task:?}"));
        };
        if task.attempt != 2 || flight.kept.again_in.is_some() {
            return Err(format!("asks more than twice: {task:?}"));
        }
        if flight.task != task.id || flight.query != task.query {
            return Err(format!("asks another task the second time, after {:?}: {task:?}", flight.task));
        }
        flight.kept.again_in = Some(pass);
        if task.ttl.is_zero() || task.ttl > flight.deadline.since(began_at) || task.ttl < flight.deadline.since(now) {
            return Err(format!("asks again until another time than the deadline {:?}: {task:?}", flight.deadline));
        }
        let asked_at = Duration::from_nanos(flight.deadline.as_nanos()).saturating_sub(task.ttl);
        let asked_at = Timestamp::from_nanos(u64::try_from(asked_at.as_nanos()).unwrap_or(u64::MAX));
        let before = |(input, at): &&(u64, Timestamp)| {
            let at_once = *at == asked_at && after_outage(config, *at, flight) == asked_at;
            *input > flight.kept.inputs_before && (*at < asked_at || at_once)
        };
        let last_return = self.returns.iter().rfind(before);
        let earliest =
            due(config, flight).map(|due| last_return.map_or(due, |(_, back)| after_outage(config, *back, flight)));
        if earliest.is_none_or(|earliest| asked_at < earliest) {
            return Err(format!("asks again at {asked_at:?}, before {earliest:?}: {task:?}"));
        }
        Ok(())
    }

    fn ended(&self, config: &Config, flight: &Flight<Asking>, outcome: &Outcome) -> Result<(), String> {
        if let Some(again_in) = flight.kept.again_in {
            let nobody_silent =
                outcome.missing.is_empty() && !outcome.observations.is_empty() && flight.kept.heard_in < again_in;
            return if nobody_silent {
                Err(format!("asked {} again, and everybody had answered", outcome.request))
            } else {
                Ok(())
            };
        }
        let Some(due) = due(config, flight) else { return Ok(()) };
        let due = match self.returns.back().filter(|(input, _)| *input > flight.kept.inputs_before) {
            None => due,
            Some((_, back)) => after_outage(config, *back, flight),
        };
        // While the bus is down it waits, and who is silent at the very end need not have been asked again.
        if !self.bus_up || self.ended_at < due || self.ended_at < flight.submitted || due >= flight.deadline {
            return Ok(());
        }
        let stayed = |worker: &WorkerId| self.farewells.get(worker).is_none_or(|at| *at < flight.submitted);
        let nobody_at_all = outcome.missing.is_empty() && outcome.observations.is_empty();
        if nobody_at_all || outcome.missing.iter().any(stayed) {
            return Err(format!(
                "did not ask {} again at {due:?}, and {:?} are silent",
                outcome.request, outcome.missing
            ));
        }
        Ok(())
    }
}

/// When a request is asked again if the bus came back at `back`: after a moment, as the workers need one to return,
/// too, unless half of what it has left is less.
fn after_outage(config: &Config, back: Timestamp, flight: &Flight<Asking>) -> Timestamp {
    back.after(config.reconnect_grace.min(flight.deadline.since(back) / 2))
}

/// When a request is asked again if there is no outage; `None` if never.
fn due(config: &Config, flight: &Flight<Asking>) -> Option<Timestamp> {
    let nanos = flight.kept.timeout?.as_nanos() * u128::from(config.redispatch_permille) / 1_000;
    let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    (config.redispatch_permille > 0).then(|| flight.submitted.after(wait))
}

impl Checker for Redispatch {
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
        match event.what {
            What::CoordinatorInput(now, input) => {
                process.time(now);
                process.input(&self.config, input);
            }
            What::CoordinatorWoken(now) => process.time(now),
            What::CoordinatorOutput(_, output) => {
                return process.output(&self.config, output).map_err(|text| format!("{} {text}", event.host));
            }
            What::CoordinatorSettled(..) => {
                process.flights.settled();
                process.ended_at = process.now;
                process.began_at = None;
            }
            _ => *process = Process::default(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::coordinator::{Config, Coordinator, Input, Output, Task};
    use quorate_core::id::TaskId;

    use crate::checkers::rig::{COORDINATOR, Rig, live, query, request, result, scenario, submit};
    use crate::event::What;

    const TASK: TaskId = TaskId(1 << 32);

    fn asking() -> Rig {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        rig.coordinator(0, Input::Presence(live("w2")));
        rig.coordinator(10, submit(1));
        rig
    }

    /// A rig that asks again what it should not.
    fn again(mut rig: Rig, ttl_ms: u64, id: TaskId, attempt: u32) -> Rig {
        rig.expect_fine();
        let task =
            Task { id, request: request(1), query: query(), ttl: Duration::from_millis(ttl_ms), attempt, trace: None };
        rig.tell(COORDINATOR, What::CoordinatorWoken(rig.now()));
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(task)));
        rig
    }

    #[test]
    fn what_is_asked_at_the_instant_of_a_return_is_asked_again_at_its_usual_time() {
        let mut rig = asking();
        rig.wake_coordinator(510);
        rig.coordinator(600, Input::BusDown);
        rig.coordinator(700, Input::BusUp);
        rig.coordinator(700, submit(2));
        rig.wake_coordinator(1_200);
        rig.expect_fine();
    }

    #[test]
    fn who_is_silent_is_asked_again_once_at_its_time() {
        let mut rig = asking();
        rig.wake_coordinator(510);
        rig.coordinator(600, result("w1", 1, None, 5));
        rig.wake_coordinator(1_010);
        rig.coordinator(1_100, submit(2));
        rig.coordinator(1_110, Input::BusDown);
        rig.coordinator(1_150, Input::BusUp);
        rig.wake_coordinator(1_400);
        rig.coordinator(1_410, result("w1", 2, None, 5));
        rig.coordinator(1_410, result("w2", 2, None, 5));
        rig.coordinator(1_500, submit(3));
        rig.coordinator(1_900, Input::BusDown);
        rig.wake_coordinator(2_000);
        rig.coordinator(2_050, Input::BusUp);
        rig.wake_coordinator(2_275);
        rig.wake_coordinator(2_500);
        rig.expect_fine();
    }

    #[test]
    fn asking_too_early_or_another_task_or_a_third_time_is_found() {
        let mut rig = asking();
        rig.at_ms(300);
        again(rig, 710, TASK, 2).expect_violation("before");
        let mut rig = asking();
        rig.at_ms(510);
        again(rig, 500, TaskId(7), 2).expect_violation("another task");
        let mut rig = asking();
        rig.at_ms(510);
        again(rig, 600, TASK, 2).expect_violation("another time");
        let mut rig = asking();
        rig.wake_coordinator(510);
        again(rig, 500, TASK, 2).expect_violation("more than twice");
        let mut rig = asking();
        rig.wake_coordinator(1_010);
        again(rig, 1, TASK, 2).expect_violation("not in flight");
    }

    #[test]
    fn asking_again_when_everybody_has_answered_is_found() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(10, submit(1));
        rig.coordinator(480, result("w1", 1, None, 5));
        rig.at_ms(510);
        let mut rig = again(rig, 500, TASK, 2);
        rig.wake_coordinator(580);
        rig.expect_violation("everybody had answered");
    }

    #[test]
    fn not_asking_again_is_found() {
        let mut rig = asking();
        let config = scenario().cluster.settings.config();
        rig.coordinator = Coordinator::new(Config { redispatch_permille: 0, ..config }, 1);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        rig.coordinator(1_000, submit(2));
        rig.wake_coordinator(1_500);
        rig.wake_coordinator(2_000);
        rig.expect_violation("did not ask");
    }

    #[test]
    fn another_time_than_the_request_has_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &submit(1)));
        again(rig, 999, TASK, 1).expect_violation("another time than the request has");
    }
}
