//! Several coordinators with one store, on a clock that only the test moves.
//!
//! The store keeps one feed. It applies an append when it comes, and answers a little later; a watch shows each entry
//! later still.

use std::collections::BTreeMap;

use quorate_core::Feeds;
use quorate_core::feed::{Definition, FeedName, Head, Holder, Input, Link, Output, Record, Seen};
use quorate_core::outcome::Status;
use quorate_core::time::Timestamp;

use crate::support::{definitions, ms, outcome};

const ANSWER_MS: u64 = 10;
const WATCH_MS: u64 = 100;
const ROUND_MS: u64 = 300;
/// How long a coordinator waits for the store before it says that nothing is clear.
const UNCLEAR_MS: u64 = 2_000;

/// How a coordinator reaches the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Up,
    /// What it appends is stored, and no answer comes.
    Deaf,
    Down,
}

#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) feeds: Feeds,
    pub(crate) reach: Reach,
    pub(crate) paused: bool,
    pub(crate) alive: bool,
    pub(crate) drained: bool,
}

/// An entry of the feed.
#[derive(Clone, Debug)]
struct Entry {
    sequence: u64,
    /// `None` if somebody else has written something that is no record.
    record: Option<Record>,
    at: Timestamp,
}

impl Entry {
    fn head(&self) -> Option<Head> {
        let record = self.record.as_ref()?;
        let link = Link { sequence: self.sequence, digest: [self.sequence as u8; 32] };
        Some(Head { link, round: record.round, report: record.report() })
    }
}

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) machines: Vec<Machine>,
    feed: FeedName,
    sequence: u64,
    lease: (u64, Option<usize>),
    entries: Vec<Entry>,
    /// What comes to whom and when, in order.
    coming: BTreeMap<(Timestamp, u64), (usize, Input)>,
    sent: u64,
    /// What the workers say.
    pub(crate) value: &'static str,
}

impl World {
    pub(crate) fn new(count: usize, definition: &Definition) -> Self {
        let machine = || Machine { feeds: Feeds::new(), reach: Reach::Up, paused: false, alive: true, drained: false };
        let mut world = Self {
            now: Timestamp::ZERO,
            machines: (0..count).map(|_| machine()).collect(),
            feed: definition.name.clone(),
            sequence: 0,
            lease: (0, None),
            entries: Vec::new(),
            coming: BTreeMap::new(),
            sent: 0,
            value: "100",
        };
        for index in 0..count {
            world.give(index, &definitions([definition.clone()]));
        }
        world
    }

    /// A coordinator starts again, and knows nothing.
    pub(crate) fn restarts(&mut self, index: usize, definition: &Definition) {
        self.coming.retain(|_, (to, _)| *to != index);
        self.machines[index].feeds = Feeds::new();
        (self.machines[index].alive, self.machines[index].paused) = (true, false);
        self.give(index, &definitions([definition.clone()]));
    }

    /// Somebody else writes on the subject of the feed.
    pub(crate) fn garbage(&mut self) {
        self.append(None);
    }

    pub(crate) fn give(&mut self, index: usize, input: &Input) {
        self.machines[index].feeds.handle_input(self.now, input);
        self.poll(index);
    }

    /// Lets everything happen until a time that is so much later.
    pub(crate) fn passes_ms(&mut self, millis: u64) {
        let until = self.now.after(ms(millis));
        while let Some(next) = self.next().filter(|next| *next <= until) {
            self.now = next;
            self.happen();
            self.check();
        }
        self.now = until;
        self.happen();
    }

    fn runs(&self, index: usize) -> bool {
        self.machines[index].alive && !self.machines[index].paused
    }

    fn next(&self) -> Option<Timestamp> {
        let running = || (0..self.machines.len()).filter(|index| self.runs(*index));
        let timeouts = running().filter_map(|index| self.machines[index].feeds.poll_timeout());
        let coming = self.coming.iter().find(|(_, (to, _))| self.runs(*to)).map(|((at, _), _)| *at);
        // What came during a pause is late.
        timeouts.chain(coming).min().map(|next| next.max(self.now))
    }

    fn happen(&mut self) {
        while let Some(key) =
            self.coming.range(..=(self.now, u64::MAX)).find(|(_, (to, _))| self.runs(*to)).map(|(key, _)| *key)
            && let Some((to, input)) = self.coming.remove(&key)
        {
            self.give(to, &input);
        }
        for index in (0..self.machines.len()).filter(|index| self.machines[*index].alive).collect::<Vec<_>>() {
            if self.runs(index) {
                self.machines[index].feeds.handle_timeout(self.now);
                self.poll(index);
            }
        }
    }

    fn poll(&mut self, index: usize) {
        while let Some(output) = self.machines[index].feeds.poll_output() {
            self.carry_out(index, output);
        }
    }

    fn send(&mut self, to: usize, after_ms: u64, input: Input) {
        self.sent += 1;
        self.coming.insert((self.now.after(ms(after_ms)), self.sent), (to, input));
    }

    fn answer(&mut self, to: usize, input: Input, unclear: Input) {
        match self.machines[to].reach {
            Reach::Up => self.send(to, ANSWER_MS, input),
            Reach::Deaf | Reach::Down => self.send(to, UNCLEAR_MS, unclear),
        }
    }

