//! Feeds and their model, given the same steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use proptest::prelude::{Strategy, any, prop};
use quorate_core::Machine as _;
use quorate_core::feed::{
    Definition, FeedName, Feeds, Head, Holder, Input, LEASE_TTL, Link, MAX_ROUND, Output, Record, Report, RoundId, Seen,
};
use quorate_core::id::RequestId;
use quorate_core::outcome::{Answer, Failure, Outcome, Status};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::value::Value;

use crate::{Divergence, FeedsModel};

/// What decides one step. Steps have one size, so that removing one leaves the others what they are.
const STEP_BYTES: usize = 24;

/// The most steps of a case.
const MOST: usize = 300;

/// The feeds that may be defined, and one that never is.
const NAMES: [&str; 5] = ["a", "b", "c", "d", "stranger"];

/// Up to 300 steps, each as the bytes that decide it.
pub fn feed_steps() -> impl Strategy<Value = Vec<[u8; STEP_BYTES]>> {
    prop::collection::vec(any::<[u8; STEP_BYTES]>(), 0..MOST)
}

fn name(bytes: &mut Unstructured<'_>) -> Result<FeedName> {
    // Mostly one feed, so that much happens to it.
    let text = *bytes.choose(&["a", "a", "a", "a", "b", "b", "c", "d", "stranger"])?;
    Ok(FeedName::new(text).expect("a name"))
}

fn definition(name: &str, bytes: &mut Unstructured<'_>) -> Result<Arc<Definition>> {
    let query = Query::new(bytes.choose(&["BTC/USD", "BTC/USD", "BTC/USD", "ETH/USD"])?).expect("a query");
    let name = FeedName::new(name).expect("a name");
    let heartbeat = Duration::from_millis(*bytes.choose(&[100, 1_000, 7_000, 10_000, 40_000])?);
    let feed = Definition::new(name, query, heartbeat);
    Ok(Arc::new(Definition {
        deviation: match bytes.int_in_range(0..=3)? {
            0 => None,
            1 => Some(0.into()),
            _ => Some(rust_decimal::Decimal::new(bytes.int_in_range(1..=20)?, 1)),
        },
        min_interval: (heartbeat / bytes.int_in_range(1..=10)?).max(Duration::from_millis(100)),
        overrides: Overrides { min_responses: bytes.ratio(1_u8, 8)?.then_some(2), ..Overrides::default() },
        ..feed
    }))
}

fn value(bytes: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => Value::text("red").expect("a value"),
        1 => Value::text("blue").expect("a value"),
        2 => Value::Number(rust_decimal::Decimal::MAX),
        _ => Value::Number(bytes.int_in_range(-8..=8)?.into()),
    })
}

fn one() -> Answer {
    let (value, status) = (Value::Number(1.into()), Status::Complete);
    Answer { value, exact: None, used: 1, agreeing: 1, tie: false, spread: None, status }
}

fn outcome(bytes: &mut Unstructured<'_>) -> Result<Arc<Outcome>> {
    let status = *bytes.choose(&[Status::Complete, Status::Partial, Status::LowReliability, Status::Disputed])?;
    let answer = Answer { value: value(bytes)?, status, ..one() };
    let failure = *bytes.choose(&[Failure::NoWorkers, Failure::Disputed { agreeing: 1, used: 2 }])?;
    Ok(outcome_of(if bytes.ratio(5_u8, 6)? { Ok(answer) } else { Err(failure) }))
}

fn outcome_of(verdict: std::result::Result<Answer, Failure>) -> Arc<Outcome> {
    let (request, query) = (RequestId::new("r").expect("a request id"), Query::new("BTC/USD").expect("a query"));
    Arc::new(Outcome { verdict, ..Outcome::unanswered(request, query) })
}

fn holder(bytes: &mut Unstructured<'_>) -> Result<Holder> {
    bytes.choose(&[Holder::Me, Holder::Other, Holder::Other, Holder::Nobody]).copied()
}

fn ago(bytes: &mut Unstructured<'_>) -> Result<Duration> {
    Ok(match bytes.int_in_range(0..=15)? {
        0 => Duration::MAX,
        1..=5 => Duration::ZERO,
        _ => Duration::from_millis(bytes.int_in_range(0..=20_000)?),
    })
}

/// The feeds and their model, and a record of all inputs and outputs.
#[derive(Debug, Default)]
pub struct FeedsRun {
    feeds: Feeds,
    model: FeedsModel,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    /// What the machine waits for, in the order of the outputs.
    open: Vec<Output>,
    /// The greatest sequence of the store so far.
    sequence: u64,
    /// The greatest round so far.
    round: u64,
    draining: bool,
    reached: BTreeMap<&'static str, u64>,
}

