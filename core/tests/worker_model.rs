//! The worker beside its model: whatever comes, and whenever, it does what the model says.
//!
//! `PROPTEST_CASES` sets how many sequences of inputs are tried.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};
use quorate_core::coordinator::PresenceState;
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input, JobId, Output, Task, Worker};
use quorate_model::{Divergence, WorkerModel};

/// Enough for everything to be reached many times over, in a few seconds.
const CASES: u32 = 4000;

/// One step. A job is counted back from the latest start there is by then.
#[derive(Clone, Debug)]
enum Step {
    Task {
        request: u8,
        query: u8,
        ttl: Option<Duration>,
        place: Option<u8>,
    },
    /// The same task for so many places.
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

/// How the clock moves before a step.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// By so much, and the machine is woken whenever it asks for it.
    Wait(Duration),
    /// By so much at one go.
    Jump(Duration),
    /// Back by so much, for this step only.
    Back(Duration),
    /// To any time, be it past.
    To(u64),
    /// To this long before the end of time.
    BeforeTheEnd(Duration),
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
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

fn clock() -> impl Strategy<Value = Clock> {
    let absurd = prop_oneof![
        any::<u64>().prop_map(Clock::To),
        (0_u64..3000).prop_map(|millis| Clock::BeforeTheEnd(Duration::from_millis(millis))),
    ];
    prop_oneof![
        1280 => Just(Clock::Wait(Duration::ZERO)),
        640 => millis(0..50).prop_map(Clock::Wait),
        160 => (0_u64..20).prop_map(|hundreds| Clock::Wait(Duration::from_millis(hundreds * 50))),
        80 => millis(0..5000).prop_map(Clock::Wait),
        80 => millis(0..1000).prop_map(Clock::Jump),
        80 => any::<u32>().prop_map(|nanos| Clock::Back(Duration::from_nanos(nanos.into()))),
        40 => Just(Clock::To(0)),
        1 => absurd,
    ]
}

/// Small limits and short waits, zero included.
fn config() -> impl Strategy<Value = Config> {
    let counts =
        (1_usize..5, 0_usize..5, 0_usize..8, prop_oneof![1_usize..4, Just(Config::default().max_reply_places)]);
    let ttls = (millis(0..500), millis(0..500));
    (counts, ttls, millis(0..1000), millis(0..300), millis(20..500)).prop_map(
        |(counts, ttls, remember, drain_grace, announce_every)| Config {
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
        reply: place.map(|place| Arc::from(places[usize::from(place)])),
        trace,
    })
}

/// The machine beside its model, and a record of what went in and came out.
struct Run {
    worker: Worker,
    model: WorkerModel,
    config: Config,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    /// Every start, the latest last.
    started: Vec<JobId>,
    expired: u64,
    reached: BTreeMap<&'static str, u64>,
}

impl Run {
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
        assert!(at_the_end || next.is_none_or(|next| next > self.now), "it wants to be woken in the past");
        Ok(())
    }

    /// Lets time pass as an adapter does.
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

    /// The machine did what the model did, and both kept the promises that need no model.
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
        // A job that is started anew waits beside those that were let in.
        assert!(waiting <= self.config.max_queued + self.config.max_concurrent, "too many jobs wait");
        assert!(self.worker.remembered() <= self.config.max_remembered, "too many answers are remembered");
        Ok(())
    }

    /// Another mark for each input, and sometimes none.
    fn mark(&self) -> Option<Trace> {
        let number = self.inputs.len();
        (number % 4 != 3).then_some(Trace([number as u8; 25]))
    }

    fn take(&mut self, clock: Clock, step: &Step) -> Result<(), Divergence> {
        let at = match clock {
            Clock::Wait(wait) => {
                self.advance(self.now.after(wait))?;
                self.now
            }
            Clock::Jump(jump) => self.now.after(jump),
            Clock::Back(back) => Timestamp::from_nanos(self.now.as_nanos().saturating_sub(back.as_nanos() as u64)),
            Clock::To(nanos) => Timestamp::from_nanos(nanos),
            Clock::BeforeTheEnd(rest) => Timestamp::from_nanos(u64::MAX - rest.as_nanos() as u64),
        };
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
                // Mostly what may still run, sometimes what has been, or never was. No number is guessed that is given
                // later: nobody knows of a job before it is started.
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

    /// Everything ends by itself, and a worker that drains is done with it.
    fn finish(&mut self) -> Result<(), Divergence> {
        self.feed(self.now, Input::BusDown)?;
        let draining = self.inputs.iter().any(|(_, input)| matches!(input, Some(Input::Drain)));
        self.advance(self.now.after(Duration::from_hours(1)))?;
        assert_eq!((self.worker.load(), self.worker.remembered()), ((0, 0), 0));
        assert_eq!(self.worker.poll_timeout(), None);
        let drained = self.outputs.iter().filter(|output| **output == Output::Drained).count();
        assert_eq!(drained, usize::from(draining), "drained once if at all");
        Ok(())
    }

    fn counted(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counters = self.worker.counters();
        let counters = [
            ("tasks_received", counters.tasks_received),
            ("tasks_repeated", counters.tasks_repeated),
            ("tasks_refused", counters.tasks_refused),
            ("tasks_expired", counters.tasks_expired),
            ("succeeded", counters.succeeded),
            ("failed", counters.failed),
            ("transitions", self.inputs.len() as u64),
        ];
        counters.into_iter().chain(self.reached.iter().map(|(name, count)| (*name, *count)))
    }

    /// Whether another machine puts out the same for the same inputs.
    fn replays(self) -> bool {
        let mut again = Worker::new(self.config);
        let mut outputs = self.outputs.into_iter();
        for (at, input) in self.inputs {
            match input {
                Some(input) => again.handle_input(at, &input),
                None => again.handle_timeout(at),
            }
            while let Some(output) = again.poll_output() {
                if outputs.next() != Some(output) {
                    return false;
                }
            }
        }
        outputs.next().is_none()
    }
}

/// All that [`Run::counted`] can count.
const REACHABLE: usize = 18;

#[test]
fn whatever_happens_the_worker_does_what_its_model_does() {
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if chosen { ProptestConfig::default().cases } else { CASES };
    let settings = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 50_000, ..Default::default() };
    let reached: RefCell<BTreeMap<&'static str, u64>> = RefCell::default();
    let began = Instant::now();
    let case = (config(), prop::collection::vec((clock(), step()), 0..300));
    let checked = TestRunner::new(settings).run(&case, |(config, steps)| {
        let mut run = Run::new(config);
        let ran = steps.iter().try_for_each(|(clock, step)| run.take(*clock, step)).and_then(|()| run.finish());
        ran.map_err(|divergence| TestCaseError::fail(divergence.to_string()))?;
        for (name, count) in run.counted() {
            *reached.borrow_mut().entry(name).or_default() += count;
        }
        prop_assert!(run.replays(), "a recording must replay to the same outputs");
        Ok(())
    });
    match checked {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{why}"),
        Err(TestError::Fail(why, (config, steps))) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
            panic!("{why}\nat least with {config:?}\nsteps:\n{}", steps.join("\n"));
        }
    }
    println!("in {:?}: {:?}", began.elapsed(), reached.borrow());
    if cases >= CASES {
        let reached = reached.take();
        let often = reached.values().filter(|count| **count > 0).count();
        assert_eq!(often, REACHABLE, "the inputs never led to some of it: {reached:?}");
    }
}
