//! The driver of a coordinator.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use quorate_core::coordinator::{Config, Input, PresenceState};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_runtime::bus::local::{LocalBus, LocalSubscription};
use quorate_runtime::bus::{Bus, BusError, BusStatus, Headers, PublishError};
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{CoordinatorDriver, CoordinatorHandle, DriverSettings, Inbox, Tap};
use quorate_runtime::wire;
use tokio::sync::{mpsc, watch};

use crate::support::{Inputs, id, json, next, publish, soon, subscribe};

/// The most messages that wait in a subscription of these tests.
const QUEUE: usize = 64;
/// The most messages that are taken from it in a pass.
const BATCH: usize = 8;

fn settings() -> DriverSettings {
    DriverSettings { batch: BATCH, queue: QUEUE, ..DriverSettings::named("c1", Inbox::of("s3cret"), 1) }
}

async fn start(
    bus: &LocalBus,
    settings: DriverSettings,
    tap: impl Tap<quorate_core::Coordinator>,
) -> CoordinatorHandle {
    let clock = Clock::new();
    let (driver, coordinator) =
        CoordinatorDriver::new(bus.connection(), clock, Config::default(), settings).await.expect("it subscribes");
    tokio::spawn(driver.with_tap(tap).run());
    coordinator
}

fn result(request: usize) -> String {
    format!(r#"{{"worker_id":"w1","request_id":"r{request}","value":1,"response_time":1}}"#)
}

fn announcement(worker: &str, state: &str) -> String {
    format!(r#"{{"worker_id":"{worker}","state":"{state}"}}"#)
}

/// Submits a request, and returns the id that was drawn for it and the reply subject of its task.
async fn first_task(settings: DriverSettings) -> (String, String) {
    let bus = LocalBus::new();
    let mut tasks = subscribe(&bus, wire::TASKS).await;
    let coordinator = start(&bus, settings, ()).await;
    let query = Query::new("BTC/USD").expect("a query");
    let asked = tokio::spawn(async move { coordinator.ask(None, query, Overrides::default()).await });
    let task = next(&mut tasks).await;
    asked.abort();
    let drawn = json(&task)["id"].as_str().expect("an id").to_owned();
    (drawn, task.reply.expect("a reply subject"))
}

#[tokio::test]
async fn coordinators_with_one_seed_draw_different_ids_and_one_process_always_the_same() {
    let named = |name: &str, seed| DriverSettings::named(name, Inbox::of("s"), seed);
    let (first, _) = first_task(named("c1", 7)).await;
    let (replica, _) = first_task(named("c2", 7)).await;
    let (other, _) = first_task(named("c1", 8)).await;
    assert!(first != replica && first != other, "{first} {replica} {other}");
    assert_eq!(first_task(named("c1", 7)).await.0, first);
}

#[tokio::test]
async fn results_arrive_on_a_secret_subject_and_replies_to_pings_on_a_public_one() {
    let bus = LocalBus::new();
    let mut calls = subscribe(&bus, "$SRV.PING.quorate-worker").await;
    let (told, mut inputs) = mpsc::unbounded_channel();
    let tap = Inputs(move |input: &Input| {
        if let Input::Presence(presence) = input {
            told.send(presence.worker.clone()).expect("the test listens");
        }
    });
    let _coordinator = start(&bus, settings(), tap).await;
    let reply = next(&mut calls).await.reply.expect("a reply subject");
    assert_eq!(reply, "_INBOX.c1.ping");
    let pong = r#"{"type":"io.nats.micro.v1.ping_response","name":"quorate-worker","id":"i1","version":"1.0.0","metadata":{"worker_id":"w1","state":"live","replicated":"false"}}"#;
    // A message on the secret inbox is not taken for a reply to a ping.
    publish(&bus, "_INBOX.s3cret.ping", pong.replace("w1", "stranger"));
    publish(&bus, &reply, pong);
    assert_eq!(soon("the worker", inputs.recv()).await, Some(id("w1")));
    let reply = first_task(settings()).await.1;
    let task = reply.strip_prefix("_INBOX.s3cret.").expect("the secret");
    assert!(task.parse::<u64>().is_ok(), "{reply}");
}

#[tokio::test]
async fn an_announcement_gets_through_however_many_results_come() {
    let bus = LocalBus::with_capacity(QUEUE);
    let (told, mut farewell) = mpsc::unbounded_channel();
    // As many results arrive as are taken, forever.
    let more = bus.connection();
    let mut results = 0;
    let tap = Inputs(move |input: &Input| match input {
        Input::Result(_) => {
            results += 1;
            publish(&more, wire::RESULTS, result(0));
        }
        Input::Presence(presence) => told.send((results, presence.state)).expect("the test listens"),
        _ => {}
    });
    let _coordinator = start(&bus, settings(), tap).await;
    for _ in 0..QUEUE / 2 {
        publish(&bus, wire::RESULTS, result(0));
    }
    for state in ["live", "left"] {
        publish(&bus, wire::PRESENCE, announcement("w1", state));
        let (results, told) = soon("the announcement", farewell.recv()).await.expect("the driver runs");
        assert_eq!(told, if state == "live" { PresenceState::Live } else { PresenceState::Left });
        assert!(results >= QUEUE / 2, "only {results} results came before the announcement");
        assert!(results <= 10 * QUEUE, "{results} results came first: announcements have no share of a pass");
    }
}

#[tokio::test]
async fn an_answer_comes_before_the_farewell_that_followed_it() {
    // Results for several passes, exactly one, one and one more, and none.
    for answers in [3 * BATCH + 1, BATCH, BATCH + 1, 0] {
        let bus = LocalBus::with_capacity(QUEUE);
        let inputs = Arc::<Mutex<Vec<String>>>::default();
        let (told, mut farewell) = mpsc::unbounded_channel();
        let log = Arc::clone(&inputs);
        let tap = Inputs(move |input: &Input| match input {
            Input::Result(result) => log.lock().expect("no panic").push(result.request.to_string()),
            Input::Presence(_) => told.send(()).expect("the test listens"),
            _ => {}
        });
        let _coordinator = start(&bus, settings(), tap).await;
        let mut expected = Vec::new();
        for answer in 0..answers {
            expected.push(format!("r{answer}"));
            publish(&bus, if answer % 2 == 0 { wire::RESULTS } else { "_INBOX.s3cret.7" }, result(answer));
        }
        publish(&bus, wire::PRESENCE, announcement("w1", "left"));
        soon("the farewell", farewell.recv()).await.expect("the driver runs");
        let mut before = inputs.lock().expect("no panic").clone();
        before.sort_unstable();
        expected.sort_unstable();
        assert_eq!(before, expected);
    }
}

/// A bus that notes the subjects of expendable messages.
#[derive(Clone)]
struct NotingBus {
    bus: LocalBus,
    expendable: Arc<Mutex<Vec<String>>>,
}

impl Bus for NotingBus {
    type Subscription = LocalSubscription;

    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.bus.publish_with(subject, reply, headers, payload)
    }

    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        self.expendable.lock().expect("no panic").push(subject.to_owned());
        self.bus.publish_expendable(subject, payload)
    }

    async fn subscribe(&self, subject: &str, queue_group: Option<&str>) -> Result<LocalSubscription, BusError> {
        self.bus.subscribe(subject, queue_group).await
    }

    async fn flush(&self) {
        self.bus.flush().await;
    }

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.bus.status()
    }
}

#[tokio::test]
async fn outcomes_are_expendable_and_tasks_are_not() {
    let bus = LocalBus::new();
    let mut outcomes = subscribe(&bus, "oracle.outcomes.>").await;
    let expendable = Arc::<Mutex<Vec<String>>>::default();
    let noting = NotingBus { bus: bus.connection(), expendable: Arc::clone(&expendable) };
    let (driver, coordinator) =
        CoordinatorDriver::new(noting, Clock::new(), Config::default(), settings()).await.expect("it subscribes");
    tokio::spawn(driver.run());
    let query = Query::new("BTC/USD").expect("a query");
    let outcome = soon("the outcome", coordinator.ask(None, query, Overrides::default())).await.expect("it is taken");
    assert!(outcome.verdict.is_err(), "there is no worker");
    next(&mut outcomes).await;
    assert_eq!(*expendable.lock().expect("no panic"), ["oracle.outcomes.BTC/USD"]);
}
