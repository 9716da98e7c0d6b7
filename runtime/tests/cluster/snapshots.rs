//! However many read the state of a coordinator, they neither wait for its callers nor delay them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use quorate_core::coordinator::Config;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{AskError, CoordinatorDriver, CoordinatorHandle, DriverSettings, Inbox, SnapshotError};
use quorate_runtime::wire::{SpanId, TraceContext, TraceId};
use serde_json::json;

use crate::support::{Setup, TestCoordinator, client, delayed, number, until, worker};

async fn coordinator(bus: LocalBus) -> (CoordinatorDriver<LocalBus>, CoordinatorHandle) {
    CoordinatorDriver::new(bus, Clock::new(), Config::default(), DriverSettings::named("c1", Inbox::of("s1"), 1))
        .await
        .expect("the bus subscribes")
}

fn query() -> Query {
    Query::new("q").expect("a query")
}

#[tokio::test]
async fn readers_take_no_place_in_the_queue_of_requests() {
    let (_driver, handle) = coordinator(LocalBus::new()).await;
    let mut reads = Vec::new();
    for _ in 0..2 * Config::default().max_in_flight {
        let handle = handle.clone();
        let mut read = Box::pin(async move { handle.snapshot().await.map(drop) });
        assert_eq!(read.as_mut().now_or_never(), None, "the driver does not run");
        reads.push(read);
    }
    let mut question = pin!(handle.ask(None, query(), Overrides::default()));
    let asked = question.as_mut().now_or_never();
    assert!(asked.is_none(), "it waits for its answer, but received {asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_of_requests_does_not_hide_the_coordinator() {
    let (driver, handle) = coordinator(LocalBus::new()).await;
    let mut questions = Vec::new();
    let refused = loop {
        let handle = handle.clone();
        let mut question = Box::pin(async move { handle.ask(None, query(), Overrides::default()).await });
        match question.as_mut().now_or_never() {
            None => questions.push(question),
            Some(answer) => break answer.expect_err("nobody answers"),
        }
    };
    assert_eq!(refused, AskError::Busy);
    let mut status = pin!(handle.readiness());
    assert!(status.as_mut().now_or_never().is_none(), "the driver does not run yet");
    tokio::spawn(driver.run());
    let status = status.await.expect("it runs now");
    assert!(!status.draining);
    assert!(handle.snapshot().await.expect("it runs").refused_busy >= 1);
}

#[tokio::test(start_paused = true)]
async fn however_many_read_few_snapshots_are_made_and_none_is_old() {
    let bus = LocalBus::new();
    let (driver, handle) = coordinator(bus.connection()).await;
    tokio::spawn(driver.run());
    let mut snapshots = Vec::new();
    for _ in 0..1000 {
        let snapshot = handle.snapshot().await.expect("it runs");
        if snapshots.last().is_none_or(|last| !Arc::ptr_eq(last, &snapshot)) {
            snapshots.push(snapshot);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert!((4..=5).contains(&snapshots.len()), "{} in a second", snapshots.len());
    // A request that nobody can answer has ended. Its count is seen a quarter of a second later at most.
    let _ = handle.ask(None, query(), Overrides::default()).await;
    tokio::time::advance(Duration::from_millis(250)).await;
    assert_eq!(handle.snapshot().await.expect("it runs").counters.requests_accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_does_not_move_is_noticed_and_so_is_one_that_is_gone() {
    let (driver, handle) = coordinator(LocalBus::new()).await;
    assert_eq!(handle.readiness().await.expect_err("it does not run"), SnapshotError::Stuck);
    assert_eq!(handle.snapshot().await.expect_err("it does not run"), SnapshotError::Stuck);
    let running = tokio::spawn(driver.run());
    assert_eq!(handle.readiness().await.expect("it runs").live_workers, 0);
    running.abort();
    assert!(running.await.expect_err("it was ended").is_cancelled());
    assert_eq!(handle.readiness().await.expect_err("it is gone"), SnapshotError::Stopped);
    assert_eq!(handle.snapshot().await.expect_err("it is gone"), SnapshotError::Stopped);
}

#[tokio::test]
async fn nothing_is_kept_of_a_caller_who_goes_away_or_is_answered() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "slow", delayed("1", Duration::from_mins(1))).await;
    let (driver, handle) = coordinator(bus.connection()).await;
    tokio::spawn(driver.with_snapshot_every(Duration::ZERO).run());
    let sizes = async || {
        let snapshot = handle.snapshot().await.expect("it runs");
        (snapshot.callers_waiting, snapshot.trails_followed)
    };
    let context = |n: u8| {
        let (trace, span) = (TraceId::new([1; 16]), SpanId::new([n; 8]));
        TraceContext::new(trace.expect("not zero"), span.expect("not zero"), true)
    };
    let ask = |n: u8, timeout: Duration| {
        let (handle, overrides) = (handle.clone(), Overrides { timeout: Some(timeout), ..Overrides::default() });
        tokio::spawn(async move { drop(handle.ask_within(Some(context(n)), true, None, query(), overrides).await) })
    };
    let callers = [ask(1, Duration::from_secs(30)), ask(2, Duration::from_secs(30))];
    until("both callers to wait", async || sizes().await == (2, 2)).await;
    for caller in callers {
        caller.abort();
    }
    until("the driver to forget both callers", async || sizes().await == (0, 0)).await;
    ask(3, Duration::from_millis(50)).await.expect("it is answered");
    assert_eq!(sizes().await, (0, 0));
}

#[tokio::test]
async fn a_snapshot_is_shared_for_a_while_and_then_another_is_made() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let setup = Setup { snapshot_every: Duration::from_millis(250), ..Setup::default() };
    let coordinator = TestCoordinator::start_with(bus.connection(), setup).await;
    coordinator.wait_for_live(1).await;
    for accepted in 1..=3 {
        coordinator.answer("q").await;
        until("the request to be counted", async || coordinator.counter("requests_accepted").await == accepted).await;
        until("the metrics to show it", async || {
            let sample = r#"quorate_requests_submitted_total{admission="accepted"}"#;
            coordinator.metrics().await.value(sample) == Some(accepted as f64)
        })
        .await;
    }
    let setup = Setup { snapshot_every: Duration::from_hours(1), ..Setup::default() };
    let coordinator = TestCoordinator::start_with(bus.connection(), setup).await;
    let before = coordinator.get("/workers").await;
    coordinator.ask(json!({"query": "q", "timeout_ms": 50})).await;
    assert_eq!(coordinator.get("/workers").await, before, "it is not an hour old");
}

#[tokio::test]
async fn reads_have_an_allowance_of_their_own_and_probes_are_never_refused() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let setup = Setup { read_limit: Some((1, 4)), trusted_proxies, ..Setup::default() };
    let coordinator = TestCoordinator::start_with(bus.connection(), setup).await;
    until("a worker", async || coordinator.get("/ready").await.0 == 200).await;
    let client = client();
    let get = async |path: &str, forwarded: &str| {
        let request = client.get(coordinator.url(path)).header("x-forwarded-for", forwarded.to_owned());
        let response = request.send().await.expect("an answer");
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
        (response.status().as_u16(), retry_after, response.text().await.expect("a body"))
    };
    for (path, status) in [("/workers", 200), ("/metrics", 200), ("/", 200), ("/nowhere", 404)] {
        assert_eq!(get(path, "192.0.2.1").await.0, status, "{path}");
    }
    for path in ["/workers", "/metrics", "/", "/nowhere", "/events", "/openapi.json", "/request"] {
        let (status, retry_after, body) = get(path, "192.0.2.1").await;
        assert_eq!((status, retry_after.as_deref()), (429, Some("1")), "{path}: {body}");
        assert!(body.contains(r#""error":"rate_limited""#), "{body}");
    }
    assert_eq!(get("/workers", "192.0.2.2").await.0, 200, "another client has its own allowance");
    for _ in 0..20 {
        assert_eq!((get("/health", "192.0.2.1").await.0, get("/ready", "192.0.2.1").await.0), (200, 200));
        coordinator.answer("q").await;
    }
    let (_, _, metrics) = get("/metrics", "192.0.2.3").await;
    assert!(metrics.contains("quorate_read_limiter_checks_total{result=\"refused\"} 7\n"), "{metrics}");
}
