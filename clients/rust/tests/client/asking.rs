//! Questions, lists, and everything that can come instead of an answer.

use std::time::Duration;

use quorate_client::{Ask, Client, Error, Status, Value};

use super::server::{Act, Server, answer, nowhere};

const OUTCOME: &str = r#"{"request_id":"r1","query":"BTC/USD","final_value":1234567890.123456789012345600,
    "strategy":"median","status":"complete","agreement":0.980000,"elapsed":2000000,"expected":1,"succeeded":1,
    "spread":{"min":1.50,"max":2.50,"interquartile":0,"mad":0},"exact_value":1.230,"later":[1],
    "answered_at":"2026-11-29T20:20:46.123Z","oldest_observed_at":"2026-11-29T20:20:45Z","newest_observed_at":"soon",
    "worker_responses":[{"worker_id":"w1","value":1234567890.123456789012345600,"response_time":1000000},
    {"worker_id":"w2","value":null,"err":"down","response_time":5},{"worker_id":"w3","value":"ok","response_time":5}]}"#;

async fn error(url: &str) -> Error {
    Client::new(url).expect("a client").ask("q").await.expect_err("no answer")
}

/// The error that follows from an answer.
async fn error_for(act: Act) -> Error {
    error(&Server::start([act]).await.url).await
}

#[tokio::test]
async fn a_question_is_sent_with_its_policy_and_the_answer_keeps_its_digits() {
    let server = Server::start([answer("200 OK", "", OUTCOME)]).await;
    let ask = Ask {
        id: Some("r1".to_owned()),
        strategy: Some("median".to_owned()),
        max_deviation: Some("mad:3".to_owned()),
        tolerance: Some("0.050".parse().expect("a decimal")),
        timeout_ms: Some(500),
        ..Ask::new("BTC/USD")
    };
    let answer = Client::new(&server.url).expect("a client").ask(ask).await.expect("an answer");
    let sent = server.requests().remove(0);
    let body = r#"{"query":"BTC/USD","id":"r1","strategy":"median","timeout_ms":500,"max_deviation":"mad:3","tolerance":0.050}"#;
    assert!(sent.starts_with("POST /request HTTP/1.1\r\n") && sent.ends_with(body), "{sent}");

    let value = "1234567890.123456789012345600";
    assert_eq!((answer.final_value.to_string().as_str(), answer.status), (value, Status::Complete));
    assert_eq!(answer.json, OUTCOME);
    let values: Vec<_> = answer.evidence.worker_responses.iter().map(|response| response.value.clone()).collect();
    assert_eq!(values, [Some(answer.final_value.clone()), None, Some(Value::Text("ok".to_owned()))]);
    let decimals = [answer.agreement.expect("it has one"), answer.spread.as_ref().expect("it has one").min];
    assert_eq!(decimals.map(|decimal| decimal.to_string()), ["0.980000", "1.50"]);
    assert_eq!(answer.exact_value.as_ref().map(ToString::to_string).as_deref(), Some("1.230"));
    let seconds = |time: Option<time::OffsetDateTime>| time.map(time::OffsetDateTime::unix_timestamp);
    let evidence = &answer.evidence;
    assert_eq!(
        seconds(evidence.answered_at).zip(seconds(evidence.oldest_observed_at)),
        Some((1_795_983_646, 1_795_983_645))
    );
    assert_eq!(evidence.newest_observed_at, None, "a time in another form is not known");
}

