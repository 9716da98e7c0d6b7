//! The outcomes of all requests, as followers receive them on both buses.

use quorate_runtime::bus::{Bus, Message, Subscription as _};
use serde_json::{Value as Json, json};

use crate::support::{TestCoordinator, failing, number, on_both_buses, until, worker};

on_both_buses! {
    every_outcome_is_published_once_as_its_callers_get_it,
}

async fn every_outcome_is_published_once_as_its_callers_get_it<B: Bus>(connect: impl Fn() -> B) {
    let follower = connect();
    let mut outcomes = follower.subscribe("oracle.outcomes.>", None).await.expect("a subscription");
    until("the follower to be connected", async || follower.publish("elsewhere", None, "".into()).is_ok()).await;
    let _workers = [worker(connect(), "a", number("1.50")).await, worker(connect(), "b", failing("no route")).await];
    let coordinator = TestCoordinator::with_workers(connect(), 2).await;

    let (status, answer) = coordinator.ask(json!({"query": "BTC/USD", "id": "one"})).await;
    assert_eq!(status, 200, "{answer}");
    // A retry receives the same outcome and is not dispatched, so it has no outcome of its own.
    assert_eq!(coordinator.ask(json!({"query": "BTC/USD", "id": "one"})).await, (200, answer.clone()));
    let (status, failure) = coordinator.ask(json!({"query": "eth v1.0", "min_responses": 2})).await;
    assert_eq!(status, 422, "{failure}");

    let told = |message: Message| -> (String, Json) {
        (message.subject, serde_json::from_slice(&message.payload).expect("an outcome is JSON"))
    };
    let first = told(outcomes.recv().await.expect("an outcome"));
    assert_eq!(first, ("oracle.outcomes.BTC/USD".to_owned(), answer));
    let second = told(outcomes.recv().await.expect("a failure"));
    assert_eq!(second, ("oracle.outcomes.eth%20v1%2E0".to_owned(), failure));
    assert_eq!(coordinator.counter("outcomes_unpublished").await, 0);
}
