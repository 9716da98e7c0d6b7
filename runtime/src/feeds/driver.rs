//! The driver of feeds: one task that owns the machine.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, Stream, StreamExt as _};
use quorate_core::Feeds;
use quorate_core::feed::{Definition, FeedName, Input, Output};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::board::State;
use super::handle::Command;
use super::work::{Learned, Tools};
use super::{Board, FeedsHandle, feed_of};
use crate::clock::Clock;
use crate::driver::{Alarm, Asks};
use crate::store::{Entry, Log, Store, Watch as _, Watched};
use crate::wire::{StoredRecord, decode_record};

/// The pause before a log is watched again, when the store is not there.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// Something that ends, and what is learned from it.
type Work = Pin<Box<dyn Future<Output = Learned> + Send>>;

/// The driver of the feeds of one coordinator.
pub struct FeedsDriver<S: Store, A> {
    machine: Feeds,
    tools: Arc<Tools<S>>,
    asks: A,
    board: Board,
    commands: mpsc::Receiver<Command>,
    work: FuturesUnordered<Work>,
    /// How many entries of leases it has written.
    lease_entries: u64,
    /// Entries on the subjects of feeds that are no records.
    foreign: u64,
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
            board: board.clone(),
            commands,
            work: FuturesUnordered::new(),
            lease_entries: 0,
            foreign: 0,
            drained: false,
        };
        driver.define(feeds);
        (driver, FeedsHandle { commands: sender, board })
    }

    /// Drives the feeds until they are drained.
    pub async fn run(mut self) {
        let mut leases = pin!(entries(self.tools.store.clone(), Log::Leases));
        let mut records = pin!(entries(self.tools.store.clone(), Log::Feeds));
        let mut alarm = Alarm::new(&self.tools.clock);
        while !(self.drained && self.work.is_empty()) {
            alarm.set(&self.tools.clock, self.machine.poll_timeout());
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => match command {
                    Command::Definitions(feeds) => self.define(feeds),
                    Command::Drain => self.input(&Input::Drain),
                },
                () = alarm.wait() => {
                    self.machine.handle_timeout(self.tools.clock.now());
                    self.carry_out();
                }
                Some(learned) = self.work.next() => self.learned(learned),
                Some(entry) = leases.next() => self.lease(&entry),
                Some(entry) = records.next() => self.record(&entry),
            }
            let (feeds, driven) = self.machine.driven();
            self.board.set_state(State { counters: self.machine.counters(), feeds, driven, foreign: self.foreign });
        }
    }

    fn define(&mut self, feeds: Vec<Arc<Definition>>) {
        info!(feeds = feeds.len(), "the feeds are defined");
        for feed in self.board.define(&feeds) {
            let tools = Arc::clone(&self.tools);
            self.work.push(Box::pin(async move {
                let Learned { newest, report, .. } = tools.read(feed).await;
                Learned { input: None, newest, report }
            }));
        }
        self.input(&Input::Definitions(feeds));
    }

    fn input(&mut self, input: &Input) {
        self.machine.handle_input(self.tools.clock.now(), input);
        self.carry_out();
    }

    fn learned(&mut self, Learned { input, newest, report }: Learned) {
        if let Some((feed, record)) = newest {
            self.show(&feed, record);
        }
        if let Some((feed, record)) = report {
            self.board.show_report(&feed, &record);
        }
        if let Some(input) = input {
            self.input(&input);
        }
    }

    fn show(&mut self, feed: &FeedName, record: StoredRecord) {
        self.board.show(feed, &record);
        let is_missing = |latest: Arc<super::Latest>| latest.report.is_none() && record.head.report.is_some();
        if self.board.feed(feed.as_str()).is_some_and(is_missing) {
            self.work.push(Box::pin(Arc::clone(&self.tools).report(feed.clone(), record)));
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
            self.foreign += 1;
            debug!(%feed, entry.sequence, "an entry of a feed is no record");
            return;
        };
        let seen = self.tools.seen(&record);
        self.board.tell(&feed, &record);
        self.show(&feed, record);
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
                    let asks = self.asks.clone();
                    Box::pin(async move {
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

/// The entries of a log, the newest of each key first. Never ends.
fn entries<S: Store>(store: S, log: Log) -> impl Stream<Item = Entry> + Send {
    stream::unfold((store, None::<S::Watch>), move |(store, mut watch)| async move {
        loop {
            match &mut watch {
                Some(watched) => {
                    if let Watched::Entry(entry) = watched.next().await {
                        return Some((entry, (store, watch)));
                    }
                }
                None => match store.watch(log).await {
                    Ok(begun) => watch = Some(begun),
                    Err(error) => {
                        warn!(%error, ?log, "a log cannot be watched");
                        tokio::time::sleep(WATCH_AGAIN).await;
                    }
                },
            }
        }
    })
}