#[tokio::test]
async fn a_request_is_left_and_its_outcome_is_awaited() {
    let open = || answer("202 Accepted", "", r#"{"id":"r/1","state":"open","later":1}"#);
    let server = Server::start([open(), open(), open(), answer("200 OK", "", OUTCOME)]).await;
    let client = Client::new(&server.url).expect("a client");
    let left = client.submit(Ask { id: Some("r/1".to_owned()), ..Ask::new("BTC/USD") }).await.expect("it is accepted");
    assert_eq!((left.id.as_str(), left.state.as_str()), ("r/1", "open"));
    assert!(client.result("r/1", Duration::ZERO).await.expect("it is open").is_none());
    let outcome = client.result("r/1", Duration::MAX).await.expect("an outcome").expect("it has ended");
    assert_eq!((outcome.query.as_str(), outcome.json.as_str()), ("BTC/USD", OUTCOME));
    let heads: Vec<_> =
        server.requests().iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect();
    let wait = "GET /requests/r%2F1?wait_ms=30000 HTTP/1.1";
    assert_eq!(heads, ["POST /requests HTTP/1.1", "GET /requests/r%2F1?wait_ms=0 HTTP/1.1", wait, wait]);
}

#[tokio::test]
async fn a_request_that_ended_with_an_error_is_that_error() {
    let json = r#"{"error":"disputed","code":409,"details":"no","request_id":"r","query":"q"}"#;
    let missing = r#"{"error":"not_found","code":404,"details":"no such request"}"#;
    let acts = [answer("200 OK", "", json), answer("404 Not Found", "", missing), answer("200 OK", "", "{}")];
    let server = Server::start(acts).await;
    let client = Client::new(&server.url).expect("a client");
    for (status, word) in [(409, "disputed"), (404, "not_found")] {
        let error = client.result("r", Duration::ZERO).await.expect_err("an error");
        assert_eq!((error.refusal().map(|refusal| refusal.status.as_u16()), error.word()), (Some(status), word));
    }
    let error = client.result("r", Duration::ZERO).await.expect_err("no outcome");
    assert_eq!(error.word(), "foreign");
}

#[tokio::test]
async fn numbers_may_come_as_texts() {
    let json =
        r#"{"request_id":"r","query":"q","final_value":"42000.50","agreement":"0.5","spread":{"min":"1","max":"2"}}"#;
    let server = Server::start([answer("200 OK", "", json)]).await;
    let answer = Client::new(&server.url).expect("a client").ask("q").await.expect("an answer");
    assert_eq!(answer.final_value.number().map(|number| number.to_string()).as_deref(), Some("42000.50"));
    assert_eq!(answer.spread.as_ref().map(|spread| spread.max.to_string()).as_deref(), Some("2"));
}

#[tokio::test]
async fn an_error_of_the_coordinator_keeps_its_evidence() {
    let json = r#"{"error":"not enough responses","code":422,"details":"1 of 2 are usable","request_id":"r","query":"q",
        "expected":3,"missing":["w3"],"worker_responses":[{"worker_id":"w1","value":1.50,"response_time":5}]}"#;
    let error = error_for(answer("422 Unprocessable Entity", "", json)).await;
    assert_eq!(error.to_string(), "the coordinator answered 422 Unprocessable Entity: 1 of 2 are usable");
    assert_eq!((error.word(), error.is_lasting()), ("not enough responses", false));
    let body = &error.refusal().expect("it is a refusal").answer;
    assert_eq!((body.query.as_deref(), &body.evidence.missing), (Some("q"), &vec!["w3".to_owned()]));
    assert_eq!(body.evidence.worker_responses.len(), 1);
}

