//! What a request may say, what the operator's policies say, and what an answer says of its time and its numbers.

use std::fs;
use std::time::{Duration, SystemTime};

use futures_util::StreamExt as _;
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::schemas::check;
use crate::support::{Cluster, PATIENCE, QUICK, QUORATE, done, until};

/// A time that an answer states.
fn time(stated: &Json) -> SystemTime {
    let text = stated.as_str().unwrap_or_else(|| panic!("{stated} is no text"));
    assert!(text.ends_with('Z') && text.len() == "2026-11-29T20:20:46.123Z".len(), "{text}");
    OffsetDateTime::parse(text, &Rfc3339).unwrap_or_else(|error| panic!("{text}: {error}")).into()
}

#[tokio::test]
async fn a_misspelt_field_is_refused_and_the_nearest_is_named() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let (status, error) =
        cluster.api.ask(json!({"query": "BTC/USD", "min_agrement": 0.9, "on_dispute": "reject"})).await;
    check("error", &error);
    let says = r#"unknown field "min_agrement": did you mean "min_agreement"?"#;
    assert_eq!((status, &error["error"], &error["details"]), (400, &json!("invalid_request"), &json!(says)));
}

#[tokio::test]
async fn an_answer_says_when_it_was_true_to_callers_and_followers_alike() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let age = r#"echo '{\"value\": 5, \"age_ms\": 60000}'"#;
    let _workers = [("a", "echo 5"), ("b", age)].map(|(id, command)| cluster.script(&folder, id, "BTC/USD", command));
    cluster.api.wait_for(2, "live").await;
    let follower = async_nats::connect(cluster.nats.url()).await.expect("connected");
    let mut outcomes = follower.subscribe("oracle.outcomes.>").await.expect("subscribed");
    follower.flush().await.expect("flushed");

    let before = SystemTime::now();
    let (_, answer) = cluster.api.ask(json!({"query": "BTC/USD", "id": "once"})).await;
    check("outcome", &answer);
    // Times are rounded down to milliseconds.
    let slack = Duration::from_millis(15);
    let (answered, oldest, newest) =
        (time(&answer["answered_at"]), time(&answer["oldest_observed_at"]), time(&answer["newest_observed_at"]));
    assert!(before - slack <= answered && answered <= SystemTime::now() + slack, "{answer}");
    assert!(before - slack <= newest && newest <= answered, "{answer}");
    let minute = Duration::from_mins(1);
    assert!(before - minute - slack <= oldest && oldest <= answered - minute, "{answer}");
    assert_eq!(answer["elapsed"], answer["elapsed_ns"], "{answer}");
    let response = &answer["worker_responses"][0];
    assert_eq!(response["response_time"], response["response_time_ns"], "{answer}");

    let told = tokio::time::timeout(PATIENCE, outcomes.next()).await.expect("in time").expect("an outcome");
    assert_eq!(serde_json::from_slice::<Json>(&told.payload).expect("JSON"), answer);
    let (_, retry) = cluster.api.ask(json!({"query": "BTC/USD", "id": "once"})).await;
    assert_eq!(retry, answer, "a retry receives the same times");
}

#[tokio::test]
async fn an_answer_is_rounded_and_written_as_the_caller_wants() {
    let cluster = Cluster::start(0, &["--decimals", "2"], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let values = [("a", "41890.25"), ("b", "42000.5"), ("c", "41914.123456789012345678")];
    let _workers = values.map(|(id, value)| cluster.script(&folder, id, "BTC/USD", &format!("echo {value}")));
    cluster.api.wait_for(3, "live").await;
    let (_, answer) = cluster.api.ask(json!({"query": "BTC/USD", "numbers": "string"})).await;
    check("outcome", &answer);
    assert_eq!(answer["final_value"], "41934.96", "{answer}");
    assert_eq!(answer["exact_value"], "41934.95781892967078189266667", "{answer}");
    assert_eq!(answer["spread"]["min"], "41890.25", "{answer}");
    assert_eq!(answer["worker_responses"][2]["value"], "41914.123456789012345678", "{answer}");
    let (_, answer) = cluster.api.ask(json!({"query": "BTC/USD", "decimals": 28})).await;
    assert!(answer["final_value"].is_number() && answer["exact_value"].is_null(), "{answer}");
    let (status, failure) =
        cluster.api.ask(json!({"query": "BTC/USD", "min_responses": 4, "numbers": "string", "timeout_ms": 1000})).await;
    assert_eq!((status, &failure["worker_responses"][0]["value"]), (422, &json!("41890.25")), "{failure}");
}

#[tokio::test]
async fn a_signal_makes_the_coordinator_read_its_policies_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policies.toml");
    let write = |text: &str| fs::write(&file, text).expect("written");
    write("[[policy]]\nquery = \"BTC/*\"\nstrategy = \"median\"\n");
    let cluster = Cluster::start(1, &["--policies", &file.display().to_string()], &QUICK).await;
    let strategy = async || cluster.api.get("/policies?query=BTC%2FUSD").await.1["policies"][0]["strategy"].clone();
    assert_eq!(strategy().await, "median");
    let (_, all) = cluster.api.get("/policies").await;
    let queries: Vec<_> = all["policies"].as_array().expect("a list").iter().map(|it| &it["query"]).collect();
    assert_eq!(queries, ["BTC/*", "*"], "{all}");

    write("[[policy]]\nquery = \"BTC/*\"\nstrategy = \"max\"\n\n[weights]\nw1 = 2.5\n");
    cluster.coordinator.signal(Signal::HUP);
    until("the new policies", async || strategy().await == "max").await;
    assert_eq!(cluster.api.get("/policies").await.1["weights"], json!({"w1": 2.5}));
    assert_eq!(cluster.api.answer("BTC/USD").await["strategy"], "max");

    let shown = done(QUORATE, &["policies", "BTC/USD", "--url", &cluster.api.url]).await;
    let own = "[[policy]]\nquery = \"BTC/*\"\nstrategy = \"max\"\n";
    assert!(shown.starts_with(own) && shown.ends_with("[weights]\n\"w1\" = 2.5\n"), "{shown}");

    write("[[policy]]\nquery = \"BTC/*\"\nstategy = \"min\"\n");
    cluster.coordinator.signal(Signal::HUP);
    cluster.coordinator.logs("unknown field `stategy`").await;
    assert_eq!(strategy().await, "max", "a wrong file changes nothing");
    let (status, error) = cluster.api.get("/policies?query=").await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_request")), "{error}");
}
