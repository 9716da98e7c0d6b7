//! What a worker must do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::PresenceState;
use quorate_core::id::RequestId;
use quorate_core::pattern::Pattern;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Counters, Input, JobId, Output, ReplyTo, Task, WorkResult, Worker};

use super::{Divergence, policy};

/// What a job works on. One id may be used for several queries.
type Key = (RequestId, Query);
/// A job's place in the queue, counted from the first.
type Arrival = u64;

/// A job without an answer yet.
#[derive(Debug)]
struct Open {
    arrival: Arrival,
    run: Run,
    received: Timestamp,
    deadline: Timestamp,
    /// The latest deadline of the tasks that asked for it.
    wanted_until: Timestamp,
    places: Vec<ReplyTo>,
    /// The trace of the task that began it.
    trace: Option<Trace>,
}

/// Whether a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Waits,
    Starts,
    /// It runs under the id that the machine gave to this run.
    Runs(JobId),
}

/// A remembered answer.
#[derive(Clone, Debug)]
struct Kept {
    observed: Result<Value, Arc<str>>,
    response_time: Duration,
    /// The age of the value when it came, and the time of that.
    age: Option<Duration>,
    came_at: Timestamp,
    /// The trace of the work that produced it.
    trace: Option<Trace>,
}

/// What the machine must put out next.
#[derive(Debug)]
enum Expected {
    Exactly(Output),
    /// The start of a job under an id that the machine chooses.
    Start {
        key: Key,
        time_left: Duration,
        trace: Option<Trace>,
    },
}

/// Whether the worker accepts tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    ClosesAt(Timestamp),
    Closed,
}

/// The model of a [`Worker`].
#[derive(Debug)]
pub struct WorkerModel {
    config: Config,
    now: Timestamp,
    bus_up: bool,
    intake: Intake,
    announces_at: Option<Timestamp>,
    open: BTreeMap<Key, Open>,
    kept: BTreeMap<Key, Kept>,
    /// The remembered answers in the order in which they came, and until when they are remembered.
    kept_until: VecDeque<(Timestamp, Key)>,
    arrivals: u64,
    /// The highest job id so far.
    last_name: Option<JobId>,
    counters: Counters,
    expected: VecDeque<Expected>,
}

