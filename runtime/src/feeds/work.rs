//! What the driver of feeds asks of the store, and what the machine learns from it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::feed::{FeedName, Holder, Input, Record, Seen};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use crate::clock::Clock;
use crate::store::{Append, Entry, From, Key, Log, Settled, Store, settle};
use crate::wire::{StoredRecord, decode_record, encode_record};

/// How long the store may take to say what became of a lease. Shorter than the time in which another coordinator takes
/// it over.
const LEASE_WITHIN: Duration = Duration::from_secs(4);
/// How long it may take to say what became of a record: longer than it takes to elect a leader.
const RECORD_WITHIN: Duration = Duration::from_secs(15);
/// How long an entry that releases a lease is kept.
const RELEASE_TTL: Duration = Duration::from_mins(1);
/// How many entries are read at a time in search of the newest record.
const PAGE: usize = 256;
/// How many records are followed back in search of the last report.
const MAX_STEPS: usize = 1000;

/// What has been learned.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// What the machine learns.
    pub(super) input: Option<Input>,
    /// The newest record of a feed, as far as is known.
    pub(super) newest: Option<(FeedName, StoredRecord)>,
    /// The record of a report that stands.
    pub(super) report: Option<(FeedName, StoredRecord)>,
}

impl Learned {
    pub(super) fn input(input: Input) -> Self {
        Self { input: Some(input), ..Self::default() }
    }
}

/// What the work of one driver shares.
#[derive(Debug)]
pub(super) struct Tools<S> {
    pub(super) store: S,
    pub(super) clock: Clock,
    /// The name of this coordinator process.
    pub(super) instance: String,
}

/// The entry of a lease.
#[derive(Debug, Serialize, Deserialize)]
struct LeaseBody<'a> {
    /// The coordinator that holds it; null if it is released.
    holder: Option<&'a str>,
    /// How many entries this coordinator had written before. It tells the entries of one holder apart.
    number: u64,
}

impl<S: Store> Tools<S> {
    /// Takes, takes over or renews a lease.
    pub(super) async fn lease(self: Arc<Self>, feed: FeedName, after: u64, number: u64) -> Learned {
        let body = lease_body(Some(&self.instance), number);
        let key = Key::new(feed.as_str());
        Learned::input(match settle(&self.store, Log::Leases, &key, after, body, None, LEASE_WITHIN).await {
            Settled::Stored(sequence) => Input::Leased { feed, sequence },
            Settled::Lost(Some(entry)) => {
                Input::LeaseLost { feed, sequence: entry.sequence, holder: self.holder(&entry) }
            }
            Settled::Lost(None) => Input::LeaseLost { feed, sequence: 0, holder: Holder::Nobody },
            Settled::Refused(why) => {
                error!(%feed, why, "the store refuses the lease of a feed");
                Input::LeaseUnclear(feed)
            }
            Settled::Unclear(why) => {
                warn!(%feed, why, "the store does not say who drives a feed");
                Input::LeaseUnclear(feed)
            }
        })
    }

    /// Releases a lease. If that fails, others wait until it is old enough.
    pub(super) async fn release(self: Arc<Self>, feed: FeedName, after: u64, number: u64) -> Learned {
        let append = Append { after, body: lease_body(None, number), ttl: Some(RELEASE_TTL) };
        let key = Key::new(feed.as_str());
        let released = tokio::time::timeout(LEASE_WITHIN, self.store.append(Log::Leases, &key, append)).await;
        if !matches!(released, Ok(Ok(_))) {
            warn!(%feed, ?released, "the lease of a feed was not released");
        }
        Learned::default()
    }

    /// Who holds a lease by its newest entry. An entry that is none releases it: so a stranger's entry does not stop a
    /// feed.
    pub(super) fn holder(&self, entry: &Entry) -> Holder {
        match serde_json::from_slice::<LeaseBody>(&entry.body) {
            Ok(LeaseBody { holder: Some(holder), .. }) if holder == self.instance => Holder::Me,
            Ok(LeaseBody { holder: Some(_), .. }) => Holder::Other,
            Ok(LeaseBody { holder: None, .. }) | Err(_) => Holder::Nobody,
        }
    }

