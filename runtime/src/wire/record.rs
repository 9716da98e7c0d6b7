//! The record of a feed's round: stored and published on the subject of its feed, and served over HTTP, as the same bytes.

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::feed::{FeedName, Head, Link, MAX_ROUND, Reason, Record, Report};
use quorate_core::outcome::Outcome;
use quorate_core::time::UnixTime;
use quorate_core::value::Value;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::hex;
use super::schema::{FeedNameText, Id};
use super::{JsonTime, JsonValue, Numbers, encode_outcome, read_time, verdict_name};

/// The longest record, in bytes. The evidence of a longer one is left out, so that every server of NATS takes it.
pub const MAX_RECORD_BYTES: usize = 512 * 1024;

/// The record of a round.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordBody<'a> {
    /// The name of the feed.
    #[schema(value_type = FeedNameText)]
    feed: &'a str,
    /// The number of the round, from 1 and counting up by one.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    round: u64,
    /// The reported value; null if the round is not reported: it is disputed, or has no answer.
    #[schema(required)]
    value: Option<JsonValue<'a>>,
    /// The status of the answer, or the error: `complete`, `partial`, `low_reliability`, `disputed`,
    /// `insufficient_responses` and so on.
    status: String,
    /// Why the value is reported: `first`, `heartbeat` or `deviation`; null if it is not reported.
    #[schema(required)]
    reason: Option<ReasonName>,
    /// When the round ended, by the clock of its coordinator.
    answered_at: JsonTime,
    /// When the oldest used value was observed. Present if a value was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    oldest_observed_at: Option<JsonTime>,
    /// When the newest used value was observed. Present if a value was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    newest_observed_at: Option<JsonTime>,
    /// The report before this round; null if there is none.
    #[schema(required)]
    last_report: Option<ReportBody<'a>>,
    /// The record before; null if this is the first, or the author has found none.
    #[schema(required)]
    previous: Option<LinkBody>,
    /// The coordinator that drove the round.
    #[schema(value_type = Id)]
    coordinator: &'a str,
    /// The sequence of the lease under which it did.
    lease: u64,
    /// The outcome of the round with its evidence, as `POST /request` answers; null if it is too long to be stored.
    #[schema(value_type = Option<Object>, required)]
    outcome: Option<&'a RawValue>,
}

/// Why a value is reported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Reason)]
enum ReasonName {
    First,
    Heartbeat,
    Deviation,
}

/// A value that was reported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
struct ReportBody<'a> {
    /// The round.
    round: u64,
    /// The value.
    value: JsonValue<'a>,
    /// When the round ended.
    answered_at: JsonTime,
}

/// Names the record before another one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Link)]
struct LinkBody {
    /// Its sequence in the store.
    sequence: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    sha256: String,
}

/// Encodes a record of the coordinator with this name.
pub fn encode_record(record: &Record, coordinator: &str) -> Bytes {
    let outcome = encode_outcome(&record.outcome, Numbers::Number);
    let outcome = std::str::from_utf8(&outcome).expect("JSON is a text");
    let evidence: &RawValue = serde_json::from_str(outcome).expect("an outcome is JSON");
    let encode = |outcome: Option<&RawValue>| {
        let body = RecordBody::of(record, coordinator, outcome);
        Bytes::from(serde_json::to_vec(&body).expect("a record is serializable"))
    };
    let whole = encode(Some(evidence));
    if whole.len() > MAX_RECORD_BYTES { encode(None) } else { whole }
}

