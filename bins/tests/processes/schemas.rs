//! The answers of a running coordinator against `docs/schemas`.

use std::collections::BTreeSet;

use quorate_test_support::Schema;
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::support::{COORDINATOR, Cluster, Program, QUICK, api_of, until};

/// Fails unless `body` is what the schema of `kind` describes.
pub(crate) fn check(kind: &str, body: &Json) {
    let schema = Schema::of(kind).expect("there is a schema");
    schema.check(body).unwrap_or_else(|wrong| panic!("no {kind}, {wrong}: {body}"));
}

#[tokio::test]
async fn every_answer_is_what_its_schema_describes() {
    let Cluster { api, mut workers, coordinator: _coordinator, mut nats } = Cluster::start(3, &[], &QUICK).await;
    for body in [
        json!({"query": "q"}),
        json!({"query": "q", "id": "mine", "strategy": "median", "max_deviation": "0.000001"}),
        json!({"query": "q", "strategy": "majority", "precision": 0, "quorum": 1, "min_responses": 1}),
        json!({"query": "q", "strategy": "weighted_median", "max_deviation": "mad:3", "max_age_ms": 1000}),
    ] {
        let (status, outcome) = api.ask(body).await;
        assert_eq!(status, 200, "{outcome}");
        check("outcome", &outcome);
    }

    let mut seen = BTreeSet::new();
    let mut refused = |(status, error): (u16, Json)| {
        check("error", &error);
        assert_eq!(error["code"], status, "{error}");
        seen.insert(error["error"].as_str().unwrap_or_default().to_owned());
        error
    };
    refused(api.ask(json!({"query": ""})).await);
    refused(api.ask(json!({"query": "r", "id": "mine"})).await);
    refused(api.post("application/json", "x".repeat(20_000)).await);
    refused(api.post("text/plain", "{}").await);
    refused(api.get("/request").await);
    refused(api.get("/nothing").await);
    let insufficient = refused(api.ask(json!({"query": "q", "min_responses": 4})).await);
    assert_eq!(insufficient["worker_responses"].as_array().map(Vec::len), Some(3), "{insufficient}");
    let dispute = json!({"query": "q", "tolerance": 0, "min_agreement": 1, "on_dispute": "reject"});
    let disputed = refused(api.ask(dispute).await);
    assert_eq!(disputed["worker_responses"].as_array().map(Vec::len), Some(3), "{disputed}");
    // A worker stopped like this is silent but still subscribed.
    for worker in &workers {
        worker.signal(Signal::STOP);
    }
    let late = refused(api.ask(json!({"query": "q", "timeout_ms": 100})).await);
    assert_eq!(late["missing"], json!(["w1", "w2", "w3"]), "{late}");
    workers.clear();
    until("the server to notice that the connections of the dead are gone", async || {
        refused(api.ask(json!({"query": "q", "timeout_ms": 100})).await)["error"] == "no_workers"
    })
    .await;
    nats.kill();
    until("the outage to be noticed", async || refused(api.ask(json!({"query": "q"})).await)["error"] == "bus_down")
        .await;
    let expected = [
        "bus_down",
        "conflict",
        "deadline_exceeded",
        "disputed",
        "insufficient_responses",
        "invalid_request",
        "method_not_allowed",
        "no_workers",
        "not_found",
        "payload_too_large",
        "unsupported_media_type",
    ];
    assert_eq!(seen, BTreeSet::from(expected.map(str::to_owned)));
}

#[tokio::test]
async fn a_rate_limited_caller_is_told_so_as_the_schema_describes() {
    // No NATS server runs there.
    let nats = ["--nats", "nats://127.0.0.1:1"];
    let flags = [&nats[..], &["--listen", "127.0.0.1:0", "--rate-limit", "1", "--rate-burst", "1"]].concat();
    let coordinator = Program::start(COORDINATOR, &flags);
    let api = api_of(&coordinator).await;
    api.ask(json!({"query": "q", "timeout_ms": 1})).await;
    let (status, error) = api.ask(json!({"query": "q", "timeout_ms": 1})).await;
    check("error", &error);
    assert_eq!((status, &error["error"]), (429, &json!("rate_limited")), "{error}");
}
