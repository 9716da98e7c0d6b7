//! The newest record of each feed, for readers, who wait for nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use quorate_core::feed::{Counters, Definition, FeedName};
use quorate_core::time::UnixTime;
use tokio::sync::broadcast;

use crate::wire::StoredRecord;

/// How many records a reader of [`Board::follow`] may be behind.
const FOLLOWED: usize = 256;

/// What a coordinator knows of its feeds. Clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    known: RwLock<Known>,
    state: RwLock<State>,
    records: broadcast::Sender<Arc<Told>>,
}

#[derive(Debug, Default)]
struct Known {
    feeds: BTreeMap<FeedName, Arc<Latest>>,
    mark: Mark,
}

/// How far followers were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Rises when the store gives sequences again: it was made again, or has lost its end.
    pub epoch: u64,
    /// The sequence before the first record of the epoch.
    pub after: u64,
    /// The sequence of the last record; 0 if there was none.
    pub sequence: u64,
}

/// A record of which followers are told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its feed.
    pub feed: FeedName,
    /// The record.
    pub record: StoredRecord,
    /// The epoch of its sequence.
    pub epoch: u64,
}

/// What the driver has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What it has done.
    pub counters: Counters,
    /// The number of feeds.
    pub feeds: usize,
    /// The number of those that this coordinator drives.
    pub driven: usize,
    /// Entries on the subjects of feeds that are no records.
    pub foreign: u64,
}

/// What is known of one feed.
#[derive(Clone, Debug)]
pub struct Latest {
    /// The feed.
    pub definition: Arc<Definition>,
    /// The newest record; `None` if there is none.
    pub newest: Option<StoredRecord>,
    /// The newest record that is a report: the newest one, or one before it.
    pub report: Option<StoredRecord>,
    /// The last round that followers were told of.
    told: u64,
}

impl Latest {
    /// A feed with this report.
    pub(crate) fn new(definition: Arc<Definition>, report: StoredRecord) -> Self {
        Self { definition, newest: Some(report.clone()), report: Some(report), told: 0 }
    }

    /// The round of the last report, by the newest record; `None` if there is none.
    fn stands(&self) -> Option<u64> {
        Some(self.newest.as_ref()?.head.report.as_ref()?.round)
    }

    /// The round of the last report, if its record is not shown yet.
    pub(super) fn missing(&self) -> Option<u64> {
        self.stands().filter(|round| self.report.as_ref().is_none_or(|report| report.head.round != *round))
    }

    /// When the last report was made; `None` if there is none.
    pub fn reported_at(&self) -> Option<UnixTime> {
        let head = self.newest.as_ref().and_then(|newest| newest.head.report.as_ref());
        head.map(|report| report.answered_at).or_else(|| self.report.as_ref().map(|report| report.answered_at))
    }

    /// Whether there is no report, or the last one is too old by the feed's bound.
    pub fn is_stale(&self, now: UnixTime) -> bool {
        self.reported_at().is_none_or(|at| self.definition.is_stale(now.since(at)))
    }
}

impl Default for Board {
    fn default() -> Self {
        let records = broadcast::Sender::new(FOLLOWED);
        Self(Arc::new(Shared { known: RwLock::default(), state: RwLock::default(), records }))
    }
}

impl Board {
    /// One feed.
    pub fn feed(&self, name: &str) -> Option<Arc<Latest>> {
        let name = FeedName::new(name).ok()?;
        self.known().feeds.get(&name).cloned()
    }

    /// All feeds, by name.
    pub fn feeds(&self) -> Vec<Arc<Latest>> {
        self.known().feeds.values().cloned().collect()
    }

