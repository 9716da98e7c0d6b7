//! The demo against coordinators whose answers the tests choose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::*;

const NOT_READY: &str = r#"{"error":"not ready","code":503}"#;

/// A coordinator that is ready from the third check on and has all workers from the fourth on. It answers its n-th
/// question, from 0, with `answer(n)`.
async fn coordinator(answer: fn(usize) -> (StatusCode, String)) -> (Url, Arc<AtomicUsize>) {
    let (looks, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (looked, counted) = (looks.clone(), asked.clone());
    let ready = move || async move {
        match looks.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, NOT_READY),
            2 => (StatusCode::OK, r#"{"ready":true,"workers":1}"#),
            _ => (StatusCode::OK, r#"{"ready":true,"workers":3}"#),
        }
    };
    let ask = move || async move {
        assert!(looked.load(Ordering::Relaxed) > 3, "it is asked before all workers are there");
        answer(counted.fetch_add(1, Ordering::Relaxed))
    };
    let router = Router::new().route("/ready", get(ready)).route("/request", post(ask));
    (serve(router).await, asked)
}

async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    Url::parse(&format!("http://{address}")).expect("a URL")
}

fn value(n: usize) -> (StatusCode, String) {
    let json = format!(
        r#"{{"request_id":"r{n}","query":"Q{n}","final_value":{n}.50,"strategy":"average","status":"complete",
        "reliability_note":"All workers responded successfully","expected":1,"succeeded":1,"elapsed":2000000,
        "worker_responses":[{{"worker_id":"w1","value":{n}.50,"response_time":1000000}}]}}"#
    );
    (StatusCode::OK, json)
}

fn shortfall(_: usize) -> (StatusCode, String) {
    let json = r#"{"error":"not enough responses","code":422,"expected":1,
        "worker_responses":[{"worker_id":"w1","value":null,"err":"simulated failure","response_time":1000000}]}"#;
    (StatusCode::UNPROCESSABLE_ENTITY, json.to_owned())
}

async fn show(url: Url) -> (anyhow::Result<()>, String) {
    show_as(url, false).await
}

async fn show_as(url: Url, json: bool) -> (anyhow::Result<()>, String) {
    let client = Client::new(&url).expect("a client");
    let mut demo =
        Demo { client, workers: 3, json, digits: Digits::Few, paint: Paint::Off, spins: false, out: Vec::new() };
    let result = demo.show(Duration::from_secs(5)).await;
    (result, String::from_utf8(demo.out).expect("text"))
}

#[tokio::test]
async fn it_waits_until_ready_and_shows_five_answers_and_a_table() {
    let (url, asked) = coordinator(value).await;
    let (result, shown) = show(url.clone()).await;
    result.expect("the demo succeeds");
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    assert!(
        shown.starts_with(&format!("Waiting until {url} is ready, at most 5 s ...\nQ0 = 0.50  (average, 2.0 ms)\n"))
    );
    let table = "\
\x20 query      answer  workers    time  note
  BTC/USD      0.50      1/1  2.0 ms  All workers responded successfully
  ETH/USD      1.50      1/1  2.0 ms  All workers responded successfully
  SOL/USD      2.50      1/1  2.0 ms  All workers responded successfully
  MATIC/USD    3.50      1/1  2.0 ms  All workers responded successfully
  BTC/USD      4.50      1/1  2.0 ms  All workers responded successfully
";
    assert!(shown.ends_with(table), "{shown}");
}

#[tokio::test]
async fn a_question_that_fails_once_is_asked_again() {
    let (url, asked) = coordinator(|n| if n == 1 { shortfall(n) } else { value(n) }).await;
    let (result, shown) = show(url).await;
    result.expect("the demo succeeds");
    assert_eq!(asked.load(Ordering::Relaxed), 6);
    assert!(shown.contains("failed: simulated failure") && shown.contains("Asking again ..."), "{shown}");
}

#[tokio::test]
async fn a_question_that_fails_twice_fails_the_demo() {
    let (url, asked) = coordinator(shortfall).await;
    let (result, shown) = show(url).await;
    let error = result.expect_err("the demo fails");
    assert!(matches!(error.downcast_ref(), Some(Error::Refused(_))), "{error:#}");
    assert!(format!("{error:#}").starts_with("no answer for BTC/USD: the coordinator answered 422"), "{error:#}");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(shown.lines().last().expect("a table").starts_with("  BTC/USD       -"), "{shown}");
}

#[tokio::test]
async fn as_json_each_answer_and_each_error_is_a_line() {
    let (url, _) = coordinator(|n| if n == 1 { shortfall(n) } else { value(n) }).await;
    let (result, shown) = show_as(url, true).await;
    result.expect("the demo succeeds");
    let lines: Vec<serde_json::Value> = shown
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let values: Vec<_> = lines.iter().map(|line| line["final_value"].to_string()).collect();
    assert_eq!(values, ["0.5", "null", "2.5", "3.5", "4.5", "5.5"]);
    assert_eq!(lines[1]["error"], "not enough responses");

    let (url, _) = coordinator(shortfall).await;
    let (result, shown) = show_as(url, true).await;
    let error = result.expect_err("the demo fails");
    assert!(error.is::<Shown>() && error.to_string().starts_with("no answer for BTC/USD: "), "{error:#}");
    assert_eq!(shown.lines().count(), 2, "{shown}");
}

#[tokio::test]
async fn a_coordinator_that_never_becomes_ready_fails_the_demo() {
    let url =
        serve(Router::new().route("/ready", get(|| async { (StatusCode::SERVICE_UNAVAILABLE, NOT_READY) }))).await;
    let client = Client::new(&url).expect("a client");
    let mut demo =
        Demo { client, workers: 3, json: false, digits: Digits::Few, paint: Paint::Off, spins: false, out: Vec::new() };
    let error = demo.show(Duration::ZERO).await.expect_err("it is never ready");
    let expected =
        "the coordinator was not ready within 0 s: the coordinator answered 503 Service Unavailable: not ready";
    assert_eq!(format!("{error:#}"), expected);
}

#[tokio::test]
async fn another_server_is_not_waited_for() {
    let error = show(serve(Router::new()).await).await.0.expect_err("not a coordinator");
    assert!(matches!(error.downcast_ref(), Some(Error::Foreign { .. })), "{error:#}");
}