#[tokio::test]
async fn a_refusal_says_when_to_ask_again_and_whether_that_can_help() {
    let error = error_for(answer("429 Too Many Requests", "retry-after: 7\r\n", r#"{"error":"rate_limited"}"#)).await;
    assert_eq!(error.refusal().and_then(|refusal| refusal.retry_after), Some(7));
    assert!(!error.is_lasting());

    let unknown = error_for(answer("404 Not Found", "", r#"{"error":"unknown_query"}"#)).await;
    assert!(!unknown.is_lasting(), "a worker that offers it may come");
    let wrong = error_for(answer("400 Bad Request", "", r#"{"error":"invalid_request"}"#)).await;
    assert!(wrong.is_lasting());
    let disputed = error_for(answer("409 Conflict", "", r#"{"error":"disputed"}"#)).await;
    assert!(disputed.refusal().expect("it is a refusal").is_disputed());
}

#[tokio::test]
async fn lists_are_read() {
    let queries = r#"{"queries":[{"query":"BTC/*","workers":3},{"query":"block/latest","workers":7}]}"#;
    let workers = r#"{"workers":[{"worker_id":"w1","state":"live","score":0.980000,
        "last_failure":{"text":"no route","request_id":"r1","ago_ms":7},
        "blames":[{"blame":"failure","request_id":"r1","score_before":1,"score":0.90,"ago_ms":7}]}],
        "counters":{"cancelled":1}}"#;
    let ready = r#"{"ready":true,"workers":3,"in_flight":2,"short":[{"query":"a*","missing":["w9"]}]}"#;
    let policies = r#"{"policies":[{"query":"BTC/*","strategy":"median","tolerance":0.060,"min_agreement":null}],
        "weights":{"w1":2.50}}"#;
    let acts = [queries, workers, policies, ready, r#"{"status":"healthy","nats":false}"#]
        .map(|json| answer("200 OK", "", json));
    let server = Server::start(acts).await;
    let client = Client::new(server.url.clone() + "/base/").expect("a client");
    let offered = client.queries().await.expect("queries");
    let offered: Vec<_> = offered.queries.iter().map(|it| (it.query.as_str(), it.workers)).collect();
    assert_eq!(offered, [("BTC/*", 3), ("block/latest", 7)]);
    let workers = client.workers().await.expect("workers");
    assert_eq!((workers.workers[0].score.to_string(), workers.counters["cancelled"]), ("0.980000".to_owned(), 1));
    let failure = workers.workers[0].last_failure.as_ref().expect("a failure");
    assert_eq!((failure.text.as_str(), failure.request_id.as_str(), failure.ago_ms), ("no route", "r1", 7));
    let blame = &workers.workers[0].blames[0];
    assert_eq!((blame.blame.as_str(), blame.request_id.as_str(), blame.ago_ms), ("failure", "r1", 7));
    assert_eq!([blame.score_before, blame.score].map(|score| score.to_string()), ["1", "0.90"]);
    let policies = client.policies(Some("BTC/USD")).await.expect("policies");
    let policy = &policies.policies[0];
    assert_eq!(
        (policy.tolerance.map(|tolerance| tolerance.to_string()), policy.min_agreement),
        (Some("0.060".to_owned()), None)
    );
    assert_eq!(policies.weights["w1"].to_string(), "2.50");
    assert_eq!(client.ready().await.expect("readiness").short[0].missing, ["w9"]);
    assert_eq!(client.health().await.expect("health").nats, Some(false));
    let requests = server.requests();
    let paths: Vec<_> = requests.iter().filter_map(|request| request.split(' ').nth(1)).collect();
    assert_eq!(
        paths,
        ["/base/queries", "/base/workers", "/base/policies?query=BTC%2FUSD", "/base/ready", "/base/health"]
    );
}

#[tokio::test]
async fn another_server_is_told_from_a_coordinator() {
    for (status, body) in [("200 OK", "<html>"), ("404 Not Found", "not here"), ("302 Found", "")] {
        let error = error_for(answer(status, "location: http://localhost/\r\n", body)).await;
        assert!(matches!(error, Error::Foreign { .. }) && error.is_lasting(), "{error}");
        assert!(error.to_string().contains(&format!("answered {status}, but not as a coordinator does")), "{error}");
    }
    let proxy = error_for(answer("502 Bad Gateway", "", "<html>")).await;
    assert!(matches!(proxy, Error::Foreign { .. }) && !proxy.is_lasting(), "{proxy}");
}

#[tokio::test]
async fn where_nothing_listens_nothing_answers_or_the_answer_breaks_off_there_is_an_error_of_its_own() {
    let url = nowhere().await;
    assert_eq!(error(&url).await.to_string(), format!("cannot reach {url}/: connection refused"));

    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"request_id\"";
    let error = error_for(Act::Send(cut.to_owned())).await;
    assert!(matches!(error, Error::Broken { .. }), "{error}");

    let server = Server::start([Act::SendAndHold(String::new())]).await;
    let client = Client::builder(&server.url).timeout(Duration::from_millis(50)).build().expect("a client");
    let error = client.workers().await.expect_err("no answer");
    assert!(matches!(error, Error::Timeout { .. }) && error.to_string().ends_with("within 0.05 s"), "{error}");
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let server = Server::start([answer("200 OK", "", OUTCOME)]).await;
    let client = Client::builder(&server.url).max_bytes(100).build().expect("a client");
    let error = client.ask("q").await.expect_err("it is too long");
    assert!(matches!(error, Error::Foreign { .. }) && error.to_string().contains("too long"), "{error}");
}

#[test]
fn an_address_has_a_scheme_and_a_host() {
    for address in ["localhost:8080", "ftp://host", "http://", ""] {
        let error = Client::new(address).expect_err("it is none");
        assert!(matches!(error, Error::Address { .. }), "{error}");
    }
    assert!(Client::new("https://[::1]:8080/base").is_ok());
}
