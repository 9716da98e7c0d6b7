//! A worker starts each task once, in turn and within its bounds, answers everybody who asked in time with the one
//! answer it has, stops what is of no use, says where it stands when it must, and drains once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::PresenceState;
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input, JobId, Output, ReplyTo, Task, WorkResult, Worker as Machine};

use super::hosts::entry;
use super::ledger::Map;
use super::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

/// What is asked: two coordinators may use the same id for different queries.
type Key = (RequestId, Query);

/// A task that was taken and has no answer yet.
#[derive(Debug)]
struct Open {
    received: Timestamp,
    /// When the source is given up.
    deadline: Timestamp,
    /// When the last who asked gives up.
    wanted_until: Timestamp,
    places: Vec<ReplyTo>,
    /// The number of its turn.
    turn: u64,
    /// The name of its job, while it runs.
    job: Option<JobId>,
}

/// A task that was answered.
#[derive(Clone, Debug)]
struct Answered {
    observed: Result<Value, Arc<str>>,
    response_time: Duration,
    /// How old the value was.
    age: Option<Duration>,
    /// When it came.
    at: Timestamp,
}

/// An answer that somebody must get in this pass.
#[derive(Debug)]
struct Owed {
    request: RequestId,
    reply: ReplyTo,
    /// `None`: that there is no place for the task, in whatever words.
    answer: Option<Answered>,
}

/// What must be done in this pass besides answers and jobs, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Announce(PresenceState),
    CloseIntake,
    Drained,
}

/// Whether tasks are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Intake {
    #[default]
    Open,
    ClosesAt(Timestamp),
    Closed,
}

/// One worker process.
#[derive(Debug)]
struct Process {
    config: Config,
    now: Timestamp,
    bus_up: bool,
    intake: Intake,
    announce_at: Option<Timestamp>,
    open: Map<Key, Open>,
    /// The tasks that wait for a place, by their turn.
    waiting: BTreeMap<u64, Key>,
    running: Map<JobId, Key>,
    answered: Map<Key, Answered>,
    /// Until when answers are kept.
    kept_until: BTreeSet<(Timestamp, JobId)>,
    kept: Map<JobId, Key>,
    turns: u64,
    /// The highest name of a job so far.
    last_job: Option<JobId>,
    /// No task is due before this.
    earliest: Timestamp,
    owed: VecDeque<Owed>,
    aborts: Vec<JobId>,
    due: VecDeque<Due>,
    drained: bool,
}

/// Watches all workers.
pub(super) struct Worker {
    configs: Vec<Option<Config>>,
    processes: Vec<Option<Process>>,
}

pub(super) fn new(context: &Context<'_>) -> Worker {
    let mut configs = Vec::new();
    for worker in &context.scenario.cluster.workers {
        *entry(&mut configs, worker.number) = Some(worker.config());
    }
    Worker { configs, processes: Vec::new() }
}

impl Process {
    fn new(config: Config) -> Self {
        Self {
            config,
            now: Timestamp::ZERO,
            bus_up: false,
            intake: Intake::Open,
            announce_at: None,
            open: Map::default(),
            waiting: BTreeMap::new(),
            running: Map::default(),
            answered: Map::default(),
            kept_until: BTreeSet::new(),
            kept: Map::default(),
            turns: 0,
            last_job: None,
            earliest: Timestamp::MAX,
            owed: VecDeque::new(),
            aborts: Vec::new(),
            due: VecDeque::new(),
            drained: false,
        }
    }

    fn input(&mut self, now: Timestamp, input: &Input) {
        self.time(now);
        match input {
            Input::Task(task) => self.task(task),
            Input::Done { job, observed, age, .. } => self.done(*job, observed, *age),
            Input::BusUp => {
                self.bus_up = true;
                self.announce();
            }
            Input::BusDown => self.bus_up = false,
            Input::Drain if self.intake == Intake::Open => {
                self.intake = Intake::ClosesAt(self.now.after(self.config.drain_grace));
                self.announce();
            }
            Input::Drain => {}
        }
    }

