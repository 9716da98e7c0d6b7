//! What callers receive, on both buses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use quorate_core::coordinator::Config;
use quorate_core::value::Value;
use quorate_runtime::bus::{Bus, Subscription as _};
use serde_json::{Value as Json, json};

use crate::support::{
    Scripted, Setup, TestCoordinator, delayed, failing, number, on_both_buses, responses, until, worker,
};

on_both_buses! {
    every_worker_is_in_the_answer,
    an_answer_comes_with_the_last_worker_and_not_at_the_deadline,
    fifty_workers_are_all_in_the_answer,
    a_thousand_concurrent_requests_are_answered_each_with_its_own_results,
    failures_are_shown_and_counted_over_the_expected,
    a_program_that_knows_only_the_first_fields_is_a_worker,
    with_nobody_there_a_request_fails_at_once,
    a_worker_that_dies_makes_answers_partial_until_its_presence_expires,
    text_is_answered_by_majority_and_numbers_keep_their_digits,
    a_retry_joins_replays_or_conflicts,
}

async fn every_worker_is_in_the_answer<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("19.5")).await,
        worker(connect(), "b", number("20")).await,
        worker(connect(), "c", number("20.75")).await,
    ];
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "id": "first", "strategy": "median"})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["final_value"], 20);
    assert_eq!(body["request_id"], "first");
    assert_eq!(body["status"], "complete");
    assert_eq!(body["reliability_note"], "All workers responded successfully");
    assert_eq!((&body["expected"], &body["succeeded"], &body["failed"]), (&json!(3), &json!(3), &json!(0)));
    assert_eq!(body["spread"], json!({"min": 19.5, "max": 20.75, "interquartile": 0.625, "mad": 0.5}));
    assert_eq!(body["agreement"], json!(1));
    assert_eq!(body["workers"], json!(["a", "b", "c"].map(|id| json!({"worker_id": id, "fate": "used"}))));
    let names: Vec<&str> = responses(&body).iter().map(|response| response["worker_id"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    for response in responses(&body) {
        assert_eq!(response["request_id"], "first");
        assert!(response["response_time"].is_u64());
    }
}

async fn an_answer_comes_with_the_last_worker_and_not_at_the_deadline<B: Bus>(connect: impl Fn() -> B) {
    let slowest = Duration::from_millis(120);
    let _workers = [
        worker(connect(), "a", number("1")).await,
        worker(connect(), "b", delayed("2", Duration::from_millis(60))).await,
        worker(connect(), "c", delayed("3", slowest)).await,
    ];
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    // Other tests use the machine as well: the best of a few rounds shows what the coordinator itself adds.
    let mut added = Duration::MAX;
    for _ in 0..8 {
        let asked = Instant::now();
        coordinator.answer("BTC/USD").await;
        let took = asked.elapsed();
        assert!(took >= slowest && took < Duration::from_secs(2), "{took:?}");
        added = added.min(took.saturating_sub(slowest));
    }
    assert!(added <= Duration::from_millis(5), "the coordinator adds {added:?} to its slowest worker");
}

async fn fifty_workers_are_all_in_the_answer<B: Bus>(connect: impl Fn() -> B) {
    let mut workers = Vec::new();
    for n in 0..50 {
        workers.push(worker(connect(), &format!("w{n:02}"), number("7")).await);
    }
    let coordinator = TestCoordinator::with_workers(connect(), 50).await;
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!(body["succeeded"], 50);
    let names: BTreeSet<&str> = responses(&body).iter().filter_map(|response| response["worker_id"].as_str()).collect();
    assert_eq!(names.len(), 50);
}

async fn a_thousand_concurrent_requests_are_answered_each_with_its_own_results<B: Bus>(connect: impl Fn() -> B) {
    let mut workers = Vec::new();
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        // The value is the query's own number, so that a result of another request would be noticed.
        let answer = |query: &str| Ok(Value::number(query.trim_start_matches("query ")).expect("a number"));
        let delay = Duration::from_millis(20 * n as u64);
        workers.push(worker(connect(), id, Scripted { delay, answer }).await);
    }
    // On a busy machine a worker is silent for so long that it is a suspect: here every request waits for all three.
    let machine = Config { suspect_after: None, ..Config::default() };
    let coordinator = TestCoordinator::start_with(connect(), Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(3).await;
    let timeout = Duration::from_secs(20);
    let asks = (0..1000).map(|n| {
        let coordinator = &coordinator;
        async move {
            let asked = Instant::now();
            let query = format!("query {n}");
            let (status, body) =
                coordinator.ask(json!({"query": query, "timeout_ms": timeout.as_millis() as u64})).await;
            assert!(asked.elapsed() < timeout, "late");
            assert_eq!(status, 200, "{body}");
            assert_eq!(body["final_value"], n);
            assert_eq!(body["succeeded"], 3, "{body}");
            for response in responses(&body) {
                assert_eq!((&response["value"], &response["request_id"]), (&json!(n), &body["request_id"]));
            }
            body["request_id"].as_str().expect("an id").to_owned()
        }
    });
    let ids: BTreeSet<String> = futures_util::future::join_all(asks).await.into_iter().collect();
    assert_eq!(ids.len(), 1000);
    assert_eq!(coordinator.counter("answered_complete").await, 1000);
}

async fn failures_are_shown_and_counted_over_the_expected<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("5")).await,
        worker(connect(), "b", failing("no route")).await,
        worker(connect(), "c", failing("no route")).await,
    ];
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!(body["status"], "low_reliability");
    assert_eq!(body["reliability_note"], "Low reliability: only 1/3 workers succeeded");
    assert_eq!((&responses(&body)[1]["err"], &responses(&body)[1]["value"]), (&json!("no route"), &Json::Null));

    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "min_responses": 2})).await;
    assert_eq!((status, &body["error"]), (422, &json!("insufficient_responses")), "{body}");
    assert!(body["details"].as_str().is_some_and(|details| details.contains("1 of the required 2")), "{body}");
    assert_eq!(responses(&body).len(), 3, "the evidence is attached");
}

