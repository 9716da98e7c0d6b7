//! Feeds: their table, and the page of one, with its rounds as they end.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::{opened_on, ready};
use crate::accessibility::{self, Rules};
use crate::chromium::ENTER;
use crate::support::{Cluster, Program, QUICK, until};

/// A coordinator with a feed that is agreed on, and one on which the workers never agree.
async fn feeding(folder: &TempDir) -> (Cluster, [Program; 3]) {
    let file = folder.path().join("feeds.toml");
    let agreed = "[[feed]]\nname = \"agreed\"\nquery = \"good\"\nheartbeat = \"1s\"\nmin_interval = \"500ms\"\n";
    let disputed = "[[feed]]\nname = \"disputed\"\nquery = \"bad\"\nheartbeat = \"1s\"\nmax_deviation = \"none\"\ntolerance = 0\nmin_agreement = 0.9\n";
    fs::write(&file, format!("{agreed}{disputed}")).expect("written");
    let cluster = Cluster::start(0, &["--store", "memory", "--feeds", file.to_str().expect("UTF-8")], &[]).await;
    let workers = [("a", "100"), ("b", "101"), ("c", "102")]
        .map(|(id, value)| cluster.script(folder, id, "*", &format!("echo {value}")));
    cluster.api.wait_for(3, "live").await;
    (cluster, workers)
}

#[tokio::test]
async fn feeds_are_listed_and_each_has_a_page_with_its_rounds_and_the_values_behind_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cluster, _workers) = feeding(&folder).await;
    let newest = async |feed: &str| {
        let (_, feeds) = cluster.api.get("/feeds").await;
        let of_name = feeds["feeds"].as_array().into_iter().flatten().find(|one| one["name"] == feed).cloned();
        of_name.and_then(|one| one["newest_round"].as_u64()).unwrap_or(0)
    };
    until("three rounds of each", async || newest("agreed").await >= 3 && newest("disputed").await >= 3).await;
    let browser = opened_on(&cluster.api.url, "").await;
    browser.until(&ready(3)).await;
    browser.until("document.querySelectorAll('#feeds tr').length === 2").await;
    browser.until("document.querySelector('#feeds tr[data-feed=agreed][data-state=fresh]') !== null").await;
    assert_eq!(browser.text("#feeds tr[data-feed=agreed] td[data-label=Value]").await, "101");
    assert_eq!(browser.text("#feeds tr[data-feed=agreed] td[data-label=Heartbeat]").await, "1.0 s");
    assert!(
        browser.is("document.querySelector('#feeds tr[data-feed=disputed][data-state=\"no report\"]') !== null").await
    );

    browser.script("document.querySelector('#feeds tr[data-feed=agreed] a').focus()").await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('#page-kind').textContent === 'Feed'").await;
    assert_eq!(browser.text("#page-name").await, "agreed");
    browser.until("document.querySelector('#feed-value .final').textContent === '101'").await;
    let answers = "Number(document.querySelector('#chart path.answer')?.dataset.count ?? 0)";
    browser.until(&format!("{answers} >= 3")).await;
    assert!(
        browser.is("document.querySelectorAll('#chart g.worker .used').length === 3").await,
        "each worker's values"
    );
    let shown = browser.value(answers).await.as_u64().expect("a count");
    browser.until(&format!("{answers} > {shown}")).await;
    browser.until("document.querySelector('#chart-readout').innerText.startsWith('Round ')").await;

    // Rounds that are not reported are marked, and no line joins them.
    browser.open(&format!("{}/?feed=disputed", cluster.api.url)).await;
    browser.until("Number(document.querySelector('#chart path.disputed')?.dataset.count ?? 0) >= 3").await;
    assert!(browser.is("document.querySelector('#chart path.aggregate') === null").await);
    assert_eq!(browser.text("#feed-value").await, "No report yet");
    for (scheme, rules) in [("light", Rules::All), ("dark", Rules::OfColours)] {
        for width in [320, 1280] {
            browser.show(width, scheme).await;
            browser.until(&format!("innerWidth === {width}")).await;
            accessibility::check(&browser, rules, &format!("feed {width} {scheme}")).await;
            browser.picture(&format!("feed-{width}-{scheme}")).await;
        }
    }
    browser.open(&format!("{}/?feed=nobody", cluster.api.url)).await;
    browser.until("document.querySelector('#feed-unknown').checkVisibility()").await;
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn a_coordinator_without_feeds_is_asked_for_them_once_and_shows_none() {
    let cluster = Cluster::start(3, &[], &QUICK).await;
    let browser = opened_on(&cluster.api.url, "").await;
    browser.until(&ready(3)).await;
    let asked = |path: &str| {
        let address = json!(format!("{}/{path}", cluster.api.url));
        format!("performance.getEntriesByType('resource').filter(({{ name }}) => name === {address}).length")
    };
    browser.until(&format!("{} >= 3", asked("workers"))).await;
    assert_eq!(browser.value(&asked("feeds")).await, 1);
    assert!(!browser.is("document.querySelector('#feeds-card').checkVisibility()").await);
}
