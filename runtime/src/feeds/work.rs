//! What the driver of feeds asks of the store, and what the machine learns from it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::feed::{FeedName, Holder, Input, Record, Seen};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use super::history::{newest, newest_between, record_of};
use crate::clock::Clock;
use crate::store::{Append, Entry, Key, Log, Settled, Store, settle};
use crate::wire::{StoredRecord, decode_record, encode_record};

/// How long the store may take to say what became of a lease. Shorter than the time in which another coordinator takes
/// it over.
const LEASE_WITHIN: Duration = Duration::from_secs(4);
/// How long it may take to say what became of a record: longer than it takes to elect a leader.
const RECORD_WITHIN: Duration = Duration::from_secs(15);
/// The pause after a search that has found nothing.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an entry that releases a lease is kept.
const RELEASE_TTL: Duration = Duration::from_mins(1);

/// What has been learned.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// What the machine learns.
    pub(super) input: Option<Input>,
    /// A record of a feed: the newest, or the last report.
    pub(super) record: Option<(FeedName, StoredRecord)>,
}

/// What a search for readers has found.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) feed: FeedName,
    pub(super) record: Option<StoredRecord>,
    /// Whether the store did not answer.
    pub(super) failed: bool,
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
        match newest(&self.store, &feed).await {
            Ok((sequence, record)) => self.newest(feed, sequence, record),
            Err(error) => {
                warn!(%feed, %error, "the newest record of a feed cannot be read");
                Learned::input(Input::Unclear(feed))
            }
        }
    }

    /// Stores a record. What is on the subject of a feed and is no record is stepped over: the record follows it.
    pub(super) async fn store(self: Arc<Self>, record: Record, mut after: u64) -> Learned {
        let body = encode_record(&record, &self.instance);
        let Record { feed, round, .. } = record;
        let key = Key::new(feed.as_str());
        let until = Instant::now() + RECORD_WITHIN;
        loop {
            let within = until.saturating_duration_since(Instant::now());
            let first = match settle(&self.store, Log::Feeds, &key, after, body.clone(), None, within).await {
                Settled::Stored(sequence) => {
                    let stored = decode_record(&feed, sequence, &body).expect("its own record can be read");
                    let input = Input::Stored { feed: feed.clone(), head: stored.head.clone() };
                    return Learned { record: Some((feed, stored)), ..Learned::input(input) };
                }
                Settled::Lost(first) => first,
                Settled::Refused(why) => {
                    error!(%feed, why, "the store refuses a record");
                    return Learned::input(Input::Unclear(feed));
                }
                Settled::Unclear(why) => {
                    warn!(%feed, why, "the store does not say whether a record is stored");
                    return Learned::input(Input::Unclear(feed));
                }
            };
            let found = match first.map(|entry| entry.sequence) {
                Some(sequence) if sequence > after => {
                    let record = newest_between(&self.store, &feed, after + 1, sequence).await;
                    record.map(|record| (sequence, record))
                }
                // The store has lost what was there.
                _ => newest(&self.store, &feed).await,
            };
            match found {
                // Nobody else has recorded this round or a later one.
                Ok((sequence, found))
                    if sequence > after && found.as_ref().is_none_or(|found| found.head.round < round) =>
                {
                    after = sequence;
                }
                Ok((sequence, record)) => return self.newest(feed, sequence, record),
                Err(error) => {
                    warn!(%feed, %error, "what came before a record cannot be read");
                    return Learned::input(Input::Unclear(feed));
                }
            }
        }
    }

    /// What the machine learns from the newest entry of a feed, and the newest record.
    fn newest(&self, feed: FeedName, sequence: u64, record: Option<StoredRecord>) -> Learned {
        let seen = record.as_ref().map(|record| self.seen(record));
        let input = Input::Newest { feed: feed.clone(), sequence, record: seen };
        Learned { record: record.map(|record| (feed, record)), ..Learned::input(input) }
    }

    /// Finds what readers miss of a feed: the record of a report, or else the newest record.
    pub(super) async fn look(self: Arc<Self>, feed: FeedName, report: Option<u64>) -> Sought {
        let found = match report {
            Some(round) => {
                record_of(&self.store, &feed, round).await.map(|it| it.filter(|record| record.head.is_report()))
            }
            None => newest(&self.store, &feed).await.map(|(_, record)| record),
        };
        if let Err(error) = &found {
            warn!(%feed, %error, "a record of a feed cannot be found");
        }
        let failed = found.is_err();
        let record = found.ok().flatten();
        if record.is_none() {
            sleep(AGAIN).await;
        }
        Sought { feed, record, failed }
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
