//! SIGINT and SIGTERM.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cluster, until};

/// Workers that take a second and a half.
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
async fn a_stopped_worker_finishes_its_tasks_and_is_shown_as_left() {
    let mut cluster = Cluster::start(2, &[], &SLOW).await;
    let asking = cluster.api.clone();
    let answer = tokio::spawn(async move { asking.answer("q").await });
    cluster.api.wait_for_in_flight(1).await;
    let stopped = cluster.workers.remove(0);
    // The task is with the worker once the coordinator's flush has passed through NATS, before the next answer here.
    let (_, body) = cluster.api.get("/workers").await;
    assert_eq!(body["in_flight"], 1, "{body}");
    stopped.signal(Signal::TERM);
    let ended = stopped.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    cluster.api.wait_for(1, "left").await;

    let answer = answer.await.expect("an answer");
    assert_eq!((&answer["expected"], &answer["missing"]), (&json!(2), &json!([])), "{answer}");
    let next = cluster.api.answer("q").await;
    assert_eq!((&next["status"], &next["expected"]), (&json!("complete"), &json!(1)), "{next}");
}
