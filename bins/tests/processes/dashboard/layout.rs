//! Every page at three widths, in light and dark: with no workers, with three, with sixty, without NATS, and without a
//! coordinator.

use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use super::{choose, cluster, crowd};
use crate::accessibility::{self, Rules};
use crate::chromium::Browser;
use crate::support::{Api, Cluster, Program, QUICK};

const WIDTHS: [u32; 3] = [320, 768, 1920];
const SCHEMES: [(&str, Rules); 2] = [("light", Rules::All), ("dark", Rules::OfColours)];
/// What the names in this test are made of.
const LONG: &str = "a-very-long-name-without-a-space-that-fits-nowhere-";

/// The page that an address names has what it shows.
const SHOWN: &str = "document.querySelector('main').checkVisibility()";

/// Asks what leaves marks of all kinds. How it ends depends on the workers.
async fn asked(api: &Api) {
    let questions = [
        json!({"query": "BTC/USD"}),
        json!({"query": LONG.repeat(4), "id": LONG.repeat(2)}),
        json!({"query": "BTC/USD", "max_deviation": 0.00001}),
        json!({"query": "BTC/USD", "tolerance": 0, "min_agreement": 0.9, "id": "disputed"}),
        json!({"query": "BTC/USD", "min_responses": 1000}),
    ];
    join_all(questions.map(|question| api.ask(question))).await;
}

/// Checks the page that is shown, at all widths and in both schemes.
async fn check(browser: &Browser, what: &str) {
    for width in WIDTHS {
        for (scheme, rules) in SCHEMES {
            browser.show(width, scheme).await;
            browser.until(&format!("innerWidth === {width} && {SHOWN}")).await;
            accessibility::check(browser, rules, &format!("{what} {width} {scheme}")).await;
        }
        if what.starts_with("three") {
            browser.picture(&format!("{}-{width}", what.replace(' ', "-"))).await;
        }
    }
}

/// Goes to each page by its address, and checks it.
async fn check_pages(browser: &Browser, api: &Api, situation: &str, worker: &str) {
    for (name, address, is_there) in pages(worker) {
        browser.open(&format!("{}/{address}", api.url)).await;
        browser.until(&format!("document.querySelector('#connection').dataset.state === 'live' && ({is_there})")).await;
        check(browser, &format!("{situation} {name}")).await;
    }
}

/// Leaves the page, of which the browser must not have complained.
async fn left(browser: &Browser) {
    browser.open("about:blank").await;
    // The browser itself complains about every status that is an error: nobody knows the request.
    let complaints = browser.complaints().await.into_iter().filter(|one| !one.contains("/requests/"));
    assert_eq!(complaints.collect::<Vec<_>>(), [""; 0]);
}

/// The name, the address and the condition of each page.
fn pages(worker: &str) -> [(&'static str, String, String); 4] {
    let outcomes = "document.querySelector('#outcomes tr') !== null";
    [
        ("overview", String::new(), outcomes.to_owned()),
        ("query", "?query=BTC%2FUSD".to_owned(), outcomes.to_owned()),
        ("worker", format!("?worker={worker}"), outcomes.to_owned()),
        (
            "request",
            "?request=disputed".to_owned(),
            "document.querySelector('#request').innerText.length > 30".to_owned(),
        ),
    ]
}

/// A browser, before it shows a page.
async fn browser() -> Browser {
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser
}

/// Three workers, one that lies and has this name, and one that fails, after all kinds of requests.
async fn three(id: &str) -> (Cluster, TempDir, [Program; 2]) {
    let three = cluster(&QUICK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let liar = three.script(&folder, id, "*", "echo 1");
    let fails = three.script(&folder, "fails", "*", &format!("echo {LONG}{LONG}{LONG} >&2; exit 1"));
    three.api.wait_for(5, "live").await;
    for _ in 0..12 {
        three.api.answer("BTC/USD").await;
    }
    asked(&three.api).await;
    (three, folder, [liar, fails])
}

// Several tests, because the browsers of two take half as long as one after the other.

#[tokio::test]
async fn every_page_without_workers_keeps_to_the_rules_of_accessibility_at_every_width() {
    let browser = browser().await;
    let none = Cluster::start(0, &[], &[]).await;
    asked(&none.api).await;
    check_pages(&browser, &none.api, "none", "nobody").await;
    left(&browser).await;
}

#[tokio::test]
async fn every_page_with_sixty_workers_keeps_to_the_rules_of_accessibility_at_every_width() {
    let browser = browser().await;
    let (_sixty, api) = crowd(60).await;
    asked(&api).await;
    check_pages(&browser, &api, "sixty", "worker-17").await;
    left(&browser).await;
}

#[tokio::test]
async fn every_page_with_three_workers_keeps_to_the_rules_of_accessibility_at_every_width() {
    let browser = browser().await;
    let id = format!("{LONG}{LONG}liar");
    let (three, _folder, _others) = three(&id).await;
    check_pages(&browser, &three.api, "three", &id).await;

    // A form with everything that can be wrong with it, and an answer.
    browser.open(&format!("{}/", three.api.url)).await;
    browser.until(&super::ready(5)).await;
    super::ask(&browser, &LONG.repeat(4)).await;
    browser.until(super::ANSWERED).await;
    choose(&browser, "timeout_ms", "0").await;
    super::ask(&browser, "BTC/USD").await;
    browser.until("document.querySelector('[aria-invalid=true]') !== null").await;
    check(&browser, "three asked").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn every_page_during_an_outage_keeps_to_the_rules_of_accessibility_at_every_width() {
    let browser = browser().await;
    let id = format!("{LONG}{LONG}liar");
    let (mut three, _folder, _others) = three(&id).await;
    browser.open(&format!("{}/", three.api.url)).await;
    browser.until(&super::ready(5)).await;
    let addresses = pages(&id);
    three.nats.kill();
    for (state, name) in [("nats", "nats-down"), ("waiting", "gone")] {
        if state == "waiting" {
            three.coordinator.signal(rustix::process::Signal::KILL);
        }
        browser.until(&format!("document.querySelector('#connection').dataset.state === '{state}'")).await;
        for (page, address, _) in &addresses {
            // Links work without a coordinator.
            let go = "const link = document.createElement('a'); link.dataset.page = ''; document.body.append(link); \
                      link.setAttribute('href', address); link.click(); link.remove()";
            browser.script(&format!("const address = {}; {go}", json!(format!("/{address}")))).await;
            browser.until(&format!("location.href.endsWith({})", json!(format!("/{address}")))).await;
            check(&browser, &format!("{name} {page}")).await;
        }
    }
}