    /// What the driver has come to.
    pub fn state(&self) -> State {
        *self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of all feeds from now on, and how far others were told. A reader that is too slow misses some and learns
    /// how many.
    pub fn follow(&self) -> (broadcast::Receiver<Arc<Told>>, Mark) {
        // Nobody is told meanwhile.
        let known = self.known();
        (self.0.records.subscribe(), known.mark)
    }

    /// How far followers were told.
    pub fn mark(&self) -> Mark {
        self.known().mark
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_state(&self, state: State) {
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Replaces the feeds, and returns those that were not there before.
    pub(super) fn define(&self, definitions: &[Arc<Definition>]) -> Vec<FeedName> {
        let feeds = &mut self.known_mut().feeds;
        let before = std::mem::take(feeds);
        let mut added = Vec::new();
        for definition in definitions {
            let latest = if let Some(latest) = before.get(&definition.name) {
                Latest { definition: Arc::clone(definition), ..latest.as_ref().clone() }
            } else {
                added.push(definition.name.clone());
                Latest { definition: Arc::clone(definition), newest: None, report: None, told: 0 }
            };
            feeds.insert(definition.name.clone(), Arc::new(latest));
        }
        added
    }

    /// Shows a record, if its feed is shown: as the newest one if no later round is shown, and as the report if it is the
    /// one that the newest record names.
    pub(super) fn show(&self, feed: &FeedName, record: &StoredRecord) {
        change(&mut self.known_mut().feeds, feed, |latest| {
            let is_later = latest.newest.as_ref().is_none_or(|newest| newest.head.round < record.head.round);
            let newest = if is_later { Some(record.clone()) } else { latest.newest.clone() };
            let mut shown = Latest { newest, ..latest.clone() };
            let stands = record.head.is_report() && shown.missing() == Some(record.head.round);
            if stands {
                shown.report = Some(record.clone());
            }
            (is_later || stands).then_some(shown)
        });
    }

    /// Tells followers of a record, once. They hear of the records of a feed in the order of their rounds.
    pub(super) fn tell(&self, feed: &FeedName, record: &StoredRecord) {
        let Known { feeds, mark } = &mut *self.known_mut();
        change(feeds, feed, |latest| {
            let (round, sequence) = (record.head.round, record.head.link.sequence);
            (latest.told < round).then(|| {
                if sequence <= mark.sequence {
                    (mark.epoch, mark.after) = (mark.epoch + 1, sequence.saturating_sub(1));
                }
                mark.sequence = sequence;
                let told = Told { feed: feed.clone(), record: record.clone(), epoch: mark.epoch };
                // Nobody may be listening.
                let _ = self.0.records.send(Arc::new(told));
                Latest { told: round, ..latest.clone() }
            })
        });
    }
}

fn change(
    feeds: &mut BTreeMap<FeedName, Arc<Latest>>,
    feed: &FeedName,
    change: impl FnOnce(&Latest) -> Option<Latest>,
) {
    if let Some(latest) = feeds.get_mut(feed)
        && let Some(changed) = change(latest)
    {
        *latest = Arc::new(changed);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::wire::decode_record;

    fn feed() -> FeedName {
        FeedName::new("f").expect("a name")
    }

    /// A record; a report if no earlier one is named.
    fn record(round: u64, sequence: u64, last_report: Option<u64>) -> StoredRecord {
        let at = "2026-11-30T08:00:00Z";
        let last = last_report.map(|round| json!({"round": round, "value": 1, "answered_at": at}));
        let value = last.is_none().then_some(1);
        let body = json!({"feed": "f", "round": round, "value": value, "status": "complete", "answered_at": at,
                          "last_report": last});
        decode_record(&feed(), sequence, &Bytes::from(body.to_string())).expect("a record")
    }

    fn board() -> Board {
        let file = "[[feed]]\nname = \"f\"\nquery = \"q\"\nheartbeat = \"1h\"\n";
        let board = Board::default();
        board.define(&crate::feeds::parse("f", file, &quorate_core::coordinator::Config::default()).expect("a feed"));
        board
    }

    #[test]
    fn the_report_that_stands_is_shown_though_a_later_round_came_first() {
        let board = board();
        let shown = || {
            let latest = board.feed("f").expect("it is defined");
            let round = |record: &Option<StoredRecord>| record.as_ref().map(|record| record.head.round);
            (round(&latest.newest), round(&latest.report), latest.missing())
        };
        board.show(&feed(), &record(9, 90, None));
        assert_eq!(shown(), (Some(9), Some(9), None));
        board.show(&feed(), &record(12, 120, Some(11)));
        assert_eq!(shown(), (Some(12), Some(9), Some(11)), "it must be looked for");
        board.show(&feed(), &record(10, 100, None));
        assert_eq!(shown(), (Some(12), Some(9), Some(11)), "it is another one");
        board.show(&feed(), &record(11, 110, None));
        assert_eq!(shown(), (Some(12), Some(11), None));
    }

    #[test]
    fn followers_are_told_of_each_round_once_and_when_sequences_begin_again() {
        let board = board();
        board.tell(&feed(), &record(1, 50, None));
        let (mut told, since) = board.follow();
        assert_eq!(since, Mark { epoch: 0, after: 0, sequence: 50 });
        for (round, sequence, epoch) in [(2, 60, 0), (3, 7, 1), (4, 8, 1)] {
            for _ in 0..2 {
                board.tell(&feed(), &record(round, sequence, None));
            }
            let next = told.try_recv().expect("it is told");
            assert_eq!((next.record.head.round, next.epoch), (round, epoch));
        }
        assert_eq!(board.mark(), Mark { epoch: 1, after: 6, sequence: 8 });
        assert!(told.try_recv().is_err(), "nothing is told twice");
    }
}