impl WorkerModel {
    /// The model of a new worker.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Timestamp::ZERO,
            bus_up: false,
            intake: Intake::Open,
            announces_at: None,
            open: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_until: VecDeque::new(),
            arrivals: 0,
            last_name: None,
            counters: Counters::default(),
            expected: VecDeque::new(),
        }
    }

    /// The machine receives an input.
    pub fn input(&mut self, now: Timestamp, input: &Input) {
        self.wake(now);
        match input {
            Input::Task(task) => self.task(task),
            Input::Done { job, observed, age, trace } => self.done(*job, observed, *age, *trace),
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

    /// The machine is woken.
    pub fn wake(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        if self.open.values().any(|job| job.deadline <= self.now) {
            self.give_up();
            self.start();
            self.report_if_drained();
        }
        self.forget();
        if self.announces_at.is_some_and(|at| at <= self.now) {
            self.announce();
        }
        if matches!(self.intake, Intake::ClosesAt(at) if at <= self.now) {
            self.intake = Intake::Closed;
            self.expect(Output::CloseIntake);
            self.report_if_drained();
        }
    }

    /// The machine puts out an output.
    ///
    /// # Errors
    /// [`Divergence`] if another output or none was expected.
    pub fn output(&mut self, output: &Output) -> Result<(), Divergence> {
        match (self.expected.pop_front(), output) {
            (Some(Expected::Exactly(expected)), output) if expected == *output => Ok(()),
            (
                Some(Expected::Start { key, time_left, trace }),
                Output::Start { job, query, time_left: left, trace: mark },
            ) if key.1 == *query && time_left == *left && trace == *mark && self.last_name < Some(*job) => {
                self.last_name = Some(*job);
                self.open.entry(key).and_modify(|open| open.run = Run::Runs(*job));
                Ok(())
            }
            (Some(expected), _) => Err(Divergence::new(&expected, output)),
            (None, _) => Err(Divergence::new(&format_args!("nothing"), output)),
        }
    }

    /// Whether further outputs are expected.
    pub fn expects_more(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The machine has no further output.
    ///
    /// # Errors
    /// [`Divergence`] if one was expected.
    pub fn settled(&self) -> Result<(), Divergence> {
        self.expected.front().map_or(Ok(()), |expected| Err(Divergence::new(expected, &format_args!("nothing"))))
    }

    /// When the machine must ask to be woken: for the first job, answer, announcement or end of intake.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let forgets_at = self.kept_until.front().map(|(until, _)| *until);
        let closes_at = match self.intake {
            Intake::ClosesAt(at) => Some(at),
            Intake::Open | Intake::Closed => None,
        };
        self.open.values().map(|job| job.deadline).chain(self.announces_at).chain(closes_at).chain(forgets_at).min()
    }

    /// The number of running jobs, and of those that wait for a place.
    pub fn load(&self) -> (usize, usize) {
        let running = self.open.values().filter(|job| job.run != Run::Waits).count();
        (running, self.open.len() - running)
    }

    /// The number of remembered answers.
    pub fn remembered(&self) -> usize {
        self.kept.len()
    }

    /// The expected counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Compares the whole visible state of the machine.
    ///
    /// # Errors
    /// [`Divergence`] names the first difference.
    pub fn compare(&self, machine: &Worker) -> Result<(), Divergence> {
        Divergence::unless_equal("the counters", &self.counters, machine.counters())?;
        Divergence::unless_equal("the numbers of running and waiting jobs", &self.load(), &machine.load())?;
        Divergence::unless_equal("the number of remembered answers", &self.remembered(), &machine.remembered())?;
        Divergence::unless_equal("the next timeout", &self.next_timeout(), &machine.poll_timeout())
    }

    fn expect(&mut self, output: Output) {
        self.expected.push_back(Expected::Exactly(output));
    }

    fn task(&mut self, task: &Task) {
        self.counters.tasks_received += 1;
        let ttl = self.config.max_ttl.min(task.ttl.unwrap_or(self.config.default_ttl));
        let until = self.now.after(ttl);
        let key = (task.request.clone(), task.query.clone());
        if !self.offers(&task.query) {
            self.counters.tasks_unoffered += 1;
        } else if ttl.is_zero() {
            self.counters.tasks_expired += 1;
        } else if let Some(kept) = self.kept.get(&key) {
            self.counters.tasks_repeated += 1;
            let kept = kept.clone();
            self.answer(&key, [task.reply.clone()], &kept);
        } else if let Some(job) = self.open.get_mut(&key) {
            self.counters.tasks_repeated += 1;
            job.wanted_until = job.wanted_until.max(until);
            if !job.places.contains(&task.reply) {
                // The oldest places make room: the latest askers are the likeliest to still wait.
                let surplus = (job.places.len() + 1).saturating_sub(self.config.max_reply_places);
                job.places.drain(..surplus);
                job.places.push(task.reply.clone());
            }
        } else if self.intake == Intake::Closed {
            self.counters.tasks_refused += 1;
        } else if self.is_full() {
            self.counters.tasks_refused += 1;
            self.expect(Output::Answer(WorkResult {
                request: task.request.clone(),
                reply: task.reply.clone(),
                observed: Err("worker is overloaded".into()),
                overloaded: true,
                response_time: Duration::ZERO,
                age: None,
                trace: task.trace,
            }));
        } else {
            let job = Open {
                arrival: self.arrivals,
                run: Run::Waits,
                received: self.now,
                deadline: until,
                wanted_until: until,
                places: vec![task.reply.clone()],
                trace: task.trace,
            };
            self.arrivals += 1;
            self.open.insert(key, job);
            self.start();
        }
    }

    fn offers(&self, query: &Query) -> bool {
        let offered = self.config.offer.patterns();
        let covers = |pattern: &Pattern| policy::covers(pattern.as_str().as_bytes(), query.as_str().as_bytes());
        offered.is_empty() || offered.iter().any(covers)
    }

    fn is_full(&self) -> bool {
        let (running, waiting) = self.load();
        running >= self.config.max_concurrent && waiting >= self.config.max_queued
    }

    /// Starts waiting jobs in order of arrival, while there are places.
    fn start(&mut self) {
        let (mut running, mut waiting) = self.load();
        while running < self.config.max_concurrent && waiting > 0 {
            let waits = self.open.iter_mut().filter(|(_, job)| job.run == Run::Waits);
            let Some((key, job)) = waits.min_by_key(|(_, job)| job.arrival) else { return };
            job.run = Run::Starts;
            let time_left = job.deadline.since(self.now);
            self.expected.push_back(Expected::Start { key: key.clone(), time_left, trace: job.trace });
            running += 1;
            waiting -= 1;
        }
    }

    /// A running job is done.
    fn done(&mut self, name: JobId, observed: &Result<Value, Arc<str>>, age: Option<Duration>, trace: Option<Trace>) {
        let named = self.open.iter().find(|(_, job)| job.run == Run::Runs(name));
        let Some(key) = named.map(|(key, _)| key.clone()) else { return };
        let Some(job) = self.open.remove(&key) else { return };
        let response_time = self.now.since(job.received);
        *(if observed.is_ok() { &mut self.counters.succeeded } else { &mut self.counters.failed }) += 1;
        self.counters.processing_time = self.counters.processing_time.saturating_add(response_time);
        let kept = Kept { observed: observed.clone(), response_time, age, came_at: self.now, trace };
        self.answer(&key, job.places, &kept);
        self.kept_until.push_back((self.now.after(self.config.remember), key.clone()));
        self.kept.insert(key, kept);
        self.forget();
        self.start();
        self.report_if_drained();
    }

    /// Gives up the jobs whose deadline has passed, and aborts those that run. A job that a later task still wants
    /// waits to be started again, behind the others if it had been started.
    fn give_up(&mut self) {
        let mut over: Vec<_> = self.open.values_mut().filter(|job| job.deadline <= self.now).collect();
        over.sort_unstable_by_key(|job| (job.deadline, job.arrival));
        for job in over {
            if let Run::Runs(name) = std::mem::replace(&mut job.run, Run::Waits) {
                self.expected.push_back(Expected::Exactly(Output::Abort(name)));
                job.arrival = self.arrivals;
                self.arrivals += 1;
            }
            job.deadline = job.wanted_until;
        }
        let before = self.open.len();
        self.open.retain(|_, job| job.deadline > self.now);
        self.counters.tasks_expired += (before - self.open.len()) as u64;
    }

    /// Forgets answers that are too old, and the oldest if there are too many.
    fn forget(&mut self) {
        while let Some((until, _)) = self.kept_until.front()
            && (*until <= self.now || self.kept_until.len() > self.config.max_remembered)
        {
            let forgotten = self.kept_until.pop_front();
            forgotten.and_then(|(_, key)| self.kept.remove(&key));
        }
    }

    /// Expects an answer to each place. Its value has grown older since it came.
    fn answer(&mut self, key: &Key, places: impl IntoIterator<Item = ReplyTo>, kept: &Kept) {
        let since = self.now.since(kept.came_at);
        let age = match kept.age {
            Some(age) => Some(age.saturating_add(since)),
            // The value is at least this old.
            None if kept.observed.is_ok() && self.now > kept.came_at => Some(since),
            None => None,
        };
        for reply in places {
            self.expect(Output::Answer(WorkResult {
                request: key.0.clone(),
                reply,
                observed: kept.observed.clone(),
                overloaded: false,
                response_time: kept.response_time,
                age,
                trace: kept.trace,
            }));
        }
    }

    /// Announces the worker's state, and sets the time of the next announcement. After a farewell there is none.
    fn announce(&mut self) {
        let state = match self.intake {
            Intake::Open => PresenceState::Live,
            Intake::Closed if self.open.is_empty() => PresenceState::Left,
            Intake::ClosesAt(_) | Intake::Closed => PresenceState::Draining,
        };
        let again = self.bus_up && state != PresenceState::Left;
        self.announces_at = again.then(|| self.now.after(self.config.announce_every));
        if self.bus_up {
            self.expect(Output::Announce(state));
        }
    }

    fn report_if_drained(&mut self) {
        if self.intake == Intake::Closed && self.open.is_empty() {
            self.announce();
            self.expect(Output::Drained);
        }
    }
}
