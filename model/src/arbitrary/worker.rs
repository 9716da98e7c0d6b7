//! A worker and its model, given the same steps.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::Machine as _;
use quorate_core::coordinator::PresenceState;
use quorate_core::id::{RequestId, TaskId};
use quorate_core::offer::Offer;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input, JobId, Output, ReplyTo, Task, Worker};

use super::clock::{Clock, clock, millis};
use crate::{Divergence, WorkerModel};

/// One step. A job is counted back from the latest start at that time.
#[derive(Clone, Debug)]
enum Step {
    Task {
        request: u8,
        query: u8,
        ttl: Option<Duration>,
        place: Option<u8>,
    },
    /// The same task with each of this many reply subjects.
    Crowd {
        request: u8,
        query: u8,
        places: u8,
    },
    Done {
        job: u8,
        observed: Result<u8, ()>,
        age: Option<Duration>,
    },
    BusUp,
    BusDown,
    Drain,
    Idle,
}

/// A step and how the clock moves before it.
#[derive(Clone, Debug)]
pub struct TimedWorkerStep(Clock, Step);

/// Up to 300 steps.
pub fn worker_steps() -> impl Strategy<Value = Vec<TimedWorkerStep>> {
    prop::collection::vec((clock(1), step()).prop_map(|(clock, step)| TimedWorkerStep(clock, step)), 0..300)
}

fn step() -> impl Strategy<Value = Step> {
    let ttl = prop::option::of(prop_oneof![20 => millis(0..500), 1 => Just(Duration::MAX)]);
    let observed = prop_oneof![3 => any::<u8>().prop_map(Ok), 1 => Just(Err(()))];
    let age = prop::option::of(prop_oneof![20 => millis(0..5000), 1 => Just(Duration::MAX)]);
    prop_oneof![
        20 => (0_u8..12, 0_u8..2, ttl, prop::option::weighted(0.8, 0_u8..12))
            .prop_map(|(request, query, ttl, place)| Step::Task { request, query, ttl, place }),
        1 => (0_u8..12, 0_u8..2, 7_u8..12)
            .prop_map(|(request, query, places)| Step::Crowd { request, query, places }),
        12 => (any::<u8>(), observed, age).prop_map(|(job, observed, age)| Step::Done { job, observed, age }),
        2 => Just(Step::BusUp),
        1 => Just(Step::BusDown),
        2 => prop_oneof![19 => Just(Step::Idle), 1 => Just(Step::Drain)],
    ]
}

/// Small limits and short waits, including zero. Some offer only one of the queries, and few offer none of them.
pub fn worker_config() -> impl Strategy<Value = Config> {
    let counts =
        (1_usize..5, 0_usize..5, 0_usize..8, prop_oneof![1_usize..4, Just(Config::default().max_reply_places)]);
    let ttls = (millis(0..500), millis(0..500));
    let offer = prop_oneof![
        6 => Just(&[][..]),
        2 => Just(&["BTC/*"][..]),
        1 => Just(&["*C/USD", "BTC"][..]),
        1 => Just(&["BTC/USD", "E*H/*D"][..]),
        1 => Just(&["*/EUR"][..]),
    ];
    let offer = offer.prop_map(|patterns| Offer::new(patterns.iter().copied()).expect("few short patterns"));
    (counts, ttls, millis(0..1000), millis(0..300), millis(20..500), offer).prop_map(
        |(counts, ttls, remember, drain_grace, announce_every, offer)| Config {
            offer,
            max_concurrent: counts.0,
            max_queued: counts.1,
            default_ttl: ttls.0,
            max_ttl: ttls.1.max(Duration::from_millis(50)),
            remember,
            max_remembered: counts.2,
            drain_grace,
            announce_every,
            max_reply_places: counts.3,
        },
    )
}

