//! The events that a page follows: where it continues, what it missed, and what it was refused.

use futures_util::stream::{StreamExt as _, iter};
use serde_json::json;

use super::scripted::{EVENTS, Scripted, outcome, refusal};
use super::{cluster, listed, opened_on};
use crate::accessibility::check_layout;
use crate::chromium::Browser;
use crate::support::{Cluster, QUICK, until};

const AT: &str = "2026-03-01T12:00:00Z";

/// Hides the page, or shows it again.
async fn turn(browser: &Browser, is_hidden: bool) {
    let hide = "Object.defineProperty(document, 'hidden', {configurable: true, value: hidden}); \
                document.dispatchEvent(new Event('visibilitychange'))";
    browser.script(&format!("const hidden = {is_hidden}; {hide}")).await;
}

#[tokio::test]
async fn a_page_continues_after_the_last_event_that_was_passed_over() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let events = format!("{EVENTS}retry: 1000\n\n{}id: c1-2000\n\n:\n\n", outcome(5, AT, &json!(1)));
    let scripted =
        Scripted::start(&cluster, move |target, _| target.starts_with("/events").then(|| events.clone())).await;
    let browser = opened_on(&scripted.url, "?query=q").await;
    browser.until(&listed(1)).await;
    turn(&browser, true).await;
    turn(&browser, false).await;
    until("the second stream", async || scripted.asked("/events").len() == 2).await;
    let asked = scripted.asked("/events");
    assert_eq!(asked, ["/events?query=q&recent=1024", "/events?query=q&last_event_id=c1-2000"]);
}

#[tokio::test]
async fn the_page_of_a_query_does_not_count_missed_events_of_other_queries_as_its_own() {
    let cluster = cluster(&QUICK).await;
    for _ in 0..3 {
        cluster.api.answer("q").await;
    }
    let browser = opened_on(&cluster.api.url, "?query=q").await;
    browser.until(&listed(3)).await;
    turn(&browser, true).await;
    iter(0..1100).for_each_concurrent(16, async |_| drop(cluster.api.answer("other").await)).await;
    turn(&browser, false).await;
    browser.until("document.querySelector('#missed').textContent !== ''").await;
    let missed = browser.text("#missed").await;
    assert!(missed.ends_with("events of all queries passed unseen; some may have been of this one"), "{missed}");
    assert!(browser.is(&listed(3)).await, "what the page had, it still has");
}

#[tokio::test]
async fn what_one_page_missed_is_not_said_on_the_next() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let missed = |count: &str| format!("{EVENTS}id: c1-4\nevent: missed\ndata: {{\"count\":{count}}}\n\n");
    let streams = [missed("12"), format!("{EVENTS}{}", outcome(5, AT, &json!(1))), missed("null")];
    let respond = move |target: &str, before: usize| {
        target.starts_with("/events").then(|| streams[before.min(streams.len() - 1)].clone())
    };
    let scripted = Scripted::start(&cluster, respond).await;
    let browser = opened_on(&scripted.url, "").await;
    let says = |text: &str| format!("document.querySelector('#missed').textContent === {}", json!(text));
    browser.until(&says("12 events passed unseen")).await;
    browser.script("history.pushState(null, '', '?query=q'); dispatchEvent(new PopStateEvent('popstate'))").await;
    browser.until(&listed(1)).await;
    browser.until(&says("")).await;
    turn(&browser, true).await;
    turn(&browser, false).await;
    browser.until(&says("some events may have passed unseen")).await;
}

#[tokio::test]
async fn an_address_that_the_coordinator_refuses_is_shown_with_its_words() {
    let cluster = cluster(&QUICK).await;
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    let says = |words: &str| format!("document.querySelector('#connection').textContent === {}", json!(words));
    let long = format!("?query={}", "x".repeat(300));
    for (page, words) in [
        (long.as_str(), "Refused: query must be at most 256 characters long"),
        ("?query=a%0Ab", "Refused: query must not contain control characters"),
    ] {
        browser.open(&format!("{}/{page}", cluster.api.url)).await;
        browser.until(&says(words)).await;
        assert_eq!(browser.value("document.querySelector('#connection').dataset.state").await, "refused");
    }
    browser.show(320, "light").await;
    browser.until("innerWidth === 320").await;
    check_layout(&browser, "refused").await;
    let complaints = browser.complaints().await;
    assert_eq!(complaints.len(), 2, "what can never succeed is not tried again: {complaints:?}");
    browser.script("document.querySelector('h1 a').click()").await;
    browser.until(&says("Live")).await;
}

#[tokio::test]
async fn a_coordinator_that_refuses_for_now_is_asked_again() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let respond = |target: &str, before: usize| match (target, before) {
        ("/workers", 1) => Some(refusal("429 Too Many Requests", "too many reads")),
        (target, 0..2) if target.starts_with("/events") => Some(refusal("503 Service Unavailable", "too many readers")),
        _ => None,
    };
    let scripted = Scripted::start(&cluster, respond).await;
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open("about:blank").await;
    browser.open(&format!("{}/", scripted.url)).await;
    let says = |words: &str| format!("document.querySelector('#connection').textContent === '{words}'");
    browser.until(&says("Refused: too many readers")).await;
    browser.until(&says("Refused: too many reads")).await;
    browser.until(&says("Live")).await;
}

#[tokio::test]
async fn the_page_of_a_query_with_an_asterisk_shows_its_own_outcomes_only() {
    let cluster = cluster(&QUICK).await;
    for query in ["a*", "ab", "a*", "ac"] {
        cluster.api.answer(query).await;
    }
    let browser = opened_on(&cluster.api.url, "?query=a*").await;
    browser.until(&listed(2)).await;
    cluster.api.answer("ad").await;
    cluster.api.answer("a*").await;
    browser.until(&listed(3)).await;
    let queries = "[...document.querySelectorAll('#outcomes th')].map((one) => one.textContent)";
    assert_eq!(browser.value(queries).await, json!(["a*", "a*", "a*"]));
}
