//! Durable requests, stored outcomes, and ids that all coordinators of a store honour.

use std::time::Duration;

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::clock::Clock;
use quorate_runtime::store::memory::{MemoryStore, Retention};
use quorate_runtime::store::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable, Watch, Watched};
use serde_json::{Value as Json, json};

use crate::support::{Setup, TestCoordinator, answer_of, delayed, number, until, worker};

fn store() -> MemoryStore {
    MemoryStore::new(Clock::new(), Retention::default())
}

/// A coordinator with a store that knows one worker.
async fn coordinator(bus: &LocalBus, store: &MemoryStore, setup: Setup) -> TestCoordinator {
    let coordinator = TestCoordinator::start_stored(bus.connection(), setup, Some(store.clone())).await;
    coordinator.wait_for_live(1).await;
    coordinator
}

/// Two coordinators that share a store and a worker.
async fn two(bus: &LocalBus, store: &MemoryStore) -> [TestCoordinator; 2] {
    [coordinator(bus, store, Setup::default()).await, coordinator(bus, store, Setup::default()).await]
}

#[tokio::test]
async fn without_a_store_nothing_is_left_with_a_coordinator() {
    let bus = LocalBus::new();
    let coordinator = TestCoordinator::start(bus.connection()).await;
    let (status, body) = answer_of(coordinator.submit(json!({"query": "q"}), None).await).await;
    assert_eq!((status, &body["error"]), (501, &json!("no_store")), "{body}");
    let (status, body) = coordinator.get("/outcomes").await;
    assert_eq!((status, &body["error"]), (501, &json!("no_store")), "{body}");
    assert_eq!(coordinator.get("/requests/r?wait_ms=10").await.0, 404);
}

#[tokio::test]
async fn a_request_that_is_left_with_one_coordinator_is_answered_by_all() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", delayed("1.5", Duration::from_millis(200))).await;
    let [a, b] = two(&bus, &store).await;
    let accepted = a.submit(json!({"query": "BTC/USD", "strategy": "median"}), Some("order 7/8")).await;
    let location = accepted.headers()["location"].to_str().expect("a text").to_owned();
    assert_eq!(location, "/requests/order%207%2F8");
    assert_eq!(answer_of(accepted).await, (202, json!({"id": "order 7/8", "state": "open"})));
    for coordinator in [&a, &b] {
        assert_eq!(coordinator.get(&location).await, (202, json!({"id": "order 7/8", "state": "open"})));
    }
    let (status, outcome) = b.get(&format!("{location}?wait_ms=10000")).await;
    assert_eq!((status, &outcome["strategy"]), (200, &json!("median")), "{outcome}");
    assert_eq!((&outcome["final_value"].to_string()[..], &outcome["request_id"]), ("1.5", &json!("order 7/8")));
    let (_, strings) = b.get(&format!("{location}?numbers=string")).await;
    assert_eq!(strings["final_value"], "1.5");
    let again = answer_of(b.submit(json!({"query": "BTC/USD", "id": "order 7/8"}), None).await).await;
    assert_eq!(again, (202, json!({"id": "order 7/8", "state": "done"})));
    let (status, body) = answer_of(b.submit(json!({"query": "ETH/USD"}), Some("order 7/8")).await).await;
    assert_eq!((status, &body["error"]), (409, &json!("conflict")), "{body}");
    let listed = a.get("/outcomes?query=BTC%2FUSD").await.1;
    assert_eq!((&listed["outcomes"][0]["outcome"], &listed["next"]), (&outcome, &Json::Null), "{listed}");
}

#[tokio::test]
async fn what_is_wrong_with_a_submission_is_said_before_it_is_stored() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let setup = Setup { rate_limit: Some((1, 6)), read_limit: Some((1, 2)), ..Setup::default() };
    let coordinator = TestCoordinator::start_stored(bus.connection(), setup, Some(store.clone())).await;
    for (body, key, status, word) in [
        (json!({"query": "q", "id": "a"}), Some("b"), 400, "invalid_request"),
        (json!({"query": "q"}), Some(""), 400, "invalid_request"),
        (json!({"query": "q", "timeout_ms": 60_001}), None, 400, "invalid_request"),
        (json!({"query": "q", "min_responses": 3, "quorum": 2}), None, 400, "invalid_request"),
        (json!({"query": ""}), None, 400, "invalid_request"),
    ] {
        let (answered, body) = answer_of(coordinator.submit(body, key).await).await;
        assert_eq!((answered, &body["error"]), (status, &json!(word)), "{body}");
    }
    assert_eq!(coordinator.get("/requests/r?wait_ms=60001").await.0, 400);
    assert_eq!(coordinator.get("/outcomes?limit=0").await.0, 400);
    assert_eq!(store.read(Log::Open, None, From::Sequence(0), 1).await.expect("memory answers"), []);
    assert_eq!(coordinator.submit(json!({"query": "q"}), None).await.status(), 202, "the sixth question");
    let (status, body) = answer_of(coordinator.submit(json!({"query": "q"}), None).await).await;
    assert_eq!((status, &body["error"]), (429, &json!("rate_limited")), "it is not a read: {body}");
}

