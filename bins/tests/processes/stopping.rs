//! SIGINT and SIGTERM.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cluster, QUORATE, done, until};

/// Workers that take a second and a half to answer.
const SLOW: [&str; 6] = ["--delay-min-ms", "1500", "--delay-max-ms", "1500", "--failure-rate", "0"];
/// Workers that take longer than any test waits.
const STUCK: [&str; 6] = ["--delay-min-ms", "50000", "--delay-max-ms", "50000", "--failure-rate", "0"];

async fn a_coordinator_answers_what_is_in_flight_after(signal: Signal) {
    let Cluster { coordinator, api, workers: _workers, nats: _nats } = Cluster::start(2, &[], &SLOW).await;
    let asking = api.clone();
    let asked = Instant::now();
    let answer = tokio::spawn(async move { asking.answer("q").await });
    api.wait_for_in_flight(1).await;
    coordinator.signal(signal);
    until("the coordinator to drain", async || api.get("/ready").await.1["error"] == "draining").await;
    let (status, refusal) = api.ask(json!({"query": "another"})).await;
    assert_eq!((status, &refusal["error"]), (503, &json!("draining")), "{refusal}");

    let answer = answer.await.expect("an answer");
    assert_eq!((&answer["status"], &answer["succeeded"]), (&json!("complete"), &json!(2)), "{answer}");
    let ended = coordinator.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(asked.elapsed() < Duration::from_secs(5), "the deadline was 5 s: {:?}", asked.elapsed());
    assert!(ended.stderr.contains("stopping; a second signal stops at once"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_coordinator_answers_what_is_in_flight_after_sigterm() {
    a_coordinator_answers_what_is_in_flight_after(Signal::TERM).await;
}

#[tokio::test]
async fn a_coordinator_answers_what_is_in_flight_after_sigint() {
    a_coordinator_answers_what_is_in_flight_after(Signal::INT).await;
}

#[tokio::test]
async fn a_second_signal_ends_a_coordinator_at_once() {
    let Cluster { coordinator, api, workers: _workers, nats: _nats } = Cluster::start(1, &[], &STUCK).await;
    let asking = api.clone();
    tokio::spawn(async move { asking.ask(json!({"query": "q", "timeout_ms": 60_000})).await });
    api.wait_for_in_flight(1).await;
    coordinator.signal(Signal::TERM);
    coordinator.logs("stopping").await;
    let signalled = Instant::now();
    coordinator.signal(Signal::INT);
    let ended = coordinator.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(signalled.elapsed() < Duration::from_secs(5), "{:?}", signalled.elapsed());
    assert!(ended.stderr.contains("stopped without finishing what was in flight"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_stopped_worker_finishes_its_task_and_is_shown_as_left() {
    // The worker runs a program that reports when it is asked, and answers when it is allowed to.
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).display().to_string();
    let script = format!(
        "touch {0}; while test -e {0} && ! test -e {1}; do sleep 0.01; done; echo 42",
        text("asked"),
        text("go")
    );
    let source = format!("[[source]]\nquery = \"*\"\nkind = \"command\"\nargv = [\"sh\", \"-c\", \"{script}\"]\n");
    fs::write(path("sources.toml"), source).expect("it can be written");
    let flags = ["--source", "command", "--config", &text("sources.toml")];
    let mut cluster = Cluster::start(1, &[], &flags).await;

    let asking = cluster.api.clone();
    let answer = tokio::spawn(async move { asking.answer("q").await });
    until("the program to be asked", async || path("asked").exists()).await;
    let worker = cluster.workers.remove(0);
    worker.signal(Signal::TERM);
    cluster.api.wait_for(1, "draining").await;
    fs::write(path("go"), "").expect("it can be written");

    let answer = answer.await.expect("an answer");
    assert_eq!((&answer["status"], &answer["final_value"]), (&json!("complete"), &json!(42)), "{answer}");
    let ended = worker.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    cluster.api.wait_for(1, "left").await;
    let shown = done(QUORATE, &["workers", "--url", &cluster.api.url]).await;
    assert!(shown.contains("  w1      left "), "{shown}");
    let (status, nobody) = cluster.api.ask(json!({"query": "q"})).await;
    assert_eq!((status, &nobody["error"]), (503, &json!("no_workers")), "{nobody}");
}
