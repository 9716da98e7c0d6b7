//! `GET /outcomes`: the stored outcomes, in the order in which they were stored.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use quorate_core::query::Query;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tracing::debug;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::answers::{Answers, AskedError, QUESTIONS, answers, no_store, reads_limited, shown};
use super::api::Api;
use super::error::{ApiError, encoded};
use super::{example, page};
use crate::durable::{StoredOutcome, Wanted};
use crate::store::From;
use crate::wire::failure::ErrorBody;
use crate::wire::schema::{Id, QueryText};
use crate::wire::{JsonTime, Numbers, OutcomeBody, encode, encode_outcome, read_time};

/// A page of the stored outcomes.
#[derive(Serialize, ToSchema)]
pub(super) struct History<'a> {
    outcomes: Vec<HistoryEntry<'a>>,
    /// The `cursor` of the next page; null if this is the last one. A page may have fewer outcomes than `limit`, or none,
    /// and not be the last.
    #[schema(required)]
    next: Option<String>,
}

/// A stored outcome.
#[derive(Serialize, ToSchema)]
struct HistoryEntry<'a> {
    /// The id of the request.
    #[schema(value_type = Id)]
    id: &'a str,
    #[schema(value_type = QueryText)]
    query: &'a str,
    /// When it was stored, by the clock of the store.
    stored_at: JsonTime,
    /// The status with which `POST /request` answers it.
    #[schema(minimum = 200, maximum = 599)]
    code: u16,
    #[schema(value_type = Told)]
    outcome: Box<RawValue>,
}

/// What the callers of a request received: an outcome or an error.
struct Told;

impl PartialSchema for Told {
    fn schema() -> RefOr<Schema> {
        let names = [OutcomeBody::name(), AskedError::name(), ErrorBody::name()];
        let any = names.into_iter().fold(AnyOfBuilder::new(), |any, name| any.item(Ref::from_schema_name(name)));
        any.description(Some("What the callers of the request received.")).into()
    }
}

impl ToSchema for Told {}

impl<'a> HistoryEntry<'a> {
    fn of(stored: &'a StoredOutcome, stored_at: JsonTime, numbers: Numbers) -> Option<Self> {
        let outcome = serde_json::from_slice(&stored.body(numbers)).ok()?;
        let (id, query) = (stored.request.as_str(), stored.query.as_str());
        Some(Self { id, query, stored_at, code: stored.status.as_u16(), outcome })
    }
}

/// The responses of `GET /outcomes`.
struct AnsweringOutcomes;

impl IntoResponses for AnsweringOutcomes {
    fn responses() -> Answers {
        let outcome: serde_json::Value =
            serde_json::from_slice(&encode_outcome(&example::answered(), Numbers::Number)).expect("an outcome is JSON");
        let example = json!({
            "outcomes": [{
                "id": "order-7781-price", "query": "BTC/USD", "stored_at": "2026-09-24T12:00:00.243Z", "code": 200,
                "outcome": outcome,
            }],
            "next": "4711",
        });
        answers(
            shown::<History>("A page of the stored outcomes, the oldest first.", example),
            vec![
                (ApiError::invalid("limit must be between 1 and 1000"), "a parameter is out of range"),
                reads_limited(),
                no_store(),
                (ApiError::store_unavailable("ask again"), "the store does not answer"),
            ],
        )
    }
}

/// The stored outcomes, the oldest first
///
/// They are those of durable requests, and those of plain requests if the coordinator runs with `--keep-outcomes`. All
/// coordinators of a store show the same. An outcome that was stored a moment ago may be missing yet.
#[utoipa::path(
    get,
    path = "/outcomes",
    tag = QUESTIONS,
    params(
        ("query" = Option<QueryText>, Query, description = "Only outcomes of this query."),
        ("from" = Option<String>, Query, format = DateTime, description = "Only outcomes that were stored at this time, as RFC 3339 writes it, or later. Default: all."),
        ("to" = Option<String>, Query, format = DateTime, description = "Only outcomes that were stored before this time. Default: all."),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "The most outcomes on a page. Default: 100."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before; `query` and `to` stay as they were."),
        ("numbers" = Option<crate::wire::schema::NumbersName>, Query, description = "How the values are written if they are numbers. Default: `number`."),
    ),
    responses(AnsweringOutcomes)
)]
pub(super) async fn outcomes(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let durable = api.durable.as_ref().ok_or_else(ApiError::no_store)?;
    let (wanted, numbers) = wanted(&uri)?;
    let page = durable.history(&wanted).await.map_err(|error| {
        debug!(%error, "the history cannot be read");
        ApiError::store_unavailable("ask again")
    })?;
    let entry = |(at, stored): &'_ (_, StoredOutcome)| (JsonTime(*at), stored.clone());
    let stored: Vec<_> = page.outcomes.iter().map(entry).collect();
    let outcomes = stored.iter().filter_map(|(at, stored)| HistoryEntry::of(stored, *at, numbers)).collect();
    let next = page.next.map(|sequence| sequence.to_string());
    Ok(encoded(StatusCode::OK, encode(&History { outcomes, next })))
}

/// Which outcomes the parameters ask for.
fn wanted(uri: &Uri) -> Result<(Wanted, Numbers), ApiError> {
    let mut wanted = Wanted { query: None, from: From::Sequence(0), to: None, limit: page::LIMIT };
    let (mut numbers, mut cursor) = (Numbers::default(), None);
    let time = |name: &str, text: &str| {
        let wrong = || ApiError::invalid(format!("{name} must be a time such as 2026-11-29T20:20:46Z"));
        read_time(text).ok_or_else(wrong)
    };
    for (name, text) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "query" => wanted.query = Some(Query::new(&text).map_err(|error| ApiError::invalid(error.to_string()))?),
            "from" => wanted.from = From::Time(time("from", &text)?),
            "to" => wanted.to = Some(time("to", &text)?),
            "limit" => wanted.limit = page::limit(&text)?,
            "cursor" => cursor = Some(From::Sequence(page::cursor(&text)?)),
            "numbers" => numbers = text.parse().map_err(ApiError::invalid)?,
            _ => {}
        }
    }
    wanted.from = cursor.unwrap_or(wanted.from);
    Ok((wanted, numbers))
}

#[cfg(test)]
mod tests {
    use quorate_core::time::UnixTime;

    use super::*;

    #[test]
    fn the_parameters_say_which_outcomes_are_wanted() {
        let read = |query: &str| wanted(&format!("/outcomes?{query}").parse().expect("a URI"));
        let (all, numbers) = read("").expect("all");
        assert_eq!((all.from, all.to, all.limit, numbers), (From::Sequence(0), None, 100, Numbers::Number));
        let every = "query=BTC%2FUSD&from=1970-01-01T00:00:01Z&to=1970-01-01T01:00:02%2B01:00&limit=7&numbers=string";
        let (some, numbers) = read(every).expect("some");
        assert_eq!(some.query.expect("a query").as_str(), "BTC/USD");
        assert_eq!(some.from, From::Time(UnixTime::from_nanos(1_000_000_000)));
        assert_eq!((some.to, some.limit), (Some(UnixTime::from_nanos(2_000_000_000)), 7));
        assert_eq!(numbers, Numbers::String);
        let (next, _) = read("cursor=4711&from=1970-01-01T00:00:01Z").expect("a page");
        assert_eq!(next.from, From::Sequence(4711));
        for wrong in ["query=", "from=today", "to=1", "limit=0", "limit=1001", "limit=x", "cursor=-1", "numbers=hex"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
