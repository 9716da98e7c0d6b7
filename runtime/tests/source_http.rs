//! The HTTP source against a local server that responds well, badly, slowly and without end.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use futures_util::{StreamExt, stream};
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_runtime::clock::Clock;
use quorate_runtime::source::{
    AgeFrom, HttpClient, HttpConfig, HttpSource, Pointer, ReadAs, Source, SourceError, SourceFile, SourceKind,
    UrlTemplate,
};
use tokio::net::TcpListener;

const LONG: Duration = Duration::from_secs(30);
const MAX_BYTES: usize = 64 * 1024;

/// Serves until the test ends; returns `http://127.0.0.1:PORT`.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the bound address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server that answers every request alike.
async fn serve_always(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> String {
    serve(Router::new().fallback(move || std::future::ready(answer()))).await
}

fn source(url: &str, pointer: &str, read_as: ReadAs) -> HttpSource {
    let config = HttpConfig {
        url: UrlTemplate::parse(url).expect("a good URL"),
        headers: HttpConfig::headers_from([("x-key", "secret")]).expect("good headers"),
        pointer: Pointer::parse(pointer).expect("a good pointer"),
        read_as,
        age: AgeFrom::Nowhere,
        timeout: LONG,
        max_bytes: MAX_BYTES,
    };
    HttpSource::new(&HttpClient::plain().expect("a client"), config, Clock::new())
}

/// What a source observes if the server answers 200 with `body`.
async fn observe(body: impl Into<Bytes>, pointer: &str, read_as: ReadAs) -> Result<Value, SourceError> {
    let body = body.into();
    let url = serve_always(move || Response::new(Body::from(body.clone()))).await;
    source(&url, pointer, read_as).observe("BTC/USD", LONG).await.map(|reading| reading.value)
}

#[tokio::test]
async fn a_value_is_found_and_keeps_every_digit() {
    for (body, pointer, value) in [
        (r#"{"price":"42000.50"}"#, "/price", "42000.50"),
        (r#"{"price":42000.50}"#, "/price", "42000.50"),
        (r#"{"price":42000.123456789012345678}"#, "/price", "42000.123456789012345678"),
        (r#"{"data":{"amount":"0.00000001","x":[1]}}"#, "/data/amount", "0.00000001"),
        (r#"[[1,2],[3,"4.5"]]"#, "/1/1", "4.5"),
        ("-7", "", "-7"),
        (" \n 7922816251426433759354395033 ", "", "7922816251426433759354395033"),
    ] {
        let observed = observe(body, pointer, ReadAs::Number).await;
        assert_eq!(
            observed.map(|value| (matches!(value, Value::Number(_)), value.to_string())),
            Ok((true, value.to_owned())),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_text_stays_the_text_it_is() {
    for (body, text) in [(r#""0x00ff""#, "0x00ff"), (r#""007""#, "007"), ("1.50", "1.50"), (r#""\u00e9""#, "é")] {
        assert_eq!(observe(body, "", ReadAs::Text).await, Ok(Value::Text(text.into())), "{body}");
    }
}

#[tokio::test]
async fn an_invalid_value_is_a_short_error_that_says_why() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let long = format!("\"{}\"", "x".repeat(60_000));
    let cases: [(&[u8], &str, &str); 13] = [
        (b"<html>busy</html>", "/price", "not JSON"),
        (b"", "/price", "not JSON"),
        (b"{\"price\":42", "/price", "not JSON"),
        (b"{\"price\":NaN}", "/price", "not JSON"),
        (b"{\"price\":\"\xff\"}", "/price", "not UTF-8"),
        (b"{\"error\":[\"EQuery\"]}", "/price", "no member \"price\""),
        (b"[1]", "/1", "no item 1"),
        (b"{\"price\":null}", "/price", "null"),
        (b"{\"price\":{}}", "/price", "object"),
        (b"{\"price\":\"closed\"}", "/price", "is not a decimal number"),
        (b"{\"price\":\"\"}", "/price", "is not a decimal number"),
        (deep.as_bytes(), "/0/0", "array"),
        (long.as_bytes(), "", "xxx"),
    ];
    for (body, pointer, says) in cases {
        let error = observe(body.to_vec(), pointer, ReadAs::Number).await.expect_err(says).to_string();
        assert!(error.starts_with("127.0.0.1: ") && error.contains(says), "{error}");
        assert!(error.chars().count() <= 201, "{} characters", error.chars().count());
    }
}

#[tokio::test]
async fn a_status_other_than_success_is_named() {
    for (status, says) in [(302, "302 Found, a redirect"), (404, "404"), (429, "429"), (500, "500"), (304, "304")] {
        let url = serve_always(move || {
            let response = Response::builder().status(status).header("location", "/elsewhere");
            response.body(Body::from("1")).expect("a response")
        });
        let error = source(&url.await, "", ReadAs::Number).observe("q", LONG).await.expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn an_answer_longer_than_allowed_ends_at_the_limit() {
    let announced = |length: u64| {
        let url = serve_always(move || {
            let response = Response::builder().header("content-length", length);
            response.body(Body::from_stream(stream::pending::<Result<Bytes, Infallible>>())).expect("a response")
        });
        async { source(&url.await, "", ReadAs::Number).observe("q", LONG).await.map(|reading| reading.value) }
    };
    let endless = serve_always(|| {
        Response::new(Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"1111")))))
    });
    let fitting = observe(format!("1{}", " ".repeat(MAX_BYTES - 1)), "", ReadAs::Number).await;
    assert_eq!(fitting.map(|value| value.to_string()), Ok("1".into()));
    for answer in [
        observe(format!("1{}", " ".repeat(MAX_BYTES)), "", ReadAs::Number).await,
        announced(MAX_BYTES as u64 + 1).await,
        announced(1 << 40).await,
        source(&endless.await, "", ReadAs::Number).observe("q", LONG).await.map(|reading| reading.value),
    ] {
        let error = answer.expect_err("too long").to_string();
        assert!(error.contains("longer than 65536 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_slow_answer_ends_with_the_time_left() {
    let silent = serve(Router::new().fallback(pending::<()>)).await;
    let stalling = serve_always(|| {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"1"))]);
        Response::new(Body::from_stream(first.chain(stream::pending())))
    });
    for url in [silent, stalling.await] {
        let started = Instant::now();
        let error = source(&url, "", ReadAs::Number).observe("q", Duration::from_millis(50)).await;
        assert_eq!(error, Err(SourceError::Failed("127.0.0.1: no answer within 50 ms".into())));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn an_error_never_shows_the_url_or_its_credentials() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = free.local_addr().expect("the bound address").port();
    drop(free);
    let source = source(&format!("http://alice:hunter2@127.0.0.1:{port}/?key=hunter3"), "", ReadAs::Number);
    let shown = format!("{} {source:?}", source.observe("q", LONG).await.expect_err("nobody listens"));
    assert!(shown.contains("cannot connect"), "{shown}");
    for secret in ["hunter", "alice", "key=", "secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_request_carries_the_query_the_headers_and_the_user_agent() {
    async fn echo(headers: HeaderMap, request: Request) -> String {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        serde_json::to_string(&format!("{} {} {}", request.uri(), header("x-key"), header("user-agent"))).expect("JSON")
    }
    let url = serve(Router::new().fallback(echo)).await + "/{base}?q={query}";
    let seen = source(&url, "", ReadAs::Text).observe("BTC/USD", LONG).await.expect("an answer").value.to_string();
    assert_eq!(seen, format!("/BTC?q=BTC%2FUSD secret quorate/{}", env!("CARGO_PKG_VERSION")));
}

/// The responses of the exchanges, shortened, with the price in each and its age in milliseconds at 10:00:30.
const EXCHANGES: [(&str, &str, &str, &str, &str, u64); 3] = [
    (
        "coinbase",
        "https://api.exchange.coinbase.com",
        "/products/BTC-USD/ticker",
        r#"{"ask":"42001.01","bid":"42000.99","volume":"9103.5","trade_id":604,"price":"42001.00","size":"0.002","time":"2024-01-05T10:00:00.123Z"}"#,
        "42001.00",
        29_877,
    ),
    (
        "kraken",
        "https://api.kraken.com",
        "/0/public/Ticker?pair=XBTUSD",
        r#"{"error":[],"result":{"XXBTZUSD":{"a":["42002.10000","1","1.000"],"b":["42002.00000","3","3.000"],"c":["42002.10000","0.00047"],"t":[100,200],"o":"41000.00000"}}}"#,
        "42002.10000",
        0,
    ),
    (
        "bitstamp",
        "https://www.bitstamp.net",
        "/api/v2/ticker/btcusd/",
        r#"{"timestamp":"1704448800","open":"41950","high":"42300","low":"41700","last":"41999","volume":"1250.1","vwap":"42010","bid":"41998","ask":"42000","side":"0"}"#,
        "41999",
        30_000,
    ),
];

#[tokio::test]
async fn the_example_file_asks_three_exchanges_and_finds_their_prices_and_ages() {
    let payloads = Router::new().fallback(|request: Request| async move {
        let asked = request.uri().to_string();
        EXCHANGES.iter().find(|(_, _, path, ..)| *path == asked).map_or("", |(.., payload, _, _)| payload)
    });
    let local = serve(payloads).await;
    let example = include_str!("../../examples/sources.toml");
    let redirected = EXCHANGES.iter().fold(example.to_owned(), |text, (_, host, ..)| text.replace(host, &local));
    assert!(!redirected.contains("https:"), "an exchange is not covered here");
    let file = SourceFile::parse("sources.toml", &redirected).expect("the example is right");
    for (worker, .., price, age_ms) in EXCHANGES {
        // Fri, 05 Jan 2024 10:00:30 GMT. The local server's Date is later, so a value that is dated by it is fresh.
        let clock = Clock::starting_at(Timestamp::from_millis(1_704_448_830_000));
        let source = file.source_for(worker, SourceKind::Http, clock).expect(worker);
        let reading = source.observe("BTC/USD", LONG).await.expect(worker);
        assert_eq!(reading.value.to_string(), price, "{worker}");
        let age = reading.age.unwrap_or_else(|| panic!("the age of {worker}'s value is known"));
        let least = Duration::from_millis(age_ms);
        assert!((least..least + LONG).contains(&age), "{worker}: {age:?}");
        assert_eq!(source.observe("X", LONG).await, Err(SourceError::UnknownQuery("X".into())));
    }
    let error = file.source_for("worker-1", SourceKind::Http, Clock::new()).expect_err("not in the file").to_string();
    assert!(error.contains("bitstamp, coinbase, kraken"), "{error}");
}
