//! The inputs, outputs and counters of feeds.

use std::sync::Arc;
use std::time::Duration;

use super::{Definition, FeedName, Head, Record};
use crate::outcome::Outcome;
use crate::policy::Overrides;
use crate::query::Query;

/// Names one round that is asked; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundId(pub u64);

/// Who holds the lease of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// This coordinator.
    Me,
    /// Another one.
    Other,
    /// Nobody: it was released, or there is none.
    Nobody,
}

/// A record as it was found in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    /// The record.
    pub head: Head,
    /// How long ago its round ended.
    pub ended_ago: Duration,
    /// How long ago the round of the last report ended; without meaning if there is no report.
    pub reported_ago: Duration,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// These are the feeds from now on, each [checked](Definition::check). Of several with one name the first counts, and
    /// of too many names the first [`MAX_FEEDS`](super::MAX_FEEDS). A round is given up if its feed is removed or asks
    /// something else.
    Definitions(Vec<Arc<Definition>>),
    /// An entry of a lease was seen, perhaps not the newest.
    LeaseSeen {
        /// The feed.
        feed: FeedName,
        /// The sequence of the entry.
        sequence: u64,
        /// Who holds the lease by it.
        holder: Holder,
    },
    /// The append of a lease has succeeded.
    Leased {
        /// The feed.
        feed: FeedName,
        /// The sequence of the entry.
        sequence: u64,
    },
    /// The append of a lease has failed, because another entry came first.
    LeaseLost {
        /// The feed.
        feed: FeedName,
        /// The sequence of the newest entry; 0 if there is none.
        sequence: u64,
        /// Who holds the lease by it.
        holder: Holder,
    },
    /// The store did not say what became of the append of a lease.
    LeaseUnclear(FeedName),
    /// A record was seen, perhaps not the newest.
    Seen {
        /// The feed.
        feed: FeedName,
        /// The record.
        record: Seen,
    },
    /// A record of this coordinator is stored. It is the newest entry of its feed.
    Stored {
        /// The feed.
        feed: FeedName,
        /// The record.
        head: Head,
    },
    /// The newest entry of a feed: the answer to [`Output::Read`], or what came before a record that is not stored.
    Newest {
        /// The feed.
        feed: FeedName,
        /// The sequence of the entry; 0 if there is none.
        sequence: u64,
        /// The newest record; `None` if there is none. It is in that entry, or, if that is no record, in the last one
        /// before it that is: whoever may publish on the subject can write anything.
        record: Option<Seen>,
    },
    /// The store did not say what became of a record, or which entry is the newest.
    Unclear(FeedName),
    /// A round has ended.
    Ended {
        /// The feed.
        feed: FeedName,
        /// The round.
        round: RoundId,
        /// Its outcome; `None` if the coordinator refused to ask.
        outcome: Option<Arc<Outcome>>,
    },
    /// No further round may begin, and leases must be released.
    Drain,
}

/// What the adapter must do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Read the newest entry of a feed from the store; answer with [`Input::Newest`] or [`Input::Unclear`].
    Read(FeedName),
    /// Append an entry that names this coordinator to a lease; answer with [`Input::Leased`],
    /// [`Input::LeaseLost`] or [`Input::LeaseUnclear`].
    Lease {
        /// The feed.
        feed: FeedName,
        /// The sequence of the newest entry; 0 if there is none.
        after: u64,
    },
    /// Append an entry that names nobody to a lease. It needs no answer.
    Release {
        /// The feed.
        feed: FeedName,
        /// The sequence of the newest entry.
        after: u64,
    },
    /// Ask a round; answer with [`Input::Ended`].
    Ask {
        /// The feed.
        feed: FeedName,
        /// The round.
        round: RoundId,
        /// What is asked.
        query: Query,
        /// How it is answered.
        overrides: Overrides,
    },
    /// Append a record; answer with [`Input::Stored`], [`Input::Newest`] or [`Input::Unclear`].
    Store {
        /// The record.
        record: Record,
        /// The sequence of the newest entry of the feed; 0 if there is none.
        after: u64,
    },
    /// Every round has ended, and every lease is released.
    Drained,
}

/// What the feeds of this coordinator have come to, since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Rounds that were asked.
    pub rounds: u64,
    /// Rounds that the coordinator refused to ask.
    pub refused: u64,
    /// Rounds that left no record: their value is near the last report.
    pub quiet: u64,
    /// Records of this coordinator that were stored, with a report.
    pub reported: u64,
    /// Records of this coordinator that were stored, without a report.
    pub unreported: u64,
    /// Records of this coordinator that were not stored because another entry came first.
    pub lost: u64,
    /// Records of which the store did not say whether they are stored.
    pub unclear: u64,
    /// Rounds whose end did not matter any more: another coordinator drives the feed, or it was removed or asks something
    /// else.
    pub given_up: u64,
    /// Leases that were taken.
    pub leases_taken: u64,
    /// Leases of another coordinator that were taken over because they were not renewed in time.
    pub failovers: u64,
}
