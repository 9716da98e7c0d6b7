//! The newest record of each feed, for readers, who wait for nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use quorate_core::feed::{Counters, Definition, FeedName};
use quorate_core::time::UnixTime;
use tokio::sync::broadcast;

use crate::wire::StoredRecord;

/// How many records a reader of [`Board::follow`] may be behind.
const FOLLOWED: usize = 1024;

/// What a coordinator knows of its feeds. Clones share it.
#[derive(Clone, Debug)]
pub struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feeds: RwLock<BTreeMap<FeedName, Arc<Latest>>>,
    state: RwLock<State>,
    records: broadcast::Sender<Arc<(FeedName, StoredRecord)>>,
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
        Self(Arc::new(Shared { feeds: RwLock::default(), state: RwLock::default(), records }))
    }
}

impl Board {
    /// One feed.
    pub fn feed(&self, name: &str) -> Option<Arc<Latest>> {
        let name = FeedName::new(name).ok()?;
        self.0.feeds.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }

    /// All feeds, by name.
    pub fn feeds(&self) -> Vec<Arc<Latest>> {
        self.0.feeds.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What the driver has come to.
    pub fn state(&self) -> State {
        *self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of all feeds from now on. A reader that is too slow misses some and learns how many.
    pub fn follow(&self) -> broadcast::Receiver<Arc<(FeedName, StoredRecord)>> {
        self.0.records.subscribe()
    }

    pub(super) fn set_state(&self, state: State) {
        *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Replaces the feeds, and returns those that were not there before.
    pub(super) fn define(&self, definitions: &[Arc<Definition>]) -> Vec<FeedName> {
        let mut feeds = self.0.feeds.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *feeds);
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

    /// Shows a record, if its feed is shown and no later round is.
    pub(super) fn show(&self, feed: &FeedName, record: &StoredRecord) {
        self.change(feed, |latest| {
            let is_later = latest.newest.as_ref().is_none_or(|newest| newest.head.round < record.head.round);
            let report = if record.is_report { Some(record.clone()) } else { latest.report.clone() };
            is_later.then(|| Latest { newest: Some(record.clone()), report, ..latest.clone() })
        });
    }

    /// Tells followers of a record, once. They hear of the records of a feed in the order of their rounds.
    pub(super) fn tell(&self, feed: &FeedName, record: &StoredRecord) {
        self.change(feed, |latest| {
            let round = record.head.round;
            (latest.told < round).then(|| {
                // Nobody may be listening.
                let _ = self.0.records.send(Arc::new((feed.clone(), record.clone())));
                Latest { told: round, ..latest.clone() }
            })
        });
    }

    /// Shows the report that stands by the newest record, if that is still so.
    pub(super) fn show_report(&self, feed: &FeedName, report: &StoredRecord) {
        self.change(feed, |latest| {
            let stands = latest.newest.as_ref().and_then(|newest| newest.head.report.as_ref());
            let is_this = stands.is_some_and(|stands| stands.round == report.head.round);
            is_this.then(|| Latest { report: Some(report.clone()), ..latest.clone() })
        });
    }

    fn change(&self, feed: &FeedName, change: impl FnOnce(&Latest) -> Option<Latest>) {
        let mut feeds = self.0.feeds.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = feeds.get_mut(feed)
            && let Some(changed) = change(latest)
        {
            *latest = Arc::new(changed);
        }
    }
}