    /// Reads the newest entry of a feed.
    pub(super) async fn read(self: Arc<Self>, feed: FeedName) -> Learned {
        match self.store.last(Log::Feeds, &Key::new(feed.as_str())).await {
            Ok(newest) => self.newest(feed, newest).await,
            Err(error) => {
                warn!(%feed, %error, "the newest record of a feed cannot be read");
                Learned::input(Input::Unclear(feed))
            }
        }
    }

    /// Stores a record.
    pub(super) async fn store(self: Arc<Self>, record: Record, after: u64) -> Learned {
        let body = encode_record(&record, &self.instance);
        let feed = record.feed;
        let key = Key::new(feed.as_str());
        match settle(&self.store, Log::Feeds, &key, after, body.clone(), None, RECORD_WITHIN).await {
            Settled::Stored(sequence) => {
                let stored = decode_record(&feed, sequence, &body).expect("its own record can be read");
                let input = Input::Stored { feed: feed.clone(), head: stored.head.clone() };
                Learned { newest: Some((feed, stored)), ..Learned::input(input) }
            }
            Settled::Lost(newest) => self.newest(feed, newest).await,
            Settled::Refused(why) => {
                error!(%feed, why, "the store refuses a record");
                Learned::input(Input::Unclear(feed))
            }
            Settled::Unclear(why) => {
                warn!(%feed, why, "the store does not say whether a record is stored");
                Learned::input(Input::Unclear(feed))
            }
        }
    }

    /// What the machine learns from the newest entry of a feed. If that is no record, the newest one before it counts.
    async fn newest(&self, feed: FeedName, newest: Option<Entry>) -> Learned {
        let sequence = newest.as_ref().map_or(0, |entry| entry.sequence);
        let record = match newest.as_ref().and_then(|entry| decode_record(&feed, entry.sequence, &entry.body)) {
            Some(record) => Some(record),
            None if sequence == 0 => None,
            None => match self.last_record(&feed).await {
                Ok(record) => record,
                Err(error) => {
                    warn!(%feed, %error, "the newest record of a feed cannot be found");
                    return Learned::input(Input::Unclear(feed));
                }
            },
        };
        let seen = record.as_ref().map(|record| self.seen(record));
        let input = Input::Newest { feed: feed.clone(), sequence, record: seen };
        Learned { newest: record.map(|record| (feed, record)), ..Learned::input(input) }
    }

    /// The newest record, among entries that are none.
    async fn last_record(&self, feed: &FeedName) -> Result<Option<StoredRecord>, crate::store::Unavailable> {
        let key = Key::new(feed.as_str());
        let (mut newest, mut from) = (None, 0);
        loop {
            let page = self.store.read(Log::Feeds, Some(&key), From::Sequence(from), PAGE).await?;
            let Some(last) = page.last() else { return Ok(newest) };
            from = last.sequence + 1;
            newest = page.iter().filter_map(|entry| decode_record(feed, entry.sequence, &entry.body)).last().or(newest);
        }
    }

    /// Follows the records of a feed back to the report that stands.
    pub(super) async fn report(self: Arc<Self>, feed: FeedName, newest: StoredRecord) -> Learned {
        let round = newest.head.report.as_ref().map(|report| report.round);
        let mut previous = newest.previous;
        for _ in 0..MAX_STEPS {
            let Some(sequence) = previous else { break };
            let Ok(Some(entry)) = self.store.get(Log::Feeds, sequence).await else { break };
            let Some(record) = decode_record(&feed, sequence, &entry.body) else { break };
            if record.is_report && Some(record.head.round) == round {
                return Learned { report: Some((feed, record)), ..Learned::default() };
            }
            previous = record.previous;
        }
        Learned::default()
    }

    /// A record as the machine sees it now.
    pub(super) fn seen(&self, record: &StoredRecord) -> Seen {
        let now = self.clock.unix_time();
        let reported = record.head.report.as_ref();
        Seen {
            head: record.head.clone(),
            ended_ago: now.since(record.answered_at),
            reported_ago: reported.map_or(Duration::ZERO, |report| now.since(report.answered_at)),
        }
    }
}

fn lease_body(holder: Option<&str>, number: u64) -> Bytes {
    serde_json::to_vec(&LeaseBody { holder, number }).expect("texts and numbers are serializable").into()
}
