//! A coordinator and its model, given the same steps.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::{CoordinatorModel, Divergence};
use quorate_core::aggregate::Exclusion;
use quorate_core::coordinator::{
    Config, Input, Output, Presence, PresenceState, Submit, Task, Undelivered, WorkerResult,
};
use quorate_core::id::{RequestId, TaskId, Ticket};
use quorate_core::outcome::Observation;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::{Coordinator, Machine as _};

use super::clock::Clock;
use super::steps::{Step, Subject, TimedStep, offer_of, worker};

/// What a worker without room for a task says.
const NO_ROOM: &str = "no room";

/// The machine and its model, and a record of all inputs and outputs.
#[derive(Debug)]
pub struct Run {
    coordinator: Coordinator,
    model: CoordinatorModel,
    config: Config,
    seed: u64,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    /// Every first dispatch, and those whose requests may still be in flight.
    tasks: Vec<Task>,
    flying: Vec<Task>,
    deadlines: HashMap<TaskId, Timestamp>,
    last_result: Option<WorkerResult>,
    tickets: u64,
    waiting: BTreeSet<Ticket>,
    results: u64,
    announcements: u64,
    drained: u64,
}

impl Run {
    /// Takes all steps and lets everything end.
    ///
    /// # Errors
    /// [`Divergence`] if the machine does something other than its model.
    ///
    /// # Panics
    /// If the machine breaks a promise that can be checked without a model.
    pub fn play(config: Config, seed: u64, steps: &[TimedStep]) -> Result<Self, Divergence> {
        let mut run = Self::new(config, seed);
        for TimedStep(clock, step) in steps {
            run.take(*clock, step)?;
        }
        run.finish()?;
        Ok(run)
    }

    fn new(config: Config, seed: u64) -> Self {
        let mut run = Self {
            coordinator: Coordinator::new(config.clone(), seed),
            model: CoordinatorModel::new(config.clone()),
            config,
            seed,
            now: Timestamp::ZERO,
            inputs: Vec::new(),
            outputs: Vec::new(),
            tasks: Vec::new(),
            flying: Vec::new(),
            deadlines: HashMap::new(),
            last_result: None,
            tickets: 0,
            waiting: BTreeSet::new(),
            results: 0,
            announcements: 0,
            drained: 0,
        };
        // Most of what can happen needs a bus.
        if !seed.is_multiple_of(16) {
            run.feed(Timestamp::ZERO, Input::BusUp).expect("the machine and the model agree on the first input");
        }
        run
    }

