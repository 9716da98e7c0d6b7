//! Durable requests and their model, given the same steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::coordinator::Refusal;
use quorate_core::durable::{Accepted, Config, Content, Entry, Found, Got, Input, Job, Kept, Output, Work, Written};
use quorate_core::id::{RequestId, Ticket};
use quorate_core::outcome::Failure;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::{Durable, Machine as _};

use super::clock::{Clock, clock, millis};
use crate::{Divergence, DurableModel};

/// What an entry says: its query, and its holder among few.
#[derive(Clone, Copy, Debug)]
enum Says {
    Open { query: u8, holder: u8, timeout: u8 },
    Closed,
}

/// One step. A result is that of one of the works that are not done yet, counted back from the latest.
#[derive(Clone, Debug)]
enum Step {
    Submit {
        request: u8,
        query: u8,
    },
    /// The entry is newer than all before, or this much older.
    Seen {
        request: u8,
        says: Says,
        older: u8,
    },
    Done {
        work: u8,
        result: u8,
        says: Says,
        bytes: u16,
    },
    Drain,
    Idle,
}

/// A step and how the clock moves before it.
#[derive(Clone, Debug)]
pub struct TimedDurableStep(Clock, Step);

/// Up to 300 steps.
pub fn durable_steps() -> impl Strategy<Value = Vec<TimedDurableStep>> {
    prop::collection::vec((clock(2), step()).prop_map(|(clock, step)| TimedDurableStep(clock, step)), 0..300)
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        4 => (0_u8..2, 0_u8..5, 0_u8..3).prop_map(|(query, holder, timeout)| Says::Open { query, holder, timeout }),
        1 => Just(Says::Closed),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..6, 0_u8..12).prop_map(|(request, query)| Step::Submit { request, query }),
        8 => (0_u8..6, says(), 0_u8..4).prop_map(|(request, says, older)| Step::Seen { request, says, older }),
        24 => (any::<u8>(), any::<u8>(), says(), any::<u16>())
            .prop_map(|(work, result, says, bytes)| Step::Done { work, result, says, bytes }),
        2 => prop_oneof![19 => Just(Step::Idle), 1 => Just(Step::Drain)],
    ]
}

/// Small limits and short waits, including zero.
pub fn durable_config() -> impl Strategy<Value = Config> {
    let waits = (millis(0..2000), millis(0..300), millis(0..2000));
    let counts = (0_usize..8, 0_usize..6, 0_usize..4, 0_usize..3, 0_u32..3);
    let bytes = (prop_oneof![0_usize..5000, Just(usize::MAX / 2)], prop_oneof![0_usize..100_000, Just(1 << 40)]);
    (waits, counts, bytes).prop_map(|(waits, counts, bytes)| Config {
        patience: waits.0,
        pause: waits.1,
        max_pause: waits.2,
        max_known: counts.0,
        max_held: counts.1,
        max_taken: counts.2,
        max_callers: counts.3,
        max_looks: counts.4,
        max_bytes: bytes.0,
        max_outcome_bytes: bytes.1,
        ..Config::of("me")
    })
}

fn id(request: u8) -> RequestId {
    RequestId::new(["a", "b", "c", "d", "e", "f"][usize::from(request)]).expect("an id")
}

fn query(query: u8) -> Query {
    Query::new(["BTC/USD", "ETH/USD"][usize::from(query)]).expect("a query")
}

fn job(request: &RequestId, of: u8, timeout: u8) -> Arc<Job> {
    let timeout = [Duration::ZERO, Duration::from_millis(700), Duration::MAX][usize::from(timeout)];
    let (request, overrides, submitted_at) = (request.clone(), Overrides::default(), UnixTime::EPOCH);
    Arc::new(Job { request, query: query(of), overrides, timeout, submitted_at })
}

/// What the machine waits for.
#[derive(Clone, Debug)]
enum Waits {
    Look,
    Write(RequestId),
    Ask,
    Keep,
}

/// The machine and its model, and a record of all inputs and outputs.
#[derive(Debug)]
pub struct DurableRun {
    machine: Durable,
    model: DurableModel,
    config: Config,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    /// What is not done yet, the latest last.
    works: Vec<(Work, Waits)>,
    sequence: u64,
    turn: u64,
    tickets: u64,
    unanswered: u64,
    reached: BTreeMap<&'static str, u64>,
}