    /// Whatever is due by now happens first.
    fn time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.earliest <= self.now && self.give_up() {
            self.drained_if_idle();
        }
        self.forget();
        if self.announce_at.is_some_and(|at| at <= self.now) {
            self.announce();
        }
        if matches!(self.intake, Intake::ClosesAt(at) if at <= self.now) {
            self.intake = Intake::Closed;
            self.due.push_back(Due::CloseIntake);
            self.drained_if_idle();
        }
    }

    /// Gives up the jobs whose time is over. Returns whether there were any.
    fn give_up(&mut self) -> bool {
        let mut over: Vec<(Timestamp, u64, Key)> = Vec::new();
        for (key, open) in &self.open {
            if open.deadline <= self.now {
                over.push((open.deadline, open.turn, key.clone()));
            }
        }
        over.sort_unstable_by_key(|(deadline, turn, _)| (*deadline, *turn));
        let any = !over.is_empty();
        for (_, _, key) in over {
            let Some(open) = self.open.get_mut(&key) else { continue };
            let ran = open.job.take();
            if let Some(job) = ran {
                self.running.remove(&job);
                self.aborts.push(job);
            }
            if open.wanted_until <= self.now {
                self.waiting.remove(&open.turn);
                self.open.remove(&key);
                continue;
            }
            // Somebody who asked later still wants it: it gets another turn, behind those who have had none.
            open.deadline = open.wanted_until;
            if ran.is_some() {
                open.turn = self.turns;
                self.turns += 1;
                self.waiting.insert(open.turn, key);
            }
        }
        self.earliest = self.open.values().map(|open| open.deadline).min().unwrap_or(Timestamp::MAX);
        any
    }

    fn forget(&mut self) {
        while let Some((until, job)) = self.kept_until.first().copied()
            && (until <= self.now || self.kept_until.len() > self.config.max_remembered)
        {
            self.kept_until.pop_first();
            if let Some(key) = self.kept.remove(&job) {
                self.answered.remove(&key);
            }
        }
    }

    fn task(&mut self, task: &Task) {
        let ttl = task.ttl.unwrap_or(self.config.default_ttl).min(self.config.max_ttl);
        if ttl.is_zero() {
            return;
        }
        let until = self.now.after(ttl);
        let key = (task.request.clone(), task.query.clone());
        if let Some(answered) = self.answered.get(&key) {
            let answer = Some(answered.clone());
            self.owed.push_back(Owed { request: key.0, reply: task.reply.clone(), answer });
        } else if let Some(open) = self.open.get_mut(&key) {
            open.wanted_until = open.wanted_until.max(until);
            if !open.places.contains(&task.reply) {
                // Who asked last still waits.
                if open.places.len() == self.config.max_reply_places {
                    open.places.remove(0);
                }
                open.places.push(task.reply.clone());
            }
        } else if self.intake == Intake::Closed {
            // Everybody has had the time to hear that there is no answer.
        } else if self.open.len() >= self.config.max_concurrent + self.config.max_queued {
            self.owed.push_back(Owed { request: key.0, reply: task.reply.clone(), answer: None });
        } else {
            let open = Open {
                received: self.now,
                deadline: until,
                wanted_until: until,
                places: vec![task.reply.clone()],
                turn: self.turns,
                job: None,
            };
            self.waiting.insert(self.turns, key.clone());
            self.turns += 1;
            self.earliest = self.earliest.min(until);
            self.open.insert(key, open);
        }
    }

    fn done(&mut self, job: JobId, observed: &Result<Value, Arc<str>>, age: Option<Duration>) {
        // What was aborted may still come to an end.
        let Some(key) = self.running.remove(&job) else { return };
        let Some(open) = self.open.remove(&key) else { return };
        let response_time = self.now.since(open.received);
        let answered = Answered { observed: observed.clone(), response_time, age, at: self.now };
        for reply in open.places {
            self.owed.push_back(Owed { request: key.0.clone(), reply, answer: Some(answered.clone()) });
        }
        self.kept_until.insert((self.now.after(self.config.remember), job));
        self.kept.insert(job, key.clone());
        self.answered.insert(key, answered);
        self.forget();
        self.drained_if_idle();
    }

    fn announce(&mut self) {
        let state = match self.intake {
            Intake::Open => PresenceState::Live,
            Intake::Closed if self.open.is_empty() => PresenceState::Left,
            Intake::ClosesAt(_) | Intake::Closed => PresenceState::Draining,
        };
        let again = self.bus_up && state != PresenceState::Left;
        self.announce_at = again.then(|| self.now.after(self.config.announce_every));
        if self.bus_up {
            self.due.push_back(Due::Announce(state));
        }
    }

    fn drained_if_idle(&mut self) {
        if self.intake == Intake::Closed && self.open.is_empty() {
            self.announce();
            self.due.push_back(Due::Drained);
        }
    }

    fn output(&mut self, output: &Output) -> Result<(), String> {
        match output {
            Output::Start { job, query, time_left, .. } => self.start(*job, query, *time_left),
            Output::Abort(job) => match self.aborts.iter().position(|abort| abort == job) {
                Some(position) => {
                    self.aborts.remove(position);
                    Ok(())
                }
                None => Err(format!("aborts {job:?}, which is of use or does not run")),
            },
            Output::Answer(answer) => self.answer(answer),
            Output::Announce(state) => self.does(Due::Announce(*state)),
            Output::CloseIntake => self.does(Due::CloseIntake),
            Output::Drained if self.drained => Err("is drained a second time".to_owned()),
            Output::Drained => {
                self.drained = true;
                self.does(Due::Drained)
            }
        }
    }

    fn start(&mut self, job: JobId, query: &Query, time_left: Duration) -> Result<(), String> {
        if self.last_job.is_some_and(|last| last >= job) {
            return Err(format!("starts {job:?} a second time"));
        }
        self.last_job = Some(job);
        let Some((turn, key)) = self.waiting.pop_first() else {
            return Err(format!("starts {job:?} for {query:?}, and no task waits"));
        };
        let Some(open) = self.open.get_mut(&key).filter(|open| open.turn == turn) else {
            return Err(format!("starts {job:?} for {query:?}, and its task is gone"));
        };
        if key.1 != *query || open.deadline.since(self.now) != time_left {
            return Err(format!(
                "starts {job:?} for {query:?} with {time_left:?} left, and it was the turn of {key:?} with {:?}",
                open.deadline.since(self.now)
            ));
        }
        open.job = Some(job);
        self.running.insert(job, key);
        if self.running.len() > self.config.max_concurrent {
            return Err(format!("runs {} jobs at once", self.running.len()));
        }
        Ok(())
    }

    fn answer(&mut self, answer: &WorkResult) -> Result<(), String> {
        let Some(owed) = self.owed.pop_front() else {
            return Err(format!("answers what nobody asked, or nobody needs any more: {answer:?}"));
        };
        let same = match &owed.answer {
            Some(Answered { observed, response_time, age, at }) => {
                // A value grows older while it is kept, also one that had no age when it came.
                let kept = self.now.since(*at);
                let grown = kept > Duration::ZERO && observed.is_ok();
                let age = age.or(grown.then_some(Duration::ZERO)).map(|age| age.saturating_add(kept));
                *observed == answer.observed && *response_time == answer.response_time && age == answer.age
            }
            None => answer.observed.is_err() && answer.age.is_none(),
        };
        if same && owed.request == answer.request && owed.reply == answer.reply {
            Ok(())
        } else {
            Err(format!("answers {answer:?} and owes {owed:?}"))
        }
    }

    fn does(&mut self, done: Due) -> Result<(), String> {
        match self.due.pop_front() {
            Some(due) if due == done => Ok(()),
            due => Err(format!("does {done:?} when {due:?} is due")),
        }
    }

    fn settled(&self, machine: &Machine) -> Result<(), String> {
        if let Some(owed) = self.owed.front() {
            return Err(format!("does not answer {owed:?}"));
        }
        if let Some(abort) = self.aborts.first() {
            return Err(format!("does not abort {abort:?}, which is of no use"));
        }
        if let Some(due) = self.due.front() {
            return Err(format!("does not do what is due: {due:?}"));
        }
        let (running, waiting) = (self.running.len(), self.waiting.len());
        if waiting > 0 && running < self.config.max_concurrent {
            return Err(format!("lets {waiting} tasks wait while {running} jobs run"));
        }
        if machine.load() != (running, waiting) {
            return Err(format!("has {:?} jobs running and waiting, of {running} and {waiting}", machine.load()));
        }
        if machine.remembered() != self.answered.len() {
            return Err(format!("remembers {} answers of {}", machine.remembered(), self.answered.len()));
        }
        Ok(())
    }
}

impl Checker for Worker {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Host::Worker(number) = event.host else { return Ok(()) };
        if let What::Started { .. } = event.what {
            let config = entry(&mut self.configs, number).clone();
            *entry(&mut self.processes, number) = config.map(Process::new);
            return Ok(());
        }
        let Some(Some(process)) = self.processes.get_mut(usize::from(number)) else { return Ok(()) };
        let verdict = match event.what {
            What::WorkerInput(now, input) => {
                process.input(now, input);
                Ok(())
            }
            What::WorkerWoken(now) => {
                process.time(now);
                Ok(())
            }
            What::WorkerOutput(_, output) => process.output(output),
            What::WorkerSettled(_, machine) => process.settled(machine),
            _ => Ok(()),
        };
        verdict.map_err(|text| format!("{} {text}", event.host))
    }
}

#[cfg(test)]
mod tests;
