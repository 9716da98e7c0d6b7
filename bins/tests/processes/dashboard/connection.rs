//! What the page says about the coordinator and about NATS.

use super::{ANSWERED, ask, cluster, opened, ready};
use crate::support::{COORDINATOR, Program, QUICK};

fn says(words: &str) -> String {
    format!("document.querySelector('#connection').textContent === '{words}'")
}

#[tokio::test]
async fn the_page_says_when_nats_is_down_and_when_it_is_back() {
    let mut cluster = cluster(&QUICK).await;
    let browser = opened(&cluster).await;
    cluster.nats.kill();
    browser.until(&says("NATS is down")).await;
    ask(&browser, "BTC/USD").await;
    browser.until("document.querySelector('#answer-value .error') !== null").await;
    cluster.nats.restart();
    browser.until(&says("Live")).await;
}

#[tokio::test]
async fn the_page_says_when_the_coordinator_is_gone_and_returns_to_it() {
    let cluster = cluster(&QUICK).await;
    let browser = opened(&cluster).await;
    let address = cluster.api.url.trim_start_matches("http://").to_owned();
    let url = cluster.nats.url();
    drop(cluster.coordinator);
    browser.until(&says("Coordinator not reached, trying again")).await;
    ask(&browser, "BTC/USD").await;
    browser.until("document.querySelector('#answer-value .error') !== null").await;
    assert!(browser.text("#answer-value").await.contains("gave no answer"));
    browser.until("document.querySelector('#workers-note').textContent.includes('this is what it said last')").await;
    let flags = ["--nats", &url, "--listen", &address, "--rate-limit", "0", "--presence-ms", "1500"];
    let _again = Program::start(COORDINATOR, &flags);
    browser.until(&ready(3)).await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    browser.until("document.querySelector('#outcomes tr th') !== null").await;
}
