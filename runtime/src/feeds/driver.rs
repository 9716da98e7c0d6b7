//! The driver of feeds: one task that owns the machine.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use quorate_core::Feeds;
use quorate_core::feed::{Definition, FeedName, Input, MAX_ROUND, Output};
use quorate_core::time::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, error, info, warn};

use super::handle::Command;
use super::work::{Learned, Sought, Tools};
use super::{Board, FeedsHandle, State, feed_of};
use crate::clock::Clock;
use crate::driver::{Alarm, Asks};
use crate::store::{Entry, Log, Store, follow};
use crate::wire::decode_record;

/// The shortest time between two counts of the feeds that are driven.
const COUNT_EVERY: Duration = Duration::from_millis(250);

/// The most rounds that are asked at once. Many feeds are due at the same moment, and workers have bounded queues.
const MAX_ASKED: usize = 256;

/// Something that ends, and what is learned from it.
type Work = BoxFuture<'static, Learned>;

/// The driver of the feeds of one coordinator.
pub struct FeedsDriver<S: Store, A> {
    machine: Feeds,
    tools: Arc<Tools<S>>,
    asks: A,
    /// Whose turn it is to be asked.
    turns: Arc<Semaphore>,
    board: Board,
    commands: mpsc::Receiver<Command>,
    work: FuturesUnordered<Work>,
    /// What is sought for readers. Nobody waits for that at the end.
    searches: FuturesUnordered<BoxFuture<'static, Sought>>,
    /// The feeds of which something is sought.
    seeking: BTreeSet<FeedName>,
    /// How many entries of leases it has written.
    lease_entries: u64,
    /// What readers see of the machine.
    state: State,
    /// When the feeds that are driven were last counted.
    counted: Timestamp,
    /// When they are counted again, if something has happened since.
    count_at: Option<Timestamp>,
    drained: bool,
}

impl<S: Store, A: Asks> FeedsDriver<S, A> {
    /// A driver of `feeds` for the coordinator process named `instance`, which no other process has ever been.
    pub fn new(store: S, clock: Clock, asks: A, instance: String, feeds: Vec<Arc<Definition>>) -> (Self, FeedsHandle) {
        let (sender, commands) = mpsc::channel(16);
        let board = Board::default();
        let mut driver = Self {
            machine: Feeds::new(),
            tools: Arc::new(Tools { store, clock, instance }),
            asks,
            turns: Arc::new(Semaphore::new(MAX_ASKED)),
            board: board.clone(),
            commands,
            work: FuturesUnordered::new(),
            searches: FuturesUnordered::new(),
            seeking: BTreeSet::new(),
            lease_entries: 0,
            state: State::default(),
            counted: Timestamp::ZERO,
            count_at: None,
            drained: false,
        };
        driver.define(feeds);
        (driver, FeedsHandle { commands: sender, board })
    }

