//! A store within one process. What it holds ends with the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quorate_core::time::Timestamp;
use tokio::sync::watch;

use super::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable, Watch, Watched, page};
use crate::clock::Clock;

/// How much a [`MemoryStore`] keeps. What is oldest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The most entries in one log, at least one.
    pub entries: usize,
    /// The most bytes of bodies in one log.
    pub bytes: usize,
    /// How long an entry is kept.
    pub age: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { entries: 100_000, bytes: 64 << 20, age: Duration::from_hours(24) }
    }
}

/// A store within one process.
#[derive(Clone, Debug)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    retention: Retention,
    logs: Mutex<[Entries; Log::ALL.len()]>,
    /// Changes with every entry.
    grown: watch::Sender<()>,
}

/// The entries of one log.
#[derive(Debug, Default)]
struct Entries {
    last: u64,
    bytes: usize,
    by_sequence: BTreeMap<u64, Kept>,
    newest: BTreeMap<Key, u64>,
    expiries: BTreeSet<(Timestamp, u64)>,
}

#[derive(Clone, Debug)]
struct Kept {
    entry: Entry,
    until: Timestamp,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Clock, retention: Retention) -> Self {
        Self(Arc::new(Shared { clock, retention, logs: Mutex::default(), grown: watch::Sender::default() }))
    }

    /// A log, without what has expired.
    fn with<T>(&self, log: Log, f: impl FnOnce(&mut Entries, Timestamp) -> T) -> T {
        let now = self.0.clock.now();
        let mut logs = self.0.logs.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = &mut logs[log as usize];
        entries.expire(now);
        f(entries, now)
    }
}

impl Entries {
    fn newest(&self, key: &Key) -> Option<&Entry> {
        self.newest.get(key).and_then(|sequence| self.by_sequence.get(sequence)).map(|kept| &kept.entry)
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(&(until, sequence)) = self.expiries.first()
            && until <= now
        {
            self.remove(sequence);
        }
    }

    fn remove(&mut self, sequence: u64) {
        let Some(Kept { entry, until }) = self.by_sequence.remove(&sequence) else { return };
        self.expiries.remove(&(until, sequence));
        self.bytes -= entry.body.len();
        if self.newest.get(&entry.key) == Some(&sequence) {
            self.newest.remove(&entry.key);
        }
    }

    fn push(&mut self, entry: Entry, until: Timestamp, replaces: bool) {
        if replaces && let Some(&replaced) = self.newest.get(&entry.key) {
            self.remove(replaced);
        }
        self.last = entry.sequence;
        self.bytes += entry.body.len();
        self.newest.insert(entry.key.clone(), entry.sequence);
        self.expiries.insert((until, entry.sequence));
        self.by_sequence.insert(entry.sequence, Kept { entry, until });
    }
}

impl Store for MemoryStore {
    type Watch = MemoryWatch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        let Append { after, body, ttl } = append;
        let retention = self.0.retention;
        if body.len() > retention.bytes {
            return Err(AppendError::Refused(format!("it is longer than {} bytes", retention.bytes)));
        }
        let stored = self.with(log, |entries, now| {
            if entries.newest(key).map_or(0, |entry| entry.sequence) != after {
                return Err(AppendError::Conflict);
            }
            let sequence = entries.last + 1;
            let until = now.after(ttl.unwrap_or(retention.age).min(retention.age));
            let entry = Entry { key: key.clone(), sequence, stored_at: self.0.clock.unix_time(), body };
            entries.push(entry, until, log.keeps_only_the_last());
            while entries.by_sequence.len() > retention.entries.max(1) || entries.bytes > retention.bytes {
                let Some((&oldest, _)) = entries.by_sequence.first_key_value() else { break };
                entries.remove(oldest);
            }
            Ok(sequence)
        });
        self.0.grown.send_replace(());
        stored
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        Ok(self.with(log, |entries, _| entries.newest(key).cloned()))
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        Ok(self.with(log, |entries, _| entries.by_sequence.get(&sequence).map(|kept| kept.entry.clone())))
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        Ok(self.with(log, |entries, _| {
            let start = match from {
                From::Sequence(sequence) => sequence,
                From::Time(_) => 0,
            };
            let later = |entry: &&Entry| !matches!(from, From::Time(time) if entry.stored_at < time);
            let all = entries.by_sequence.range(start..).map(|(_, kept)| &kept.entry);
            page(all.filter(later).filter(|entry| key.is_none_or(|key| entry.key == *key)), limit)
        }))
    }

    async fn watch(&self, log: Log) -> Result<MemoryWatch, Unavailable> {
        let grown = self.0.grown.subscribe();
        let (waiting, seen) = self.with(log, |entries, _| {
            let newest = entries.newest.values().filter_map(|sequence| entries.by_sequence.get(sequence));
            let mut newest: Vec<_> = newest.map(|kept| kept.entry.clone()).collect();
            newest.sort_unstable_by_key(|entry| entry.sequence);
            let waiting: VecDeque<_> = newest.into_iter().map(Watched::Entry).chain([Watched::CaughtUp]).collect();
            (waiting, entries.last)
        });
        Ok(MemoryWatch { store: self.clone(), log, grown, waiting, seen })
    }
}

/// A watch of a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryWatch {
    store: MemoryStore,
    log: Log,
    grown: watch::Receiver<()>,
    waiting: VecDeque<Watched>,
    /// The sequence of the last entry that was seen.
    seen: u64,
}

/// How many entries a watch takes at a time.
const BATCH: usize = 256;

impl Watch for MemoryWatch {
    async fn next(&mut self) -> Watched {
        loop {
            if let Some(next) = self.waiting.pop_front() {
                return next;
            }
            self.grown.mark_unchanged();
            let from = From::Sequence(self.seen + 1);
            let entries = self.store.read(self.log, None, from, BATCH).await.expect("memory always answers");
            if let Some(last) = entries.last() {
                self.seen = last.sequence;
                self.waiting.extend(entries.into_iter().map(Watched::Entry));
            } else {
                // The sender lives as long as this watch.
                let _ = self.grown.changed().await;
            }
        }
    }
}
