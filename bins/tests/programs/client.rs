//! The client against servers that answer correctly, wrongly, or not at all.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use quorate_cli::api::{Ask, Scalar};
use quorate_cli::client::{Client, ClientError};
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::server;

fn ask(query: &str) -> Ask {
    Ask { query: query.to_owned(), ..Ask::default() }
}

async fn error(url: Url) -> ClientError {
    Client::new(url).expect("a client").ask(&ask("q")).await.expect_err("no answer")
}

#[tokio::test]
async fn a_question_is_sent_with_its_policy_and_the_answer_keeps_its_digits() {
    let value = "12345678901234567890.12345678900";
    let echo = |body: String| async move {
        let sent = serde_json::from_str::<serde_json::Value>(&body).expect("JSON").to_string();
        assert!(body.contains(r#""tolerance":0.050"#), "{body}");
        server::outcome(&sent.replace('"', "'"), "12345678901234567890.12345678900")
    };
    let url = server::serve(Router::new().route("/request", post(echo))).await;
    let fraction = "0.050".parse().expect("a decimal");
    let ask = Ask {
        id: Some("r1".to_owned()),
        strategy: Some("median"),
        max_deviation: Some("mad:3".to_owned()),
        tolerance: Some(Scalar::number(fraction)),
        timeout_ms: Some(500),
        ..ask("BTC/USD")
    };
    let received = Client::new(url).expect("a client").ask(&ask).await.expect("an answer");
    assert_eq!(
        received.body.query,
        "{'id':'r1','max_deviation':'mad:3','query':'BTC/USD','strategy':'median','timeout_ms':500,'tolerance':0.05}"
    );
    assert_eq!(received.body.final_value.to_string(), value);
    assert_eq!(received.body.evidence.worker_responses[0].value.as_ref().expect("a value").to_string(), value);
    assert!(received.json.contains(value));
}

#[tokio::test]
async fn an_error_of_the_coordinator_keeps_its_evidence() {
    let body = r#"{"error":"not enough responses","code":422,"details":"1 of 2 are usable","expected":3,
        "missing":["w3"],"worker_responses":[{"worker_id":"w1","value":1.50,"response_time":5}]}"#;
    let url = server::serve(
        Router::new().route("/request", post(move || async move { (StatusCode::UNPROCESSABLE_ENTITY, body) })),
    );
    let ClientError::Refused(refusal) = error(url.await).await else { panic!("refused") };
    assert_eq!(refusal.headline(), "the coordinator answered 422 Unprocessable Entity: 1 of 2 are usable");
    assert_eq!(refusal.answer.body.evidence.missing, ["w3"]);
    assert_eq!(refusal.answer.body.evidence.worker_responses.len(), 1);
}

#[tokio::test]
async fn a_refusal_by_rate_says_when_to_ask_again() {
    let refuse =
        || async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], r#"{"error":"rate limited","code":429}"#) };
    let url = server::serve(Router::new().route("/request", post(refuse))).await;
    let told = error(url).await.to_string();
    assert_eq!(told, "the coordinator answered 429 Too Many Requests: rate limited; ask again in 7 s");
}

#[tokio::test]
async fn a_query_that_nobody_offers_is_refused_with_where_to_look() {
    let body =
        r#"{"error":"unknown_query","code":404,"details":"no worker offers q; did you mean p? see GET /queries"}"#;
    let refuse = move || async move { (StatusCode::NOT_FOUND, body) };
    let url = server::serve(Router::new().route("/request", post(refuse))).await;
    let error = error(url).await;
    assert!(!error.is_lasting(), "a worker that offers it may come");
    let told = error.to_string();
    let expected = "the coordinator answered 404 Not Found: no worker offers q; did you mean p? see GET /queries; see what \
                    is offered with: quorate queries";
    assert_eq!(told, expected);
}

#[tokio::test]
async fn queries_are_listed() {
    let body = r#"{"queries":[{"query":"BTC/*","workers":3},{"query":"block/latest","workers":7}]}"#;
    let url = server::serve(Router::new().route("/queries", get(move || async move { body }))).await;
    let received = Client::new(url).expect("a client").queries().await.expect("an answer");
    let offered: Vec<_> = received.body.queries.iter().map(|it| (it.query.as_str(), it.workers)).collect();
    assert_eq!(offered, [("BTC/*", 3), ("block/latest", 7)]);
}

#[tokio::test]
async fn workers_are_listed() {
    let body = r#"{"workers":[{"worker_id":"w1","state":"live","score":0.980000}],"counters":{"cancelled":1}}"#;
    let url = server::serve(Router::new().route("/workers", get(move || async move { body }))).await;
    let received = Client::new(url).expect("a client").workers().await.expect("an answer");
    assert_eq!(received.body.workers[0].score.to_string(), "0.980000");
    assert_eq!(received.body.counters["cancelled"], 1);
}

#[tokio::test]
async fn another_server_is_told_from_a_coordinator() {
    for (status, body) in [(StatusCode::OK, "<html>"), (StatusCode::NOT_FOUND, "not here"), (StatusCode::FOUND, "")] {
        let url = server::serve(Router::new().route("/request", post(move || async move { (status, body) }))).await;
        let error = error(url).await;
        assert!(matches!(error, ClientError::Foreign { .. }), "{error}");
        assert!(error.to_string().ends_with("check the address given with --url"), "{error}");
    }
}

#[tokio::test]
async fn where_nothing_listens_it_says_how_to_start_a_coordinator() {
    let url = server::nowhere().await;
    let expected =
        format!("cannot reach {url}: connection refused; is the coordinator running? start one with: quorate dev");
    assert_eq!(error(url).await.to_string(), expected);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = server::url(&listener);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"request_id\"").await;
    });
    let error = error(url).await;
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}
