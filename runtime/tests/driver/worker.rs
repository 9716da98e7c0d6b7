//! The driver of a worker.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::offer::Offer;
use quorate_core::value::Value;
use quorate_core::worker::{Config, Input};
use quorate_runtime::bus::Bus;
use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{Tap, WorkerDriver, WorkerSettings};
use quorate_runtime::source::{Reading, Source, SourceError};
use quorate_runtime::wire;
use tokio::sync::oneshot;

use crate::support::{Inputs, id, json, next, publish, soon, subscribe};

/// A source that panics, never answers or returns a number, depending on the query.
struct Moody;

impl Source for Moody {
    async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
        match query {
            "panic" => panic!("the source of this test panics"),
            "never" => std::future::pending().await,
            _ => Ok(Value::number("1").expect("a number").into()),
        }
    }
}

async fn start(
    bus: &LocalBus,
    machine: Config,
    tap: impl Tap<quorate_core::Worker>,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let settings = WorkerSettings { machine, batch: 8, ..WorkerSettings::new(id("w1")).expect("random numbers") };
    let driver = WorkerDriver::new(bus.connection(), Clock::new(), settings, Moody).await.expect("it subscribes");
    let (stop, stopped) = oneshot::channel();
    (stop, tokio::spawn(driver.with_tap(tap).run(async { drop(stopped.await) })))
}

fn task(request: &str, query: &str, ttl_ms: u64) -> String {
    format!(r#"{{"id":"{request}","query":"{query}","ttl_ms":{ttl_ms}}}"#)
}

#[tokio::test]
async fn a_service_reply_has_the_state_that_was_announced_last() {
    let bus = LocalBus::new();
    let mut announced = subscribe(&bus, wire::PRESENCE).await;
    let mut replies = subscribe(&bus, "replies.*").await;
    let machine = Config { drain_grace: Duration::ZERO, ..Config::default() };
    let (stop, worker) = start(&bus, machine, ()).await;
    let mut stop = Some(stop);
    for state in ["live", "draining"] {
        assert_eq!(json(&next(&mut announced).await)["state"], state);
        for (verb, reply) in [("PING", "replies.ping"), ("INFO", "replies.info"), ("STATS", "replies.stats")] {
            bus.publish(&format!("$SRV.{verb}.quorate-worker"), Some(reply), "".into()).expect("it is connected");
            let reply = json(&next(&mut replies).await);
            assert_eq!(reply["metadata"]["state"], state, "{verb}: {reply}");
            assert!(reply["metadata"]["queries"].is_null(), "it offers every query: {reply}");
        }
        // A task that lasts for as long as the worker is observed.
        if let Some(stop) = stop.take() {
            publish(&bus, wire::TASKS, task("r1", "never", 60_000));
            tokio::task::yield_now().await;
            stop.send(()).expect("the worker runs");
        }
    }
    worker.abort();
}

#[tokio::test]
async fn a_worker_announces_what_it_offers_and_counts_the_tasks_that_others_answer() {
    let bus = LocalBus::new();
    let mut announced = subscribe(&bus, wire::PRESENCE).await;
    let mut results = subscribe(&bus, wire::RESULTS).await;
    let mut replies = subscribe(&bus, "replies.*").await;
    let offer = Offer::new(["BTC/*", "ETH/USD"]).expect("an offer");
    let (_stop, worker) = start(&bus, Config { offer, ..Config::default() }, ()).await;
    assert_eq!(json(&next(&mut announced).await)["queries"], serde_json::json!(["BTC/*", "ETH/USD"]));
    for (request, query) in [("r1", "ETH/EUR"), ("r2", "BTC/EUR")] {
        publish(&bus, wire::TASKS, task(request, query, 60_000));
    }
    assert_eq!(json(&next(&mut results).await)["request_id"], "r2", "only this one is offered");
    for (verb, reply) in [("PING", "replies.ping"), ("STATS", "replies.stats")] {
        bus.publish(&format!("$SRV.{verb}.quorate-worker"), Some(reply), "".into()).expect("it is connected");
    }
    let [ping, stats] = [json(&next(&mut replies).await), json(&next(&mut replies).await)];
    assert_eq!(ping["metadata"]["queries"], r#"["BTC/*","ETH/USD"]"#);
    let endpoint = &stats["endpoints"][0];
    assert_eq!((&endpoint["num_requests"], &endpoint["data"]["tasks_unoffered"]), (&2.into(), &1.into()), "{stats}");
    worker.abort();
}

#[tokio::test]
async fn a_worker_with_more_tasks_than_it_can_take_still_answers_its_service() {
    let bus = LocalBus::with_capacity(64);
    let mut replies = subscribe(&bus, "reply").await;
    // As many tasks arrive as are taken, forever. Nobody waits for their results.
    let more = bus.connection();
    let tap = Inputs(move |input: &Input| {
        if let Input::Task(_) = input {
            publish(&more, wire::TASKS, task("r1", "x", 60_000));
        }
    });
    let (_stop, worker) = start(&bus, Config::default(), tap).await;
    for _ in 0..32 {
        publish(&bus, wire::TASKS, task("r1", "x", 60_000));
    }
    for subject in ["$SRV.PING", "$SRV.PING.quorate-worker"] {
        bus.publish(subject, Some("reply"), "".into()).expect("it is connected");
        assert_eq!(json(&next(&mut replies).await)["metadata"]["worker_id"], "w1");
    }
    worker.abort();
}

#[tokio::test]
async fn a_source_that_panics_fails_its_own_task_and_no_other() {
    let bus = LocalBus::new();
    let mut results = subscribe(&bus, wire::RESULTS).await;
    let dones = Arc::<std::sync::Mutex<u32>>::default();
    let counted = Arc::clone(&dones);
    let tap = Inputs(move |input: &Input| {
        if let Input::Done { .. } = input {
            *counted.lock().expect("no panic") += 1;
        }
    });
    let (stop, worker) = start(&bus, Config { drain_grace: Duration::ZERO, ..Config::default() }, tap).await;
    for (request, query) in [("r1", "never"), ("r2", "panic"), ("r3", "x")] {
        publish(&bus, wire::TASKS, task(request, query, 700));
    }
    let mut answered = Vec::new();
    for _ in 0..2 {
        let result = json(&next(&mut results).await);
        let text = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
        answered.push((text("request_id"), text("err")));
    }
    answered.sort_unstable();
    let expected = [("r2", "the source panicked"), ("r3", "")].map(|(id, err)| (id.to_owned(), err.to_owned()));
    assert_eq!(answered, expected);
    stop.send(()).expect("the worker runs");
    soon("the end of the worker, once the last task is of no use", worker).await.expect("it does not panic");
    assert_eq!(*dones.lock().expect("no panic"), 2, "the task that was given up is not told as done");
}
