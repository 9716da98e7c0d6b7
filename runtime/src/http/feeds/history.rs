//! `GET /feeds/{name}/history` and `GET /feeds/{name}/at`: the records that the store keeps.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use http::{StatusCode, Uri};
use quorate_core::time::UnixTime;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoResponses, ToSchema};

use crate::feeds::Start;
use crate::http::answers::{Answers, FEEDS, answers, reads_limited, shown};
use crate::http::api::Api;
use crate::http::error::{ApiError, encoded, json};
use crate::http::{example, page};
use crate::store::{READ_BYTES, Unavailable};
use crate::wire::schema::FeedNameText;
use crate::wire::{JsonTime, RecordBody, StoredRecord, read_time};

/// A part of a feed's history.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedHistory)]
pub(in crate::http) struct HistoryBody<'a> {
    #[schema(value_type = FeedNameText)]
    pub(in crate::http) feed: &'a str,
    /// Records in the order of their rounds, which count up by one. A round whose `value` is null was not reported.
    #[schema(value_type = Vec<RecordBody>)]
    pub(in crate::http) reports: Vec<&'a RawValue>,
    /// The round with which the next page begins, for `cursor`; null if there is no more now.
    #[schema(required)]
    pub(in crate::http) next: Option<u64>,
}

/// The bound of a range: a round or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Round(u64),
    Time(UnixTime),
}

impl FromStr for Bound {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let round = || text.parse().ok().map(Self::Round);
        round().or_else(|| read_time(text).map(Self::Time)).ok_or(())
    }
}

impl Bound {
    fn is_before(self, record: &StoredRecord) -> bool {
        match self {
            Self::Round(round) => round < record.head.round,
            Self::Time(time) => time < record.answered_at,
        }
    }
}

/// Which part of the history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: Option<Bound>,
    to: Option<Bound>,
    limit: usize,
}

impl Range {
    /// Reads the parameters of the address, of which unknown ones are ignored.
    fn parse(uri: &Uri) -> Result<Self, ApiError> {
        let mut range = Self { from: None, to: None, limit: page::LIMIT };
        let mut cursor = None;
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let bound = || {
                let wrong =
                    || ApiError::invalid(format!("{name} must be a round or a time such as 2026-11-30T08:00:00Z"));
                // In an address, a + that is not encoded is a space.
                value.replace(' ', "+").parse::<Bound>().map(Some).map_err(|()| wrong())
            };
            match &*name {
                "from" => range.from = bound()?,
                "to" => range.to = bound()?,
                "cursor" => cursor = Some(Bound::Round(page::cursor(&value)?)),
                "limit" => range.limit = page::limit(&value)?,
                _ => {}
            }
        }
        range.from = cursor.or(range.from);
        Ok(range)
    }
}

/// The responses of `GET /feeds/{name}/history`.
struct AnsweringHistory;

impl IntoResponses for AnsweringHistory {
    fn responses() -> Answers {
        answers(
            shown::<HistoryBody>("A page of records.", example::feed_history()),
            vec![
                (ApiError::invalid("limit must be between 1 and 1000"), "a parameter cannot be read"),
                (ApiError::unknown_feed("BTC-UDS", &["BTC-USD"]), "there is no feed of this name"),
                reads_limited(),
                (ApiError::from(Unavailable(String::new())), "the store does not answer"),
            ],
        )
    }
}

