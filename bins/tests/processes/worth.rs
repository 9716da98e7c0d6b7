//! What an answer is worth when a worker lies, dies or was never there, and what callers can do to workers.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::schemas::check;
use crate::support::{Api, Cluster, Program, QUICK, QUORATE, done, elapsed, run, until};

/// Kills a worker, which can say nothing about it.
async fn kill(worker: Program) {
    worker.signal(Signal::KILL);
    assert_eq!(worker.ended().await.signal, Some(Signal::KILL.as_raw()));
}

/// The workers that the coordinator knows, once it has accepted this many requests.
async fn workers_after(api: &Api, accepted: u64) -> Vec<Json> {
    let mut body = Json::Null;
    until("the snapshot to have all requests", async || {
        body = api.get("/workers").await.1;
        body["counters"]["requests_accepted"] == accepted
    })
    .await;
    body["workers"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn one_liar_of_four_does_not_move_the_answer() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let values = [("a", "91008.25"), ("b", "91010"), ("c", "91013.5"), ("liar", "42000.5")];
    let start = |(id, value)| cluster.script(&folder, id, "BTC/USD", &format!("echo {value}"));
    let _workers = values.map(start);
    cluster.api.wait_for(4, "live").await;
    for _ in 0..5 {
        let answer = cluster.api.answer("BTC/USD").await;
        check("outcome", &answer);
        let value = answer["final_value"].as_f64().expect("a number");
        assert!((91_008.25..=91_013.5).contains(&value), "{answer}");
        assert_eq!((&answer["status"], &answer["agreement"]), (&json!("partial"), &json!(1)), "{answer}");
        assert_eq!(answer["excluded"], json!([{"worker_id": "liar", "reason": "outlier"}]), "{answer}");
        let note = "Partial response: 3/4 workers succeeded; 1 excluded as an outlier";
        assert_eq!(answer["reliability_note"], note, "{answer}");
    }
}

#[tokio::test]
async fn callers_that_give_no_time_or_ask_what_nobody_offers_change_no_score() {
    // The policy gives as little time as these callers, so that it does not excuse the workers.
    let cluster = Cluster::start(0, &["--quarantine-below", "0.9", "--timeout-ms", "1"], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let start = |id| cluster.script(&folder, id, "BTC/USD", "sleep 0.05; echo 42000.5");
    let _workers = ["a", "b", "c"].map(start);
    cluster.api.wait_for(3, "live").await;
    let answered_in_time = async || {
        for _ in 0..3 {
            let (_, answer) = cluster.api.ask(json!({"query": "BTC/USD", "timeout_ms": 5000})).await;
            assert_eq!(answer["status"], "complete", "{answer}");
        }
    };
    answered_in_time().await;
    for _ in 0..20 {
        let (status, error) = cluster.api.ask(json!({"query": "BTC/USD", "timeout_ms": 1})).await;
        // A program that is out of time may be reported as a failure before the deadline is noticed.
        assert!(matches!(status, 422 | 504), "{error}");
    }
    let mut refused = Vec::new();
    for _ in 0..15 {
        refused.push(cluster.api.ask(json!({"query": "BTC/UDS"})).await);
    }
    for worker in workers_after(&cluster.api, 23).await {
        assert_eq!((&worker["score"], &worker["quarantined"]), (&json!(1.0), &json!(false)), "{worker}");
    }
    for (status, error) in refused {
        assert_eq!((status, &error["error"]), (404, &json!("unknown_query")), "{error}");
    }
    answered_in_time().await;
}

#[tokio::test]
async fn a_killed_worker_costs_a_few_slow_answers() {
    /// More answers than a worker's usual time is known from.
    const WARM_UP: usize = 60;
    const LOAD: usize = 300;
    const SLOW: Duration = Duration::from_millis(500);
    let mut cluster = Cluster::start(5, &["--timeout-ms", "2000"], &QUICK).await;
    for _ in 0..WARM_UP {
        cluster.api.answer("BTC/USD").await;
    }
    let mut answers = JoinSet::new();
    let mut due = interval(Duration::from_millis(10));
    for n in 0..LOAD {
        due.tick().await;
        let api = cluster.api.clone();
        answers.spawn(async move { api.answer("BTC/USD").await });
        if n == LOAD / 10 {
            cluster.workers.pop().expect("there are five").signal(Signal::KILL);
        }
    }
    let answers = answers.join_all().await;
    // The coordinator's own time: that of the client would also measure how busy this machine is.
    let slow: Vec<_> = answers.iter().map(elapsed).filter(|took| *took > SLOW).collect();
    assert!(slow.len() <= 5, "{slow:?}");

    let not_waited_for: Vec<_> = answers.iter().filter(|answer| answer["suspects"] == json!(["w5"])).collect();
    assert!(not_waited_for.len() > LOAD / 2, "{} of {LOAD}", not_waited_for.len());
    for answer in not_waited_for {
        check("outcome", answer);
        assert_eq!((&answer["status"], &answer["missing"]), (&json!("partial"), &json!(["w5"])), "{answer}");
        let note = "Partial response: 4/5 workers succeeded; 1 not waited for, silent for longer than usual";
        assert_eq!(answer["reliability_note"], note, "{answer}");
    }
    let workers = workers_after(&cluster.api, (WARM_UP + LOAD) as u64).await;
    assert_eq!((&workers[4]["worker_id"], &workers[4]["suspect"]), (&json!("w5"), &json!(true)), "{workers:?}");
    let shown = done(QUORATE, &["workers", "--url", &cluster.api.url]).await;
    assert!(shown.contains("  w5      live, suspect "), "{shown}");
}

#[tokio::test]
async fn a_coordinator_whose_workers_are_too_few_is_not_ready() {
    let flags = [&QUICK[..], &["--announce-ms", "300"]].concat();
    let mut cluster = Cluster::start(3, &["--min-responses", "2", "--presence-ms", "1500"], &flags).await;
    let health = ["health", "--ready", "--url", &cluster.api.url];
    assert_eq!(done(QUORATE, &health).await, "ready; live workers: 3, requests in flight: 0\n");
    for worker in cluster.workers.drain(1..) {
        kill(worker).await;
    }
    cluster.api.wait_for(2, "expired").await;
    let (status, error) = cluster.api.get("/ready").await;
    check("error", &error);
    let details = "too few workers are live for every policy: * has 1 of at least 2";
    assert_eq!((status, &error["error"], &error["details"]), (503, &json!("too_few_workers"), &json!(details)));
    let ended = run(QUORATE, &health).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
    assert!(ended.stderr.contains(details) && ended.stderr.contains("start more workers"), "{ended:?}");
}

#[tokio::test]
async fn a_worker_that_is_expected_by_name_is_missing_until_it_is_back() {
    let flags = [&QUICK[..], &["--announce-ms", "300"]].concat();
    let expect = ["--expect", "w1,w2,w3", "--presence-ms", "1500", "--timeout-ms", "500"];
    let mut cluster = Cluster::start(3, &expect, &flags).await;
    assert_eq!(cluster.api.answer("BTC/USD").await["status"], "complete");
    kill(cluster.workers.pop().expect("there are three")).await;
    let without_it = async || {
        let answer = cluster.api.answer("BTC/USD").await;
        check("outcome", &answer);
        assert_eq!((&answer["status"], &answer["missing"]), (&json!("partial"), &json!(["w3"])), "{answer}");
        answer
    };
    without_it().await;
    cluster.api.wait_for(1, "expired").await;
    for _ in 0..3 {
        let answer = without_it().await;
        assert_eq!((&answer["absent"], &answer["expected"]), (&json!(["w3"]), &json!(3)), "{answer}");
        assert_eq!(answer["reliability_note"], "Partial response: 2/3 workers succeeded; 1 not there");
    }
    let url = ["--url", &cluster.api.url];
    let shown = done(QUORATE, &[&["health", "--ready"], &url[..]].concat()).await;
    assert_eq!(shown, "ready; live workers: 2, requests in flight: 0\n*: 2 of 3 workers, missing w3\n");
    let shown = done(QUORATE, &[&["workers"], &url[..]].concat()).await;
    assert!(shown.contains("  w3      expired, absent "), "{shown}");
    let shown = done(QUORATE, &[&["ask", "BTC/USD"], &url[..]].concat()).await;
    assert!(shown.lines().any(|line| line.starts_with("  w3 ") && line.ends_with("  not there")), "{shown}");

    cluster.workers.push(cluster.worker("w3", &QUICK));
    cluster.api.wait_for(3, "live").await;
    assert_eq!(cluster.api.answer("BTC/USD").await["status"], "complete");
}

#[tokio::test]
async fn workers_for_different_queries_share_one_nats_server() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let offering = |queries: &'static str| [&QUICK[..], &["--queries", queries]].concat();
    let _prices = ["price-1", "price-2", "price-3"].map(|id| cluster.worker(id, &offering("BTC/*")));
    let _blocks = ["block-1", "block-2"].map(|id| cluster.worker(id, &offering("block/latest")));
    cluster.api.wait_for(5, "live").await;
    for _ in 0..2 {
        for (query, workers) in [("BTC/USD", 3), ("BTC/EUR", 3), ("block/latest", 2)] {
            let answer = cluster.api.answer(query).await;
            assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(workers)), "{answer}");
        }
    }

    let (status, error) = cluster.api.ask(json!({"query": "blok/latest"})).await;
    check("error", &error);
    let details = "no worker offers blok/latest; did you mean block/latest or BTC/*? see GET /queries";
    assert_eq!((status, &error["error"], &error["details"]), (404, &json!("unknown_query"), &json!(details)));
    // It was refused at once: nobody was asked.
    until("the refusal to be counted", async || cluster.api.counter("refused_unknown_query").await == 1).await;
    assert_eq!(cluster.api.counter("requests_accepted").await, 6);

    let (_, offered) = cluster.api.get("/queries").await;
    let expected = json!([{"query": "BTC/*", "workers": 3}, {"query": "block/latest", "workers": 2}]);
    assert_eq!(offered["queries"], expected);
    let url = ["--url", &cluster.api.url];
    let shown = done(QUORATE, &[&["queries"], &url[..]].concat()).await;
    assert_eq!(shown, "  query         workers\n  BTC/*               3\n  block/latest        2\n");
    let ended = run(QUORATE, &[&["ask", "blok/latest"], &url[..]].concat()).await;
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.ends_with("  What to do: see what is offered with: quorate queries\n"), "{ended:?}");
}