impl DurableRun {
    /// Takes all steps, and lets the coordinator drain.
    ///
    /// # Errors
    /// [`Divergence`] if the machine does something other than its model.
    ///
    /// # Panics
    /// If the machine breaks a promise that can be checked without a model.
    pub fn play(config: Config, steps: &[TimedDurableStep]) -> Result<Self, Divergence> {
        let mut run = Self {
            machine: Durable::new(config.clone()),
            model: DurableModel::new(config.clone()),
            config,
            now: Timestamp::ZERO,
            inputs: Vec::new(),
            outputs: Vec::new(),
            works: Vec::new(),
            sequence: 0,
            turn: 0,
            tickets: 0,
            unanswered: 0,
            reached: BTreeMap::new(),
        };
        for TimedDurableStep(clock, step) in steps {
            run.take(*clock, step)?;
        }
        run.finish()?;
        Ok(run)
    }

    fn wake(&mut self, at: Timestamp) -> Result<(), Divergence> {
        self.now = self.now.max(at);
        self.machine.handle_timeout(at);
        self.model.wake(at);
        self.inputs.push((at, None));
        self.check()?;
        let at_the_end = self.now == Timestamp::MAX;
        let next = self.machine.poll_timeout();
        assert!(at_the_end || next.is_none_or(|next| next > self.now), "the next timeout is in the past");
        Ok(())
    }

    fn feed(&mut self, at: Timestamp, input: Input) -> Result<(), Divergence> {
        self.now = self.now.max(at);
        self.machine.handle_input(at, &input);
        self.model.input(at, &input);
        self.inputs.push((at, Some(input)));
        self.check()
    }

    fn check(&mut self) -> Result<(), Divergence> {
        while let Some(output) = self.machine.poll_output() {
            self.model.output(&output)?;
            let name = match &output {
                Output::Look { work, .. } => {
                    self.works.push((*work, Waits::Look));
                    "looks"
                }
                Output::Write { work, request, content, .. } => {
                    self.works.push((*work, Waits::Write(request.clone())));
                    match content {
                        Content::Closed => "closes",
                        Content::Open { holder: None, .. } => "releases",
                        Content::Open { .. } => "holds",
                    }
                }
                Output::Ask { work, .. } => {
                    self.works.push((*work, Waits::Ask));
                    "asks"
                }
                Output::Keep { work, .. } => {
                    self.works.push((*work, Waits::Keep));
                    "keeps"
                }
                Output::Answer { reply, .. } => {
                    self.unanswered -= 1;
                    match reply {
                        Ok(Accepted::Open) => "accepts_as_open",
                        Ok(Accepted::Done) => "accepts_as_done",
                        Err(_) => "rejects",
                    }
                }
                Output::Forget(_) => "forgets",
                Output::Ended(_) => "tells_the_end",
                Output::Watch => "watches_anew",
                Output::Drained => "drained",
            };
            *self.reached.entry(name).or_default() += 1;
            self.outputs.push(output);
        }
        self.model.settled()?;
        self.model.compare(&self.machine)?;
        let Config { max_known, max_held, max_taken, .. } = self.config;
        assert!(self.machine.known() <= max_known.max(1), "too many requests are known");
        assert!(self.machine.held() <= max_held, "too many requests are held");
        assert!(self.machine.taken() <= max_taken, "too many requests are taken over");
        Ok(())
    }

    fn content(&mut self, request: &RequestId, says: Says) -> Content {
        let Says::Open { query, holder, timeout } = says else { return Content::Closed };
        self.turn += 1;
        let holder = [Some("me"), Some("b"), Some("c"), Some("d"), None][usize::from(holder)].map(Into::into);
        Content::Open { job: job(request, query, timeout), holder, turn: self.turn }
    }

