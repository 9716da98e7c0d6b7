//! The records of feeds, as the store keeps them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use quorate_core::feed::FeedName;
use quorate_core::time::UnixTime;

use super::feed_of;
use crate::store::{From, Key, Log, Store, Unavailable};
use crate::wire::{StoredRecord, decode_record};

/// How far the clocks of coordinators and of the store may differ for [`History::at`].
const SKEW: Duration = Duration::from_secs(10);
/// How many entries are read at a time.
const BATCH: usize = 256;
/// How many records are followed back for one answer.
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
    /// Up to `limit` records of a feed, in order. What is on its subject and is no record is left out.
    fn page<'a>(&'a self, feed: &'a FeedName, start: Start, limit: usize) -> Answer<'a, Vec<StoredRecord>>;

    /// Up to `limit` records of one feed, or of all, in the order in which they were stored after a sequence.
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
    /// For each feed, a round at which a page ended, and the sequence with which the next one begins.
    ends: Mutex<BTreeMap<FeedName, (u64, u64)>>,
}

impl<S: Store> StoredHistory<S> {
    /// The records in this store.
    pub fn new(store: S) -> Self {
        Self { store, ends: Mutex::default() }
    }

    async fn read(&self, feed: &FeedName, from: From, limit: usize) -> Result<Vec<StoredRecord>, Unavailable> {
        let (key, mut from, mut records) = (Key::new(feed.as_str()), from, Vec::new());
        while records.len() < limit {
            let wanted = (limit - records.len()).min(BATCH);
            let entries = self.store.read(Log::Feeds, Some(&key), from, wanted).await?;
            let Some(last) = entries.last() else { break };
            from = From::Sequence(last.sequence + 1);
            let is_last_page = entries.len() < wanted;
            records.extend(entries.iter().filter_map(|entry| decode_record(feed, entry.sequence, &entry.body)));
            if is_last_page {
                break;
            }
        }
        Ok(records)
    }

    /// The sequence with which a round begins, or one shortly before it.
    async fn sequence_of(&self, feed: &FeedName, round: u64) -> Result<u64, Unavailable> {
        let known = self.ends.lock().unwrap_or_else(PoisonError::into_inner).get(feed).copied();
        if let Some((_, sequence)) = known.filter(|(at, _)| *at == round) {
            return Ok(sequence);
        }
        let Some(newest) = self.store.last(Log::Feeds, &Key::new(feed.as_str())).await? else { return Ok(0) };
        let (mut low, mut high) = (0, newest.sequence);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read(feed, From::Sequence(middle), 1).await?.first() {
                Some(record) if record.head.round < round => low = record.head.link.sequence + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

impl<S: Store> History for StoredHistory<S> {
    fn page<'a>(&'a self, feed: &'a FeedName, start: Start, limit: usize) -> Answer<'a, Vec<StoredRecord>> {
        Box::pin(async move {
            let from = match start {
                Start::Round(0 | 1) => From::Sequence(0),
                Start::Round(round) => From::Sequence(self.sequence_of(feed, round).await?),
                Start::Time(time) => From::Time(time),
            };
            let records = self.read(feed, from, limit).await?;
            if let Some(last) = records.last() {
                let end = (last.head.round + 1, last.head.link.sequence + 1);
                self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(feed.clone(), end);
            }
            Ok(records)
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
            // The first record that is surely later, or else the newest one.
            let later = self.read(feed, From::Time(time.after(SKEW)), 1).await?.into_iter().next();
            let mut candidate = later;
            if candidate.is_none() {
                let newest = self.store.last(Log::Feeds, &Key::new(feed.as_str())).await?;
                candidate = newest.and_then(|entry| decode_record(feed, entry.sequence, &entry.body));
            }
            for _ in 0..MAX_STEPS {
                let Some(record) = candidate else { return Ok(None) };
                if record.is_report && record.answered_at <= time {
                    return Ok(Some(record));
                }
                let Some(previous) = record.previous else { return Ok(None) };
                let entry = self.store.get(Log::Feeds, previous).await?;
                candidate = entry.and_then(|entry| decode_record(feed, entry.sequence, &entry.body));
            }
            Ok(None)
        })
    }
}
