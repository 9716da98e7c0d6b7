//! Bad input and hostile clients: the right error, nothing lost, nothing stuck.

use std::time::Duration;

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::{Bus as _, Subscription as _};
use quorate_runtime::http::ServeLimits;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Setup, TestCoordinator, client, number, until, worker};

/// Sends bytes as they are, and reads until the server closes the connection.
async fn raw(coordinator: &TestCoordinator, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(coordinator.address).await.expect("a connection");
    // The server may respond and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
    assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    String::from_utf8(answer).expect("answers are UTF-8")
}

fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /request HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

#[tokio::test]
async fn bad_requests_get_the_right_error_as_json() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let json_type = "application/json";
    let megabyte = format!(r#"{{"query":"{}"}}"#, "q".repeat(1 << 20));
    let long = format!(r#"{{"query":"{}"}}"#, "q".repeat(257));
    let nested = format!(r#"{{"query":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let nested_aside = format!(r#"{{"query":"q","more":{}1{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let cases: &[(&str, &[u8], u16, &str, &str)] = &[
        (json_type, b"", 400, "invalid_request", "the body is empty"),
        (json_type, b"{", 400, "invalid_request", "EOF"),
        (json_type, b"[]", 400, "invalid_request", ""),
        (json_type, b"null", 400, "invalid_request", ""),
        (json_type, b"{}", 400, "invalid_request", "missing field `query`"),
        (json_type, br#"{"query":5}"#, 400, "invalid_request", "invalid type"),
        (json_type, br#"{"query":""}"#, 400, "invalid_request", "query must not be empty"),
        (json_type, br#"{"query":"a\u0000b"}"#, 400, "invalid_request", "control characters"),
        (json_type, b"{\"query\":\"\xff\xfe\"}", 400, "invalid_request", ""),
        (json_type, br#"{"query":"q","query":"r"}"#, 400, "invalid_request", "duplicate field"),
        (json_type, br#"{"query":"q"} x"#, 400, "invalid_request", "trailing"),
        (json_type, nested.as_bytes(), 400, "invalid_request", ""),
        (json_type, nested_aside.as_bytes(), 400, "invalid_request", r#"unknown field "more""#),
        (json_type, long.as_bytes(), 400, "invalid_request", "at most 256 characters"),
        (json_type, megabyte.as_bytes(), 413, "payload_too_large", "16384 bytes"),
        (json_type, br#"{"query":"q","strategy":"mode"}"#, 400, "invalid_request", "average, median, majority"),
        (json_type, br#"{"query":"q","timeout_ms":-5}"#, 400, "invalid_request", "timeout_ms must be a whole number"),
        (json_type, br#"{"query":"q","timeout_ms":0}"#, 400, "invalid_request", "timeout_ms must be between"),
        (json_type, br#"{"query":"q","timeout_ms":60001}"#, 400, "invalid_request", "timeout_ms must be between"),
        (json_type, br#"{"query":"q","timeout_ms":1e99}"#, 400, "invalid_request", ""),
        (json_type, br#"{"query":"q","quorum":0}"#, 400, "invalid_request", "quorum must be between"),
        (json_type, br#"{"query":"q","min_responses":0}"#, 400, "invalid_request", "min_responses must be between"),
        (json_type, br#"{"query":"q","precision":29}"#, 400, "invalid_request", "precision must be between"),
        (json_type, br#"{"query":"q","max_deviation":"x"}"#, 400, "invalid_request", "max_deviation"),
        (json_type, br#"{"query":"q","max_deviation":-1}"#, 400, "invalid_request", "max_deviation"),
        (json_type, br#"{"query":"q","max_deviation":"sd:3"}"#, 400, "invalid_request", "mad:K or iqr:K"),
        (json_type, br#"{"query":"q","max_deviation":"mad:-1"}"#, 400, "invalid_request", "mad:K or iqr:K"),
        (json_type, br#"{"query":"q","max_deviation":[1]}"#, 400, "invalid_request", "max_deviation must be"),
        (json_type, br#"{"query":"q","trim_share":0.5}"#, 400, "invalid_request", "trim_share must be"),
        (json_type, br#"{"query":"q","trim_share":0.0000001}"#, 400, "invalid_request", "at most 6 decimals"),
        (json_type, br#"{"query":"q","tolerance":"1%"}"#, 400, "invalid_request", "tolerance must be a decimal"),
        (json_type, br#"{"query":"q","tolerance":-0.01}"#, 400, "invalid_request", "tolerance must not be negative"),
        (json_type, br#"{"query":"q","min_agreement":1.1}"#, 400, "invalid_request", "min_agreement must be between"),
        (json_type, br#"{"query":"q","min_agreement":true}"#, 400, "invalid_request", "min_agreement must be between"),
        (json_type, br#"{"query":"q","max_age_ms":-1}"#, 400, "invalid_request", "max_age_ms must be a whole number"),
        (json_type, br#"{"query":"q","max_age_ms":"1s"}"#, 400, "invalid_request", "max_age_ms must be a whole number"),
        (json_type, br#"{"query":"q","on_dispute":"shrug"}"#, 400, "invalid_request", "answer or reject"),
        (json_type, br#"{"query":"q","id":""}"#, 400, "invalid_request", "id must not be empty"),
        ("text/plain", br#"{"query":"q"}"#, 415, "unsupported_media_type", "application/json"),
        ("", br#"{"query":"q"}"#, 415, "unsupported_media_type", "application/json"),
    ];
    for (content_type, body, code, error, details) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let answer = raw(&coordinator, &post(content_type, body)).await;
        let (head, json) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{shown}: {answer:?}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {code} ")), "{shown}: {head}");
        assert!(head.to_lowercase().contains("content-type: application/json"), "{shown}: {head}");
        let json: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|_| panic!("{shown}: {json}"));
        assert_eq!((&json["code"], &json["error"]), (&json!(code), &json!(error)), "{shown}: {json}");
        assert!(json["details"].as_str().is_some_and(|text| text.contains(details)), "{shown}: {json}");
    }
    let (status, body) = coordinator.get("/nothing").await;
    assert_eq!((status, &body["error"]), (404, &json!("not_found")));
    let (status, body) = coordinator.get("/request").await;
    assert_eq!((status, &body["error"]), (405, &json!("method_not_allowed")));
    // None of it reached a worker, and a valid request is still answered.
    assert_eq!(coordinator.counter("requests_accepted").await, 0);
    coordinator.answer("BTC/USD").await;
    let charset = post("Application/JSON; charset=utf-8", br#"{"query":"q","quorum":null}"#);
    assert!(raw(&coordinator, &charset).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn garbage_that_is_no_http_is_refused() {
    let coordinator = TestCoordinator::start(LocalBus::new()).await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"GET\r\n\r\n", &vec![b'A'; 100_000], b"\0\0\0\0\r\n\r\n"]
    {
        let answer = raw(&coordinator, garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:.80}");
    }
    assert_eq!(coordinator.get("/health").await.0, 200);
}

#[tokio::test]
async fn a_chunked_body_without_end_is_cut_off() {
    let coordinator = TestCoordinator::start(LocalBus::new()).await;
    let mut request =
        b"POST /request HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..64 {
        request.extend_from_slice(b"400\r\n");
        request.extend_from_slice(&[b' '; 0x400]);
        request.extend_from_slice(b"\r\n");
    }
    let answer = raw(&coordinator, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer:.80}");
}

#[tokio::test]
async fn a_head_that_never_ends_and_too_many_connections_do_not_hold_the_server_up() {
    let limits = ServeLimits { max_connections: 4, head_timeout: Duration::from_millis(200), ..ServeLimits::default() };
    let coordinator = TestCoordinator::start_with(LocalBus::new(), Setup { limits, ..Setup::default() }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(coordinator.address).await.expect("a connection");
        stream.write_all(b"POST /request HTTP/1.1\r\nhost:").await.expect("written");
        held.push(stream);
    }
    // All places are taken. They are released when the heads have not arrived in time.
    until("a place", async || is_healthy(&coordinator).await).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_gives_its_place_back() {
    let limits =
        ServeLimits { max_connections: 1, write_timeout: Duration::from_millis(200), ..ServeLimits::default() };
    let coordinator = TestCoordinator::start_with(LocalBus::new(), Setup { limits, ..Setup::default() }).await;
    let mut deaf = TcpStream::connect(coordinator.address).await.expect("a connection");
    let requests = "GET /workers HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    // Requests are sent until no more are taken: the server is stuck on responses that are not read.
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(500), deaf.write_all(requests.as_bytes())).await
    {
        if written.is_err() {
            break;
        }
    }
    until("a place", async || is_healthy(&coordinator).await).await;
}

/// Whether there is a place for another client.
async fn is_healthy(coordinator: &TestCoordinator) -> bool {
    client().get(coordinator.url("/health")).send().await.is_ok_and(|response| response.status() == 200)
}

#[tokio::test]
async fn a_client_is_held_to_its_rate_and_told_when_to_retry() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let setup = Setup { rate_limit: Some((1, 3)), trusted_proxies, ..Setup::default() };
    let coordinator = TestCoordinator::start_with(bus.connection(), setup).await;
    coordinator.wait_for_live(1).await;
    let client = client();
    let ask = async |forwarded: &str| {
        let request = client.post(coordinator.url("/request")).header("content-type", "application/json");
        let request = request.header("x-forwarded-for", forwarded.to_owned()).body(r#"{"query":"q"}"#);
        let response = request.send().await.expect("an answer");
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
        (response.status().as_u16(), retry_after)
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1").await.0, 200);
    }
    assert_eq!(ask("192.0.2.1").await, (429, Some("1".to_owned())));
    assert_eq!(ask("192.0.2.2").await.0, 200, "another client behind the same proxy has its own allowance");
    for _ in 0..20 {
        assert_eq!(coordinator.get("/health").await.0, 200, "only questions are limited");
    }
}

#[tokio::test]
async fn garbage_on_the_bus_is_counted_and_changes_nothing() {
    let bus = LocalBus::new();
    let _worker = worker(bus.connection(), "a", number("1")).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    let stranger = bus.connection();
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let huge = vec![b'x'; 1 << 20];
    let bodies: [&[u8]; 6] = [b"", b"\xff\xff", b"{}", b"null", nested.as_bytes(), &huge];
    for subject in ["oracle.results", "oracle.workers", "oracle.tasks"] {
        for body in bodies {
            stranger.publish(subject, None, body.to_vec().into()).expect("the bus takes it");
        }
    }
    let unknown = json!({"worker_id": "x", "request_id": "never asked", "value": 1, "response_time": 1});
    stranger.publish("oracle.results", None, unknown.to_string().into()).expect("the bus takes it");
    until("all of it to be counted", async || {
        coordinator.counter("messages_malformed").await == 12 && coordinator.counter("results_unknown").await == 1
    })
    .await;
    assert_eq!(coordinator.answer("BTC/USD").await["succeeded"], 1);
    let (_, body) = coordinator.get("/workers").await;
    assert_eq!(body["workers"].as_array().map(Vec::len), Some(1), "a stranger does not become a worker: {body}");
}

#[tokio::test]
async fn a_second_different_answer_is_not_used_and_counts_against_its_worker() {
    let bus = LocalBus::new();
    let liar = bus.connection();
    let mut tasks = liar.subscribe("oracle.tasks", None).await.expect("a subscription");
    let _worker = worker(bus.connection(), "honest", crate::support::delayed("1", Duration::from_millis(100))).await;
    let coordinator = TestCoordinator::with_workers(bus.connection(), 1).await;
    tokio::spawn(async move {
        while let Some(task) = tasks.recv().await {
            let json: serde_json::Value = serde_json::from_slice(&task.payload).expect("JSON");
            for value in [10, 10, 99] {
                let result = json!({"worker_id": "liar", "request_id": json["id"], "value": value, "response_time": 1});
                let reply = task.reply.as_deref().expect("a reply subject");
                liar.publish(reply, None, result.to_string().into()).expect("connected");
            }
        }
    });
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!(body["worker_responses"].as_array().map(Vec::len), Some(2), "{body}");
    assert_eq!(body["worker_responses"][1]["value"], 10);
    assert_eq!(coordinator.counter("results_duplicate").await, 1);
    assert_eq!(coordinator.counter("results_equivocal").await, 1);
}
