//! The load generator against servers that answer, refuse, hang, and drop connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use quorate_cli::load::{self, End, Plan};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server;

fn plan(url: Url, requests: u64) -> Plan {
    Plan {
        url,
        query: "BTC/USD".to_owned(),
        connections: 4,
        end: End::Requests(requests),
        warmup: Duration::ZERO,
        timeout: Duration::from_secs(10),
    }
}

/// Answers every request, but drops the first connection that sends one instead of answering it.
async fn drop_once(listener: TcpListener, connections: Arc<AtomicU64>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        tokio::spawn(answer(stream, connections.clone()));
    }
}

async fn answer(mut stream: TcpStream, connections: Arc<AtomicU64>) {
    let mut buffer = [0; 4096];
    let mut first = None;
    loop {
        let Ok(1..) = stream.read(&mut buffer).await else { return };
        // The connection that only checks whether something listens sends nothing and is not counted.
        let first = *first.get_or_insert_with(|| connections.fetch_add(1, Ordering::Relaxed) == 0);
        if first && connections.load(Ordering::Relaxed) < 100 {
            connections.fetch_add(100, Ordering::Relaxed);
            return;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    }
}

#[tokio::test]
async fn a_count_is_asked_exactly_and_without_request_ids() {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = asked.clone();
    let handler = move |body: String| async move {
        assert_eq!(body, r#"{"query":"BTC/USD"}"#);
        counted.fetch_add(1, Ordering::Relaxed);
        server::outcome("BTC/USD", "1")
    };
    let url = server::serve(Router::new().route("/request", post(handler))).await;
    let report = load::run(&plan(url, 100)).await.expect("a report");
    assert_eq!((report.requests, report.ok, asked.load(Ordering::Relaxed)), (100, 100, 100));
    assert!(report.errors.is_empty() && report.seconds > 0.0 && report.requests_per_second > 0.0);
    let latency = report.latency_us.expect("there were answers");
    assert!(latency.p50 <= latency.p90 && latency.p99 <= latency.p99_9 && latency.p50 <= latency.max);
}

#[tokio::test]
async fn refusals_are_counted_by_their_code() {
    let asked = AtomicU64::new(0);
    let asked = Arc::new(asked);
    let handler = move || async move {
        match asked.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => (StatusCode::OK, "{}"),
            _ => (StatusCode::TOO_MANY_REQUESTS, "{}"),
        }
    };
    let url = server::serve(Router::new().route("/request", post(handler))).await;
    let report = load::run(&plan(url, 40)).await.expect("a report");
    assert_eq!((report.requests, report.ok), (40, 20));
    assert_eq!(report.errors, BTreeMap::from([("429".to_owned(), 20)]));
}

#[tokio::test]
async fn a_dropped_connection_is_one_error_and_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = server::url(&listener);
    tokio::spawn(drop_once(listener, Arc::default()));
    let report = load::run(&plan(url, 50)).await.expect("a report");
    assert_eq!((report.requests, report.ok), (50, 49));
    assert_eq!(report.errors, BTreeMap::from([("io".to_owned(), 1)]));
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout() {
    let hang = || std::future::pending::<&'static str>();
    let url = server::serve(Router::new().route("/request", post(hang))).await;
    let plan = Plan { timeout: Duration::from_millis(20), connections: 1, ..plan(url, 2) };
    let report = load::run(&plan).await.expect("a report");
    assert_eq!((report.requests, report.ok, report.latency_us), (2, 0, None));
    assert_eq!(report.errors, BTreeMap::from([("timeout".to_owned(), 2)]));
}

#[tokio::test]
async fn a_time_ends_the_measurement_after_its_warm_up() {
    let url = server::serve(Router::new().route("/request", post(|| async { "{}" }))).await;
    let (warmup, end) = (Duration::from_millis(50), End::After(Duration::from_millis(500)));
    let report = load::run(&Plan { warmup, end, ..plan(url, 0) }).await.expect("a report");
    assert!(report.ok > 0 && report.ok == report.requests, "{report:?}");
    assert!(report.seconds > 0.0 && report.seconds < 10.0, "{report:?}");
}

#[tokio::test]
async fn where_nothing_listens_there_is_no_measurement() {
    let error = load::run(&plan(server::nowhere().await, 5)).await.expect_err("nothing listens");
    assert!(error.to_string().ends_with("connection refused"), "{error:#}");
}

#[test]
fn the_report_in_json_has_its_fixed_fields() {
    let report = load::Report {
        requests: 3,
        ok: 2,
        errors: BTreeMap::from([("429".to_owned(), 1)]),
        seconds: 0.500_000_4,
        requests_per_second: 4.0,
        latency_us: Some(load::Latency { p50: 850, p90: 1_200, p99: 2_000, p99_9: 15_000, max: 12_000_000 }),
        histogram: vec![(850, 2)],
    };
    let expected = concat!(
        r#"{"requests":3,"ok":2,"errors":{"429":1},"elapsed_ms":500.0,"seconds":0.5000004,"requests_per_second":4.0,"#,
        r#""latency_ms":{"p50":0.85,"p90":1.2,"p99":2.0,"p99_9":15.0,"max":12000.0},"#,
        r#""latency_us":{"p50":850,"p90":1200,"p99":2000,"p99_9":15000,"max":12000000}}"#
    );
    assert_eq!(serde_json::to_string(&report).expect("JSON"), expected);
    let nothing = serde_json::to_value(load::Report::default()).expect("JSON");
    assert!(nothing["latency_ms"].is_null() && nothing["latency_us"].is_null(), "{nothing}");
}
