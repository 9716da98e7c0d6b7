//! The records of feeds, as the store keeps them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use quorate_core::feed::FeedName;
use quorate_core::time::UnixTime;
use tokio::time::sleep;

use super::feed_of;
use crate::store::{From, Key, Log, READ_BYTES, Store, Unavailable};
use crate::wire::{StoredRecord, decode_record};

/// How far the clocks of coordinators and of the store may differ for [`History::at`].
const SKEW: Duration = Duration::from_secs(10);
/// How many entries are read at a time.
const BATCH: usize = 256;
/// The pause before a reading that is behind is repeated.
const BEHIND: Duration = Duration::from_millis(100);
/// How often a reading is tried.
const MAX_TRIES: u32 = 20;
/// How many reports are followed back for one answer.
const MAX_STEPS: usize = 1000;

/// Where a page of records begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With this round, or the first one after it that is kept.
    Round(u64),
    /// With the first record that the store took at this time or later.
    Time(UnixTime),
}

type Answer<'a, T> = BoxFuture<'a, Result<T, Unavailable>>;

/// The records of feeds. The store's type is hidden, so that the API has none.
pub trait History: Send + Sync {
    /// Up to `limit` records of a feed, in order; fewer if they are long. What is on its subject and is no record is left
    /// out.
    fn page<'a>(&'a self, feed: &'a FeedName, start: Start, limit: usize) -> Answer<'a, Vec<StoredRecord>>;

    /// Up to `limit` records of one feed, or of all, in the order in which they were stored after a sequence; fewer if they
    /// are long.
    fn after<'a>(
        &'a self,
        feed: Option<&'a FeedName>,
        sequence: u64,
        limit: usize,
    ) -> Answer<'a, Vec<(FeedName, StoredRecord)>>;

    /// The report that stood at a time; `None` if there was none, or it is no longer kept.
    fn at<'a>(&'a self, feed: &'a FeedName, time: UnixTime) -> Answer<'a, Option<StoredRecord>>;
}

/// The records of feeds in a store.
#[derive(Debug)]
pub struct StoredHistory<S> {
    store: S,
    /// For each feed, the round and the sequence of the last record of a page: the next page begins with it, or after it.
    ends: Mutex<BTreeMap<FeedName, (u64, u64)>>,
}

impl<S: Store> StoredHistory<S> {
    /// The records in this store.
    pub fn new(store: S) -> Self {
        Self { store, ends: Mutex::default() }
    }

    /// A page that begins with this round, if one has ended there; `None` if it must be looked for.
    async fn continued(
        &self,
        feed: &FeedName,
        round: u64,
        limit: usize,
    ) -> Result<Option<Vec<StoredRecord>>, Unavailable> {
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(feed).copied();
        let Some((last, sequence)) = known.filter(|(last, _)| round == *last || round == last + 1) else {
            return Ok(None);
        };
        let page = records(&self.store, feed, From::Sequence(sequence + (round - last)), limit).await?;
        let continues = if let Some(first) = page.first() {
            first.head.round == round
        } else {
            // Either there is no such round yet, or the stream has been made again and has other sequences.
            let newest = self.store.last(Log::Feeds, &Key::new(feed.as_str())).await?;
            newest.is_some_and(|newest| newest.sequence >= sequence)
        };
        Ok(continues.then_some(page))
    }
}

impl<S: Store> History for StoredHistory<S> {
    fn page<'a>(&'a self, feed: &'a FeedName, start: Start, limit: usize) -> Answer<'a, Vec<StoredRecord>> {
        Box::pin(async move {
            let store = &self.store;
            let continued = match start {
                Start::Round(round) => self.continued(feed, round, limit).await?,
                Start::Time(_) => None,
            };
            let page = match (continued, start) {
                (Some(page), _) => page,
                (None, Start::Round(0 | 1)) => records(store, feed, From::Sequence(0), limit).await?,
                (None, Start::Round(round)) => {
                    records(store, feed, From::Sequence(sequence_of(store, feed, round).await?), limit).await?
                }
                (None, Start::Time(time)) => records(store, feed, From::Time(time), limit).await?,
            };
            if let Some(last) = page.last() {
                let end = (last.head.round, last.head.link.sequence);
                self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(feed.clone(), end);
            }
            Ok(page)
        })
    }

