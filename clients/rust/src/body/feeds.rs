//! Feeds: answers that a coordinator keeps fresh, and the records of their rounds.

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::exact::{instant, optional};
use super::{Body, ErrorBody, Outcome};
use crate::client::Received;
use crate::value::Value;

/// The answer of `GET /feeds`.
#[derive(Clone, Debug, Deserialize)]
pub struct Feeds {
    /// All feeds, by name.
    pub feeds: Vec<FeedState>,
}

/// A feed and its last report.
#[derive(Clone, Debug, Deserialize)]
pub struct FeedState {
    /// Its name.
    pub name: String,
    /// What is asked in each round.
    #[serde(default)]
    pub query: String,
    /// A value is reported again after this time, in milliseconds.
    #[serde(default)]
    pub heartbeat_ms: u64,
    /// A value is reported earlier if it has moved by this fraction of the last report; `None` if it never is.
    #[serde(default, deserialize_with = "optional")]
    pub deviation: Option<Decimal>,
    /// The time from the start of one round to the start of the next, in milliseconds.
    #[serde(default)]
    pub min_interval_ms: u64,
    /// The age above which the last report is stale, in milliseconds.
    #[serde(default)]
    pub max_staleness_ms: u64,
    /// The round of the last report; `None`, like what follows, if there is none.
    #[serde(default)]
    pub round: Option<u64>,
    /// The last reported value.
    #[serde(default)]
    pub value: Option<Value>,
    /// When the round of the last report ended.
    #[serde(default, deserialize_with = "instant")]
    pub answered_at: Option<OffsetDateTime>,
    /// The time since then, in milliseconds.
    #[serde(default)]
    pub age_ms: Option<u64>,
    /// Whether there is no report, or its age is more than `max_staleness_ms`.
    pub stale: bool,
    /// The round of the newest record.
    #[serde(default)]
    pub newest_round: Option<u64>,
    /// The status of the newest record.
    #[serde(default)]
    pub newest_status: Option<String>,
}

/// The answer of `GET /feeds/{name}`: the last report, and how old it is.
#[derive(Clone, Debug, Deserialize)]
pub struct Feed {
    /// The time since the round of the report ended, in milliseconds, by the clock of the coordinator.
    pub age_ms: u64,
    /// Whether that is more than the feed allows.
    pub stale: bool,
    /// The round of the newest record, which is greater than that of the report if later rounds were not reported.
    #[serde(default)]
    pub newest_round: u64,
    /// The status of the newest record.
    #[serde(default)]
    pub newest_status: String,
    /// When the round of the newest record ended.
    #[serde(default, deserialize_with = "instant")]
    pub newest_at: Option<OffsetDateTime>,
    /// The record of the report.
    #[serde(skip)]
    pub record: Record,
}

/// The record of a round.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Record {
    /// The name of the feed.
    pub feed: String,
    /// The number of the round, from 1 and counting up by one.
    pub round: u64,
    /// The reported value; `None` if the round is not reported: it is disputed, or has no answer.
    #[serde(default)]
    pub value: Option<Value>,
    /// The status of the answer, or the error: `complete`, `partial`, `low_reliability`, `disputed`,
    /// `insufficient_responses` and so on.
    #[serde(default)]
    pub status: String,
    /// Why the value is reported: `first`, `heartbeat` or `deviation`; `None` if it is not.
    #[serde(default)]
    pub reason: Option<String>,
    /// When the round ended, by the clock of its coordinator.
    #[serde(default, deserialize_with = "instant")]
    pub answered_at: Option<OffsetDateTime>,
    /// When the oldest used value was observed.
    #[serde(default, deserialize_with = "instant")]
    pub oldest_observed_at: Option<OffsetDateTime>,
    /// When the newest used value was observed.
    #[serde(default, deserialize_with = "instant")]
    pub newest_observed_at: Option<OffsetDateTime>,
    /// The report before this round.
    #[serde(default)]
    pub last_report: Option<Report>,
    /// The record before; `None` if this is the first.
    #[serde(default)]
    pub previous: Option<Link>,
    /// The coordinator that drove the round.
    #[serde(default)]
    pub coordinator: String,
    /// The sequence of the lease under which it did.
    #[serde(default)]
    pub lease: u64,
    /// How the round ended, with its evidence; `None` if that was too long to be stored, or is none.
    #[serde(default, deserialize_with = "round_outcome")]
    pub outcome: Option<RoundOutcome>,
}

/// A value that was reported.
#[derive(Clone, Debug, Deserialize)]
pub struct Report {
    /// The round.
    pub round: u64,
    /// The value.
    pub value: Value,
    /// When the round ended.
    #[serde(default, deserialize_with = "instant")]
    pub answered_at: Option<OffsetDateTime>,
}

/// Names the record before another one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// Its sequence in the store.
    pub sequence: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// How a round ended.
#[derive(Clone, Debug)]
pub enum RoundOutcome {
    /// It was answered.
    Answered(Box<Outcome>),
    /// It ended without an answer.
    Unanswered(Box<ErrorBody>),
}

/// The answer of `GET /feeds/{name}/history`: a part of a feed's history.
#[derive(Clone, Debug, Deserialize)]
pub struct FeedHistory {
    /// The name of the feed.
    pub feed: String,
    /// Records in the order of their rounds.
    #[serde(deserialize_with = "received")]
    pub reports: Vec<Received<Record>>,
    /// The round with which the next page begins; `None` if there is no more now.
    #[serde(default)]
    pub next: Option<u64>,
}

impl Body for RoundOutcome {
    fn read(json: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Probe {
            #[serde(default)]
            error: Option<serde::de::IgnoredAny>,
        }
        Ok(match serde_json::from_str::<Probe>(json)?.error {
            Some(_) => Self::Unanswered(Box::new(ErrorBody::read(json)?)),
            None => Self::Answered(Box::new(Outcome::read(json)?)),
        })
    }
}

/// An outcome, unless somebody else has written it: one strange record does not hide the others.
fn round_outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RoundOutcome>, D::Error> {
    let json = Option::<Box<RawValue>>::deserialize(deserializer)?;
    Ok(json.and_then(|json| RoundOutcome::read(json.get()).ok()))
}

/// Records, each with its own text.
fn received<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Received<Record>>, D::Error> {
    let records = Vec::<Box<RawValue>>::deserialize(deserializer)?;
    let read = |record: Box<RawValue>| Received::read(String::from(Box::<str>::from(record)));
    records.into_iter().map(read).collect::<Result<_, _>>().map_err(D::Error::custom)
}
