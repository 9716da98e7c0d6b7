//! `quorate exchange`: venues that differ, answer late and fail as its flags say, in the form that the examples read.

use quorate_test_support::NatsServer;
use reqwest::StatusCode;
use rust_decimal::Decimal;
use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::commands::exchanges::{start, url_of, write_sources};
use crate::support::{COORDINATOR, Program, QUORATE, WORKER, api_of, client, parsed, run};

/// The status and the body of an answer.
async fn get(url: &str) -> (StatusCode, Json) {
    let response = client().get(url).send().await.expect("an answer");
    (response.status(), parsed(&response.text().await.expect("a body")))
}

#[tokio::test]
async fn workers_read_every_venue_with_both_examples() {
    let exchange = start(&["--spread", "0.02", "--latency", "1ms", "--seed", "5"]);
    let folder = tempfile::tempdir().expect("a folder");
    write_sources(folder.path(), &url_of(&exchange).await);
    for (file, queries) in [("sources.toml", &["BTC/USD"][..]), ("exchange.toml", &["BTC/USD", "ETH/USD"])] {
        let nats = NatsServer::start();
        let coordinator = Program::start(COORDINATOR, &["--nats", &nats.url(), "--listen", "127.0.0.1:0"]);
        let api = api_of(&coordinator).await;
        let config = folder.path().join(file).display().to_string();
        let workers = ["coinbase", "kraken", "bitstamp"].map(|id| {
            Program::start(WORKER, &["--nats", &nats.url(), "--id", id, "--source", "http", "--config", &config])
        });
        api.wait_for(workers.len(), "live").await;
        for query in queries {
            let answer = api.answer(query).await;
            assert_eq!(answer["succeeded"], 3, "{file}: {answer}");
            let value = |id: &str| -> Decimal {
                let said = answer["worker_responses"].as_array().into_iter().flatten();
                let response = said.into_iter().find(|response| response["worker_id"] == id).expect(id);
                assert!(response["age_ms"].as_u64().is_some_and(|age| age < 10_000), "{file}: {response}");
                response["value"].to_string().parse().expect("a number")
            };
            let (low, high) = (value("kraken"), value("bitstamp"));
            let spread = (high - low) / value("coinbase");
            // The prices may have moved between two answers.
            assert!((spread - Decimal::new(2, 2)).abs() < Decimal::new(1, 3), "{file}: {low} to {high}");
        }
    }
}

#[tokio::test]
async fn a_failure_has_the_form_of_its_venue_and_so_has_the_answer_to_an_unknown_pair() {
    let paths = ["/products/BTC-USD/ticker", "/0/public/Ticker?pair=XBTUSD", "/api/v2/ticker/btcusd/"];
    let failing = start(&["--failure-rate", "1", "--latency", "0s"]);
    let base = url_of(&failing).await;
    for (path, status) in paths.iter().zip([503, 200, 503]) {
        let (got, body) = get(&format!("{base}{path}")).await;
        assert_eq!(got, status, "{path}: {body}");
        assert!(!body.to_string().contains("price") && !body.to_string().contains("last"), "{path}: {body}");
    }
    let good = start(&["--latency", "0s"]);
    let base = url_of(&good).await;
    for path in paths {
        let (got, body) = get(&format!("{base}{path}")).await;
        assert_eq!(got, 200, "{path}: {body}");
    }
    for (path, status) in [("/products/x/ticker", 404), ("/0/public/Ticker", 200), ("/api/v2/ticker/x/", 404)] {
        assert_eq!(get(&format!("{base}{path}")).await.0, status, "{path}");
    }
    let (_, unknown) = get(&format!("{base}/0/public/Ticker?pair=x")).await;
    assert_eq!(unknown, json!({"error": ["EQuery:Unknown asset pair"]}));
    let (_, sol) = get(&format!("{base}/0/public/Ticker?pair=SOLUSD")).await;
    assert!(sol["result"]["SOLUSD"]["c"][0].is_string(), "{sol}");
}

#[tokio::test]
async fn a_signal_stops_it_although_a_venue_has_yet_to_answer() {
    let exchange = start(&["--latency", "10m"]);
    let url = format!("{}/products/BTC-USD/ticker", url_of(&exchange).await);
    let waiting = tokio::spawn(client().get(url).send());
    exchange.signal(Signal::TERM);
    let ended = exchange.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(waiting.await.expect("it does not panic").is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error_that_says_what_to_do() {
    let first = start(&[]);
    let url = url_of(&first).await;
    let address = url.trim_start_matches("http://");
    let second = run(QUORATE, &["exchange", "--listen", address]).await;
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    assert!(second.stderr.contains("choose another address with --listen"), "{}", second.stderr);
}
