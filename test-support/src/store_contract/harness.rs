//! What an implementation provides to be held to the contract, and helpers that wait for something to happen.

use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::store::{Append, AppendError, Entry, From, Key, Log, Store, Watch, Watched};
use tokio::time::{sleep, timeout};

/// How long to wait for something that should happen at once, or after an election.
const SOON: Duration = Duration::from_secs(30);

/// One set of entries that is empty at first, and handles to it.
pub trait Harness: Sized {
    /// The implementation that is checked.
    type Store: Store;

    /// The handle that another process would have.
    fn open(&self) -> impl Future<Output = Self::Store>;

    /// The length of a body that the store refuses.
    fn too_large(&self) -> usize;
}

/// Waits for something that should happen at once.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The result of a step that may need several attempts.
pub async fn patiently<T, E: std::fmt::Debug>(what: &str, mut step: impl AsyncFnMut() -> Result<T, E>) -> T {
    soon(what, async {
        loop {
            match step().await {
                Ok(value) => return value,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// A key.
pub fn key(text: &str) -> Key {
    Key::new(text)
}

/// Stores an entry without a time to live.
pub async fn append(store: &impl Store, log: Log, key: &Key, after: u64, body: &str) -> Result<u64, AppendError> {
    append_with(store, log, key, after, Bytes::copy_from_slice(body.as_bytes()), None).await
}

/// Stores an entry.
pub async fn append_with(
    store: &impl Store,
    log: Log,
    key: &Key,
    after: u64,
    body: Bytes,
    ttl: Option<Duration>,
) -> Result<u64, AppendError> {
    soon("the end of an append", store.append(log, key, Append { after, body, ttl })).await
}

/// Stores an entry after the newest one, and returns its sequence.
pub async fn append_as(store: &impl Store, log: Log, key: &Key, body: &str) -> u64 {
    let after = last(store, log, key).await.map_or(0, |entry| entry.sequence);
    append(store, log, key, after, body).await.expect("nobody else appends")
}

/// The newest entry under a key.
pub async fn last(store: &impl Store, log: Log, key: &Key) -> Option<Entry> {
    patiently("the answer of the store", async || store.last(log, key).await).await
}

/// All entries, however many pages they take.
pub async fn read_all(store: &impl Store, log: Log, key: Option<&Key>, page: usize) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let from = From::Sequence(entries.last().map_or(0, |entry| entry.sequence + 1));
        let next = patiently("a page", async || store.read(log, key, from, page).await).await;
        assert!(next.len() <= page, "a page of {} instead of {page}", next.len());
        if next.is_empty() {
            return entries;
        }
        entries.extend(next);
    }
}

/// The bodies as text.
pub fn bodies(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| std::str::from_utf8(&entry.body).expect("checks store text")).collect()
}

/// An entry without its time, to be compared.
pub fn entry(entry: &Entry) -> (&Key, u64, &Bytes) {
    (&entry.key, entry.sequence, &entry.body)
}

/// The next entry of a watch that has caught up.
pub async fn next_entry(watch: &mut impl Watch) -> Entry {
    match soon("an entry", watch.next()).await {
        Watched::Entry(entry) => entry,
        Watched::CaughtUp => panic!("a watch catches up once"),
    }
}

/// What a watch sees until it has caught up.
pub async fn until_caught_up(watch: &mut impl Watch) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        match soon("the newest entries", watch.next()).await {
            Watched::Entry(entry) => entries.push(entry),
            Watched::CaughtUp => return entries,
        }
    }
}
