//! Feeds, a clock that only the test moves, and the answers to what the feeds ask for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Feeds;
use quorate_core::feed::{
    Counters, Definition, FeedName, Head, Holder, Input, Link, Output, Record, Report, RoundId, Seen,
};
use quorate_core::id::RequestId;
use quorate_core::outcome::{Answer, Failure, Outcome, Status};
use quorate_core::query::Query;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::value::Value;

/// The heartbeat of [`definition`], in milliseconds.
pub(crate) const HEARTBEAT_MS: u64 = 10_000;
/// The interval of [`definition`], in milliseconds.
pub(crate) const INTERVAL_MS: u64 = 1_000;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn at_ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn named(name: &str) -> FeedName {
    FeedName::new(name).expect("a name")
}

/// A feed that is asked every second, and reported every 10 s or when it has moved by a hundredth.
pub(crate) fn definition(name: &str) -> Definition {
    Definition {
        deviation: Some("0.01".parse().expect("a number")),
        min_interval: ms(INTERVAL_MS),
        ..Definition::new(named(name), Query::new("BTC/USD").expect("a query"), ms(HEARTBEAT_MS))
    }
}

pub(crate) fn definitions(all: impl IntoIterator<Item = Definition>) -> Input {
    Input::Definitions(all.into_iter().map(Arc::new).collect())
}

fn value(text: &str) -> Value {
    Value::number(text).unwrap_or_else(|_| Value::text(text).expect("a value"))
}

pub(crate) fn outcome(verdict: Result<(&str, Status), Failure>) -> Arc<Outcome> {
    let answer = |(text, status)| Answer {
        value: value(text),
        exact: None,
        used: 1,
        agreeing: 1,
        tie: false,
        spread: None,
        status,
    };
    let (request, query) = (RequestId::new("r").expect("a request id"), Query::new("BTC/USD").expect("a query"));
    Arc::new(Outcome { verdict: verdict.map(answer), ..Outcome::unanswered(request, query) })
}

/// The record of a round that another coordinator has stored, with a report of this value.
pub(crate) fn head(sequence: u64, round: u64, text: &str) -> Head {
    let report = Report { round, value: value(text), answered_at: UnixTime::EPOCH };
    Head { link: Link { sequence, digest: [sequence as u8; 32] }, round, report: Some(report) }
}

pub(crate) struct Harness {
    pub(crate) feeds: Feeds,
    now: Timestamp,
    outputs: VecDeque<Output>,
    /// Whether appends of leases succeed at once.
    pub(crate) leases: bool,
    /// The last sequence of the store.
    pub(crate) sequence: u64,
    /// How often the machine was given anything.
    pub(crate) steps: u64,
}

impl Harness {
    /// A machine with these feeds at time zero, of which nothing is answered.
    pub(crate) fn silent(all: impl IntoIterator<Item = Definition>) -> Self {
        let (feeds, outputs) = (Feeds::new(), VecDeque::new());
        let mut harness = Self { feeds, now: Timestamp::ZERO, outputs, leases: false, sequence: 0, steps: 0 };
        harness.input(&definitions(all));
        harness
    }

    /// A machine whose leases are renewed, that has found no record of its only feed, and asks the first round.
    pub(crate) fn new(definition: Definition) -> Self {
        let mut harness = Self::reading(definition);
        harness.finds(0, None);
        harness
    }

    /// A machine whose leases are renewed, that reads the newest entry of its only feed.
    pub(crate) fn reading(definition: Definition) -> Self {
        let mut harness = Self::silent([definition]);
        harness.leases = true;
        let lease = harness.outputs.pop_front();
        assert!(matches!(lease, Some(Output::Lease { after: 0, .. })), "{lease:?}");
        harness.leased();
        let read = harness.output();
        assert!(matches!(read, Output::Read(_)), "{read:?}");
        harness
    }

