//! What only a NATS server can show: its death, and workers as a NATS service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quorate_core::worker;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus as _, Subscription as _};
use quorate_test_support::NatsServer;
use serde_json::{Value as Json, json};

use crate::support::{PATIENCE, TestCoordinator, number, until, worker, worker_with};

fn connect(server: &NatsServer) -> NatsBus {
    NatsBus::connect(NatsConfig::new(server.url())).expect("a good address")
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_killed_under_load_everybody_gets_an_answer_or_a_503_in_time() {
    let mut server = NatsServer::start();
    let mut workers = Vec::new();
    for id in ["a", "b", "c"] {
        workers.push(worker(connect(&server), id, number("1")).await);
    }
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(&server), 3).await);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (coordinator, stop) = (Arc::clone(&coordinator), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut seen = BTreeMap::<u16, u64>::new();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let (status, body) = coordinator.ask(json!({"query": "q", "timeout_ms": 1000})).await;
                    let took = asked.elapsed();
                    assert!(matches!(status, 200 | 503), "{body}");
                    assert!(took < Duration::from_millis(1500), "{status} after {took:?}");
                    *seen.entry(status).or_default() += 1;
                    if status == 503 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
                seen
            })
        })
        .collect();
    for _ in 0..2 {
        let answered = coordinator.counter("answered_complete").await;
        until("answers", async || coordinator.counter("answered_complete").await > answered + 50).await;
        server.kill();
        until("the outage to be noticed", async || coordinator.get("/health").await.1["nats"] == false).await;
        until("a refusal", async || coordinator.counter("refused_bus_down").await > 0).await;
        server.restart();
        coordinator.wait_for_live(3).await;
    }
    let answered = coordinator.counter("answered_complete").await;
    until("answers again", async || coordinator.counter("answered_complete").await > answered + 50).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("every client got what it may get");
    }
    assert_eq!(coordinator.get("/workers").await.1["in_flight"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_notices_that_a_worker_stops_or_is_replaced_under_load() {
    let server = NatsServer::start();
    let _stays = worker(connect(&server), "a", number("1")).await;
    let mut replaced = worker(connect(&server), "b", number("1")).await;
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(&server), 2).await);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let (coordinator, stop) = (Arc::clone(&coordinator), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let body = coordinator.answer("q").await;
                    assert_eq!(body["status"], "complete", "{body}");
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let next = worker(connect(&server), "b", number("1")).await;
        let answered = coordinator.counter("answered_complete").await;
        until("answers", async || coordinator.counter("answered_complete").await > answered + 200).await;
        std::mem::replace(&mut replaced, next).stop().await;
        let (_, body) = coordinator.get("/workers").await;
        assert_eq!(body["workers"][1]["state"], "live", "{body}");
    }
    replaced.stop().await;
    coordinator.wait_for_live(1).await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("every answer was complete");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_a_nats_service() {
    let server = NatsServer::start();
    let _workers = [worker(connect(&server), "a", number("1")).await, worker(connect(&server), "b", number("2")).await];
    let coordinator = TestCoordinator::with_workers(connect(&server), 2).await;
    coordinator.answer("q").await;
    let bus = connect(&server);
    until("a connection", async || bus.status().borrow().connected).await;
    let mut replies = bus.subscribe("_INBOX.test.>", None).await.expect("a subscription");
    bus.flush().await;
    let mut request = async |subject: &str, expected: usize| {
        bus.publish(subject, Some("_INBOX.test.1"), Vec::new().into()).expect("connected");
        let mut answers = Vec::new();
        while answers.len() < expected {
            let reply = tokio::time::timeout(PATIENCE, replies.recv()).await.expect("an answer").expect("connected");
            assert!(!reply.no_responders, "nobody answers {subject}");
            answers.push(serde_json::from_slice::<Json>(&reply.payload).expect("JSON"));
        }
        answers
    };
    for subject in ["$SRV.PING", "$SRV.PING.quorate-worker"] {
        let answers = request(subject, 2).await;
        for answer in &answers {
            assert_eq!(answer["type"], "io.nats.micro.v1.ping_response");
            assert_eq!(answer["name"], "quorate-worker");
            assert!(answer["version"].is_string() && answer["metadata"]["worker_id"].is_string(), "{answer}");
        }
        assert_ne!(answers[0]["id"], answers[1]["id"]);
    }
    let id = request("$SRV.PING", 2).await[0]["id"].as_str().expect("an id").to_owned();
    let info = &request(&format!("$SRV.INFO.quorate-worker.{id}"), 1).await[0];
    assert_eq!(info["type"], "io.nats.micro.v1.info_response");
    assert_eq!(info["endpoints"][0]["subject"], "oracle.tasks");
    assert_eq!(info["endpoints"][0]["queue_group"], "");
    for stats in request("$SRV.STATS", 2).await {
        assert_eq!(stats["type"], "io.nats.micro.v1.stats_response");
        assert!(stats["metadata"]["worker_id"].is_string() && stats["started"].is_string(), "{stats}");
        assert_eq!(
            (&stats["endpoints"][0]["num_requests"], &stats["endpoints"][0]["num_errors"]),
            (&json!(1), &json!(0))
        );
        assert!(stats["endpoints"][0]["average_processing_time"].is_u64(), "{stats}");
        assert_eq!(stats["endpoints"][0]["data"]["results_unsent"], 0, "{stats}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_one_worker_answer_once() {
    let server = NatsServer::start();
    let machine = || worker::Config { announce_every: Duration::from_millis(100), ..worker::Config::default() };
    let _replicas = [
        worker_with(connect(&server), "a", true, machine(), number("1")).await,
        worker_with(connect(&server), "a", true, machine(), number("1")).await,
    ];
    let _single = worker(connect(&server), "b", number("2")).await;
    let coordinator = TestCoordinator::with_workers(connect(&server), 2).await;
    for _ in 0..50 {
        let body = coordinator.answer("q").await;
        assert_eq!((&body["expected"], &body["succeeded"]), (&json!(2), &json!(2)), "{body}");
    }
    assert_eq!(coordinator.counter("results_duplicate").await, 0);
    assert_eq!(coordinator.counter("results_late").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_coordinators_share_a_server_without_reading_each_others_results() {
    let server = NatsServer::start();
    let _worker = worker(connect(&server), "a", number("1")).await;
    let (one, two) = (
        TestCoordinator::with_workers(connect(&server), 1).await,
        TestCoordinator::with_workers(connect(&server), 1).await,
    );
    for _ in 0..20 {
        one.answer("q").await;
    }
    // The same id at another coordinator names another request.
    let (first, _) = one.ask(json!({"query": "q", "id": "same"})).await;
    let (second, _) = two.ask(json!({"query": "r", "id": "same"})).await;
    assert_eq!((first, second), (200, 200));
    assert_eq!(two.counter("results_unknown").await, 0);
    assert_eq!(two.counter("results_accepted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_that_starts_before_its_server_waits_for_it() {
    let mut server = NatsServer::start();
    server.kill();
    let coordinator = TestCoordinator::start(connect(&server)).await;
    let _worker = worker(connect(&server), "a", number("1")).await;
    let (status, body) = coordinator.ask(json!({"query": "q"})).await;
    assert_eq!((status, &body["error"]), (503, &json!("bus_down")), "{body}");
    server.restart();
    coordinator.wait_for_live(1).await;
    coordinator.answer("q").await;
}