impl<'a> RecordBody<'a> {
    pub(crate) fn of(record: &'a Record, coordinator: &'a str, evidence: Option<&'a RawValue>) -> Self {
        let Record { feed, round, reported, last_report, outcome, previous, lease } = record;
        let Outcome { verdict, answered_at, observed, .. } = outcome.as_ref();
        let value = verdict.as_ref().ok().filter(|_| reported.is_some()).map(|answer| &answer.value);
        Self {
            feed: feed.as_str(),
            round: *round,
            value: value.map(json),
            status: verdict_name(outcome),
            reason: reported.map(Into::into),
            answered_at: JsonTime(*answered_at),
            oldest_observed_at: observed.map(|observed| JsonTime(observed.oldest)),
            newest_observed_at: observed.map(|observed| JsonTime(observed.newest)),
            last_report: last_report.as_ref().map(|report| ReportBody {
                round: report.round,
                value: json(&report.value),
                answered_at: JsonTime(report.answered_at),
            }),
            previous: previous.as_ref().map(|link| LinkBody { sequence: link.sequence, sha256: hex(&link.digest) }),
            coordinator,
            lease: *lease,
            outcome: evidence,
        }
    }
}

impl From<Reason> for ReasonName {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::First => Self::First,
            Reason::Heartbeat => Self::Heartbeat,
            Reason::Deviation => Self::Deviation,
        }
    }
}

fn json(value: &Value) -> JsonValue<'_> {
    JsonValue { value, numbers: Numbers::Number }
}

/// A record as it is read from the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// What the next record needs of it.
    pub head: Head,
    /// The status of its answer, or its error.
    pub status: Arc<str>,
    /// When its round ended.
    pub answered_at: UnixTime,
    /// The sequence of the record before.
    pub previous: Option<u64>,
    /// Its bytes.
    pub body: Bytes,
}

/// A record, whoever wrote it. The members that only readers use are here so that their types are checked.
#[derive(Deserialize)]
struct RecordIn<'a> {
    feed: &'a str,
    round: u64,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    status: &'a str,
    #[serde(rename = "reason")]
    _reason: Option<ReasonName>,
    answered_at: &'a str,
    #[serde(borrow)]
    oldest_observed_at: Option<&'a str>,
    #[serde(borrow)]
    newest_observed_at: Option<&'a str>,
    #[serde(borrow)]
    last_report: Option<ReportIn<'a>>,
    #[serde(borrow)]
    previous: Option<LinkIn<'a>>,
    #[serde(borrow, rename = "coordinator")]
    _coordinator: Option<&'a str>,
    #[serde(rename = "lease")]
    _lease: Option<u64>,
    #[serde(borrow)]
    outcome: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ReportIn<'a> {
    round: u64,
    #[serde(borrow)]
    value: &'a RawValue,
    answered_at: &'a str,
}

#[derive(Deserialize)]
struct LinkIn<'a> {
    sequence: u64,
    #[serde(rename = "sha256")]
    _sha256: &'a str,
}

/// Reads a record of a feed from the store. `None` if it is none: whoever may publish on the subject can write anything.
pub fn decode_record(feed: &FeedName, sequence: u64, body: &Bytes) -> Option<StoredRecord> {
    // It is served as it is, and other members are written before its own.
    if body.len() > MAX_RECORD_BYTES || body.first() != Some(&b'{') {
        return None;
    }
    let record: RecordIn = serde_json::from_slice(body).ok()?;
    if record.feed != feed.as_str() || !(1..=MAX_ROUND).contains(&record.round) || record.status.len() > MAX_STATUS {
        return None;
    }
    if record.outcome.is_some_and(|outcome| !outcome.get().starts_with('{')) {
        return None;
    }
    let observed = [record.oldest_observed_at, record.newest_observed_at];
    if observed.into_iter().flatten().any(|time| read_time(time).is_none()) {
        return None;
    }
    let answered_at = read_time(record.answered_at)?;
    let report = match (record.value, record.last_report) {
        (Some(value), _) => Some(Report { round: record.round, value: super::value::read(value).ok()?, answered_at }),
        (None, Some(last)) if last.round < record.round => Some(Report {
            round: last.round,
            value: super::value::read(last.value).ok()?,
            answered_at: read_time(last.answered_at)?,
        }),
        (None, Some(_)) => return None,
        (None, None) => None,
    };
    let digest = digest(&SHA256, body).as_ref().try_into().ok()?;
    Some(StoredRecord {
        head: Head { link: Link { sequence, digest }, round: record.round, report },
        status: record.status.into(),
        answered_at,
        previous: record.previous.map(|link| link.sequence),
        body: body.clone(),
    })
}