    /// A machine that has reported 100 in the first round of its only feed at time zero.
    pub(crate) fn reported(definition: Definition) -> Self {
        let mut harness = Self::new(definition);
        assert_eq!(harness.answers("100").expect("a record").round, 1);
        harness
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn input(&mut self, input: &Input) {
        self.steps += 1;
        self.feeds.handle_input(self.now, input);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.feeds.poll_output() {
            match output {
                Output::Lease { feed, .. } if self.leases => {
                    self.sequence += 1;
                    self.feeds.handle_input(self.now, &Input::Leased { feed, sequence: self.sequence });
                }
                output => self.outputs.push_back(output),
            }
        }
    }

    /// Moves the clock, waking the machine whenever it asks for it.
    pub(crate) fn at(&mut self, at: Timestamp) {
        while let Some(wake) = self.feeds.poll_timeout().filter(|wake| *wake < at) {
            assert!(wake >= self.now, "a timeout in the past: {wake:?} at {:?}", self.now);
            self.wakes_late(wake);
        }
        self.wakes_late(at);
    }

    pub(crate) fn at_ms(&mut self, millis: u64) {
        self.at(at_ms(millis));
    }

    /// Moves the clock, and wakes the machine only at the end.
    pub(crate) fn wakes_late(&mut self, at: Timestamp) {
        self.steps += 1;
        self.now = at;
        self.feeds.handle_timeout(at);
        self.poll();
    }

    /// The next output.
    pub(crate) fn output(&mut self) -> Output {
        self.outputs.pop_front().expect("an output")
    }

    /// Every output since the last call.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs).into()
    }

    /// Asserts that nothing was put out.
    pub(crate) fn is_quiet(&self) {
        assert!(self.outputs.is_empty(), "{:?}", self.outputs);
    }

    /// The append of a lease has succeeded.
    pub(crate) fn leased(&mut self) {
        self.sequence += 1;
        self.input(&Input::Leased { feed: named("a"), sequence: self.sequence });
    }

    pub(crate) fn lease_lost(&mut self, sequence: u64, holder: Holder) {
        self.input(&Input::LeaseLost { feed: named("a"), sequence, holder });
    }

    pub(crate) fn lease_seen(&mut self, sequence: u64, holder: Holder) {
        self.input(&Input::LeaseSeen { feed: named("a"), sequence, holder });
    }

    /// The only output is the append of a lease after this entry.
    pub(crate) fn appends_lease_after(&mut self, after: u64) {
        let output = self.output();
        assert_eq!(output, Output::Lease { feed: named("a"), after });
        self.is_quiet();
    }

    /// The store says that this is the newest entry, whose round ended just now.
    pub(crate) fn finds(&mut self, sequence: u64, head: Option<Head>) {
        self.finds_of(sequence, head, Duration::ZERO);
    }

    /// The store says that this is the newest entry, whose round ended so long ago.
    pub(crate) fn finds_of(&mut self, sequence: u64, head: Option<Head>, ago: Duration) {
        let record = head.map(|head| Seen { head, ended_ago: ago, reported_ago: ago });
        self.input(&Input::Newest { feed: named("a"), sequence, record });
    }

    /// A record comes by the watch, whose round ended just now.
    pub(crate) fn sees(&mut self, head: Head) {
        let record = Seen { head, ended_ago: Duration::ZERO, reported_ago: Duration::ZERO };
        self.input(&Input::Seen { feed: named("a"), record });
    }

    /// The round that is asked, which is the only output.
    pub(crate) fn asked(&mut self) -> RoundId {
        let output = self.output();
        let Output::Ask { round, .. } = output else { panic!("{output:?}") };
        self.is_quiet();
        round
    }

    pub(crate) fn ended(&mut self, round: RoundId, outcome: Option<Arc<Outcome>>) {
        self.input(&Input::Ended { feed: named("a"), round, outcome });
    }

    /// The round that is asked ends, and what it leaves is stored.
    pub(crate) fn ends(&mut self, verdict: Result<(&str, Status), Failure>) -> Option<Record> {
        let round = self.asked();
        self.ended(round, Some(outcome(verdict)));
        let record = self.stores()?;
        self.stored(&record);
        Some(record)
    }

    pub(crate) fn answers(&mut self, text: &str) -> Option<Record> {
        self.ends(Ok((text, Status::Complete)))
    }

    /// The record to be stored, if there is one.
    pub(crate) fn stores(&mut self) -> Option<Record> {
        match self.outputs.pop_front()? {
            Output::Store { record, .. } => Some(record),
            output => panic!("{output:?}"),
        }
    }

    pub(crate) fn stored(&mut self, record: &Record) {
        self.sequence += 1;
        let link = Link { sequence: self.sequence, digest: [self.sequence as u8; 32] };
        let head = Head { link, round: record.round, report: record.report() };
        self.input(&Input::Stored { feed: record.feed.clone(), head });
    }

    pub(crate) fn counters(&self) -> Counters {
        self.feeds.counters()
    }

    /// Whether this machine drives its only feed.
    pub(crate) fn drives(&self) -> bool {
        self.feeds.driven().1 == 1
    }
}