    fn take(&mut self, clock: Clock, step: &Step) -> Result<(), Divergence> {
        let (at, is_woken) = clock.from(self.now);
        if is_woken {
            while let Some(wake) = self.machine.poll_timeout().filter(|wake| *wake < at) {
                self.wake(wake.max(self.now))?;
            }
            self.wake(at)?;
        }
        let input = match step {
            Step::Idle => return self.wake(at),
            Step::Drain => Input::Drain,
            Step::Submit { request, query } => {
                self.tickets += 1;
                self.unanswered += 1;
                // Most submissions of an id are of one query.
                let job = job(&id(*request), u8::from(*query == 0), 1);
                Input::Submit { ticket: Ticket(self.tickets), job }
            }
            Step::Seen { request, says, older } => {
                self.sequence += 1;
                let request = id(*request);
                let content = self.content(&request, *says);
                let sequence = self.sequence.saturating_sub(u64::from(older.saturating_sub(1))).max(1);
                Input::Seen { request, entry: Entry { sequence, content } }
            }
            Step::Done { work, result, says, bytes } => {
                let Some(index) = self.works.len().checked_sub(1 + usize::from(*work) % 4) else {
                    return self.wake(at);
                };
                let (work, waits) = self.works.remove(index);
                self.result(work, &waits, *result, *says, usize::from(*bytes))
            }
        };
        self.feed(at, input)
    }

    /// What came of a work. Good results are the most frequent.
    fn result(&mut self, work: Work, waits: &Waits, result: u8, says: Says, bytes: usize) -> Input {
        match waits {
            Waits::Look => {
                let found = match result % 8 {
                    0 => Found::Unknown,
                    1 => Found::Outcome(Some(query(0))),
                    2 => Found::Outcome([Some(query(1)), None][usize::from(result) / 8 % 2].clone()),
                    _ => Found::Nothing,
                };
                Input::Looked { work, found }
            }
            Waits::Write(request) => {
                self.sequence += 1;
                let written = match result % 10 {
                    0 => Written::Unclear,
                    1 => Written::Refused,
                    2 => Written::Lost(None),
                    3 | 4 => {
                        let content = self.content(request, says);
                        Written::Lost(Some(Entry { sequence: self.sequence, content }))
                    }
                    _ => Written::Stored(self.sequence),
                };
                Input::Written { work, written }
            }
            Waits::Ask => {
                let got = match result % 12 {
                    0 => Got::Nothing,
                    1 => Got::Refused(Refusal::Overloaded),
                    2 => Got::Refused(Refusal::NoWorkers),
                    3 => Got::Refused(Refusal::Conflict),
                    4 => Got::Outcome { failure: Some(Failure::BusDown), bytes },
                    5 => Got::Outcome { failure: Some(Failure::NoWorkers), bytes },
                    _ => Got::Outcome { failure: None, bytes },
                };
                Input::Asked { work, got }
            }
            Waits::Keep => {
                let kept = [Kept::Stored, Kept::Lost, Kept::Unclear][usize::from(result) % 3];
                Input::Kept { work, kept }
            }
        }
    }

    /// Checks that a coordinator that was told to drain has drained once everything is done that it asked for, and that
    /// every caller is answered.
    fn finish(&mut self) -> Result<(), Divergence> {
        self.feed(self.now, Input::Drain)?;
        while !self.works.is_empty() {
            for (work, waits) in std::mem::take(&mut self.works) {
                let input = self.result(work, &waits, 9, Says::Closed, 1);
                self.feed(self.now, input)?;
            }
        }
        assert_eq!((self.machine.known(), self.unanswered), (0, 0));
        assert_eq!(self.machine.poll_timeout(), None);
        let drained = self.outputs.iter().filter(|output| **output == Output::Drained).count();
        assert_eq!(drained, 1, "a draining machine reports once that it has drained");
        Ok(())
    }

    /// How often each thing happened that can happen to durable requests.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counters = self.machine.counters();
        let counters = [
            ("accepted", counters.accepted),
            ("rejected", counters.rejected),
            ("taken_over", counters.taken_over),
            ("repeated", counters.repeated),
            ("stored", counters.stored),
            ("lost", counters.lost),
            ("overlooked", counters.overlooked),
            ("transitions", self.inputs.len() as u64),
        ];
        counters.into_iter().chain(self.reached.iter().map(|(name, count)| (*name, *count)))
    }

    /// Whether a second machine puts out the same for the same inputs.
    pub fn replays(self) -> bool {
        let mut again = Durable::new(self.config);
        let mut outputs = Vec::new();
        for (at, input) in &self.inputs {
            again.step(*at, input.as_ref(), &mut outputs);
        }
        outputs == self.outputs
    }
}
