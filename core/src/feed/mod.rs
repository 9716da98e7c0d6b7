//! Feeds: queries that are asked again and again, by one coordinator at a time, and whose answers are recorded when they
//! move or are due.
//!
//! A round is asked when the feed's interval has passed. Its answer is reported if it is the first, if the heartbeat has
//! passed since the last report, or if it has moved by the feed's deviation. A round without an answer, or with a
//! disputed one, is recorded and not reported. Any other leaves nothing. Records are numbered from 1 without a gap.
//!
//! Which coordinator drives a feed is decided by a lease, so that no work is done twice. The lease decides nothing else:
//! a record is stored only if no other entry has come since the one that it continues, so that a coordinator which does
//! not know that it lost its lease cannot store a second record of a round.
//!
//! A lease is an entry that its holder renews. Another coordinator takes it over when it has seen it unchanged for
//! [`LEASE_TTL`] by its own clock, so that no clock is compared with that of another host, and nothing depends on when
//! the store removes an entry.
//!
//! * `definition.rs`: what an operator says of a feed
//! * `record.rs`: what a round leaves, and the decision whether it leaves anything
//! * `events.rs`: the inputs, outputs and counters
//! * `lease.rs`: who drives a feed
//! * `feed.rs`: one feed

mod definition;
mod events;
#[expect(clippy::module_inception, reason = "the module of all feeds contains that of one feed")]
mod feed;
mod lease;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use definition::{
    Definition, DefinitionError, FeedName, FeedNameError, MAX_FEEDS, MAX_HEARTBEAT, MAX_NAME_BYTES, MIN_INTERVAL,
};
pub use events::{Counters, Holder, Input, Output, RoundId, Seen};
pub use feed::RETRY;
pub use lease::LEASE_TTL;
pub use record::{Head, Link, MAX_ROUND, Reason, Record, Report};

use self::feed::{Context, Feed};
use self::lease::Lease;
use crate::time::Timestamp;

/// The machine that drives the feeds of one coordinator.
#[derive(Debug, Default)]
pub struct Feeds {
    now: Timestamp,
    by_name: BTreeMap<FeedName, Feed>,
    /// When each feed is to be looked at next.
    wakes: BTreeSet<(Timestamp, FeedName)>,
    context: Context,
    drained: bool,
}

impl Feeds {
    /// A machine without feeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles one input.
    pub fn handle_input(&mut self, now: Timestamp, input: &Input) {
        self.handle_timeout(now);
        match input {
            Input::Definitions(definitions) => self.define(definitions),
            Input::LeaseSeen { feed, sequence, holder } => {
                self.lease(feed, |lease, now| lease.seen(now, *sequence, *holder));
            }
            Input::Leased { feed, sequence } => self.lease(feed, |lease, _| lease.appended(*sequence)),
            Input::LeaseLost { feed, sequence, holder } => {
                self.lease(feed, |lease, now| lease.lost(now, *sequence, *holder));
            }
            Input::LeaseUnclear(feed) => self.lease(feed, Lease::unclear),
            Input::Seen { feed, record } => self.with(feed, |feed, context| feed.seen(record, context)),
            Input::Stored { feed, head } => self.with(feed, |feed, context| feed.stored(head, context)),
            Input::Newest { feed, sequence, record } => {
                self.with(feed, |feed, context| feed.newest(*sequence, record.as_ref(), context));
            }
            Input::Unclear(feed) => self.with(feed, Feed::unclear),
            Input::Ended { feed, round, outcome } => {
                self.with(feed, |feed, context| feed.ended(*round, outcome.as_ref(), context));
            }
            Input::Drain => {
                self.context.draining = true;
                self.advance_all();
            }
        }
        self.note_drained();
    }

    /// Lets time pass. Call it when [`Feeds::poll_timeout`] is due; calling it more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, name)) = self.wakes.first().cloned()
            && at <= self.now
        {
            self.with(&name, |_, _| ());
        }
        self.note_drained();
    }

    /// When to call [`Feeds::handle_timeout`] next; `None` if no feed waits for time to pass.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// The next output. Call it until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// What it has come to.
    pub fn counters(&self) -> Counters {
        self.context.counters
    }

    /// The number of feeds, and of those that this coordinator drives now.
    pub fn driven(&self) -> (usize, usize) {
        let feeds = || self.by_name.values();
        (feeds().filter(|feed| !feed.is_leaving()).count(), feeds().filter(|feed| feed.is_driven(self.now)).count())
    }

    fn define(&mut self, definitions: &[Arc<Definition>]) {
        self.context.now = self.now;
        let mut wanted = BTreeMap::new();
        for definition in definitions {
            if wanted.len() < MAX_FEEDS {
                wanted.entry(&definition.name).or_insert(definition);
            }
        }
        for (name, feed) in &mut self.by_name {
            match wanted.remove(name) {
                Some(definition) => feed.redefine(definition, &mut self.context),
                None => feed.leave(&mut self.context),
            }
        }
        let new = wanted.into_iter().map(|(name, definition)| (name.clone(), Feed::new(definition, self.now)));
        self.by_name.extend(new);
        self.advance_all();
    }

    fn advance_all(&mut self) {
        for name in self.by_name.keys().cloned().collect::<Vec<_>>() {
            self.with(&name, |_, _| ());
        }
    }

    fn lease(&mut self, name: &FeedName, change: impl FnOnce(&mut Lease, Timestamp)) {
        self.with(name, |feed, context| feed.lease(context, change));
    }

    /// Changes one feed, and lets it do what it can do then.
    fn with(&mut self, name: &FeedName, change: impl FnOnce(&mut Feed, &mut Context)) {
        let Some(feed) = self.by_name.get_mut(name) else { return };
        let before = feed.wake;
        self.context.now = self.now;
        change(feed, &mut self.context);
        feed.advance(&mut self.context);
        let after = feed.wake;
        if before != after {
            if let Some(before) = before {
                self.wakes.remove(&(before, name.clone()));
            }
            if let Some(after) = after {
                self.wakes.insert((after, name.clone()));
            }
        }
        if feed.is_leaving() && feed.is_drained() {
            self.by_name.remove(name);
        }
    }

    fn note_drained(&mut self) {
        if self.context.draining && !self.drained && self.by_name.values().all(Feed::is_drained) {
            self.drained = true;
            self.context.outputs.push_back(Output::Drained);
        }
    }
}