    /// The counters, the number of steps, and how often outcomes had evidence that the counters do not show.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let transitions = ("transitions", self.inputs.len() as u64);
        self.coordinator.counters().iter().chain(self.evidence()).chain([transitions])
    }

    fn evidence(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let outcomes = || {
            self.outputs.iter().filter_map(|output| match output {
                Output::Ended(outcome) => Some(outcome),
                _ => None,
            })
        };
        let excluded = |why| outcomes().flat_map(|it| &it.observations).filter(|it| it.excluded == Some(why)).count();
        let refused = |it: &&Observation| it.observed.as_ref().is_err_and(|why| **why == *NO_ROOM);
        let answers = || outcomes().filter_map(|outcome| outcome.verdict.as_ref().ok());
        let evidence = [
            ("stale", excluded(Exclusion::Stale)),
            ("outliers", excluded(Exclusion::Outlier)),
            ("quarantined", excluded(Exclusion::Quarantined)),
            ("no_numbers", excluded(Exclusion::NotANumber)),
            ("weighed", outcomes().flat_map(|it| &it.observations).filter(|it| it.weight.is_some()).count()),
            ("refusals", outcomes().flat_map(|it| &it.observations).filter(refused).count()),
            ("some_agree", answers().filter(|answer| answer.agreeing > 0 && answer.agreeing < answer.used).count()),
        ];
        evidence.into_iter().map(|(name, count)| (name, count as u64))
    }

    fn wake(&mut self, at: Timestamp) -> Result<(), Divergence> {
        self.inputs.push((at, None));
        self.now = self.now.max(at);
        self.coordinator.handle_timeout(at);
        self.model.wake(at);
        self.check()?;
        assert!(self.coordinator.poll_timeout().is_none_or(|next| next > self.now), "the next timeout is in the past");
        Ok(())
    }

    /// Lets time pass as a driver does.
    fn advance(&mut self, until: Timestamp) -> Result<(), Divergence> {
        while let Some(wake) = self.coordinator.poll_timeout().filter(|wake| *wake <= until) {
            self.wake(wake.max(self.now))?;
        }
        self.wake(until)
    }

    fn feed(&mut self, at: Timestamp, input: Input) -> Result<(), Divergence> {
        self.now = self.now.max(at);
        self.coordinator.handle_input(at, &input);
        self.model.input(at, &input);
        self.inputs.push((at, Some(input)));
        self.check()
    }

    /// Checks that the machine did what the model did, and kept the promises that can be checked without a model.
    fn check(&mut self) -> Result<(), Divergence> {
        while let Some(output) = self.coordinator.poll_output() {
            self.model.output(&output)?;
            match &output {
                Output::Publish(task) => {
                    let deadline = self.now.after(task.ttl);
                    let first = *self.deadlines.entry(task.id).or_insert(deadline);
                    assert_eq!(deadline, first, "a redispatch keeps the deadline of the first dispatch");
                    if task.attempt == 1 {
                        self.tasks.push(task.clone());
                        self.flying.push(task.clone());
                    }
                }
                Output::Ended(outcome) => self.flying.retain(|task| task.request != outcome.request),
                Output::Answer { ticket, .. } => {
                    assert!(self.waiting.remove(ticket), "{ticket:?} was answered, but does not wait for an answer");
                }
                Output::CallWorkers | Output::Event(_) => {}
                Output::Drained => {
                    assert_eq!(self.coordinator.in_flight(), 0);
                    self.drained += 1;
                }
            }
            self.outputs.push(output);
        }
        self.model.settled()?;
        self.model.compare(&self.coordinator)?;
        assert!(self.coordinator.in_flight() <= self.config.max_in_flight);
        assert!(self.coordinator.remembered() <= self.config.max_remembered);
        assert!(self.coordinator.workers().count() <= self.config.limits.max_workers as usize);
        Ok(())
    }

    fn take(&mut self, clock: Clock, step: &Step) -> Result<(), Divergence> {
        let (at, is_woken) = clock.from(self.now);
        if is_woken {
            self.advance(at)?;
        }
        if let Step::Crowd { worker: index, come, leave } = *step {
            let all =
                (0..come).map(|it| (it, PresenceState::Live)).chain((0..leave).map(|it| (it, PresenceState::Left)));
            for (instance, state) in all {
                self.announcements += 1;
                let instance = instance.to_string().into();
                let presence = Presence::new(worker(index), instance, state);
                let presence = Presence { replicated: true, packs: true, ..presence };
                self.feed(at, Input::Presence(presence))?;
            }
            return Ok(());
        }
        let Some(input) = self.input(step) else { return self.wake(at) };
        let cancelled = if let Input::Cancel(ticket) = input { Some(ticket) } else { None };
        self.feed(at, input)?;
        // Only now, because the request may have ended just before.
        cancelled.map(|ticket| self.waiting.remove(&ticket));
        Ok(())
    }

    /// Mostly a task in flight, sometimes one that has ended.
    fn task(&self, index: u8) -> Option<&Task> {
        let among = if index < 192 && !self.flying.is_empty() { &self.flying } else { &self.tasks };
        among.iter().rev().nth(usize::from(index) % among.len().clamp(1, 8))
    }

    /// The input of a step, given what exists by now; `None` for one that only wakes the machine.
    fn input(&mut self, step: &Step) -> Option<Input> {
        Some(match step {
            Step::Idle | Step::Crowd { .. } => return None,
            Step::Submit { id, query, overrides } => {
                let ticket = Ticket(self.tickets);
                self.tickets += 1;
                self.waiting.insert(ticket);
                let id = id.map(|id| RequestId::new(["r0", "r1", "r2", "r3"][id as usize]).expect("a request id"));
                let query = Query::new(["BTC/USD", "ETH/USD"][*query as usize]).expect("a query");
                // Each caller has its own trace, and some have none.
                let trace = (ticket.0 % 4 != 3).then_some(Trace([ticket.0 as u8; 25]));
                Input::Submit(Submit { ticket, id, query, overrides: *overrides, trace })
            }
            Step::Cancel { ticket } => Input::Cancel(Ticket(self.tickets.saturating_sub(u64::from(*ticket) % 16))),
            Step::Result { worker: index, task, subject, observed, overloaded, age } => {
                let task = self.task(*task)?;
                let on = match subject {
                    Subject::Own => Some(task.id),
                    Subject::Shared => None,
                    Subject::Other => Some(TaskId(task.id.0 ^ (1 << 40))),
                };
                let why = if *overloaded { NO_ROOM } else { "no price" };
                let observed = observed.clone().map_err(|()| why.into());
                let result = WorkerResult {
                    task: on,
                    overloaded: *overloaded,
                    response_time: Duration::from_nanos(self.results),
                    age: *age,
                    ..WorkerResult::new(worker(*index), task.request.clone(), observed)
                };
                self.last_result = Some(result.clone());
                self.results += 1;
                Input::Result(result)
            }
            Step::Repeat => {
                let last = self.last_result.clone()?;
                self.results += 1;
                Input::Result(last)
            }
            Step::Unknown { worker: index } => {
                self.results += 1;
                let request = RequestId::new("never asked").expect("a request id");
                let result = WorkerResult::new(worker(*index), request, Err("x".into()));
                Input::Result(WorkerResult { response_time: Duration::MAX, age: Some(Duration::MAX), ..result })
            }
            Step::Undelivered { task, cause } => {
                let task = self.task(*task).map_or(TaskId(u64::from(*task)), |task| task.id);
                Input::Undelivered(Undelivered { task, cause: *cause })
            }
            Step::Presence { worker: index, instance, state, replicated, offer, packs } => {
                self.announcements += 1;
                let instance = ["", "a", "b"][*instance as usize].into();
                Input::Presence(Presence {
                    replicated: *replicated,
                    offer: offer_of(*offer),
                    packs: *packs,
                    ..Presence::new(worker(*index), instance, *state)
                })
            }
            Step::WallClock(shown) => Input::WallClock(*shown),
            Step::Policies(policies) => Input::Policies(Box::new(policies.clone())),
            Step::BusUp => Input::BusUp,
            Step::BusDown => Input::BusDown,
            Step::Drain => Input::Drain,
        })
    }

    /// Checks that everything ends by itself, and that every input was counted once.
    fn finish(&mut self) -> Result<(), Divergence> {
        self.advance(self.now.after(Duration::from_hours(1)))?;
        assert_eq!((self.coordinator.in_flight(), self.coordinator.remembered()), (0, 0));
        assert!(self.waiting.is_empty(), "these tickets were never answered: {:?}", self.waiting);
        assert_eq!((self.coordinator.poll_timeout(), self.coordinator.live_workers()), (None, 0));

        let counters = self.coordinator.counters();
        let dropped = counters.results_late
            + counters.results_duplicate
            + counters.results_equivocal
            + counters.results_unknown
            + counters.results_misdirected
            + counters.results_no_room;
        let unadmitted = self.results - dropped - counters.results_accepted;
        assert!((unadmitted..=unadmitted + self.announcements).contains(&counters.workers_not_admitted));
        let ended = counters
            .iter()
            .filter(|(name, _)| name.starts_with("answered_") || name.starts_with("failed_") || *name == "cancelled");
        assert_eq!(ended.map(|(_, count)| count).sum::<u64>(), counters.requests_accepted);
        let came = counters.iter().filter(|(name, _)| name.starts_with("refused_") || name.starts_with("requests_"));
        assert_eq!(came.map(|(_, count)| count).sum::<u64>(), self.tickets);
        assert_eq!(
            self.drained,
            u64::from(self.coordinator.is_draining()),
            "a draining machine reports once that it is drained"
        );
        Ok(())
    }

    /// Whether a second machine puts out the same for the same inputs. One with `events` flipped must put out the same
    /// except for events.
    pub fn replays(self) -> bool {
        let is_no_event = |output: &Output| !matches!(output, Output::Event(_));
        let mut other_way = self.again(Config { events: !self.config.events, ..self.config.clone() });
        other_way.retain(is_no_event);
        self.again(self.config.clone()) == self.outputs
            && other_way.iter().eq(self.outputs.iter().filter(|it| is_no_event(it)))
    }

    /// The outputs of a new machine for the same inputs.
    fn again(&self, config: Config) -> Vec<Output> {
        let mut again = Coordinator::new(config, self.seed);
        let mut outputs = Vec::new();
        for (at, input) in &self.inputs {
            again.step(*at, input.as_ref(), &mut outputs);
        }
        outputs
    }
}