    fn carry_out(&mut self, from: usize, output: Output) {
        let reaches = self.machines[from].reach != Reach::Down;
        match output {
            Output::Read(feed) => {
                let newest = self.newest();
                self.answer(from, newest, Input::Unclear(feed));
            }
            Output::Lease { feed, after } => {
                let answer = if reaches && after == self.lease.0 {
                    let sequence = self.append_lease(Some(from));
                    Input::Leased { feed: feed.clone(), sequence }
                } else {
                    let (sequence, holder) = (self.lease.0, self.holder_for(from));
                    Input::LeaseLost { feed: feed.clone(), sequence, holder }
                };
                self.answer(from, answer, Input::LeaseUnclear(feed));
            }
            Output::Release { after, .. } => {
                if reaches && after == self.lease.0 {
                    self.append_lease(None);
                }
            }
            Output::Ask { feed, round, .. } => {
                let outcome = Some(outcome(Ok((self.value, Status::Complete))));
                self.send(from, ROUND_MS, Input::Ended { feed, round, outcome });
            }
            Output::Store { record, after } => {
                let feed = record.feed.clone();
                let answer = if reaches && after == self.newest_sequence() {
                    let head = self.append(Some(record)).expect("it is a record");
                    Input::Stored { feed: feed.clone(), head }
                } else {
                    self.newest()
                };
                self.answer(from, answer, Input::Unclear(feed));
            }
            Output::Drained => self.machines[from].drained = true,
        }
    }

    fn holder_for(&self, index: usize) -> Holder {
        match self.lease.1 {
            Some(holder) if holder == index => Holder::Me,
            Some(_) => Holder::Other,
            None => Holder::Nobody,
        }
    }

    fn append_lease(&mut self, holder: Option<usize>) -> u64 {
        self.sequence += 1;
        self.lease = (self.sequence, holder);
        for index in 0..self.machines.len() {
            let (feed, sequence, holder) = (self.feed.clone(), self.sequence, self.holder_for(index));
            self.send(index, WATCH_MS, Input::LeaseSeen { feed, sequence, holder });
        }
        self.sequence
    }

    fn append(&mut self, record: Option<Record>) -> Option<Head> {
        self.sequence += 1;
        let entry = Entry { sequence: self.sequence, record, at: self.now };
        let head = entry.head();
        self.entries.push(entry);
        if let Some(head) = head.clone() {
            let reported_ago = self.reported_ago();
            let record = Seen { head, ended_ago: ms(0), reported_ago };
            for index in 0..self.machines.len() {
                self.send(index, WATCH_MS, Input::Seen { feed: self.feed.clone(), record: record.clone() });
            }
        }
        head
    }

    fn reported_ago(&self) -> std::time::Duration {
        let is_report = |entry: &&Entry| entry.record.as_ref().is_some_and(|record| record.reported.is_some());
        self.entries.iter().rev().find(is_report).map_or(ms(0), |entry| self.now.since(entry.at))
    }

    fn newest_sequence(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.sequence)
    }

    fn newest(&self) -> Input {
        let newest = self.entries.iter().rev().find_map(|entry| Some((entry.head()?, self.now.since(entry.at))));
        let record = newest.map(|(head, ended_ago)| Seen { head, ended_ago, reported_ago: self.reported_ago() });
        Input::Newest { feed: self.feed.clone(), sequence: self.newest_sequence(), record }
    }

    /// The only coordinator that drives the feed, if there is one.
    pub(crate) fn driver(&self) -> Option<usize> {
        (0..self.machines.len()).find(|index| self.runs(*index) && self.machines[*index].feeds.driven().1 > 0)
    }

    /// The records, and when each was stored.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Timestamp, &Record)> {
        self.entries.iter().filter_map(|entry| Some((entry.at, entry.record.as_ref()?)))
    }

    /// The longest time without a report from one time to another, in milliseconds.
    pub(crate) fn longest_gap_ms(&self, from: Timestamp, until: Timestamp) -> u128 {
        let within = |at: &Timestamp| (from..=until).contains(at);
        let reports = self.records().filter(|(_, record)| record.reported.is_some()).map(|(at, _)| at).filter(within);
        let times: Vec<_> = [from].into_iter().chain(reports).chain([until]).collect();
        times.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).max().expect("two times")
    }

    /// Rounds count up by one, each names the one before, leases never fall, and at most one coordinator relies on the
    /// lease.
    pub(crate) fn check(&self) {
        let all: Vec<_> = self.entries.iter().filter(|entry| entry.record.is_some()).collect();
        for (place, entry) in all.iter().enumerate().skip(all.len().saturating_sub(2)) {
            let record = entry.record.as_ref().expect("a record");
            assert_eq!(record.round, place as u64 + 1);
            let before = place.checked_sub(1).map(|before| all[before]);
            assert_eq!(record.previous, before.and_then(Entry::head).map(|head| head.link));
            assert_eq!(record.last_report, before.and_then(Entry::head).and_then(|head| head.report));
            let lease = before.and_then(|entry| entry.record.as_ref()).map_or(0, |record| record.lease);
            assert!(record.lease >= lease, "{} after {lease}", record.lease);
        }
        let drivers =
            (0..self.machines.len()).filter(|index| self.runs(*index) && self.machines[*index].feeds.driven().1 > 0);
        assert!(drivers.count() <= 1, "two coordinators drive the feed at {:?}", self.now);
    }
}
