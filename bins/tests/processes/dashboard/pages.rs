//! The pages of one query, one worker and one request, which have addresses of their own.

use serde_json::json;

use super::{cluster, listed, opened, opened_on, ready};
use crate::chromium::{Browser, ENTER};
use crate::support::{Cluster, QUICK};

/// A text with everything that means something in addresses, in HTML or in patterns.
const ODD: &str = "a/b?c=d&e#f%20+<img src=x onerror=alert(1)>'\"*ä";

async fn at(cluster: &Cluster, page: &str) -> Browser {
    opened_on(&cluster.api.url, page).await
}

#[tokio::test]
async fn every_query_worker_and_request_has_a_page_that_links_lead_to() {
    let mut cluster = cluster(&QUICK).await;
    let odd = cluster.worker(ODD, &QUICK);
    cluster.workers.push(odd);
    cluster.api.wait_for(4, "live").await;
    cluster.api.answer("ETH/USD").await;
    let (status, answer) = cluster.api.ask(json!({"query": ODD, "id": ODD})).await;
    assert_eq!(status, 200, "{answer}");
    let browser = opened(&cluster).await;
    browser.until(&listed(2)).await;

    let follow = async |selector: &str, kind: &str, name: &str| {
        browser.script(&format!("document.querySelector({}).focus()", json!(selector))).await;
        browser.press(ENTER).await;
        browser.until(&format!("document.querySelector('#page-kind').textContent === '{kind}'")).await;
        assert_eq!(browser.text("#page-name").await, name, "{selector}");
        assert!(browser.is("document.activeElement.id === 'page'").await, "the focus moves along");
        assert!(
            browser.is("performance.getEntriesByType('navigation').length === 1").await,
            "the page is not loaded again"
        );
    };
    follow("#outcomes th a", "Query", ODD).await;
    browser.until(&listed(1)).await;
    assert_eq!(browser.value("document.querySelector('#query').value").await, ODD, "it can be asked again");
    follow("#outcomes .time a", "Request", ODD).await;
    browser.until("document.querySelector('#request-value .final') !== null").await;
    assert_eq!(browser.text("#request-query").await, ODD);
    follow("#request-workers tr th a", "Worker", ODD).await;
    browser.until("document.querySelector('#worker-state .badge') !== null").await;
    browser.until(&listed(2)).await;
    assert!(browser.is("document.querySelectorAll('#outcomes td[data-label=Said]').length === 2").await);

    // Each address alone leads there, too.
    let address = browser.value("location.search").await;
    let worker = at(&cluster, address.as_str().expect("an address")).await;
    worker.until(&format!("document.querySelector('#page-name').textContent === {}", json!(ODD))).await;
    worker.until("document.querySelector('#worker-state .badge') !== null").await;
    browser.script("history.back()").await;
    browser.until("document.querySelector('#page-kind').textContent === 'Request'").await;
    browser.until("document.querySelector('#request-value .final') !== null").await;
    browser.script("document.querySelector('h1 a').click()").await;
    browser.until("document.querySelector('#page').hidden && location.search === ''").await;
    browser.until(&format!("{} && {}", ready(4), listed(2))).await;
    assert_eq!(browser.complaints().await, [""; 0]);
    assert_eq!(worker.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_of_a_worker_says_why_its_score_is_low() {
    let cluster = cluster(&QUICK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let words = "<b>no</b> route to the exchange";
    let command =
        "if [ -e answered ]; then echo '<b>no</b> route to the exchange' >&2; exit 1; fi; touch answered; echo 1";
    let command = command.replace("answered", &folder.path().join("answered").display().to_string());
    let _bad = cluster.script(&folder, "bad", "*", &command);
    cluster.api.wait_for(4, "live").await;
    for number in 0..30 {
        let (status, answer) = cluster.api.ask(json!({"query": "BTC/USD", "id": format!("r{number}")})).await;
        assert_eq!(status, 200, "{answer}");
    }
    let browser = at(&cluster, "?worker=bad").await;
    browser.until("document.querySelectorAll('#worker-blame-rows tr').length === 8").await;
    let score = browser.text("#worker-score .poor").await;
    assert!(
        score.strip_suffix(" %").and_then(|score| score.parse::<u8>().ok()).is_some_and(|score| score < 25),
        "{score}"
    );
    assert_eq!(browser.text("#worker-why").await, "The last 8 times its score was lowered: failure (8×).");
    let failure = browser.text("#worker-failure").await;
    assert!(failure.contains(words) && failure.contains("r29"), "{failure}");
    let counts =
        "[...document.querySelectorAll('#worker-counts div')].map((one) => one.innerText.replace('\\n', ': '))";
    let counts = browser.value(counts).await.to_string();
    assert!(
        counts.contains("values in time: 1\"") && counts.contains("failures: 29\"") && counts.contains("outliers: 1\""),
        "{counts}"
    );
    assert_eq!(
        browser
            .value("document.querySelector('#worker-history .blamed').getAttribute('d').split('M').length - 1")
            .await,
        8
    );
    assert_eq!(browser.text("#worker-blame-rows tr a").await, "r29", "the newest is first, and leads to its request");
    browser.until(&listed(30)).await;
    assert_eq!(
        browser.text("#outcomes td[data-label=Said]").await,
        browser.text("#outcomes td[data-label=Said] [title]").await
    );
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn pages_of_what_nobody_knows_say_so() {
    let cluster = cluster(&QUICK).await;
    let browser = at(&cluster, "?worker=nobody").await;
    browser.until("document.querySelector('#worker-unknown').checkVisibility()").await;
    browser.open(&format!("{}/?query=nothing", cluster.api.url)).await;
    browser.until("document.querySelector('#outcomes .empty') !== null").await;
    assert_eq!(browser.text("#chart .empty").await, "Nothing was asked yet.");
    browser.open(&format!("{}/?request=soon", cluster.api.url)).await;
    browser
        .until("document.querySelector('#request-unknown').textContent.startsWith('No outcome of this request')")
        .await;
    // It is shown as soon as it ends.
    assert_eq!(cluster.api.ask(json!({"query": "BTC/USD", "id": "soon"})).await.0, 200);
    browser.until("document.querySelector('#request-value .final') !== null").await;
    assert!(browser.is("!document.querySelector('#request-unknown').checkVisibility()").await);
}

#[tokio::test]
async fn names_of_one_or_two_dots_have_pages_though_addresses_drop_them() {
    let mut cluster = cluster(&QUICK).await;
    cluster.workers.push(cluster.worker("..", &QUICK));
    cluster.api.wait_for(4, "live").await;
    for name in [".", ".."] {
        let (status, answer) = cluster.api.ask(json!({"query": name, "id": name})).await;
        assert_eq!(status, 200, "{answer}");
    }
    // More than the pages show of what ended last.
    for _ in 0..300 {
        cluster.api.answer("q").await;
    }
    let browser = at(&cluster, "?worker=..").await;
    browser.until("document.querySelector('#worker-state .badge') !== null").await;
    for name in [".", ".."] {
        browser.open(&format!("{}/?query={name}", cluster.api.url)).await;
        browser.until(&listed(1)).await;
        browser.script("document.querySelector('#outcomes .time a').click()").await;
        browser.until("document.querySelector('#request-value .final') !== null").await;
        assert_eq!(browser.text("#page-kind").await, "Request");
        assert_eq!(browser.text("#request-query").await, name);
        browser.script("document.querySelector('#request-workers tr[data-worker=\"..\"] a').click()").await;
        browser.until("document.querySelector('#page-kind').textContent === 'Worker'").await;
        assert_eq!(browser.text("#page-name").await, "..");
    }
    let other = Cluster::start(0, &[], &[]).await;
    browser.open(&format!("{}/?request=.", other.api.url)).await;
    browser.until("document.querySelector('#request-unknown').textContent.startsWith('Looking')").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}