#[tokio::test]
async fn an_id_that_no_path_can_name_is_only_that_of_a_plain_request() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", number("7")).await;
    let coordinator = coordinator(&bus, &store, Setup::default()).await;
    for id in [".", ".."] {
        for (body, key) in [(json!({"query": "q", "id": id}), None), (json!({"query": "q"}), Some(id))] {
            let (status, body) = answer_of(coordinator.submit(body, key).await).await;
            assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{body}");
            assert!(body["details"].as_str().is_some_and(|details| details.ends_with("send another id")), "{body}");
        }
        assert_eq!(coordinator.ask(json!({"query": "q", "id": id})).await.0, 200);
    }
    assert_eq!(coordinator.submit(json!({"query": "q"}), Some("...")).await.status(), 202);
    let open = store.read(Log::Open, None, From::Sequence(0), 10).await.expect("memory answers");
    assert!(!open.is_empty() && open.iter().all(|entry| entry.key.text().as_deref() == Some("...")), "{open:?}");
}

#[tokio::test]
async fn the_id_of_a_plain_request_has_one_answer_on_all_coordinators() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", number("7")).await;
    let [a, b] = two(&bus, &store).await;
    let ask = json!({"query": "q", "id": "r"});
    let (first, again, elsewhere) = (a.ask(ask.clone()).await, a.ask(ask.clone()).await, b.ask(ask.clone()).await);
    assert_eq!(first.0, 200);
    assert_eq!((&first, &first), (&again, &elsewhere));
    assert_eq!(b.get("/requests/r").await, first);
    let (_, strings) = b.ask(json!({"query": "q", "id": "r", "numbers": "string"})).await;
    assert_eq!(strings["final_value"], "7");
    let (status, body) = b.ask(json!({"query": "other", "id": "r"})).await;
    assert_eq!((status, &body["error"]), (409, &json!("conflict")), "{body}");
    let (both, raced) = tokio::join!(a.ask(json!({"query": "q", "id": "s"})), b.ask(json!({"query": "q", "id": "s"})));
    assert_eq!(both, raced, "whoever stores it first");
    // A failure with evidence is answered as it was.
    let few = json!({"query": "q", "id": "t", "min_responses": 2});
    let (failed, elsewhere) = (a.ask(few.clone()).await, b.ask(few).await);
    assert_eq!((failed.0, &failed), (422, &elsewhere));
    assert_eq!(a.get("/outcomes").await.1["outcomes"], json!([]), "plain requests are not kept for the history");
}

#[tokio::test]
async fn outcomes_of_plain_requests_are_listed_if_they_are_kept() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", number("7")).await;
    let keeping = coordinator(&bus, &store, Setup { keep_outcomes: true, ..Setup::default() }).await;
    keeping.answer("q").await;
    keeping.ask(json!({"query": "other", "id": "r"})).await;
    let outcomes = async || keeping.get("/outcomes").await.1["outcomes"].as_array().cloned().unwrap_or_default();
    until("both outcomes to be stored", async || outcomes().await.len() == 2).await;
    let mut queries: Vec<_> = outcomes().await.iter().map(|outcome| outcome["query"].to_string()).collect();
    queries.sort();
    assert_eq!(queries, ["\"other\"", "\"q\""]);
    let (_, page) = keeping.get("/outcomes?limit=1").await;
    let next = page["next"].as_str().expect("another page");
    let (_, last) = keeping.get(&format!("/outcomes?limit=1&cursor={next}")).await;
    assert_ne!(page["outcomes"], last["outcomes"]);
    assert_eq!(keeping.get("/outcomes?to=2020-01-01T00:00:00Z").await.1["outcomes"], json!([]));
    assert_eq!(
        keeping.get("/outcomes?from=2020-01-01T00:00:00Z").await.1["outcomes"].as_array().map(Vec::len),
        Some(2)
    );
}