    /// Drives the feeds until they are drained.
    pub async fn run(mut self) {
        let mut leases = pin!(follow(self.tools.store.clone(), Log::Leases));
        let mut records = pin!(follow(self.tools.store.clone(), Log::Feeds));
        let mut alarm = Alarm::new(&self.tools.clock);
        while !(self.drained && self.work.is_empty()) {
            alarm.set(&self.tools.clock, self.machine.poll_timeout().into_iter().chain(self.count_at).min());
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => match command {
                    // The watch has passed over what was stored of these before.
                    Command::Definitions(feeds) => self.define(feeds).into_iter().for_each(|feed| self.look(feed)),
                    Command::Drain => self.input(&Input::Drain),
                },
                () = alarm.wait() => {
                    self.machine.handle_timeout(self.tools.clock.now());
                    self.carry_out();
                }
                Some(learned) = self.work.next() => self.learned(learned),
                Some(sought) = self.searches.next() => self.sought(sought),
                Some(entry) = leases.next() => self.lease(&entry),
                Some(entry) = records.next() => self.record(&entry),
            }
            self.show_state();
        }
    }

    fn show_state(&mut self) {
        let now = self.tools.clock.now();
        if now.since(self.counted) >= COUNT_EVERY {
            (self.state.feeds, self.state.driven) = self.machine.driven();
            (self.counted, self.count_at) = (now, None);
        } else {
            self.count_at = Some(self.counted.after(COUNT_EVERY));
        }
        self.state.counters = self.machine.counters();
        self.board.set_state(self.state);
    }

    /// Replaces the feeds, and returns those that were not there before.
    fn define(&mut self, feeds: Vec<Arc<Definition>>) -> Vec<FeedName> {
        info!(feeds = feeds.len(), "the feeds are defined");
        let added = self.board.define(&feeds);
        self.input(&Input::Definitions(feeds));
        added
    }

    /// Looks for what readers miss of a feed: its newest record, or its last report. One search at a time.
    fn look(&mut self, feed: FeedName) {
        let Some(latest) = self.board.feed(feed.as_str()) else { return };
        let (is_empty, missing) = (latest.newest.is_none(), latest.missing());
        if (!is_empty && missing.is_none()) || !self.seeking.insert(feed.clone()) {
            return;
        }
        self.searches.push(Box::pin(Arc::clone(&self.tools).look(feed, missing)));
    }

    fn sought(&mut self, Sought { feed, record, failed }: Sought) {
        self.seeking.remove(&feed);
        if let Some(record) = &record {
            self.board.show(&feed, record);
        }
        // The newest record may name a report, and the report may no longer be the last one.
        if failed || record.is_some() {
            self.look(feed);
        }
    }

    fn input(&mut self, input: &Input) {
        self.machine.handle_input(self.tools.clock.now(), input);
        self.carry_out();
    }

    fn learned(&mut self, Learned { input, record }: Learned) {
        if let Some((feed, record)) = record {
            self.board.show(&feed, &record);
            self.look(feed);
        }
        if let Some(input) = input {
            self.input(&input);
        }
    }

    fn lease(&mut self, entry: &Entry) {
        if let Some(feed) = feed_of(&entry.key) {
            let holder = self.tools.holder(entry);
            self.input(&Input::LeaseSeen { feed, sequence: entry.sequence, holder });
        }
    }

    fn record(&mut self, entry: &Entry) {
        let Some(feed) = feed_of(&entry.key) else { return };
        let Some(record) = decode_record(&feed, entry.sequence, &entry.body) else {
            self.state.foreign += 1;
            debug!(%feed, entry.sequence, "an entry of a feed is no record");
            // A record may be behind it.
            self.look(feed);
            return;
        };
        if record.head.round == MAX_ROUND {
            error!(%feed, entry.sequence, "this record has the last number that there is: the feed has ended");
        }
        let seen = self.tools.seen(&record);
        self.board.tell(&feed, &record);
        self.board.show(&feed, &record);
        self.look(feed.clone());
        self.input(&Input::Seen { feed, record: seen });
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            let tools = Arc::clone(&self.tools);
            let work: Work = match output {
                Output::Read(feed) => Box::pin(tools.read(feed)),
                Output::Lease { feed, after } => {
                    self.lease_entries += 1;
                    Box::pin(tools.lease(feed, after, self.lease_entries))
                }
                Output::Release { feed, after } => {
                    self.lease_entries += 1;
                    Box::pin(tools.release(feed, after, self.lease_entries))
                }
                Output::Ask { feed, round, query, overrides } => {
                    let (asks, turns) = (self.asks.clone(), Arc::clone(&self.turns));
                    Box::pin(async move {
                        let _turn = turns.acquire().await.expect("it is never closed");
                        let outcome = asks.ask(None, query, overrides).await;
                        if let Err(error) = &outcome {
                            warn!(%feed, %error, "a round of a feed was refused");
                        }
                        Learned::input(Input::Ended { feed, round, outcome: outcome.ok().map(|ended| ended.outcome) })
                    })
                }
                Output::Store { record, after } => Box::pin(tools.store(record, after)),
                Output::Drained => {
                    self.drained = true;
                    continue;
                }
            };
            self.work.push(work);
        }
    }
}

impl<S: Store, A> std::fmt::Debug for FeedsDriver<S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedsDriver").field("machine", &self.machine).finish_non_exhaustive()
    }
}
