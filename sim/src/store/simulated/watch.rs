//! A view of a log of the simulated store as it grows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quorate_runtime::store::{Entry, Log, Watch, Watched};
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::client::SimulatedStore;
use super::engine::Happened;

/// The most entries that come again after an election.
const AGAIN: u64 = 4;

/// A watch of a [`SimulatedStore`].
#[derive(Debug)]
pub struct SimulatedWatch {
    store: SimulatedStore,
    log: Log,
    grown: Arc<Notify>,
    waiting: VecDeque<Watched>,
    /// The sequence of the last entry that was seen.
    seen: u64,
    /// By how much it is behind.
    behind: Duration,
    /// The number of elections that it has noticed.
    elections: u64,
}

impl SimulatedWatch {
    pub(super) fn new(store: SimulatedStore, log: Log, newest: Vec<Entry>, seen: u64) -> Self {
        let grown = Arc::new(Notify::new());
        store.engine.wake(&grown);
        let most = store.engine.config.lag_ms;
        let behind = store.engine.random(|random| Duration::from_millis(random.within(0..=most)));
        let elections = store.engine.conditions.elections(store.engine.now());
        let waiting = newest.into_iter().map(Watched::Entry).chain([Watched::CaughtUp]).collect();
        Self { store, log, grown, waiting, seen, behind, elections }
    }

    /// Begins again a little earlier if a leader was elected: nobody knows exactly what it had sent.
    fn notice_elections(&mut self) {
        let engine = &self.store.engine;
        let elections = engine.conditions.elections(engine.now());
        if elections != self.elections {
            self.elections = elections;
            let last = engine.look(Duration::ZERO, |ledger, view| ledger.last_before(self.log, view.at));
            let again = engine.random(|random| random.within(0..=AGAIN));
            let seen = self.seen.min(last).saturating_sub(again);
            if seen < self.seen {
                self.seen = seen;
                engine.tell(self.store.host, Happened::WatchedAgain(self.log));
            }
        }
    }
}

impl Watch for SimulatedWatch {
    async fn next(&mut self) -> Watched {
        loop {
            self.store.live().await;
            self.notice_elections();
            if let Some(next) = self.waiting.pop_front() {
                return next;
            }
            let (engine, host) = (&self.store.engine, self.store.host);
            let now = engine.now();
            let cut = engine.conditions.cut(host, now);
            let cut = cut.or_else(|| engine.conditions.minority(host, now).map(|(_, until)| until));
            if let Some(until) = cut {
                sleep_until(engine.instant(until)).await;
                continue;
            }
            let behind = self.behind.max(Duration::from_millis(engine.conditions.lag_ms(now)));
            let (entries, next) = engine.look(behind, |ledger, view| {
                let entries: Vec<_> = ledger.from(self.log, self.seen + 1, view).cloned().collect();
                (entries, ledger.next_stored(self.log, self.seen))
            });
            if let Some(last) = entries.last() {
                self.seen = last.sequence;
                self.waiting.extend(entries.into_iter().map(Watched::Entry));
                continue;
            }
            // The next entry may be there, and not visible yet, or never, since it was replaced or has expired.
            let visible = next.map(|stored| stored + behind).filter(|at| *at > now);
            let wake = [visible, engine.conditions.next_election(now)].into_iter().flatten().min();
            let grown = Arc::clone(&self.grown);
            let until = wake.map(|at| engine.instant(at));
            tokio::select! {
                biased;
                () = grown.notified() => {}
                () = async { sleep_until(until.expect("there is something to wait for")).await }, if until.is_some() => {}
            }
        }
    }
}
