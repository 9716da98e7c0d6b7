//! Coordinators that share a store, with workers that answer when a test says so.

use std::time::Duration;

use bytes::Bytes;
use quorate_core::coordinator::Refusal;
use quorate_core::durable::{Accepted, Rejection};
use quorate_core::id::RequestId;
use quorate_core::outcome::Outcome;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{DurableDriver, DurableHandle, DurableSettings, Stand, Wanted};
use crate::clock::Clock;
use crate::driver::{AskError, Asks};
use crate::http::example;
use crate::store::memory::{MemoryStore, Retention};
use crate::store::{Append, From, Key, Log, Store as _};
use crate::wire::{EncodedOutcome, Numbers};

/// How long a request may take in these tests, and the patience beyond it.
const TIMEOUT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);

/// A question that a worker is asked, and where its answer goes.
type Question = (RequestId, oneshot::Sender<Result<EncodedOutcome, AskError>>);

#[derive(Clone)]
struct Asked(mpsc::UnboundedSender<Question>);

impl Asks for Asked {
    async fn ask(&self, id: Option<RequestId>, _: Query, _: Overrides) -> Result<EncodedOutcome, AskError> {
        let (sender, answer) = oneshot::channel();
        let _ = self.0.send((id.expect("durable requests have ids"), sender));
        answer.await.unwrap_or(Err(AskError::Stopped))
    }
}

struct Coordinator {
    durable: DurableHandle,
    asked: mpsc::UnboundedReceiver<Question>,
    running: JoinHandle<()>,
}

fn store() -> MemoryStore {
    MemoryStore::new(Clock::new(), Retention::default())
}

fn coordinator(name: &str, store: &MemoryStore) -> Coordinator {
    let settings = DurableSettings { keep_outcomes: true, ..DurableSettings::of(name) };
    let (sender, asked) = mpsc::unbounded_channel();
    let (driver, durable) = DurableDriver::new(store.clone(), Asked(sender), Clock::new(), settings);
    Coordinator { durable, asked, running: tokio::spawn(driver.run()) }
}

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("an id")
}

/// An outcome of a request, which names the coordinator that asked.
fn outcome(request: &RequestId, by: &str) -> EncodedOutcome {
    let mut outcome = Outcome { request: request.clone(), ..example::answered() };
    outcome.observations[0].observed = Err(by.into());
    EncodedOutcome::new(outcome.into())
}

impl Coordinator {
    async fn submit(&self, request: &str, query: &str) -> Result<Accepted, Rejection> {
        let query = Query::new(query).expect("a query");
        self.durable.submit(id(request), query, Overrides::default(), TIMEOUT, UnixTime::EPOCH).await
    }

    async fn asked(&mut self) -> Question {
        self.asked.recv().await.expect("a question")
    }

    async fn ends(&self, request: &str) -> Stand {
        let mut stand = Stand::Open;
        while matches!(stand, Stand::Open) {
            stand = self.durable.ends(&id(request), super::WAIT_LIMIT).await.expect("a store");
        }
        stand
    }

