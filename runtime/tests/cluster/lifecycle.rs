//! Starting and stopping, clients that go away, and outages.

use std::time::Duration;

use quorate_runtime::bus::Bus as _;
use quorate_runtime::bus::local::LocalBus;
use serde_json::json;

use crate::support::{TestCoordinator, delayed, number, until, worker};

#[tokio::test]
async fn a_coordinator_that_stops_is_not_ready_and_finishes_what_it_has() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", delayed("1", Duration::from_millis(400))).await;
    let mut coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    assert_eq!(coordinator.get("/ready").await.0, 200);
    let url = coordinator.url("/request");
    let in_flight = tokio::spawn(async move {
        let request = crate::support::client().post(url).header("content-type", "application/json");
        request.body(r#"{"query":"q"}"#).send().await.expect("an answer").status().as_u16()
    });
    until("the request to be in flight", async || coordinator.get("/workers").await.1["in_flight"] == 1).await;
    coordinator.begin_stop();
    until("the coordinator not to be ready", async || coordinator.get("/ready").await.1["error"] == "draining").await;
    let (status, body) = coordinator.ask(json!({"query": "q"})).await;
    assert_eq!((status, &body["error"]), (503, &json!("draining")), "{body}");
    assert_eq!(in_flight.await.expect("no panic"), 200);
    coordinator.stopped().await;
}

#[tokio::test]
async fn a_worker_that_stops_answers_what_it_has_and_is_not_expected_again() {
    let bus = LocalBus::new();
    let _stays = worker(bus.connection(), "a", number("1")).await;
    let leaves = worker(bus.connection(), "b", delayed("1", Duration::from_millis(300))).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 2).await;
    let ask = coordinator.answer("q");
    let stop = async {
        until("the request to be in flight", async || coordinator.get("/workers").await.1["in_flight"] == 1).await;
        leaves.stop().await;
    };
    let (body, ()) = tokio::join!(ask, stop);
    assert_eq!((&body["status"], &body["succeeded"]), (&json!("complete"), &json!(2)), "{body}");
    let (_, workers) = coordinator.get("/workers").await;
    assert_eq!(workers["workers"][1]["state"], "left", "{workers}");
    let body = coordinator.answer("q").await;
    assert_eq!((&body["status"], &body["expected"]), (&json!("complete"), &json!(1)), "{body}");
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_request() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", delayed("1", Duration::from_secs(4))).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let gone = tokio::time::timeout(Duration::from_millis(200), coordinator.ask(json!({"query": "q"}))).await;
    assert!(gone.is_err(), "the worker is slower than that");
    until("the request to be given up", async || coordinator.counter("cancelled").await == 1).await;
    assert_eq!(coordinator.get("/workers").await.1["in_flight"], 0);
}

#[tokio::test]
async fn during_an_outage_requests_are_refused_and_after_it_they_succeed() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let connection = bus.connection();
    let coordinator = TestCoordinator::with_workers(connection.clone(), 1).await;
    connection.set_connected(false);
    until("the outage to be noticed", async || coordinator.get("/health").await.1["nats"] == false).await;
    let (status, body) = coordinator.ask(json!({"query": "q"})).await;
    assert_eq!((status, &body["error"]), (503, &json!("bus_down")), "{body}");
    assert_eq!(coordinator.get("/ready").await.1["error"], "bus_down");
    connection.set_connected(true);
    until("the recovery to be noticed", async || coordinator.get("/health").await.1["nats"] == true).await;
    assert_eq!(connection.status().borrow().connections, 2);
    coordinator.answer("q").await;
}