fn task(request: u8, query: u8, ttl: Option<Duration>, place: Option<u8>, trace: Option<Trace>) -> Input {
    let names = ["a", "b", "c", "d", "a request of many bytes", "a request of many bits"];
    let places = ["p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z", ""];
    Input::Task(Task {
        request: RequestId::new(names[usize::from(request) / 2]).expect("a request id"),
        query: Query::new(["BTC/USD", "ETH/USD"][usize::from(query)]).expect("a query"),
        ttl,
        reply: match place {
            // Two tasks of one pack have the same subject.
            Some(place @ 0..6) => {
                ReplyTo::Pack { subject: places[usize::from(place / 2)].into(), task: Some(TaskId((place % 2).into())) }
            }
            Some(place) => ReplyTo::Task(places[usize::from(place)].into()),
            None => ReplyTo::Shared,
        },
        trace,
    })
}

/// The machine and its model, and a record of all inputs and outputs.
#[derive(Debug)]
pub struct WorkerRun {
    worker: Worker,
    model: WorkerModel,
    config: Config,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    /// Every started job, the latest last.
    started: Vec<JobId>,
    expired: u64,
    reached: BTreeMap<&'static str, u64>,
}

impl WorkerRun {
    /// Takes all steps and lets everything end.
    ///
    /// # Errors
    /// [`Divergence`] if the machine does something other than its model.
    ///
    /// # Panics
    /// If the machine breaks a promise that can be checked without a model.
    pub fn play(config: Config, steps: &[TimedWorkerStep]) -> Result<Self, Divergence> {
        let mut run = Self::new(config);
        for TimedWorkerStep(clock, step) in steps {
            run.take(*clock, step)?;
        }
        run.finish()?;
        Ok(run)
    }

    fn new(config: Config) -> Self {
        Self {
            worker: Worker::new(config.clone()),
            model: WorkerModel::new(config.clone()),
            config,
            now: Timestamp::ZERO,
            inputs: Vec::new(),
            outputs: Vec::new(),
            started: Vec::new(),
            expired: 0,
            reached: BTreeMap::new(),
        }
    }

    fn wake(&mut self, at: Timestamp) -> Result<(), Divergence> {
        self.now = self.now.max(at);
        self.worker.handle_timeout(at);
        self.model.wake(at);
        self.inputs.push((at, None));
        self.check()?;
        let at_the_end = self.now == Timestamp::MAX;
        let next = self.worker.poll_timeout();
        assert!(at_the_end || next.is_none_or(|next| next > self.now), "the next timeout is in the past");
        Ok(())
    }

    /// Lets time pass as a driver does.
    fn advance(&mut self, until: Timestamp) -> Result<(), Divergence> {
        while let Some(wake) = self.worker.poll_timeout().filter(|wake| *wake < until) {
            self.wake(wake.max(self.now))?;
        }
        self.wake(until)
    }

    fn feed(&mut self, at: Timestamp, input: Input) -> Result<(), Divergence> {
        self.now = self.now.max(at);
        self.worker.handle_input(at, &input);
        self.model.input(at, &input);
        self.inputs.push((at, Some(input)));
        self.check()
    }

    /// Checks that the machine did what the model did, and kept the promises that can be checked without a model.
    fn check(&mut self) -> Result<(), Divergence> {
        let mut aborted = 0;
        while let Some(output) = self.worker.poll_output() {
            self.model.output(&output)?;
            let name = match &output {
                Output::Start { job, .. } => {
                    self.started.push(*job);
                    "started"
                }
                Output::Abort(_) => {
                    aborted += 1;
                    "aborted"
                }
                Output::Answer(result) if result.observed.is_ok() && result.age.is_some() => "answered_with_an_age",
                Output::Answer(result) if result.observed.is_ok() => "answered",
                Output::Answer(_) => "answered_failure",
                Output::Announce(PresenceState::Live) => "announced_live",
                Output::Announce(PresenceState::Draining) => "announced_draining",
                Output::Announce(PresenceState::Left) => "announced_left",
                Output::CloseIntake => "closed_intake",
                Output::Drained => "drained",
            };
            *self.reached.entry(name).or_default() += 1;
            self.outputs.push(output);
        }
        let expired = std::mem::replace(&mut self.expired, self.worker.counters().tasks_expired);
        if aborted > self.expired - expired {
            *self.reached.entry("aborted_and_still_wanted").or_default() += 1;
        }
        self.model.settled()?;
        self.model.compare(&self.worker)?;
        let (running, waiting) = self.worker.load();
        assert!(running <= self.config.max_concurrent, "too many jobs run");
        // A restarted job waits in addition to those that were queued.
        assert!(waiting <= self.config.max_queued + self.config.max_concurrent, "too many jobs wait");
        assert!(self.worker.remembered() <= self.config.max_remembered, "too many answers are remembered");
        Ok(())
    }