    /// The text of the outcome of a request.
    async fn outcome(&self, request: &str) -> String {
        match self.ends(request).await {
            Stand::Done(stored) => String::from_utf8(stored.body(Numbers::Number).to_vec()).expect("a text"),
            stand => panic!("{stand:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_left_has_its_outcome_on_every_coordinator() {
    let store = store();
    let (mut a, b) = (coordinator("a", &store), coordinator("b", &store));
    assert_eq!(a.submit("r", "BTC/USD").await, Ok(Accepted::Open));
    assert!(matches!(b.durable.stands(&id("r")).await, Ok(Stand::Open)));
    assert!(matches!(b.durable.stands(&id("s")).await, Ok(Stand::Unknown)));
    let (asked, answer) = a.asked().await;
    let _ = answer.send(Ok(outcome(&asked, "asked by a")));
    assert!(b.outcome("r").await.contains("asked by a"));
    for coordinator in [&a, &b] {
        assert_eq!(coordinator.submit("r", "BTC/USD").await, Ok(Accepted::Done));
        assert_eq!(coordinator.submit("r", "ETH/USD").await, Err(Rejection::Conflict));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_under_an_open_id_is_the_same_or_a_conflict_wherever_it_is_submitted() {
    let store = store();
    let (mut a, b) = (coordinator("a", &store), coordinator("b", &store));
    let (first, again) = tokio::join!(a.submit("r", "BTC/USD"), a.submit("r", "BTC/USD"));
    assert_eq!((first, again), (Ok(Accepted::Open), Ok(Accepted::Open)));
    assert_eq!(b.submit("r", "BTC/USD").await, Ok(Accepted::Open));
    for coordinator in [&a, &b] {
        assert_eq!(coordinator.submit("r", "ETH/USD").await, Err(Rejection::Conflict));
    }
    let (_, _answer) = a.asked().await;
    assert!(a.asked.try_recv().is_err(), "it is asked once");
}

#[tokio::test(start_paused = true)]
async fn another_coordinator_finishes_the_request_of_one_that_died() {
    let store = store();
    let (mut a, mut b) = (coordinator("a", &store), coordinator("b", &store));
    assert_eq!(a.submit("r", "BTC/USD").await, Ok(Accepted::Open));
    let (_, answer) = a.asked().await;
    a.running.abort();
    drop(answer);
    let began = tokio::time::Instant::now();
    let (asked, answer) = b.asked().await;
    assert!(
        began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE + Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    let _ = answer.send(Ok(outcome(&asked, "asked by b")));
    assert!(b.outcome("r").await.contains("asked by b"));
    assert_eq!(b.durable.counters().await.expect("it runs").taken_over, 1);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_was_paused_cannot_store_a_second_outcome_and_learns_that_it_lost() {
    let store = store();
    let (mut a, mut b) = (coordinator("a", &store), coordinator("b", &store));
    assert_eq!(a.submit("r", "BTC/USD").await, Ok(Accepted::Open));
    let (_, late) = a.asked().await;
    let (asked, answer) = b.asked().await;
    let _ = answer.send(Ok(outcome(&asked, "asked by b")));
    assert!(b.outcome("r").await.contains("asked by b"));
    let _ = late.send(Ok(outcome(&asked, "asked by a")));
    while a.durable.counters().await.expect("it runs").lost == 0 {
        tokio::task::yield_now().await;
    }
    for coordinator in [&a, &b] {
        assert!(coordinator.outcome("r").await.contains("asked by b"));
    }
    let stored = store.read(Log::Outcomes, None, From::Sequence(0), 10).await.expect("memory answers");
    assert_eq!(stored.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_drains_hands_over_what_it_cannot_ask() {
    let store = store();
    let (mut a, mut b) = (coordinator("a", &store), coordinator("b", &store));
    for request in ["asking", "waiting"] {
        assert_eq!(a.submit(request, "BTC/USD").await, Ok(Accepted::Open));
    }
    let (asking, answer) = a.asked().await;
    let (_, refused) = a.asked().await;
    let _ = refused.send(Err(AskError::Refused(Refusal::BusDown)));
    a.durable.drain().await;
    a.durable.stop().await;
    let began = tokio::time::Instant::now();
    let (handed_over, of_b) = b.asked().await;
    assert_eq!((handed_over.as_str(), began.elapsed()), ("waiting", Duration::ZERO), "nobody has to wait");
    assert!(!a.running.is_finished(), "it waits for its answer");
    assert_eq!(a.submit("more", "BTC/USD").await, Err(Rejection::Draining));
    let _ = answer.send(Ok(outcome(&asking, "asked by a")));
    a.running.await.expect("it drains");
    let _ = of_b.send(Ok(outcome(&handed_over, "asked by b")));
    assert!(b.outcome("asking").await.contains("asked by a"));
    assert!(b.outcome("waiting").await.contains("asked by b"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_passes_is_asked_again_and_any_other_is_the_outcome() {
    let store = store();
    let mut a = coordinator("a", &store);
    assert_eq!(a.submit("r", "BTC/USD").await, Ok(Accepted::Open));
    for passing in [AskError::Busy, AskError::Refused(Refusal::Overloaded), AskError::Refused(Refusal::Draining)] {
        let (_, answer) = a.asked().await;
        let _ = answer.send(Err(passing));
    }
    let (_, answer) = a.asked().await;
    let _ = answer.send(Err(AskError::Refused(Refusal::UnknownQuery)));
    let Stand::Done(stored) = a.ends("r").await else { panic!("it has ended") };
    assert_eq!(stored.status, 404);
}

#[tokio::test(start_paused = true)]
async fn what_others_write_into_the_logs_does_no_harm() {
    let store = store();
    let append = |log, key: &'static str, body: &'static str| {
        let (store, body) = (store.clone(), Bytes::from_static(body.as_bytes()));
        async move { store.append(log, &Key::new(key), Append { after: 0, body, ttl: None }).await.expect("stored") }
    };
    let a = coordinator("a", &store);
    for body in ["{}", "garbage", "\u{0}", "{\"holder\":\"a\",\"turn\":0,\"submitted_at\":\"\",\"request\":{}}"] {
        append(Log::Open, body, body).await;
    }
    append(Log::Open, "open", "garbage").await;
    append(Log::Outcomes, "done", "garbage").await;
    append(Log::Outcomes, "\u{1}", "{}").await;
    // An entry that cannot be read is replaced, and an outcome that cannot be read is no other's.
    assert_eq!(a.submit("open", "BTC/USD").await, Ok(Accepted::Open));
    assert_eq!(a.submit("done", "BTC/USD").await, Err(Rejection::Conflict));
    assert!(matches!(a.durable.stands(&id("done")).await, Ok(Stand::Garbled)));
    let wanted = Wanted { query: None, from: From::Sequence(0), to: None, limit: 10 };
    assert_eq!(a.durable.history(&wanted).await.expect("a page").outcomes.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_history_has_recorded_outcomes_in_pages() {
    let store = store();
    let a = coordinator("a", &store);
    for n in 0..5 {
        a.durable.record(&outcome(&id(&format!("r{n}")), "a worker"));
    }
    while store.read(Log::Outcomes, None, From::Sequence(0), 10).await.expect("memory answers").len() < 5 {
        tokio::task::yield_now().await;
    }
    let mut wanted = Wanted { query: None, from: From::Sequence(0), to: None, limit: 2 };
    let mut found = Vec::new();
    loop {
        let page = a.durable.history(&wanted).await.expect("a page");
        assert!(page.outcomes.len() <= 2);
        found.extend(page.outcomes.into_iter().map(|(_, stored)| stored.request.to_string()));
        let Some(next) = page.next else { break };
        wanted.from = From::Sequence(next);
    }
    assert_eq!(found, ["r0", "r1", "r2", "r3", "r4"]);
    let other = Query::new("ETH/USD").expect("a query");
    let wanted = Wanted { query: Some(other), from: From::Sequence(0), ..wanted };
    assert_eq!(a.durable.history(&wanted).await.expect("a page").outcomes.len(), 0);
    assert_eq!(a.durable.omitted(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plain_request_counts_only_if_it_is_stored_first() {
    let store = store();
    let (a, b) = (coordinator("a", &store), coordinator("b", &store));
    let query = Query::new("BTC/USD").expect("a query");
    assert!(matches!(a.durable.earlier(&id("r"), &query).await, Ok(super::Earlier::Nothing)));
    let (of_a, of_b) = (outcome(&id("r"), "asked by a"), outcome(&id("r"), "asked by b"));
    assert!(matches!(a.durable.settle(&of_a).await, Ok(super::Earlier::Nothing)));
    assert!(matches!(a.durable.settle(&of_a).await, Ok(super::Earlier::Nothing)), "it is its own");
    let Ok(super::Earlier::Same(stored)) = b.durable.settle(&of_b).await else { panic!("b lost") };
    assert_eq!(stored.body(Numbers::Number), of_a.body);
    assert!(matches!(b.durable.earlier(&id("r"), &query).await, Ok(super::Earlier::Same(_))));
    let other = Query::new("ETH/USD").expect("a query");
    assert!(matches!(b.durable.earlier(&id("r"), &other).await, Ok(super::Earlier::Other)));
}
