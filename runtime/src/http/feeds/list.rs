//! `GET /feeds`: all feeds.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::feed::Report;
use quorate_core::time::UnixTime;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::feeds::Latest;
use crate::http::answers::{Answers, FEEDS, answers, reads_limited, shown};
use crate::http::api::Api;
use crate::http::error::json;
use crate::http::example;
use crate::wire::schema::{FeedNameText, QueryText};
use crate::wire::{JsonNumber, JsonTime, JsonValue, Numbers, saturating_millis};

/// All feeds, by name.
#[derive(Serialize, ToSchema)]
#[schema(as = Feeds)]
pub(in crate::http) struct FeedsBody<'a> {
    feeds: Vec<FeedState<'a>>,
}

/// A feed and its last report.
#[derive(Serialize, ToSchema)]
#[schema(as = FeedState)]
pub(in crate::http) struct FeedState<'a> {
    #[schema(value_type = FeedNameText)]
    name: &'a str,
    #[schema(value_type = QueryText)]
    query: &'a str,
    /// A value is reported again after this time, in milliseconds.
    heartbeat_ms: u64,
    /// A value is reported earlier if it has moved by this fraction of the last report; null if it never is.
    #[schema(required)]
    deviation: Option<JsonNumber>,
    /// The time from the start of one round to the start of the next, in milliseconds.
    min_interval_ms: u64,
    /// The age above which the last report is stale, in milliseconds.
    max_staleness_ms: u64,
    /// The round of the last report; null, like what follows, if there is none.
    #[schema(required)]
    round: Option<u64>,
    /// The last reported value.
    #[schema(required)]
    value: Option<JsonValue<'a>>,
    /// When the round of the last report ended.
    #[schema(required)]
    answered_at: Option<JsonTime>,
    /// The time since then, in milliseconds.
    #[schema(required)]
    age_ms: Option<u64>,
    /// Whether there is no report, or its age is more than `max_staleness_ms`.
    stale: bool,
    /// The round of the newest record.
    #[schema(required)]
    newest_round: Option<u64>,
    /// The status of the newest record.
    #[schema(required)]
    newest_status: Option<&'a str>,
}

impl<'a> FeedsBody<'a> {
    pub(in crate::http) fn of(feeds: &'a [Arc<Latest>], now: UnixTime) -> Self {
        Self { feeds: feeds.iter().map(|feed| FeedState::of(feed, now)).collect() }
    }
}

impl<'a> FeedState<'a> {
    fn of(latest: &'a Latest, now: UnixTime) -> Self {
        let Latest { definition, newest, .. } = latest;
        let report: Option<&Report> = newest.as_ref().and_then(|newest| newest.head.report.as_ref());
        Self {
            name: definition.name.as_str(),
            query: definition.query.as_str(),
            heartbeat_ms: saturating_millis(definition.heartbeat),
            deviation: definition.deviation.map(JsonNumber),
            min_interval_ms: saturating_millis(definition.min_interval),
            max_staleness_ms: saturating_millis(definition.max_staleness),
            round: report.map(|report| report.round),
            value: report.map(|report| JsonValue { value: &report.value, numbers: Numbers::Number }),
            answered_at: report.map(|report| JsonTime(report.answered_at)),
            age_ms: report.map(|report| saturating_millis(now.since(report.answered_at))),
            stale: latest.is_stale(now),
            newest_round: newest.as_ref().map(|newest| newest.head.round),
            newest_status: newest.as_ref().map(|newest| &*newest.status),
        }
    }
}

/// The responses of `GET /feeds`.
struct AnsweringFeeds;

impl IntoResponses for AnsweringFeeds {
    fn responses() -> Answers {
        answers(shown::<FeedsBody>("The feeds.", example::feeds()), vec![reads_limited()])
    }
}

/// All feeds, with their last reports
///
/// From memory: it waits for nobody. A coordinator without a feed file has none.
#[utoipa::path(get, path = "/feeds", tag = FEEDS, responses(AnsweringFeeds))]
pub(in crate::http) async fn feeds(State(api): State<Arc<Api>>) -> Response {
    json(StatusCode::OK, &FeedsBody::of(&api.feeds.board.feeds(), api.clock.unix_time()))
}
