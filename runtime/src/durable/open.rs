//! The entries of the log of open requests, as JSON.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::aggregate::Strategy;
use quorate_core::durable::{Content, Job};
use quorate_core::id::{MAX_ID_BYTES, RequestId};
use quorate_core::policy::{OnDispute, Overrides};
use quorate_core::time::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::http::{MAX_BODY_BYTES, Question};
use crate::wire::{JsonTime, encode, read_time, saturating_millis};

/// The longest entry that is read, in bytes.
const MAX_ENTRY_BYTES: usize = MAX_BODY_BYTES + 4096;
/// The longest timeout that is believed: a coordinator's patience with an entry depends on it.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

#[derive(Serialize)]
struct EntryOut<'a> {
    holder: Option<&'a str>,
    turn: u64,
    submitted_at: JsonTime,
    request: RequestOut<'a>,
}

/// A request in the form of the body of `POST /request`.
#[derive(Serialize)]
struct RequestOut<'a> {
    id: &'a str,
    query: &'a str,
    timeout_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trim_share: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_deviation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_agreement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_dispute: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_responses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
}

#[derive(Deserialize)]
struct EntryIn<'a> {
    #[serde(borrow, default)]
    holder: Option<Cow<'a, str>>,
    turn: u64,
    #[serde(borrow)]
    submitted_at: Cow<'a, str>,
    #[serde(borrow)]
    request: &'a RawValue,
}

/// Writes an entry. A closed request has an empty one.
pub(super) fn encode_open(content: &Content) -> Bytes {
    let Content::Open { job, holder, turn } = content else { return Bytes::new() };
    let Overrides { max_age, min_responses, quorum, decimals, precision, .. } = job.overrides;
    encode(&EntryOut {
        holder: holder.as_deref(),
        turn: *turn,
        submitted_at: JsonTime(job.submitted_at),
        request: RequestOut {
            id: job.request.as_str(),
            query: job.query.as_str(),
            timeout_ms: saturating_millis(job.timeout),
            strategy: job.overrides.strategy.map(Strategy::name),
            precision,
            trim_share: job.overrides.trim_share.map(|share| share.to_string()),
            max_deviation: job.overrides.max_deviation.map(|rule| rule.to_string()),
            tolerance: job.overrides.tolerance.map(|tolerance| tolerance.to_string()),
            min_agreement: job.overrides.min_agreement.map(|share| share.to_string()),
            max_age_ms: max_age.map(saturating_millis),
            on_dispute: job.overrides.on_dispute.map(OnDispute::name),
            min_responses,
            quorum,
            decimals,
        },
    })
}

/// Reads an entry under the key of a request; `None` if it is none. Anybody who may publish there can have written it.
pub(super) fn decode_open(id: &RequestId, body: &[u8]) -> Option<Content> {
    if body.is_empty() {
        return Some(Content::Closed);
    }
    if body.len() > MAX_ENTRY_BYTES {
        return None;
    }
    let EntryIn { holder, turn, submitted_at, request } = serde_json::from_slice(body).ok()?;
    let Question { id: named, query, overrides, numbers: _ } = Question::parse(request.get().as_bytes()).ok()?;
    let timeout = overrides.timeout.filter(|timeout| *timeout <= MAX_TIMEOUT)?;
    let submitted_at = read_time(&submitted_at)?;
    if named.as_ref() != Some(id) || holder.as_ref().is_some_and(|holder| holder.len() > MAX_ID_BYTES) {
        return None;
    }
    let job = Arc::new(Job { request: id.clone(), query, overrides, timeout, submitted_at });
    Some(Content::Open { job, holder: holder.map(|holder| holder.as_ref().into()), turn })
}

/// The time of a submission, in the precision of its entry.
pub(super) fn in_millis(time: UnixTime) -> UnixTime {
    UnixTime::from_nanos(time.as_nanos() / 1_000_000 * 1_000_000)
}

#[cfg(test)]
mod tests {
    use quorate_core::aggregate::{Millionths, OutlierRule};
    use quorate_core::query::Query;
    use rust_decimal::Decimal;

    use super::*;

    fn id(text: &str) -> RequestId {
        RequestId::new(text).expect("an id")
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let timeout = Duration::from_millis(2500);
        let every = Overrides {
            strategy: Some(Strategy::Median),
            precision: Some(3),
            trim_share: Some(Millionths::new(250_000)),
            max_deviation: Some(OutlierRule::Mad(Millionths::new(3_500_000))),
            tolerance: Some(Decimal::new(1, 3)),
            min_agreement: Some(Millionths::new(510_000)),
            max_age: Some(Duration::from_mins(1)),
            min_responses: Some(2),
            quorum: Some(3),
            timeout: Some(timeout),
            on_dispute: Some(OnDispute::Reject),
            decimals: Some(2),
        };
        for overrides in [every, Overrides { timeout: Some(timeout), ..Overrides::default() }] {
            let job = Job {
                request: id("order/7 \"x\""),
                query: Query::new("BTC/USD").expect("a query"),
                overrides,
                timeout,
                submitted_at: UnixTime::from_nanos(1_790_000_000_123_000_000),
            };
            for holder in [Some("c1".into()), None] {
                let content = Content::Open { job: Arc::new(job.clone()), holder, turn: 7 };
                assert_eq!(decode_open(&job.request, &encode_open(&content)), Some(content));
            }
        }
        assert_eq!(decode_open(&id("r"), &encode_open(&Content::Closed)), Some(Content::Closed));
    }

    #[test]
    fn what_is_no_entry_of_the_request_is_none() {
        let good = r#"{"holder":"c1","turn":1,"submitted_at":"2026-01-01T00:00:00Z","request":{"id":"r","query":"q","timeout_ms":5}}"#;
        assert!(decode_open(&id("r"), good.as_bytes()).is_some());
        assert_eq!(decode_open(&id("s"), good.as_bytes()), None, "it is of another request");
        let long = "x".repeat(MAX_ENTRY_BYTES);
        for (part, other) in [
            ("{", "["),
            ("\"c1\"", "7"),
            ("\"turn\":1", "\"turn\":-1"),
            ("2026-01-01T00:00:00Z", "today"),
            ("\"query\":\"q\"", "\"query\":\"\""),
            ("\"timeout_ms\":5", "\"timeout_ms\":3600001"),
            (",\"timeout_ms\":5", ""),
            ("\"timeout_ms\":5", "\"timeout_ms\":5,\"more\":1"),
            ("c1", long.as_str()),
            ("c1", &long[..=MAX_ID_BYTES]),
        ] {
            let bad = good.replacen(part, other, 1);
            assert_eq!(decode_open(&id("r"), bad.as_bytes()), None, "{bad:.200}");
        }
        for bad in [&b"\xff"[..], b"null", b"{}", b"0"] {
            assert_eq!(decode_open(&id("r"), bad), None);
        }
    }
}