/// The longest status, in bytes.
const MAX_STATUS: usize = 64;

#[cfg(test)]
mod tests {
    use quorate_core::id::RequestId;
    use quorate_core::query::Query;

    use super::*;

    fn feed() -> FeedName {
        FeedName::new("f").expect("a name")
    }

    fn number(text: &str) -> Value {
        Value::number(text).expect("a number")
    }

    /// A record of a round without an answer.
    fn failed() -> Record {
        let (request, query) = (RequestId::new("r").expect("an id"), Query::new("q").expect("a query"));
        Record {
            feed: feed(),
            round: 8,
            reported: None,
            last_report: Some(Report { round: 6, value: number("1.50"), answered_at: UnixTime::from_nanos(5_000_000) }),
            outcome: Arc::new(Outcome::unanswered(request, query)),
            previous: Some(Link { sequence: 70, digest: [0xab; 32] }),
            lease: 9,
        }
    }

    #[test]
    fn what_the_next_round_needs_of_a_record_is_read_back_from_the_store() {
        let record = failed();
        let body = encode_record(&record, "c1");
        let stored = decode_record(&feed(), 71, &body).expect("a record");
        assert_eq!(stored.head.report, record.last_report);
        assert_eq!((stored.head.round, stored.head.link.sequence, stored.previous), (8, 71, Some(70)));
        assert!(!stored.head.is_report());
        assert_eq!(stored.answered_at, record.outcome.answered_at);
        assert_eq!(stored.head.link.digest, *digest(&SHA256, &body).as_ref());
        let text = std::str::from_utf8(&body).expect("a text");
        assert!(
            text.contains(&format!("\"previous\":{{\"sequence\":70,\"sha256\":\"{}\"}}", "ab".repeat(32))),
            "{text}"
        );
    }

    #[test]
    fn whatever_a_stranger_writes_is_a_record_of_this_feed_or_none() {
        let record = r#"{"feed":"f","round":3,"value":"x","status":"complete","answered_at":"2026-01-01T00:00:00Z",
                         "last_report":null,"previous":null,"more":[1]}"#;
        let read = |text: &str| decode_record(&feed(), 1, &Bytes::copy_from_slice(text.as_bytes()));
        let report = read(record).and_then(|stored| stored.head.report).expect("a report");
        assert_eq!((report.round, report.value), (3, Value::text("x").expect("a text")));
        for (part, other) in [
            ("\"f\"", "\"g\""),
            (":3", ":0"),
            (":3", ":9007199254740992"),
            (":3", ":-1"),
            ("\"x\"", "[1]"),
            ("2026-", "1926-"),
            (
                "\"x\"",
                "null,\"last_report\":{\"round\":3,\"value\":1,\"answered_at\":\"2026-01-01T00:00:00Z\"},\"x\":1",
            ),
            ("complete", &"x".repeat(65)),
            ("}", ""),
            ("[1]", "1,\"reason\":\"whim\""),
            ("[1]", "1,\"oldest_observed_at\":\"today\""),
            ("[1]", "1,\"newest_observed_at\":5"),
            ("[1]", "1,\"coordinator\":7"),
            ("[1]", "1,\"lease\":-1"),
            ("[1]", "1,\"outcome\":5"),
            ("\"previous\":null", "\"previous\":{\"sequence\":1}"),
        ] {
            assert_eq!(read(&record.replacen(part, other, 1)), None, "{part} {other}");
        }
        for text in ["", "null", "[]", "{}", &"[".repeat(100_000)] {
            assert_eq!(read(text), None);
        }
    }
}