impl FeedsRun {
    /// Takes all steps, and then lets a store that always answers show that every feed goes on.
    ///
    /// # Errors
    /// [`Divergence`] if the machine does something other than its model.
    ///
    /// # Panics
    /// If the machine breaks a promise that can be checked without a model.
    pub fn play<'a>(steps: impl IntoIterator<Item = &'a [u8]>) -> std::result::Result<Self, Divergence> {
        let mut run = Self::default();
        for step in steps.into_iter().take(MOST) {
            run.take(&mut Unstructured::new(step))?;
        }
        run.finish()?;
        Ok(run)
    }

    /// Plays a fuzzer's bytes.
    ///
    /// # Errors
    /// [`Divergence`] if the machine does something other than its model.
    pub fn play_bytes(data: &[u8]) -> std::result::Result<Self, Divergence> {
        Self::play(data.chunks(STEP_BYTES))
    }

    fn wake(&mut self, at: Timestamp) -> std::result::Result<(), Divergence> {
        self.now = self.now.max(at);
        self.feeds.handle_timeout(at);
        self.model.wake(at);
        self.inputs.push((at, None));
        self.check()
    }

    /// Lets time pass as a driver does.
    fn advance(&mut self, until: Timestamp) -> std::result::Result<(), Divergence> {
        while let Some(wake) = self.feeds.poll_timeout().filter(|wake| *wake < until) {
            self.wake(wake)?;
        }
        self.wake(until)
    }

    fn feed(&mut self, at: Timestamp, input: Input) -> std::result::Result<(), Divergence> {
        self.now = self.now.max(at);
        self.draining |= input == Input::Drain;
        self.feeds.handle_input(at, &input);
        self.model.input(at, &input);
        self.inputs.push((at, Some(input)));
        self.check()
    }

    /// Checks that the machine did what the model did, and kept the promises that can be checked without a model.
    fn check(&mut self) -> std::result::Result<(), Divergence> {
        while let Some(output) = self.feeds.poll_output() {
            self.model.output(&output)?;
            let what = match &output {
                Output::Read(_) => "reads",
                Output::Lease { .. } => "lease appends",
                Output::Release { .. } => "releases",
                Output::Ask { .. } => "asks",
                Output::Store { record, .. } => {
                    assert!(record.round <= MAX_ROUND);
                    "records"
                }
                Output::Drained => "drained",
            };
            *self.reached.entry(what).or_default() += 1;
            if !matches!(output, Output::Release { .. } | Output::Drained) {
                self.open.push(output.clone());
            }
            self.outputs.push(output);
        }
        self.model.settled()?;
        self.model.compare(&self.feeds)?;
        let next = self.feeds.poll_timeout();
        let at_the_end = self.now == Timestamp::MAX;
        assert!(at_the_end || next.is_none_or(|next| next > self.now), "the next timeout is in the past");
        Ok(())
    }

    fn take(&mut self, bytes: &mut Unstructured<'_>) -> std::result::Result<(), Divergence> {
        let mut decide = || -> Result<(Timestamp, bool, Option<Input>)> {
            let (at, is_woken) = self.clock(bytes)?;
            Ok((at, is_woken, self.input(bytes)?))
        };
        // Too few bytes decide nothing.
        let Ok((at, is_woken, input)) = decide() else { return Ok(()) };
        if is_woken {
            self.advance(at)?;
        }
        match input {
            Some(input) => self.feed(at, input),
            None => self.wake(at),
        }
    }

    /// The time of a step, and whether the machine is woken on the way there.
    fn clock(&self, bytes: &mut Unstructured<'_>) -> Result<(Timestamp, bool)> {
        let millis = |millis| self.now.after(Duration::from_millis(millis));
        Ok(match bytes.int_in_range(0..=31)? {
            0 => (millis(bytes.int_in_range(0..=60_000)?), false),
            1 => (
                Timestamp::from_nanos(self.now.as_nanos().saturating_sub(bytes.int_in_range(0..=2_000_000_000)?)),
                false,
            ),
            2 if bytes.ratio(1_u8, 100)? => {
                (Timestamp::from_nanos(u64::MAX - bytes.int_in_range(0..=9_000_000_000)?), false)
            }
            // Exactly when something is due.
            2..=8 => (self.feeds.poll_timeout().unwrap_or(self.now), false),
            9..=14 => (millis(*bytes.choose(&[100, 1_000, 5_000, 10_000, 15_000])?), true),
            15..=18 => (millis(bytes.int_in_range(0..=16_000)?), true),
            _ => (self.now, false),
        })
    }

    fn input(&mut self, bytes: &mut Unstructured<'_>) -> Result<Option<Input>> {
        Ok(Some(match bytes.int_in_range(0..=63)? {
            0 => match bytes.int_in_range(0..=7)? {
                0 => Input::Drain,
                _ => return Ok(None),
            },
            _ if self.inputs.is_empty() => Self::definitions(bytes)?,
            1..=2 => Self::definitions(bytes)?,
            3..=5 => {
                let sequence = self.some_sequence(bytes)?;
                Input::LeaseSeen { feed: name(bytes)?, sequence, holder: holder(bytes)? }
            }
            6..=7 => Input::Seen { feed: name(bytes)?, record: self.seen(bytes)? },
            8 => self.stray(bytes)?,
            9..=59 if !self.open.is_empty() => {
                let which = bytes.int_in_range(0..=self.open.len() - 1)?;
                let output = self.open.remove(which);
                self.answer(&output, bytes)?
            }
            _ => return Ok(None),
        }))
    }

    fn definitions(bytes: &mut Unstructured<'_>) -> Result<Input> {
        let mut definitions = Vec::new();
        for name in &NAMES[..4] {
            if bytes.ratio(if *name == "a" { 9_u8 } else { 3 }, 10)? {
                definitions.push(definition(name, bytes)?);
            }
        }
        if bytes.ratio(1_u8, 8)? {
            definitions.push(definition("a", bytes)?);
        }
        Ok(Input::Definitions(definitions))
    }

    /// The next sequence of the store, or one that was used before; 0 sometimes.
    fn some_sequence(&mut self, bytes: &mut Unstructured<'_>) -> Result<u64> {
        match bytes.int_in_range(0..=9)? {
            0 => Ok(0),
            1..=2 => bytes.int_in_range(0..=self.sequence),
            _ => Ok(self.next_sequence()),
        }
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn seen(&mut self, bytes: &mut Unstructured<'_>) -> Result<Seen> {
        self.round += bytes.int_in_range(0..=2)?;
        let round = match bytes.int_in_range(0..=99)? {
            0 => MAX_ROUND - bytes.int_in_range(0..=2)?,
            1 => u64::MAX,
            2..=20 => bytes.int_in_range(0..=self.round)?,
            _ => self.round,
        };
        let report = Report { round, value: value(bytes)?, answered_at: UnixTime::EPOCH };
        let link = Link { sequence: self.some_sequence(bytes)?, digest: [bytes.arbitrary()?; 32] };
        let report = bytes.ratio(9_u8, 10)?.then_some(report);
        Ok(Seen { head: Head { link, round, report }, ended_ago: ago(bytes)?, reported_ago: ago(bytes)? })
    }

    /// An answer of which the machine may not wait.
    fn stray(&mut self, bytes: &mut Unstructured<'_>) -> Result<Input> {
        let feed = name(bytes)?;
        let query = Query::new("BTC/USD").expect("a query");
        // It never guesses an id that is given later, because nobody knows of a round before it is asked.
        let round = RoundId(bytes.int_in_range(0..=self.feeds.counters().rounds)?);
        let output = match bytes.int_in_range(0..=2)? {
            0 => Output::Read(feed),
            1 => Output::Lease { feed, after: 0 },
            _ => Output::Ask { feed, round, query, overrides: Overrides::default() },
        };
        self.answer(&output, bytes)
    }

    /// One of the answers to an output.
    fn answer(&mut self, output: &Output, bytes: &mut Unstructured<'_>) -> Result<Input> {
        let kind = bytes.int_in_range(0..=9)?;
        Ok(match (output, kind) {
            (Output::Lease { feed, .. }, 0..=5) => Input::Leased { feed: feed.clone(), sequence: self.next_sequence() },
            (Output::Lease { feed, .. }, 6) => {
                Input::Leased { feed: feed.clone(), sequence: self.some_sequence(bytes)? }
            }
            (Output::Lease { feed, .. }, 7) => Input::LeaseUnclear(feed.clone()),
            (Output::Lease { feed, .. }, _) => {
                let sequence = self.some_sequence(bytes)?;
                Input::LeaseLost { feed: feed.clone(), sequence, holder: holder(bytes)? }
            }
            (Output::Ask { feed, round, .. }, kind) => {
                let outcome = if kind == 0 { None } else { Some(outcome(bytes)?) };
                Input::Ended { feed: feed.clone(), round: *round, outcome }
            }
            (Output::Store { record, .. }, 0..=5) => self.stored(record),
            (Output::Read(feed), 0..=1) => Input::Newest { feed: feed.clone(), sequence: self.sequence, record: None },
            (Output::Read(feed) | Output::Store { record: Record { feed, .. }, .. }, 2..=7) => {
                let record = if bytes.ratio(3_u8, 4)? { Some(self.seen(bytes)?) } else { None };
                let sequence = record.as_ref().map_or(self.sequence, |record| record.head.link.sequence);
                Input::Newest { feed: feed.clone(), sequence, record }
            }
            (Output::Read(feed) | Output::Store { record: Record { feed, .. }, .. }, _) => Input::Unclear(feed.clone()),
            (Output::Release { .. } | Output::Drained, _) => unreachable!("nothing waits for an answer to these"),
        })
    }

    fn stored(&mut self, record: &Record) -> Input {
        let link = Link { sequence: self.next_sequence(), digest: [record.round as u8; 32] };
        let head = Head { link, round: record.round, report: record.report() };
        Input::Stored { feed: record.feed.clone(), head }
    }

    /// Checks that every feed is asked if the store answers, or, if the machine was told to drain, that it has drained.
    fn finish(&mut self) -> std::result::Result<(), Divergence> {
        let begun = self.outputs.len();
        let until = self.now.after(2 * LEASE_TTL + Duration::from_mins(1));
        let near_the_end = until == Timestamp::MAX;
        loop {
            while !self.open.is_empty() {
                let output = self.open.remove(0);
                let input = self.well(&output);
                self.feed(self.now, input)?;
                if near_the_end {
                    return Ok(());
                }
            }
            let Some(wake) = self.feeds.poll_timeout().filter(|wake| *wake <= until) else { break };
            self.wake(wake)?;
        }
        self.wake(until)?;
        let drained = self.outputs.iter().filter(|output| **output == Output::Drained).count();
        assert_eq!(drained, usize::from(self.draining), "a draining machine reports once that it is drained");
        if self.draining {
            assert_eq!(self.feeds.poll_timeout(), None);
            return Ok(());
        }
        let (feeds, driven) = self.feeds.driven();
        assert_eq!(feeds, driven, "a lease is not taken although the store answers");
        let mut asked: Vec<_> = self.outputs[begun..]
            .iter()
            .filter_map(|output| match output {
                Output::Ask { feed, .. } => Some(feed.clone()),
                _ => None,
            })
            .collect();
        asked.sort();
        asked.dedup();
        let full = self.full();
        assert!(asked.len() + full >= feeds, "{asked:?} are asked of {feeds} feeds, of which {full} are full");
        let counters = self.feeds.counters();
        let ended = counters.refused
            + counters.quiet
            + counters.reported
            + counters.unreported
            + counters.lost
            + counters.unclear
            + counters.given_up;
        assert_eq!(ended, counters.rounds, "every round ends in one way: {counters:?}");
        Ok(())
    }

    /// How many feeds may have no number left.
    fn full(&self) -> usize {
        let mut full: Vec<_> = self
            .inputs
            .iter()
            .filter_map(|(_, input)| match input {
                Some(Input::Seen { feed, record } | Input::Newest { feed, record: Some(record), .. })
                    if record.head.round >= MAX_ROUND - 3 =>
                {
                    Some(feed.clone())
                }
                _ => None,
            })
            .collect();
        full.sort();
        full.dedup();
        full.len()
    }

    /// The answer of a store in which nobody else writes, and of workers that answer.
    fn well(&mut self, output: &Output) -> Input {
        match output {
            Output::Read(feed) => Input::Newest { feed: feed.clone(), sequence: self.sequence, record: None },
            Output::Lease { feed, .. } => Input::Leased { feed: feed.clone(), sequence: self.next_sequence() },
            Output::Store { record, .. } => self.stored(record),
            Output::Ask { feed, round, .. } => {
                Input::Ended { feed: feed.clone(), round: *round, outcome: Some(outcome_of(Ok(one()))) }
            }
            Output::Release { .. } | Output::Drained => unreachable!("nothing waits for an answer to these"),
        }
    }

    /// How often each thing happened that can happen to feeds.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counters = self.feeds.counters();
        let counters = [
            ("rounds", counters.rounds),
            ("refused", counters.refused),
            ("quiet", counters.quiet),
            ("reported", counters.reported),
            ("unreported", counters.unreported),
            ("lost", counters.lost),
            ("unclear", counters.unclear),
            ("given_up", counters.given_up),
            ("leases_taken", counters.leases_taken),
            ("failovers", counters.failovers),
            ("transitions", self.inputs.len() as u64),
        ];
        counters.into_iter().chain(self.reached.iter().map(|(name, count)| (*name, *count)))
    }

    /// Every input so far, with its time.
    pub fn inputs(&self) -> &[(Timestamp, Option<Input>)] {
        &self.inputs
    }

    /// Whether a second machine puts out the same for the same inputs.
    pub fn replays(self) -> bool {
        let mut again = Feeds::new();
        let mut outputs = Vec::new();
        for (at, input) in &self.inputs {
            again.step(*at, input.as_ref(), &mut outputs);
        }
        outputs == self.outputs
    }
}
