//! The logs of open requests and of outcomes, with typed entries. Every access is bounded in time.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quorate_core::durable::{Content, Entry, Found, Kept, Written};
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::open::{decode_open, encode_open};
use super::stored::StoredOutcome;
use crate::store::{self, Key, Log, Settled, Store, Unavailable, settle};

/// How long a reading may take.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// How long an entry may take until it is known whether it is stored, if nobody waits for that.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long the entry of a closed request is kept, so that every watch sees it.
const CLOSED_FOR: Duration = Duration::from_mins(1);
/// How many outcomes are read at a time, and how many times for one page.
const READ: usize = 128;
const READS: usize = 8;
/// The most bytes of outcomes on one page, unless it has only one.
const PAGE_BYTES: usize = 4 << 20;

/// What is stored as the outcome of a request.
#[derive(Clone, Debug)]
pub(super) enum Looked {
    /// Nothing.
    Nothing,
    /// An outcome.
    Outcome(Box<StoredOutcome>),
    /// Something that is no outcome of the request: an entry of some other program.
    Garbled,
}

/// What became of an outcome.
#[derive(Clone, Debug)]
pub(super) enum Storing {
    Stored,
    Lost(Looked),
    Unclear(String),
}

/// A page of the history.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The outcomes, each with the time at which it was stored.
    pub(crate) outcomes: Vec<(UnixTime, StoredOutcome)>,
    /// Where the next page begins; `None` if this one is the last.
    pub(crate) next: Option<u64>,
}

/// Which outcomes a page has.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) query: Option<Query>,
    pub(crate) from: store::From,
    /// Only those that were stored before.
    pub(crate) to: Option<UnixTime>,
    pub(crate) limit: usize,
}

/// The two logs of a store.
#[derive(Clone, Debug)]
pub(super) struct Ledger<S> {
    store: S,
    /// The name of this coordinator.
    coordinator: String,
}

impl<S: Store> Ledger<S> {
    pub(super) fn new(store: S, coordinator: String) -> Self {
        Self { store, coordinator }
    }

    pub(super) fn store(&self) -> &S {
        &self.store
    }

    fn read(id: &RequestId, entry: Option<&store::Entry>) -> Looked {
        match entry.map(|entry| StoredOutcome::decode(id, &entry.body)) {
            None => Looked::Nothing,
            Some(Some(stored)) => Looked::Outcome(Box::new(stored)),
            Some(None) => {
                warn!(%id, "what is stored as the outcome of this request is none: some other program wrote it");
                Looked::Garbled
            }
        }
    }

    pub(super) async fn look(&self, id: &RequestId) -> Result<Looked, Unavailable> {
        let entry = within(READ_WITHIN, self.store.last(Log::Outcomes, &key(id))).await?;
        Ok(Self::read(id, entry.as_ref()))
    }

    /// What the newest entry of an open request says; `None` if there is none that can be read.
    pub(super) async fn open(&self, id: &RequestId) -> Result<Option<Content>, Unavailable> {
        let entry = within(READ_WITHIN, self.store.last(Log::Open, &key(id))).await?;
        Ok(entry.and_then(|entry| decode_open(id, &entry.body)))
    }

    pub(super) async fn found(&self, id: &RequestId) -> Found {
        match self.look(id).await {
            Ok(Looked::Nothing) => Found::Nothing,
            Ok(Looked::Outcome(stored)) => Found::Outcome(Some(stored.query)),
            Ok(Looked::Garbled) => Found::Outcome(None),
            Err(error) => {
                debug!(%id, %error, "nobody knows whether an outcome is stored");
                Found::Unknown
            }
        }
    }

    pub(super) async fn write(&self, id: &RequestId, after: u64, content: &Content, within: Duration) -> Written {
        let ttl = (*content == Content::Closed).then_some(CLOSED_FOR);
        match settle(&self.store, Log::Open, &key(id), after, encode_open(content), ttl, within).await {
            Settled::Stored(sequence) => Written::Stored(sequence),
            Settled::Lost(newest) => Written::Lost(newest.map(|entry| {
                // An entry that cannot be read stands for nothing, and is replaced.
                let content = decode_open(id, &entry.body).unwrap_or(Content::Closed);
                Entry { sequence: entry.sequence, content }
            })),
            Settled::Refused(why) => {
                warn!(%id, why, "the store refuses an open request");
                Written::Refused
            }
            Settled::Unclear(why) => {
                debug!(%id, why, "nobody knows whether an entry of an open request is stored");
                Written::Unclear
            }
        }
    }

