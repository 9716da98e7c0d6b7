//! What a feed leaves: one record of each round that is reported, or that failed.

use std::sync::Arc;
use std::time::Duration;

use super::{Definition, FeedName};
use crate::aggregate::deviates;
use crate::outcome::{Outcome, Status};
use crate::time::UnixTime;
use crate::value::Value;

/// The greatest number of a round: the greatest whole number that every reader of JSON keeps.
pub const MAX_ROUND: u64 = (1 << 53) - 1;

/// The record of a round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The feed.
    pub feed: FeedName,
    /// The number of the round, from 1: one more than that of the record before.
    pub round: u64,
    /// Why its value is reported; `None` if it is disputed, or there is none, and the last report stands.
    pub reported: Option<Reason>,
    /// The last report before this round.
    pub last_report: Option<Report>,
    /// How the round ended, with its evidence.
    pub outcome: Arc<Outcome>,
    /// The record before; `None` if there is none, as far as the author knows.
    pub previous: Option<Link>,
    /// The sequence of the lease under which it is recorded. It never falls from one record to the next, unless the store
    /// has lost leases.
    pub lease: u64,
}

/// Names the record before another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Its sequence in the store.
    pub sequence: u64,
    /// The SHA-256 of its bytes.
    pub digest: [u8; 32],
}

/// Why a value is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is the first of the feed.
    First,
    /// The heartbeat has passed since the last report.
    Heartbeat,
    /// It has moved by the feed's deviation.
    Deviation,
}

/// A value that was reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// The round.
    pub round: u64,
    /// The value.
    pub value: Value,
    /// The time of day of the end of its round.
    pub answered_at: UnixTime,
}

/// The newest record of a feed, as its next one needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// The record.
    pub link: Link,
    /// The number of its round.
    pub round: u64,
    /// The last report: this record or one before it.
    pub report: Option<Report>,
}

impl Head {
    /// Whether the record is a report.
    pub fn is_report(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.round == self.round)
    }
}

impl Record {
    /// The report that stands after this record.
    pub fn report(&self) -> Option<Report> {
        match (&self.reported, &self.outcome.verdict) {
            (Some(_), Ok(answer)) => {
                Some(Report { round: self.round, value: answer.value.clone(), answered_at: self.outcome.answered_at })
            }
            _ => self.last_report.clone(),
        }
    }
}

/// What becomes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing: its value is near the last report, which is not due to be repeated.
    Quiet,
    /// It is recorded, and reported if there is a reason.
    Record(Option<Reason>),
}

/// Decides what becomes of a round. `last` is the last report, and how old it was when the round began.
pub(super) fn decide(definition: &Definition, last: Option<(&Report, Duration)>, outcome: &Outcome) -> Decision {
    let answer = match &outcome.verdict {
        Ok(answer) if answer.status != Status::Disputed => answer,
        Ok(_) | Err(_) => return Decision::Record(None),
    };
    match last {
        None => Decision::Record(Some(Reason::First)),
        Some((_, age)) if age >= definition.heartbeat => Decision::Record(Some(Reason::Heartbeat)),
        Some((report, _)) if has_moved(definition, &report.value, &answer.value) => {
            Decision::Record(Some(Reason::Deviation))
        }
        Some(_) => Decision::Quiet,
    }
}

/// Whether a value has moved by the feed's deviation. A text deviates from every other value.
fn has_moved(definition: &Definition, old: &Value, new: &Value) -> bool {
    let Some(fraction) = definition.deviation else { return false };
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => deviates(*old, *new, fraction),
        (old, new) => old != new,
    }
}