    fn after<'a>(
        &'a self,
        feed: Option<&'a FeedName>,
        sequence: u64,
        limit: usize,
    ) -> Answer<'a, Vec<(FeedName, StoredRecord)>> {
        Box::pin(async move {
            let key = feed.map(|feed| Key::new(feed.as_str()));
            let mut from = sequence + 1;
            loop {
                let entries = self.store.read(Log::Feeds, key.as_ref(), From::Sequence(from), limit).await?;
                let Some(last) = entries.last() else { return Ok(Vec::new()) };
                from = last.sequence + 1;
                let records = entries.iter().filter_map(|entry| {
                    let feed = feed_of(&entry.key)?;
                    decode_record(&feed, entry.sequence, &entry.body).map(|record| (feed, record))
                });
                let records: Vec<_> = records.collect();
                // A page without a record would look like the end.
                if !records.is_empty() {
                    return Ok(records);
                }
            }
        })
    }

    fn at<'a>(&'a self, feed: &'a FeedName, time: UnixTime) -> Answer<'a, Option<StoredRecord>> {
        Box::pin(async move {
            let store = &self.store;
            // The first record that is surely later, or else the newest one.
            let mut candidate = records(store, feed, From::Time(time.after(SKEW)), 1).await?.into_iter().next();
            if candidate.is_none() {
                candidate = newest(store, feed).await?.1;
            }
            for _ in 0..MAX_STEPS {
                let Some(record) = candidate else { break };
                candidate = match (record.previous, &record.head.report) {
                    _ if record.head.is_report() && record.answered_at <= time => return Ok(Some(record)),
                    // It names the report before it.
                    (_, Some(report)) if !record.head.is_report() => record_of(store, feed, report.round).await?,
                    (Some(previous), Some(_)) => {
                        let entry = store.get(Log::Feeds, previous).await?;
                        entry.and_then(|entry| decode_record(feed, entry.sequence, &entry.body))
                    }
                    (None, _) | (_, None) => None,
                };
            }
            Ok(None)
        })
    }
}

/// Up to `limit` records of a feed, in order; fewer if they are long.
async fn records<S: Store>(
    store: &S,
    feed: &FeedName,
    mut from: From,
    limit: usize,
) -> Result<Vec<StoredRecord>, Unavailable> {
    let (key, mut records, mut bytes, mut wanted) = (Key::new(feed.as_str()), Vec::new(), 0, limit.min(BATCH));
    while records.len() < limit && bytes < READ_BYTES {
        let entries = store.read(Log::Feeds, Some(&key), from, wanted).await?;
        let Some(last) = entries.last() else { break };
        from = From::Sequence(last.sequence + 1);
        let read = entries.iter().filter_map(|entry| decode_record(feed, entry.sequence, &entry.body));
        records.extend(read.inspect(|record| bytes += record.body.len()));
        // Some were none, or they are long.
        wanted = BATCH;
    }
    records.truncate(limit);
    Ok(records)
}

/// The sequence with which a round begins, or one shortly before it.
async fn sequence_of<S: Store>(store: &S, feed: &FeedName, round: u64) -> Result<u64, Unavailable> {
    let Some(newest) = store.last(Log::Feeds, &Key::new(feed.as_str())).await? else { return Ok(0) };
    let (mut low, mut high) = (0, newest.sequence + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match records(store, feed, From::Sequence(middle), 1).await?.first() {
            Some(record) if record.head.round < round => low = record.head.link.sequence + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The record of a round, if it is kept.
pub(super) async fn record_of<S: Store>(
    store: &S,
    feed: &FeedName,
    round: u64,
) -> Result<Option<StoredRecord>, Unavailable> {
    let sequence = sequence_of(store, feed, round).await?;
    let found = records(store, feed, From::Sequence(sequence), 1).await?.into_iter().next();
    Ok(found.filter(|record| record.head.round == round))
}

/// The newest entry of a feed: its sequence, which is 0 if there is none, and the newest record. That is in this entry, or
/// in one shortly before it, of which the one with the greatest round counts; if there is none, in one long before.
pub(super) async fn newest<S: Store>(store: &S, feed: &FeedName) -> Result<(u64, Option<StoredRecord>), Unavailable> {
    let Some(entry) = store.last(Log::Feeds, &Key::new(feed.as_str())).await? else { return Ok((0, None)) };
    let (mut to, mut step) = (entry.sequence, BATCH as u64);
    loop {
        let from = entry.sequence.saturating_sub(step);
        let newest = newest_between(store, feed, from, to).await?;
        if newest.is_some() || from == 0 {
            return Ok((entry.sequence, newest));
        }
        // It looks farther and farther.
        (to, step) = (from - 1, step.saturating_mul(4));
    }
}

/// The record with the greatest round among the entries from one sequence to another.
///
/// # Errors
/// [`Unavailable`], also if readings do not reach that far in time: a record might be missing.
pub(super) async fn newest_between<S: Store>(
    store: &S,
    feed: &FeedName,
    mut from: u64,
    to: u64,
) -> Result<Option<StoredRecord>, Unavailable> {
    let (key, mut newest, mut tries) = (Key::new(feed.as_str()), None, 0);
    while from <= to {
        let entries = store.read(Log::Feeds, Some(&key), From::Sequence(from), BATCH).await?;
        let Some(last) = entries.last() else {
            tries += 1;
            if tries == MAX_TRIES {
                return Err(Unavailable("a reading does not reach the newest entry".to_owned()));
            }
            sleep(BEHIND).await;
            continue;
        };
        from = last.sequence + 1;
        let within = entries.iter().filter(|entry| entry.sequence <= to);
        let records = within.filter_map(|entry| decode_record(feed, entry.sequence, &entry.body));
        newest = newest.into_iter().chain(records).max_by_key(|record: &StoredRecord| record.head.round);
    }
    Ok(newest)
}
