//! The store: what outlives a process. Feeds, leases, durable requests and outcomes are logs of small entries, each
//! under a key, and an entry is appended only if nothing has come under its key since what its author has seen.
//!
//! Three implementations share one contract, and one test suite checks each of them against it:
//! [`MemoryStore`](memory::MemoryStore) within one process, [`JetStream`](jetstream::JetStream) on NATS, and the
//! simulated one.
//!
//! The contract promises what JetStream does and no more:
//! * an append with [`Append::after`] is stored only if the newest entry under its key has that sequence; of several
//!   that name the same one, at most one is stored;
//! * an append that ended as [`AppendError::Unclear`] may have been stored, or may be stored later: [`settle`] finds out;
//! * [`Store::last`] is never old: what was stored before it was called is seen. [`Store::read`], [`Store::get`] and a
//!   [`Watch`] may be behind, and keep the order of a key;
//! * a watch sees the newest entry of every key first and then what comes, and may skip entries of a log that keeps
//!   only the last of each key;
//! * an entry disappears when its time to live, or the retention of its log, has passed, and not before.

pub mod any;
mod follow;
pub mod jetstream;
mod key;
pub mod late;
pub mod memory;
mod settle;

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::time::UnixTime;

pub(crate) use follow::follow;
pub use key::Key;
pub use settle::{Settled, settle};

/// A reading stops, whatever its limit is, when the bodies that it has read have as many bytes. It may have twice as many.
pub const READ_BYTES: usize = 4 << 20;
/// The most bytes of a body that every store must take.
pub const BODY_BYTES: usize = 1_000_000;

/// A log of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// The records of feeds, by the name of the feed.
    Feeds,
    /// Who drives a feed, by its name. Keeps only the last entry of each key.
    Leases,
    /// The durable requests that have no outcome, by id. Keeps only the last entry of each key.
    Open,
    /// The outcomes of requests, by id.
    Outcomes,
}

impl Log {
    /// Every log.
    pub const ALL: [Self; 4] = [Self::Feeds, Self::Leases, Self::Open, Self::Outcomes];

    /// Whether an entry replaces the one before it under the same key.
    pub const fn keeps_only_the_last(self) -> bool {
        matches!(self, Self::Leases | Self::Open)
    }
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is stored under.
    pub key: Key,
    /// Its place in its log. Later entries have greater numbers; some numbers are left out.
    pub sequence: u64,
    /// When the store took it, by the clock of the store.
    pub stored_at: UnixTime,
    /// What its author wrote. Whoever may publish on the subjects of the store can be an author.
    pub body: Bytes,
}

/// An entry to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The sequence of the newest entry under the same key that its author has seen; 0 if there is none.
    pub after: u64,
    /// What is stored.
    pub body: Bytes,
    /// How long it is kept; `None` is as long as its log keeps entries. In whole seconds, rounded up.
    pub ttl: Option<Duration>,
}

/// Why an append has no sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another entry came first: nothing was stored.
    #[error("another entry was stored first")]
    Conflict,
    /// Nobody knows whether it was stored: no acknowledgement came. See [`settle`].
    #[error("the store has not said whether the entry is stored: {0}")]
    Unclear(String),
    /// Nothing was stored, and the same entry will never be: it is too large, or the store is full or misconfigured.
    #[error("the store refuses the entry: {0}")]
    Refused(String),
}

/// The store cannot be reached, or has no leader: try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store does not answer: {0}")]
pub struct Unavailable(pub String);

/// Where a reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the first entry that has this sequence or a greater one.
    Sequence(u64),
    /// With the first entry that was stored at this time or later.
    Time(UnixTime),
}

/// As many entries as one reading of a store in memory has.
pub fn page<'a>(entries: impl Iterator<Item = &'a Entry>, limit: usize) -> Vec<Entry> {
    let fits = entries.scan(0, |bytes, entry| {
        let before = std::mem::replace(bytes, *bytes + entry.body.len());
        (before < READ_BYTES).then_some(entry)
    });
    fits.take(limit).cloned().collect()
}

/// A store. Clones share it.
pub trait Store: Clone + Send + Sync + 'static {
    /// A view of a log as it grows.
    type Watch: Watch;

    /// Stores an entry, and returns its sequence.
    ///
    /// # Errors
    /// [`AppendError`].
    fn append(&self, log: Log, key: &Key, append: Append) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// The newest entry under a key.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn last(&self, log: Log, key: &Key) -> impl Future<Output = Result<Option<Entry>, Unavailable>> + Send;

    /// The entry with a sequence, if it is still kept. It may be missing shortly after it was stored.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn get(&self, log: Log, sequence: u64) -> impl Future<Output = Result<Option<Entry>, Unavailable>> + Send;

    /// Up to `limit` entries in order, of one key or of all. They are fewer if they are long: see [`READ_BYTES`]. None means
    /// that there are no more.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn read(
        &self,
        log: Log,
        key: Option<&Key>,
        from: From,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, Unavailable>> + Send;

    /// Watches a log.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn watch(&self, log: Log) -> impl Future<Output = Result<Self::Watch, Unavailable>> + Send;
}

/// A view of a log as it grows. It survives reconnects.
pub trait Watch: Send + 'static {
    /// What comes next. Never ends. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Watched> + Send;
}

/// What a watch sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// An entry. The same one may come twice, and one of a key may come after a newer one was seen by other means.
    Entry(Entry),
    /// Everything that was there when the watch began has been seen. Comes once.
    CaughtUp,
}