async fn a_program_that_knows_only_the_first_fields_is_a_worker<B: Bus>(connect: impl Fn() -> B) {
    let bus = connect();
    let mut tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
    // Without a connection there is nothing to flush.
    until("the program to be connected", async || bus.status().borrow().connected).await;
    bus.flush().await;
    let coordinator = TestCoordinator::start(connect()).await;
    until("the bus to be connected", async || coordinator.get("/health").await.1["nats"] == true).await;
    let program = tokio::spawn(async move {
        while let Some(task) = tasks.recv().await {
            let task: Json = serde_json::from_slice(&task.payload).expect("a task is JSON");
            let result = json!({"worker_id": "old", "request_id": task["id"], "value": 3, "response_time": 1});
            bus.publish("oracle.results", None, result.to_string().into()).expect("connected");
        }
    });
    // No worker is known: the request ends when no further result has arrived for the stall timeout.
    let asked = Instant::now();
    let body = coordinator.answer("BTC/USD").await;
    assert!(asked.elapsed() >= Duration::from_millis(300), "{:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(body["succeeded"], 1);
    // Now the program is known, and its result is all there is to wait for.
    let asked = Instant::now();
    let body = coordinator.answer("BTC/USD").await;
    assert!(asked.elapsed() < Duration::from_millis(250), "{:?}", asked.elapsed());
    assert_eq!((&body["expected"], &body["status"]), (&json!(1), &json!("complete")));
    program.abort();
}

async fn with_nobody_there_a_request_fails_at_once<B: Bus>(connect: impl Fn() -> B) {
    let coordinator = TestCoordinator::start(connect()).await;
    until("the bus to be connected", async || coordinator.get("/health").await.1["nats"] == true).await;
    assert_eq!(coordinator.get("/ready").await.0, 503);
    let asked = Instant::now();
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD"})).await;
    assert_eq!((status, &body["error"], &body["code"]), (503, &json!("no_workers"), &json!(503)), "{body}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

async fn a_worker_that_dies_makes_answers_partial_until_its_presence_expires<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [worker(connect(), "a", number("1")).await, worker(connect(), "b", number("1")).await];
    let doomed = worker(connect(), "c", number("1")).await;
    let machine = Config { presence: Duration::from_secs(2), ..Config::default() };
    let coordinator = TestCoordinator::start_with(connect(), Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(3).await;
    assert_eq!(coordinator.answer("BTC/USD").await["status"], "complete");
    doomed.kill().await;
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "timeout_ms": 200})).await;
    assert_eq!((status, &body["status"]), (200, &json!("partial")), "{body}");
    assert_eq!(body["missing"], json!(["c"]));
    assert_eq!(body["reliability_note"], "Partial response: 2/3 workers succeeded");
    coordinator.wait_for_live(2).await;
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!((&body["status"], &body["expected"]), (&json!("complete"), &json!(2)), "{body}");
}

async fn text_is_answered_by_majority_and_numbers_keep_their_digits<B: Bus>(connect: impl Fn() -> B) {
    let label = |text: &'static str| Scripted {
        delay: Duration::ZERO,
        answer: move |query: &str| {
            let exact = Value::number("1234567890.123456789012345678").expect("a number");
            Ok(if query == "number" { exact } else { Value::text(text).expect("a text") })
        },
    };
    let _workers = [
        worker(connect(), "a", label("cat")).await,
        worker(connect(), "b", label("dog")).await,
        worker(connect(), "c", label("cat")).await,
    ];
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    let (_, body) = coordinator.ask(json!({"query": "label", "strategy": "majority"})).await;
    assert_eq!((&body["final_value"], &body["tie"], &body["spread"]), (&json!("cat"), &json!(false), &Json::Null));
    let (status, body) = coordinator.ask(json!({"query": "label"})).await;
    assert_eq!(status, 422, "{body}");
    assert_eq!(body["excluded"][0], json!({"worker_id": "a", "reason": "not_a_number"}));

    let request = reqwest_body(&coordinator, r#"{"query":"number"}"#).await;
    assert!(request.contains(r#""final_value":1234567890.123456789012345678,"#), "{request}");
}

async fn reqwest_body(coordinator: &TestCoordinator, body: &'static str) -> String {
    let request = crate::support::client().post(coordinator.url("/request")).header("content-type", "application/json");
    request.body(body).send().await.expect("an answer").text().await.expect("a body")
}

async fn a_retry_joins_replays_or_conflicts<B: Bus>(connect: impl Fn() -> B) {
    let _worker = worker(connect(), "a", delayed("1", Duration::from_millis(100))).await;
    let coordinator = TestCoordinator::with_workers(connect(), 1).await;
    let same = || coordinator.ask(json!({"query": "BTC/USD", "id": "same"}));
    let ((first, one), (second, two)) = tokio::join!(same(), same());
    assert_eq!((first, second), (200, 200));
    assert_eq!(one, two);
    assert_eq!(same().await, (200, one));
    let (status, body) = coordinator.ask(json!({"query": "ETH/USD", "id": "same"})).await;
    assert_eq!((status, &body["error"]), (409, &json!("conflict")), "{body}");
    assert_eq!(coordinator.counter("requests_accepted").await, 1);
    assert_eq!(coordinator.counter("requests_joined").await, 1);
    assert_eq!(coordinator.counter("requests_replayed").await, 1);
}
