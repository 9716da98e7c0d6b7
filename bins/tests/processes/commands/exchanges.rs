//! Stands in for the exchanges of `examples/sources.toml`: a server whose answers have the form that each exchange
//! documents for its ticker.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use quorate_test_support::workspace;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

/// The hosts that the example names.
const HOSTS: [&str; 3] = ["https://api.exchange.coinbase.com", "https://api.kraken.com", "https://www.bitstamp.net"];

/// The number of answers so far. The price rises with each.
static TRADES: AtomicU32 = AtomicU32::new(0);

/// The example of sources, with the exchanges replaced by a server in this process. It runs until the test ends.
pub(crate) async fn sources() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(|request: Request| async move {
        let answer = ticker(&request.uri().to_string(), TRADES.fetch_add(1, Ordering::Relaxed));
        answer.map(|ticker| ticker.to_string()).ok_or(StatusCode::NOT_FOUND)
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let example = std::fs::read_to_string(workspace("examples/sources.toml")).expect("it can be read");
    let redirected = HOSTS.iter().fold(example, |text, host| text.replace(host, &url));
    assert!(!redirected.contains("https:"), "every exchange has a stand-in");
    redirected
}

/// The answer of an exchange for a path.
fn ticker(path: &str, trade: u32) -> Option<Json> {
    let now = SystemTime::now();
    let cents = 4_200_000 + trade * 7;
    let price = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
    Some(match path {
        "/products/BTC-USD/ticker" => json!({
            "ask": price(cents + 10), "bid": price(cents - 3), "volume": "5360.02040154", "trade_id": trade,
            "price": price(cents + 8), "size": "0.00698254",
            "time": OffsetDateTime::from(now).format(&Rfc3339).expect("the current time"),
        }),
        "/0/public/Ticker?pair=XBTUSD" => json!({"error": [], "result": {"XXBTZUSD": {
            "a": [format!("{}000", price(cents + 10)), "1", "1.000"],
            "b": [format!("{}000", price(cents - 9)), "1", "1.000"],
            "c": [format!("{}000", price(cents - 9)), "0.00067643"],
            "v": ["4083.67001100", "4412.73601799"], "p": ["41706.77771", "41689.13205"], "t": [34619, 38907],
            "l": ["41868.30000", "41868.30000"], "h": ["42631.00000", "42631.00000"], "o": "41502.80000",
        }}}),
        "/api/v2/ticker/btcusd/" => json!({
            "timestamp": now.duration_since(UNIX_EPOCH).expect("after 1970").as_secs().to_string(),
            "open": "41950", "high": "42300", "low": "41700", "last": price(cents + 31), "volume": "1250.1",
            "vwap": "42010", "bid": "41998", "ask": "42000", "side": "0",
        }),
        _ => return None,
    })
}
