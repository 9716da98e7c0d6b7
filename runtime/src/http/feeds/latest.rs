//! `GET /feeds/{name}`: the last report of a feed.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use quorate_core::time::UnixTime;
use serde::Serialize;
use utoipa::openapi::HeaderBuilder;
use utoipa::{IntoResponses, PartialSchema as _, ToSchema};

use crate::feeds::Latest;
use crate::http::answers::{Answers, FEEDS, answers, reads_limited, shown};
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::example;
use crate::http::files::is_known;
use crate::wire::schema::FeedNameText;
use crate::wire::{JsonTime, RecordBody, StoredRecord, saturating_millis};

/// The last report of a feed: its record, and how old it is.
#[derive(Serialize, ToSchema)]
#[schema(as = Feed)]
pub(in crate::http) struct LatestBody<'a> {
    #[serde(flatten)]
    pub(in crate::http) state: LatestState<'a>,
    #[serde(flatten)]
    pub(in crate::http) record: RecordBody<'a>,
}

/// The part of the body that is not the record of the report.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedAge)]
pub(in crate::http) struct LatestState<'a> {
    /// The time since the round of the report ended, in milliseconds, by the clock of the coordinator that answers.
    pub(in crate::http) age_ms: u64,
    /// Whether that is more than the feed's `max_staleness`.
    pub(in crate::http) stale: bool,
    /// The round of the newest record, which is greater than `round` if later rounds were disputed or had no answer.
    pub(in crate::http) newest_round: u64,
    /// The status of the newest record.
    pub(in crate::http) newest_status: &'a str,
    /// When the round of the newest record ended.
    pub(in crate::http) newest_at: JsonTime,
}

/// The responses of `GET /feeds/{name}`.
struct AnsweringLatest;

impl IntoResponses for AnsweringLatest {
    fn responses() -> Answers {
        let tag = HeaderBuilder::new().schema(Some(String::schema()));
        let tag =
            tag.description(Some("Names the records that the body shows. It changes with them, and not with the age."));
        let ok = shown::<LatestBody>("The last report.", example::feed()).header("ETag", tag.build());
        let mut answers = answers(
            ok,
            vec![
                (
                    ApiError::unknown_feed("BTC-UDS", &["BTC-USD"]),
                    "there is no feed of this name, or it has no report yet",
                ),
                reads_limited(),
            ],
        );
        let unchanged = utoipa::openapi::Response::new("The records are those that `If-None-Match` names.");
        answers.insert(StatusCode::NOT_MODIFIED.as_str().to_owned(), unchanged.into());
        answers
    }
}

/// The last report of a feed
///
/// From memory: it waits for nobody. `age_ms` and `stale` say how old it is.
#[utoipa::path(
    get,
    path = "/feeds/{name}",
    tag = FEEDS,
    operation_id = "feed",
    params(
        ("name" = FeedNameText, Path, description = "The name of the feed."),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier response."),
    ),
    responses(AnsweringLatest)
)]
pub(in crate::http) async fn feed(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let latest = api.feeds.named(name)?;
    let Some(report) = &latest.report else {
        return Err(ApiError::no_report(&latest.definition.name));
    };
    Ok(respond(&latest, report, api.clock.unix_time(), &headers))
}

/// The first bytes of a digest.
fn prefix(digest: &[u8; 32]) -> u64 {
    u64::from_be_bytes(*digest.first_chunk().expect("it has more bytes"))
}

/// The response, without decoding the record: what changes is written before it.
fn respond(latest: &Latest, report: &StoredRecord, now: UnixTime, headers: &HeaderMap) -> Response {
    let newest = latest.newest.as_ref().unwrap_or(report);
    let stale = latest.definition.is_stale(now.since(report.answered_at));
    let mut tag = String::with_capacity(48);
    // Rounds are not enough: a store that was made again counts from 1.
    let [report_hash, newest_hash] = [report, newest].map(|record| prefix(&record.head.link.digest));
    write!(tag, "W/\"{report_hash:016x}-{newest_hash:016x}{}\"", if stale { "-stale" } else { "" })
        .expect("a string takes every text");
    let fixed = [
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, HeaderValue::try_from(&tag).expect("digits and letters are a header")),
    ];
    if is_known(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    let shown_now = LatestState {
        age_ms: saturating_millis(now.since(report.answered_at)),
        stale,
        newest_round: newest.head.round,
        newest_status: &newest.status,
        newest_at: JsonTime(newest.answered_at),
    };
    let mut body = BytesMut::with_capacity(report.body.len() + 160).writer();
    serde_json::to_writer(&mut body, &shown_now).expect("texts and numbers are serializable");
    let mut body = body.into_inner();
    // Both are objects with members: `{..., ` and `...}`.
    body.truncate(body.len() - 1);
    body.put_u8(b',');
    body.put_slice(report.body.get(1..).unwrap_or_default());
    (fixed, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.freeze()).into_response()
}
