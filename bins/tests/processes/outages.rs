//! What callers see when a process is killed.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cluster, Program, QUICK, QUORATE, parsed, until};

#[tokio::test]
async fn a_killed_worker_is_missing_until_its_presence_has_expired() {
    let flags = [&QUICK[..], &["--announce-ms", "200"]].concat();
    let mut cluster = Cluster::start(3, &["--presence-ms", "3000"], &flags).await;
    assert_eq!(cluster.api.answer("q").await["status"], "complete");

    let killed = cluster.workers.remove(1);
    killed.signal(Signal::KILL);
    assert_eq!(killed.ended().await.signal, Some(9));
    let (status, partial) = cluster.api.ask(json!({"query": "q", "timeout_ms": 300})).await;
    assert_eq!(
        (status, &partial["status"], &partial["missing"]),
        (200, &json!("partial"), &json!(["w2"])),
        "{partial}"
    );
    assert_eq!(partial["reliability_note"], "Partial response: 2/3 workers succeeded");

    cluster.api.wait_for(1, "expired").await;
    let complete = cluster.api.answer("q").await;
    assert_eq!((&complete["status"], &complete["expected"]), (&json!("complete"), &json!(2)), "{complete}");
}

#[tokio::test]
async fn requests_succeed_again_after_nats_was_restarted_under_load() {
    let mut cluster = Cluster::start(3, &["--timeout-ms", "1000"], &QUICK).await;
    let api = cluster.api.clone();
    let load = ["load", "--duration", "10m", "--connections", "4", "--json", "--url", &api.url];
    let load = Program::start(QUORATE, &load);
    let answers = async || {
        let before = api.counter("answered_complete").await;
        until("answers", async || api.counter("answered_complete").await > before + 50).await;
    };
    answers().await;
    cluster.nats.kill();
    until("the outage to be noticed", async || api.get("/health").await.1["nats"] == false).await;
    until("a refusal", async || api.counter("refused_bus_down").await > 0).await;
    let (status, ready) = api.get("/ready").await;
    assert_eq!((status, &ready["error"]), (503, &json!("bus_down")), "{ready}");
    cluster.nats.restart();
    answers().await;

    assert!(cluster.coordinator.runs() && cluster.workers.iter_mut().all(Program::runs), "nothing was restarted");
    // Ctrl-C ends a measurement early, with its report.
    load.signal(Signal::INT);
    let ended = load.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = parsed(&ended.stdout);
    let errors: Vec<_> = report["errors"].as_object().expect("errors by code").keys().collect();
    assert_eq!(errors, ["503"], "{report}");
    assert!(report["latency_us"]["max"].as_u64().is_some_and(|max| max < 1_500_000), "{report}");
}