/// The history of a feed
///
/// The records that the store keeps, the oldest first. Rounds count up by one. What the store no longer keeps is left
/// out at the beginning only: a round that is missing elsewhere was lost by the store, which the chain of `previous`
/// shows.
#[utoipa::path(
    get,
    path = "/feeds/{name}/history",
    tag = FEEDS,
    operation_id = "feed_history",
    params(
        ("name" = FeedNameText, Path, description = "The name of the feed."),
        ("from" = Option<String>, Query, description = "The first round, or the time from which records are sent."),
        ("to" = Option<String>, Query, description = "The last round, or the time until which records are sent."),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000,
         description = "The most records, 100 by default. There are fewer if they are long."),
        ("cursor" = Option<u64>, Query, description = "The `next` of the page before. It takes precedence over `from`."),
    ),
    responses(AnsweringHistory)
)]
pub(in crate::http) async fn history(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let feed = api.feeds.named(name)?;
    let Range { from, to, limit } = Range::parse(&uri)?;
    let start = match from {
        None => Start::Round(0),
        Some(Bound::Round(round)) => Start::Round(round),
        Some(Bound::Time(time)) => Start::Time(time),
    };
    let name = &feed.definition.name;
    // One more tells whether there is another page.
    let records = api.feeds.history()?.page(name, start, limit + 1).await.map_err(ApiError::from)?;
    let mut wanted = records.iter().take_while(|record| to.is_none_or(|to| !to.is_before(record)));
    let (mut page, mut bytes, mut next) = (Vec::new(), 0, None);
    for record in wanted.by_ref() {
        bytes += record.body.len();
        if page.len() == limit || (bytes >= READ_BYTES && !page.is_empty()) {
            next = Some(record.head.round);
            break;
        }
        page.push(record);
    }
    let reports = page.iter().filter_map(|record| raw(&record.body)).collect();
    Ok(json(StatusCode::OK, &HistoryBody { feed: name.as_str(), reports, next }))
}

/// A record as JSON. It was read as JSON before.
fn raw(body: &Bytes) -> Option<&RawValue> {
    serde_json::from_slice(body).ok()
}

/// The responses of `GET /feeds/{name}/at`.
struct AnsweringAt;

impl IntoResponses for AnsweringAt {
    fn responses() -> Answers {
        answers(
            shown::<RecordBody>("The record of the report that stood.", example::record()),
            vec![
                (ApiError::invalid("time must be a time such as 2026-11-30T08:00:00Z"), "the time cannot be read"),
                (
                    ApiError::no_report_then(),
                    "there is no feed of this name, or the store keeps no report from before that time",
                ),
                reads_limited(),
                (ApiError::from(Unavailable(String::new())), "the store does not answer"),
            ],
        )
    }
}

/// The report of a feed that stood at a time
#[utoipa::path(
    get,
    path = "/feeds/{name}/at",
    tag = FEEDS,
    operation_id = "feed_at",
    params(
        ("name" = FeedNameText, Path, description = "The name of the feed."),
        ("time" = JsonTime, Query, description = "The time."),
    ),
    responses(AnsweringAt)
)]
pub(in crate::http) async fn at(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Result<Response, ApiError> {
    let feed = api.feeds.named(name)?;
    let parameters = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let time = parameters.into_iter().find(|(name, _)| name == "time").map(|(_, value)| value.replace(' ', "+"));
    let time = time.and_then(|time| read_time(&time));
    let time = time.ok_or_else(|| ApiError::invalid("time must be a time such as 2026-11-30T08:00:00Z"))?;
    let record = api.feeds.history()?.at(&feed.definition.name, time).await.map_err(ApiError::from)?;
    Ok(encoded(StatusCode::OK, record.ok_or_else(ApiError::no_report_then)?.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_rounds_or_of_times() {
        let parse = |query: &str| Range::parse(&format!("/feeds/f/history{query}").parse().expect("an address"));
        let of = |from, to, limit| Range { from, to, limit };
        let second = |seconds: u64| Bound::Time(UnixTime::from_nanos(seconds * 1_000_000_000));
        for (query, range) in [
            ("", of(None, None, 100)),
            ("?from=3&to=7&limit=1000&x=1", of(Some(Bound::Round(3)), Some(Bound::Round(7)), 1000)),
            ("?from=3&cursor=5", of(Some(Bound::Round(5)), None, 100)),
            ("?from=1970-01-01T00:00:09Z&to=1970-01-01T01:00:09+01:00", of(Some(second(9)), Some(second(9)), 100)),
        ] {
            assert_eq!(parse(query).expect(query), range, "{query}");
        }
        for query in ["?limit=0", "?limit=1001", "?limit=", "?from=", "?from=yesterday", "?to=-1", "?cursor=x"] {
            assert!(parse(query).is_err(), "{query}");
        }
    }
}