    /// The entry of an outcome.
    pub(super) fn entry(&self, stored: &StoredOutcome) -> Bytes {
        stored.encode(&self.coordinator)
    }

    /// Stores an outcome if none is stored.
    pub(super) async fn keep(&self, id: &RequestId, entry: Bytes, within: Duration) -> Storing {
        match settle(&self.store, Log::Outcomes, &key(id), 0, entry, None, within).await {
            Settled::Stored(_) => Storing::Stored,
            Settled::Lost(newest) => Storing::Lost(Self::read(id, newest.as_ref())),
            Settled::Refused(why) => {
                warn!(%id, why, "the store refuses an outcome");
                Storing::Unclear(why)
            }
            Settled::Unclear(why) => Storing::Unclear(why),
        }
    }

    pub(super) async fn kept(&self, id: &RequestId, entry: Bytes) -> Kept {
        match self.keep(id, entry, WRITE_WITHIN).await {
            Storing::Stored => Kept::Stored,
            Storing::Lost(Looked::Nothing) => Kept::Unclear,
            Storing::Lost(_) => Kept::Lost,
            Storing::Unclear(why) => {
                debug!(%id, why, "nobody knows whether an outcome is stored");
                Kept::Unclear
            }
        }
    }

    /// A page of the history, in the order in which the outcomes were stored.
    pub(super) async fn page(&self, wanted: &Wanted) -> Result<Page, Unavailable> {
        let mut page = Page::default();
        let (mut from, mut bytes) = (wanted.from, 0);
        for _ in 0..READS {
            let entries = within(READ_WITHIN, self.store.read(Log::Outcomes, None, from, READ)).await?;
            if entries.is_empty() {
                return Ok(page);
            }
            for entry in entries {
                if wanted.to.is_some_and(|to| entry.stored_at >= to) {
                    return Ok(Page { next: None, ..page });
                }
                from = store::From::Sequence(entry.sequence.saturating_add(1));
                let id = entry.key.text().and_then(|text| RequestId::new(&text).ok());
                let stored = id.and_then(|id| StoredOutcome::decode(&id, &entry.body));
                let is_wanted = |stored: &StoredOutcome| {
                    stored.is_listed && wanted.query.as_ref().is_none_or(|query| stored.query == *query)
                };
                let Some(stored) = stored.filter(is_wanted) else { continue };
                bytes += entry.body.len();
                if !page.outcomes.is_empty() && bytes > PAGE_BYTES {
                    return Ok(Page { next: Some(entry.sequence), ..page });
                }
                page.outcomes.push((entry.stored_at, stored));
                if page.outcomes.len() >= wanted.limit {
                    return Ok(Page { next: Some(entry.sequence.saturating_add(1)), ..page });
                }
            }
        }
        if let store::From::Sequence(sequence) = from {
            page.next = Some(sequence);
        }
        Ok(page)
    }
}

fn key(id: &RequestId) -> Key {
    Key::new(id.as_str())
}

async fn within<T>(limit: Duration, reading: impl Future<Output = Result<T, Unavailable>>) -> Result<T, Unavailable> {
    let late = |_| Unavailable(format!("it did not answer within {} s", limit.as_secs()));
    timeout(limit, reading).await.map_err(late)?
}

/// A [`Ledger`] of any store, for those who only ask it.
pub(super) trait AnyLedger: Send + Sync {
    fn look<'a>(&'a self, id: &'a RequestId) -> BoxFuture<'a, Result<Looked, Unavailable>>;
    fn open<'a>(&'a self, id: &'a RequestId) -> BoxFuture<'a, Result<Option<Content>, Unavailable>>;
    fn keep<'a>(&'a self, stored: &'a StoredOutcome, within: Duration) -> BoxFuture<'a, Storing>;
    fn page<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Page, Unavailable>>;
}

impl<S: Store> AnyLedger for Ledger<S> {
    fn look<'a>(&'a self, id: &'a RequestId) -> BoxFuture<'a, Result<Looked, Unavailable>> {
        Box::pin(self.look(id))
    }

    fn open<'a>(&'a self, id: &'a RequestId) -> BoxFuture<'a, Result<Option<Content>, Unavailable>> {
        Box::pin(self.open(id))
    }

    fn keep<'a>(&'a self, stored: &'a StoredOutcome, within: Duration) -> BoxFuture<'a, Storing> {
        Box::pin(self.keep(&stored.request, self.entry(stored), within))
    }

    fn page<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Page, Unavailable>> {
        Box::pin(self.page(wanted))
    }
}
