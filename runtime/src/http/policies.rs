//! `GET /policies`: how requests that set no policy of their own are answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, Uri};
use quorate_core::coordinator::QueryPolicy;
use quorate_core::id::WorkerId;
use quorate_core::query::Query;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoResponses, ToSchema};

use super::answers::{Answers, STATE, answers, draining, reads_limited, shown, stuck};
use super::api::Api;
use super::error::{ApiError, encoded};
use crate::driver::Snapshot;
use crate::wire::schema::{Id, OnDisputeName, QueryText, StrategyName};
use crate::wire::{JsonNumber, encode, saturating_millis};

/// The policies in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Policies)]
pub(super) struct PoliciesInForce<'a> {
    /// The first whose `query` covers a query applies to it. The last is the default, unless an earlier one is for every
    /// query.
    policies: Vec<PolicyBody<'a>>,
    /// The weights of workers that the operator set. If there are any, other workers weigh 1; if there are none, each
    /// worker weighs its score.
    #[schema(value_type = BTreeMap<String, JsonNumber>)]
    weights: BTreeMap<&'a str, JsonNumber>,
}

/// How requests for some queries are answered, as far as they set nothing themselves.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub(super) struct PolicyBody<'a> {
    /// The queries: a pattern in which `*` stands for any characters. `*` alone stands for every query.
    #[schema(example = "BTC/*")]
    query: &'a str,
    #[schema(value_type = StrategyName)]
    strategy: &'static str,
    /// The decimals that `majority` keeps when it compares numbers.
    precision: u32,
    /// The share of the values that `trimmed_mean` leaves out at each end.
    trim_share: JsonNumber,
    /// Which values are excluded as outliers: a fraction, `mad:K`, `iqr:K` or `none`.
    #[schema(example = "0.06")]
    max_deviation: String,
    /// How far a value may be from the answer to agree with it, as a fraction of the answer.
    tolerance: JsonNumber,
    /// If fewer than this share of the used values agree with the answer, it is disputed; null for no bound.
    #[schema(required)]
    min_agreement: Option<JsonNumber>,
    /// Values known to be older, in milliseconds, are excluded; null for no bound.
    #[schema(required)]
    max_age_ms: Option<u64>,
    #[schema(value_type = OnDisputeName)]
    on_dispute: &'static str,
    /// The least number of used values.
    min_responses: u32,
    /// The number of usable values with which a request ends early; null to wait for all.
    #[schema(required)]
    quorum: Option<u32>,
    /// The time within which a request ends, in milliseconds.
    timeout_ms: u64,
    /// The decimals to which the answer is rounded; null for all.
    #[schema(required)]
    decimals: Option<u32>,
    /// The workers that should be there by name.
    #[schema(value_type = Vec<Id>)]
    expect: Vec<&'a str>,
    /// The number of workers that should be there.
    min_expected: u32,
}

impl<'a> PolicyBody<'a> {
    fn of(policy: &'a QueryPolicy) -> Self {
        let QueryPolicy { pattern, policy, expected } = policy;
        let rule = &policy.rule;
        Self {
            query: pattern.as_str(),
            strategy: rule.strategy.name(),
            precision: rule.precision,
            trim_share: JsonNumber(rule.trim_share.to_decimal()),
            max_deviation: rule.max_deviation.to_string(),
            tolerance: JsonNumber(rule.effective_tolerance()),
            min_agreement: rule.min_agreement.map(|share| JsonNumber(share.to_decimal())),
            max_age_ms: rule.max_age.map(saturating_millis),
            on_dispute: policy.on_dispute.name(),
            min_responses: policy.min_responses,
            quorum: policy.quorum,
            timeout_ms: saturating_millis(policy.timeout),
            decimals: policy.decimals.map(u32::from),
            expect: expected.workers.iter().map(WorkerId::as_str).collect(),
            min_expected: expected.least,
        }
    }
}

impl<'a> PoliciesInForce<'a> {
    fn of(snapshot: &'a Snapshot, policies: impl IntoIterator<Item = &'a Arc<QueryPolicy>>) -> Self {
        let weights = snapshot.weights.iter().map(|(id, weight)| (id.as_str(), JsonNumber(weight.to_decimal())));
        Self {
            policies: policies.into_iter().map(|policy| PolicyBody::of(policy)).collect(),
            weights: weights.collect(),
        }
    }
}

/// The responses of `GET /policies`.
struct AnsweringPolicies;

impl IntoResponses for AnsweringPolicies {
    fn responses() -> Answers {
        let example = json!({
            "policies": [{
                "query": "BTC/*", "strategy": "median", "precision": 2, "trim_share": 0.25, "max_deviation": "mad:3.5",
                "tolerance": 0.06, "min_agreement": 0.51, "max_age_ms": 60000, "on_dispute": "reject",
                "min_responses": 2, "quorum": null, "timeout_ms": 5000, "decimals": 2, "expect": ["kraken"],
                "min_expected": 3,
            }],
            "weights": {"kraken": 2.5},
        });
        answers(
            shown::<PoliciesInForce>("The policies in force.", example),
            vec![(invalid_query("is empty"), "`query` is no query"), reads_limited(), stuck(), draining()],
        )
    }
}

fn invalid_query(why: &str) -> ApiError {
    ApiError::invalid(format!("query {why}"))
}

/// How requests that set no policy of their own are answered
///
/// With `query`, only the policy that applies to it.
#[utoipa::path(
    get,
    path = "/policies",
    tag = STATE,
    params(("query" = Option<QueryText>, Query, description = "Only the policy that applies to this query.")),
    responses(AnsweringPolicies)
)]
pub(super) async fn policies(State(api): State<Arc<Api>>, uri: Uri) -> Result<Response, ApiError> {
    let mut parameters = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let query = parameters.find(|(name, _)| name == "query").map(|(_, text)| Query::new(&text)).transpose();
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let snapshot = api.snapshots.latest(&api.coordinator).await?;
    let body = match query {
        None => snapshot.policies(|snapshot| encode(&PoliciesInForce::of(snapshot, &snapshot.policies))),
        Some(query) => {
            let snapshot = snapshot.snapshot();
            let first = snapshot.policies.iter().find(|policy| policy.pattern.matches(query.as_str()));
            encode(&PoliciesInForce::of(snapshot, first))
        }
    };
    Ok(encoded(StatusCode::OK, body))
}
