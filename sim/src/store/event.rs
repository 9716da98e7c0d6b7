//! What happens on the stage with a store.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::durable::{Accepted, Rejection};
use quorate_core::feed::{Counters, Definition, FeedName};
use quorate_core::id::RequestId;
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;

pub use super::simulated::Happened;
use crate::scenario::StoreFault;

/// What happened on a host of the stage with a store.
#[derive(Clone, Debug)]
pub enum StoreEvent {
    /// The fault with this index in the schedule begins.
    FaultBegan(usize, StoreFault),
    /// The fault with this index in the schedule ends.
    FaultEnded(usize, StoreFault),
    /// In the store, or between it and a coordinator.
    Store(Happened),
    /// A coordinator is told which feeds there are.
    Defined(Vec<Arc<Definition>>),
    /// A coordinator asks its workers, for a feed or for the durable request with an id. The number is unique in the run.
    Asked(u64, Query, Option<RequestId>),
    /// The workers have answered, or the coordinator refuses to ask them.
    Answered(u64, Option<Arc<Outcome>>),
    /// A coordinator tells followers of a record.
    Published(FeedName, Shown),
    /// A reader sees a feed: the newest record, and the newest report.
    Served(FeedName, Option<Shown>, Option<Shown>),
    /// What the feeds of a coordinator have come to.
    Counted(Counters),
    /// A client submits the durable request with this index in the scenario to a coordinator.
    Submitted(usize, RequestId, Query),
    /// The client of a durable request is told whether it is accepted; `None` if it is told nothing.
    Accepted(usize, RequestId, Option<Result<Accepted, Rejection>>),
    /// A client is told the outcome of a durable request.
    Told(usize, RequestId, Bytes),
}

/// A record as a coordinator shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shown {
    /// Its sequence in the store.
    pub sequence: u64,
    /// The number of its round.
    pub round: u64,
    /// Its bytes.
    pub body: Bytes,
}

impl Hash for StoreEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::FaultBegan(place, fault) | Self::FaultEnded(place, fault) => (place, fault.kind).hash(state),
            Self::Store(happened) => hash(happened, state),
            Self::Defined(definitions) => definitions.hash(state),
            Self::Asked(number, query, id) => (number, query, id).hash(state),
            Self::Answered(number, outcome) => (number, outcome).hash(state),
            Self::Published(feed, shown) => (feed, shown).hash(state),
            Self::Served(feed, newest, report) => (feed, newest, report).hash(state),
            Self::Counted(counters) => counters.hash(state),
            Self::Submitted(place, id, query) => (place, id, query).hash(state),
            Self::Accepted(place, id, reply) => (place, id, reply).hash(state),
            Self::Told(place, id, body) => (place, id, body).hash(state),
        }
    }
}

fn hash<H: Hasher>(happened: &Happened, state: &mut H) {
    std::mem::discriminant(happened).hash(state);
    match happened {
        Happened::Stored(log, entry) | Happened::Forgotten(log, entry) => {
            (log, &entry.key, entry.sequence, entry.stored_at, &entry.body).hash(state);
        }
        Happened::StrangeForgotten(key, sequence) => (key, sequence).hash(state),
        Happened::Dropped(log, key, body) => (log, key, body).hash(state),
        Happened::Appended(log, key, append, end) => {
            (log, key, append.after, &append.body, append.ttl, end.as_ref().ok()).hash(state);
            end.as_ref().err().map(std::mem::discriminant).hash(state);
        }
        Happened::ReadBehind(log) | Happened::WatchedAgain(log) => log.hash(state),
    }
}
