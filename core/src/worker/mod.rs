//! The worker: takes the tasks that it offers to answer, starts each once, and repeats its answer when a task is
//! redispatched.
//!
//! It bounds the jobs that run and wait, drops tasks whose time to live has run out, announces itself, and drains.
//! `events.rs` has its inputs and outputs, `jobs.rs` the jobs by number and by request.

mod config;
mod events;
mod jobs;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use config::Config;
pub use events::{Counters, Input, JobId, Output, ReplyTo, Task, WorkResult};

use crate::coordinator::PresenceState;
use crate::offer::Offer;
use crate::time::Timestamp;
use crate::trace::Trace;
use crate::value::Value;
use jobs::{Answer, Job, Jobs, Key, Stage};

/// Whether a worker accepts tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    /// It does.
    Open,
    /// It has announced that it does not, and still accepts those that come until then.
    Closing(Timestamp),
    /// It does not.
    Closed,
}

/// The state machine that answers tasks.
#[derive(Debug)]
pub struct Worker {
    config: Config,
    now: Timestamp,
    jobs: Jobs,
    /// Jobs that wait for a place, oldest first.
    queue: BTreeSet<JobId>,
    running: usize,
    /// The deadline of each job that waits or runs.
    deadlines: BTreeSet<(Timestamp, JobId)>,
    /// When the next presence announcement is due.
    announce_at: Option<Timestamp>,
    bus_up: bool,
    intake: Intake,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Worker {
    /// An idle worker without a bus.
    pub fn new(config: Config) -> Self {
        Self {
            jobs: Jobs::new(&config),
            config,
            now: Timestamp::ZERO,
            queue: BTreeSet::new(),
            running: 0,
            deadlines: BTreeSet::new(),
            announce_at: None,
            bus_up: false,
            intake: Intake::Open,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Handles one input.
    pub fn handle_input(&mut self, now: Timestamp, input: &Input) {
        self.handle_timeout(now);
        match input {
            Input::Task(task) => self.task(task),
            Input::Done { job, observed, age, trace } => self.done(*job, observed, *age, *trace),
            Input::BusUp => {
                self.bus_up = true;
                self.announce();
            }
            Input::BusDown => self.bus_up = false,
            Input::Drain => self.drain(),
        }
    }

    /// Lets time pass. Call it when [`Worker::poll_timeout`] is due; calling it more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut expired = false;
        while let Some((deadline, id)) = self.deadlines.first().copied()
            && deadline <= self.now
        {
            self.expire(id);
            expired = true;
        }
        if expired {
            // Not in the loop: waiting jobs may have expired, too.
            self.start_waiting();
            self.report_drained();
        }
        self.jobs.forget(self.now);
        if self.announce_at.is_some_and(|at| at <= self.now) {
            self.announce();
        }
        if matches!(self.intake, Intake::Closing(at) if at <= self.now) {
            self.intake = Intake::Closed;
            self.outputs.push_back(Output::CloseIntake);
            self.report_drained();
        }
    }

    /// When to call [`Worker::handle_timeout`] next; `None` if the worker waits for nothing.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let memory = self.jobs.next_expiry();
        let closing = match self.intake {
            Intake::Closing(at) => Some(at),
            Intake::Open | Intake::Closed => None,
        };
        [deadline, memory, self.announce_at, closing].into_iter().flatten().min()
    }

    /// The next output. Call it until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The queries that it answers.
    pub fn offer(&self) -> &Offer {
        &self.config.offer
    }

    /// What has been counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The numbers of jobs that run and that wait for a place.
    pub fn load(&self) -> (usize, usize) {
        (self.running, self.queue.len())
    }

    /// The number of remembered answers.
    pub fn remembered(&self) -> usize {
        self.jobs.answered()
    }

    fn task(&mut self, task: &Task) {
        self.counters.tasks_received += 1;
        if !self.config.offer.covers(&task.query) {
            self.counters.tasks_unoffered += 1;
            return;
        }
        let ttl = task.ttl.unwrap_or(self.config.default_ttl).min(self.config.max_ttl);
        if ttl.is_zero() {
            self.counters.tasks_expired += 1;
            return;
        }
        let deadline = self.now.after(ttl);
        let key = Key::new(task.request.clone(), task.query.clone());
        if let Some(job) = self.jobs.find(&key) {
            self.counters.tasks_repeated += 1;
            job.wait_for(task.reply.clone(), deadline, self.config.max_reply_places);
            return;
        }
        if let Some(answered) = self.jobs.answer_to(&key).cloned() {
            self.counters.tasks_repeated += 1;
            self.answer(&key, vec![task.reply.clone()], &answered);
            return;
        }
        if self.intake == Intake::Closed {
            // No answer: every coordinator has had time to hear that it should expect none.
            self.counters.tasks_refused += 1;
            return;
        }
        if self.running >= self.config.max_concurrent && self.queue.len() >= self.config.max_queued {
            self.counters.tasks_refused += 1;
            let observed = Err("worker is overloaded".into());
            let (response_time, trace) = (Duration::ZERO, task.trace);
            let refusal = Answer { observed, overloaded: true, response_time, age: None, trace, at: self.now };
            self.answer(&key, vec![task.reply.clone()], &refusal);
            return;
        }
        let id = self.jobs.insert(key, Job::new(self.now, deadline, task.reply.clone(), task.trace));
        self.deadlines.insert((deadline, id));
        self.queue.insert(id);
        self.start_waiting();
    }

    /// Starts waiting jobs while there are places.
    fn start_waiting(&mut self) {
        while self.running < self.config.max_concurrent
            && let Some(id) = self.queue.pop_first()
        {
            let (key, job) = self.jobs.get_mut(id).expect("a queued job is kept");
            job.stage = Stage::Running;
            let (query, time_left) = (key.query.clone(), job.deadline.since(self.now));
            self.running += 1;
            self.outputs.push_back(Output::Start { job: id, query, time_left, trace: job.trace });
        }
    }

    fn done(&mut self, id: JobId, observed: &Result<Value, Arc<str>>, age: Option<Duration>, trace: Option<Trace>) {
        if self.jobs.get_mut(id).is_none_or(|(_, job)| job.stage != Stage::Running) {
            return;
        }
        let (key, job) = self.jobs.remove(id).expect("it was just found");
        let response_time = self.now.since(job.received);
        match observed {
            Ok(_) => self.counters.succeeded += 1,
            Err(_) => self.counters.failed += 1,
        }
        self.counters.processing_time = self.counters.processing_time.saturating_add(response_time);
        self.running -= 1;
        self.deadlines.remove(&(job.deadline, id));
        let observed = observed.clone();
        let answered = Answer { observed, overloaded: false, response_time, age, trace, at: self.now };
        self.answer(&key, job.replies, &answered);
        self.jobs.remember(self.now, key, answered);
        self.start_waiting();
        self.report_drained();
    }

    /// A job's deadline has passed. It is dropped unless a later task for the same request still wants the answer. If
    /// its source was running, which was given only this long, it is queried again, behind the jobs that already wait.
    fn expire(&mut self, id: JobId) {
        let now = self.now;
        let (_, job) = self.jobs.get_mut(id).expect("a job with a deadline is kept");
        self.deadlines.remove(&(job.deadline, id));
        let was_running = job.stage == Stage::Running;
        let wanted_until = job.wanted_until;
        if wanted_until > now {
            job.deadline = wanted_until;
            job.stage = Stage::Queued;
            let again = if was_running { self.jobs.renumber(id).expect("it was just found") } else { id };
            self.deadlines.insert((wanted_until, again));
            self.queue.insert(again);
        } else {
            self.counters.tasks_expired += 1;
            self.queue.remove(&id);
            self.jobs.remove(id);
        }
        if was_running {
            self.running -= 1;
            self.outputs.push_back(Output::Abort(id));
        }
    }

    fn answer(&mut self, key: &Key, replies: Vec<ReplyTo>, answered: &Answer) {
        let age = answered.age_at(self.now);
        for reply in replies {
            self.outputs.push_back(Output::Answer(WorkResult {
                request: key.request.clone(),
                reply,
                observed: answered.observed.clone(),
                overloaded: answered.overloaded,
                response_time: answered.response_time,
                age,
                trace: answered.trace,
            }));
        }
    }

    /// Announces the worker's state, and sets the time of the next announcement.
    fn announce(&mut self) {
        let state = match self.intake {
            Intake::Open => PresenceState::Live,
            Intake::Closed if self.is_idle() => PresenceState::Left,
            Intake::Closing(_) | Intake::Closed => PresenceState::Draining,
        };
        let goes_on = self.bus_up && state != PresenceState::Left;
        self.announce_at = goes_on.then(|| self.now.after(self.config.announce_every));
        if self.bus_up {
            self.outputs.push_back(Output::Announce(state));
        }
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.queue.is_empty()
    }

    fn drain(&mut self) {
        if self.intake == Intake::Open {
            self.intake = Intake::Closing(self.now.after(self.config.drain_grace));
            self.announce();
        }
    }

    fn report_drained(&mut self) {
        if self.intake == Intake::Closed && self.is_idle() {
            self.announce();
            self.outputs.push_back(Output::Drained);
        }
    }
}
