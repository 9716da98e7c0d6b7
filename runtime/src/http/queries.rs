//! `GET /queries`: which queries the workers offer. What nobody offers is answered with the nearest that somebody does.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use quorate_core::query::Query;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, STATE, answers, draining, reads_limited, shown, stuck};
use super::api::Api;
use super::error::{ApiError, encoded};
use super::nearest::by_similarity;
use crate::driver::{EVERYTHING, Snapshot};
use crate::wire::encode;

/// The most names that an error suggests.
const SUGGESTED: usize = 3;

/// What the live workers offer.
#[derive(Serialize, ToSchema)]
pub(super) struct Queries {
    queries: Vec<OfferedQuery>,
}

/// One query, or a pattern of queries, and how many offer it.
#[derive(Serialize, ToSchema)]
pub(super) struct OfferedQuery {
    /// A query, or a pattern in which `*` stands for any characters. `*` alone stands for every query.
    #[schema(example = "BTC/*")]
    query: String,
    /// The number of live workers that offer it.
    workers: u32,
}

/// The responses of `GET /queries`.
struct AnsweringQueries;

impl IntoResponses for AnsweringQueries {
    fn responses() -> Answers {
        let example = json!({"queries": [{"query": "BTC/*", "workers": 3}, {"query": "block/latest", "workers": 7}]});
        answers(
            shown::<Queries>("What the live workers offer, in order.", example),
            vec![reads_limited(), stuck(), draining()],
        )
    }
}

/// Which queries the live workers offer, and how many offer each
///
/// A worker that announces no queries offers every query, which is listed as `*`.
#[utoipa::path(get, path = "/queries", tag = STATE, responses(AnsweringQueries))]
pub(super) async fn queries(State(api): State<Arc<Api>>) -> Result<Response, ApiError> {
    let snapshot = api.snapshots.latest(&api.coordinator).await?;
    let body = snapshot.queries(|snapshot| {
        let offered = offered(snapshot).into_iter();
        let queries = offered.map(|(query, workers)| OfferedQuery { query: query.to_owned(), workers }).collect();
        encode(&Queries { queries })
    });
    Ok(encoded(StatusCode::OK, body))
}

/// The error for a query that no worker offers: it names the nearest queries that some worker offers.
pub(super) async fn unknown(api: &Api, query: &Query) -> ApiError {
    match api.snapshots.latest(&api.coordinator).await {
        Ok(seen) => ApiError::unknown_query(query, &suggested(query.as_str(), offered(seen.snapshot()).into_keys())),
        Err(error) => error.into(),
    }
}

/// The patterns that live workers offer, and how many offer each.
fn offered(snapshot: &Snapshot) -> BTreeMap<&str, u32> {
    let mut offered = BTreeMap::new();
    for view in snapshot.workers.iter().filter(|view| view.worker.is_live()) {
        for pattern in view.queries() {
            *offered.entry(pattern).or_default() += 1;
        }
    }
    offered
}

/// The offered names that resemble a query most, the most similar first.
fn suggested<'a>(query: &str, offered: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut nearest = by_similarity(query, offered.filter(|name| *name != EVERYTHING));
    nearest.truncate(SUGGESTED);
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let offered = ["*", "BTC/EUR", "BTC/USD", "ETH/USD", "block/latest"];
        assert_eq!(suggested("BTC/USDD", offered.into_iter()), ["BTC/USD", "BTC/EUR", "ETH/USD"]);
        assert_eq!(suggested("blok/latest", offered.into_iter())[0], "block/latest");
        assert_eq!(suggested("btc/usd", offered.into_iter())[0], "BTC/USD");
        assert_eq!(suggested("x", ["*"].into_iter()), [""; 0]);
    }
}