/// Whether the outcomes of plain requests are kept for the history, or not.
#[tokio::test]
async fn a_failure_that_passes_is_no_outcome_of_an_id() {
    for keep_outcomes in [false, true] {
        let bus = LocalBus::new();
        let store = store();
        let doomed = worker(bus.connection(), "a", number("7")).await;
        let setup = Setup { keep_outcomes, ..Setup::default() };
        let coordinator = coordinator(&bus, &store, setup).await;
        doomed.kill().await;
        let ask = json!({"query": "q", "id": "r"});
        let (status, body) = coordinator.ask(ask.clone()).await;
        assert_eq!((status, &body["error"]), (503, &json!("no_workers")), "{body}");
        let _worker = worker(bus.connection(), "b", number("7")).await;
        until("an answer", async || coordinator.ask(ask.clone()).await.0 == 200).await;
        assert_eq!(coordinator.get("/requests/r").await.0, 200);
    }
}

#[tokio::test]
async fn a_coordinator_that_stops_finishes_what_it_asks_and_tells_those_who_wait() {
    let bus = LocalBus::new();
    let store = store();
    let _worker = worker(bus.connection(), "a", delayed("1", Duration::from_millis(400))).await;
    let [mut a, b] = two(&bus, &store).await;
    assert_eq!(a.submit(json!({"query": "q"}), Some("r")).await.status(), 202);
    until("the workers to be asked", async || a.get("/workers").await.1["in_flight"] == 1).await;
    a.begin_stop();
    until("it to be draining", async || a.get("/ready").await.1["error"] == "draining").await;
    let (status, body) = answer_of(a.submit(json!({"query": "q"}), Some("s")).await).await;
    assert_eq!((status, &body["error"]), (503, &json!("draining")), "{body}");
    let (status, outcome) = b.get("/requests/r?wait_ms=10000").await;
    assert_eq!((status, &outcome["final_value"]), (200, &json!(1)), "{outcome}");
    a.stopped().await;
    let stored = store.read(Log::Outcomes, None, From::Sequence(0), 10).await.expect("memory answers");
    assert_eq!(stored.len(), 1);
}

/// A store that never answers.
#[derive(Clone, Debug)]
struct Silent;

struct Nothing;

impl Watch for Nothing {
    async fn next(&mut self) -> Watched {
        std::future::pending().await
    }
}

impl Store for Silent {
    type Watch = Nothing;

    async fn append(&self, _: Log, _: &Key, _: Append) -> Result<u64, AppendError> {
        Err(AppendError::Unclear("silence".to_owned()))
    }

    async fn last(&self, _: Log, _: &Key) -> Result<Option<Entry>, Unavailable> {
        Err(Unavailable("silence".to_owned()))
    }

    async fn get(&self, _: Log, _: u64) -> Result<Option<Entry>, Unavailable> {
        Err(Unavailable("silence".to_owned()))
    }

    async fn read(&self, _: Log, _: Option<&Key>, _: From, _: usize) -> Result<Vec<Entry>, Unavailable> {
        Err(Unavailable("silence".to_owned()))
    }

    async fn watch(&self, _: Log) -> Result<Nothing, Unavailable> {
        Err(Unavailable("silence".to_owned()))
    }
}

#[tokio::test]
async fn while_the_store_is_silent_only_what_needs_it_is_refused() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("7")).await;
    let setup = Setup { keep_outcomes: true, ..Setup::default() };
    let coordinator = TestCoordinator::start_stored(bus.connection(), setup, Some(Silent)).await;
    coordinator.wait_for_live(1).await;
    let refused = [
        coordinator.ask(json!({"query": "q", "id": "r"})).await,
        answer_of(coordinator.submit(json!({"query": "q"}), Some("r")).await).await,
        coordinator.get("/requests/r").await,
        coordinator.get("/outcomes").await,
    ];
    for (status, body) in refused {
        assert_eq!((status, &body["error"]), (503, &json!("store_unavailable")), "{body}");
    }
    assert_eq!(coordinator.answer("q").await["final_value"], 7, "no store is needed without an id");
}