    /// A new trace for each input, and sometimes none.
    fn mark(&self) -> Option<Trace> {
        let number = self.inputs.len();
        (number % 4 != 3).then_some(Trace([number as u8; 25]))
    }

    fn take(&mut self, clock: Clock, step: &Step) -> Result<(), Divergence> {
        let (at, is_woken) = clock.from(self.now);
        if is_woken {
            self.advance(at)?;
        }
        let input = match step {
            Step::Idle => return self.wake(at),
            Step::Task { request, query, ttl, place } => task(*request, *query, *ttl, *place, self.mark()),
            Step::Crowd { request, query, places } => {
                let mark = self.mark();
                return (0..*places).try_for_each(|place| {
                    self.feed(at, task(*request, *query, Some(Duration::MAX), Some(place), mark))
                });
            }
            Step::Done { job, observed, age } => {
                // Mostly a job that may still run, sometimes one that has ended or never existed. It never guesses an
                // id that is given later, because nobody knows of a job before it starts.
                let recent = self.started.iter().rev().nth(usize::from(*job) % 6);
                let job = recent.copied().unwrap_or(JobId(u64::MAX));
                let observed = observed.map(|number| Value::Number(number.into())).map_err(|()| "no price".into());
                Input::Done { job, observed, age: *age, trace: self.mark() }
            }
            Step::BusUp => Input::BusUp,
            Step::BusDown => Input::BusDown,
            Step::Drain => Input::Drain,
        };
        self.feed(at, input)
    }

    /// Checks that everything ends by itself, and that a worker that was told to drain has drained.
    fn finish(&mut self) -> Result<(), Divergence> {
        self.feed(self.now, Input::BusDown)?;
        let draining = self.inputs.iter().any(|(_, input)| matches!(input, Some(Input::Drain)));
        self.advance(self.now.after(Duration::from_hours(1)))?;
        assert_eq!((self.worker.load(), self.worker.remembered()), ((0, 0), 0));
        assert_eq!(self.worker.poll_timeout(), None);
        let drained = self.outputs.iter().filter(|output| **output == Output::Drained).count();
        assert_eq!(drained, usize::from(draining), "a draining machine reports once that it is drained");
        Ok(())
    }

    /// How often each thing happened that can happen to a worker.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counters = self.worker.counters();
        let counters = [
            ("tasks_received", counters.tasks_received),
            ("tasks_unoffered", counters.tasks_unoffered),
            ("tasks_repeated", counters.tasks_repeated),
            ("tasks_refused", counters.tasks_refused),
            ("tasks_expired", counters.tasks_expired),
            ("succeeded", counters.succeeded),
            ("failed", counters.failed),
            ("transitions", self.inputs.len() as u64),
        ];
        counters.into_iter().chain(self.reached.iter().map(|(name, count)| (*name, *count)))
    }

    /// Whether a second machine puts out the same for the same inputs.
    pub fn replays(self) -> bool {
        let mut again = Worker::new(self.config);
        let mut outputs = Vec::new();
        for (at, input) in &self.inputs {
            again.step(*at, input.as_ref(), &mut outputs);
        }
        outputs == self.outputs
    }
}
