//! A worker in another language, which announces itself and keeps the promises that come with that.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use quorate_test_support::workspace;
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::npm::installed;
use crate::support::{Cluster, PATIENCE, Program, elapsed, parsed};

/// The package that `examples/worker.mjs` needs.
const PACKAGE: &str = "@nats-io/transport-node";
const VERSION: &str = "3.4.0";

/// A folder with the package in its `node_modules`.
fn packages() -> PathBuf {
    let package = format!("{PACKAGE}@{VERSION}");
    installed(VERSION, |_| {}, &["install", "--prefix", ".", &package], "to run examples/worker.mjs")
}

/// A copy of the example in a folder where Node finds its packages: next to a program, or above it.
fn example() -> TempDir {
    let folder = tempfile::tempdir_in(packages()).expect("a folder");
    fs::copy(workspace("examples/worker.mjs"), folder.path().join("worker.mjs")).expect("it can be copied");
    folder
}

fn start(example: &TempDir, id: &str, url: &str) -> Program {
    Program::start("node", &[&example.path().join("worker.mjs").display().to_string(), id, url])
}

#[tokio::test]
async fn the_example_in_javascript_is_waited_for_from_its_start_until_it_says_that_it_leaves() {
    // Long enough to tell a request that waits for unknown workers from one that knows its workers.
    let stall = Duration::from_secs(20);
    let cluster = Cluster::start(0, &["--stall-ms", "20000", "--timeout-ms", "25000"], &[]).await;
    let example = example();
    let node = start(&example, "node-1", &cluster.nats.url());
    cluster.api.wait_for(1, "live").await;
    cluster.api.knows("node-1", true).await;

    for (query, value) in [("BTC/USD", "42000.5"), ("ETH/USD", "2500.1")] {
        let answer = cluster.api.answer(query).await;
        assert_eq!(answer["final_value"].to_string(), value, "{answer}");
        assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(1)), "{answer}");
        assert!(elapsed(&answer) < stall, "the worker is known: {answer}");
        let took = answer["worker_responses"][0]["response_time"].as_u64().expect("nanoseconds");
        assert!(u128::from(took) < elapsed(&answer).as_nanos(), "{answer}");
    }
    let (status, failed) = cluster.api.ask(json!({"query": "toString"})).await;
    assert_eq!(
        (status, &failed["worker_responses"][0]["err"]),
        (422, &json!("Error: no source for toString")),
        "{failed}"
    );

    node.signal(Signal::TERM);
    let ended = node.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    cluster.api.wait_for(1, "left").await;
}

#[tokio::test]
async fn the_example_in_javascript_repeats_its_answers_and_outlives_what_is_no_task() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let example = example();
    let node = start(&example, "node-1", &cluster.nats.url());
    cluster.api.wait_for(1, "live").await;
    let client = async_nats::connect(cluster.nats.url()).await.expect("a connection");
    let mut answers = client.subscribe("answers").await.expect("a subscription");
    let mut ask = async |task: Json| {
        client.publish_with_reply("oracle.tasks", "answers", task.to_string().into()).await.expect("it is sent");
        let answer = timeout(PATIENCE, answers.next()).await.expect("it answers in time").expect("it is connected");
        String::from_utf8(answer.payload.to_vec()).expect("a text")
    };
    for wrong in ["no JSON", "null", "{"] {
        client.publish("oracle.tasks", wrong.into()).await.expect("it is sent");
    }
    let task = json!({"id": "a", "query": "BTC/USD", "ttl_ms": 5000, "attempt": 1});
    let first = ask(task).await;
    assert_eq!((&parsed(&first)["request_id"], &parsed(&first)["value"]), (&json!("a"), &json!(42000.5)), "{first}");
    // The same to the nanosecond: it has not asked its source again. But the value has aged since.
    let until = Instant::now() + PATIENCE;
    let age = loop {
        let mut again = parsed(&ask(json!({"id": "a", "query": "BTC/USD", "ttl_ms": 2500, "attempt": 2})).await);
        let age = again.as_object_mut().and_then(|result| result.remove("age_ms"));
        assert_eq!(again, parsed(&first));
        if age.is_some() || Instant::now() > until {
            break age;
        }
    };
    assert!(age.is_some_and(|age| age.as_u64() >= Some(1)), "a repeated value says how old it is at least");
    let other_query = ask(json!({"id": "a", "query": "ETH/USD"})).await;
    assert_eq!(parsed(&other_query)["value"], "2500.10", "{other_query}");
    let other_id = ask(json!({"id": "b", "query": "BTC/USD"})).await;
    assert_eq!(parsed(&other_id)["request_id"], "b", "{other_id}");
    node.signal(Signal::INT);
    assert_eq!(node.ended().await.code, Some(0));
}
