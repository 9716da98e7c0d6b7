//! The dashboard in a real browser, with a coordinator and workers that are processes.

use rustix::process::Signal;
use serde_json::json;

use crate::accessibility::check_layout;
use crate::chromium::{ARROW_LEFT, Browser, ENTER, SPACE, TAB};
use crate::support::{Cluster, Program, QUICK};

/// True once the page shows every started worker as live.
const READY: &str = "document.querySelectorAll('#workers tr[data-state=live]').length === 3 \
                     && document.querySelector('#connection').dataset.state === 'live'";
/// True once the question is answered.
const ANSWERED: &str = "document.querySelector('#answer-value .final') !== null";

async fn cluster(worker: &[&str]) -> Cluster {
    let worker = [&["--announce-ms", "300"], worker].concat();
    Cluster::start(3, &["--presence-ms", "1500"], &worker).await
}

async fn opened(cluster: &Cluster) -> Browser {
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/", cluster.api.url)).await;
    browser.until(READY).await;
    browser
}

/// Writes a query into the form and submits it, by the keyboard.
async fn ask(browser: &Browser, query: &str) {
    browser.script("document.querySelector('#query').select(); document.querySelector('#query').focus()").await;
    browser.press(&format!("{query}{ENTER}")).await;
}

#[tokio::test]
async fn a_question_is_answered_on_the_page_worker_by_worker_and_a_killed_worker_turns_grey() {
    let mut cluster = cluster(&["--delay-min-ms", "150", "--delay-max-ms", "1200", "--failure-rate", "0"]).await;
    let browser = opened(&cluster).await;
    // Records every change of the rows, to check that the workers came one by one before the answer.
    browser
        .script(
            "window.seen = []; new MutationObserver(() => window.seen.push([document.querySelectorAll('#answer-workers \
             tr.answered').length, document.querySelector('#answer-value .final') !== null])) \
             .observe(document.querySelector('#answer-workers'), {childList: true})",
        )
        .await;
    ask(&browser, "ETH/USD").await;
    browser.until(ANSWERED).await;
    let seen = browser.value("window.seen").await;
    let seen = seen.as_array().expect("a list");
    assert!(seen.contains(&json!([1, false])) && seen.contains(&json!([2, false])), "{seen:?}");

    browser.until("document.querySelector('#outcomes tr th') !== null").await;
    let value = browser.text("#answer-value").await;
    assert!(value.parse::<f64>().is_ok_and(|value| value > 0.0), "{value:?}");
    assert_eq!(browser.text("#outcomes tr th").await, "ETH/USD");
    assert_eq!(browser.text("#outcomes td[data-label=Answer]").await, value, "the stream says what the answer said");
    assert_eq!(browser.text("#answer-workers tr:nth-child(3) th").await, "w3");
    let spoken = browser.text("#answer-summary").await;
    assert!(spoken.contains(&value) && spoken.contains("3 of 3 workers"), "{spoken}");
    browser.until("document.querySelectorAll('#chart circle.used').length === 3").await;

    let killed = cluster.workers.remove(1);
    drop(killed);
    browser.until("document.querySelector('#workers tr[data-worker=w2]').dataset.state === 'expired'").await;
    let colour = |worker: &str| {
        format!("getComputedStyle(document.querySelector('#workers tr[data-worker={worker}] th')).color")
    };
    assert_ne!(browser.value(&colour("w2")).await, browser.value(&colour("w1")).await);
    let quiet = browser.value("getComputedStyle(document.querySelector('.fine')).color").await;
    assert_eq!(browser.value(&colour("w2")).await, quiet);
    assert!(browser.text("#workers tr[data-worker=w2] td[data-label=State]").await.contains("expired"));
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_keeps_to_the_rules_of_accessibility_in_light_and_dark_and_on_a_phone() {
    const DIGITS: &str = "42000.123456789012345678901234";
    let cluster = cluster(&QUICK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let _precise = cluster.script(&folder, "precise", "*", &format!("echo {DIGITS}"));
    let _liar = cluster.script(&folder, "liar", "*", "echo 1");
    cluster.api.wait_for(5, "live").await;
    for _ in 0..12 {
        let (status, answer) = cluster.api.ask(json!({"query": "BTC/USD", "max_deviation": 0.2})).await;
        assert_eq!((status, answer["excluded"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");
    }
    let disputed = json!({"query": "BTC/USD", "max_deviation": 0.2, "tolerance": 0, "min_agreement": 0.9});
    assert_eq!(cluster.api.ask(disputed).await.1["status"], "disputed");
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/", cluster.api.url)).await;
    browser.until("document.querySelectorAll('#workers tr[data-state=live]').length === 5").await;
    browser.until("document.querySelectorAll('#outcomes tr th').length === 13").await;
    assert!(browser.text("#chart-badges").await.contains("sources disagree"));
    browser.until("document.querySelectorAll('#chart .excluded').length === 13").await;
    assert!(browser.is("document.querySelectorAll('#chart .disputed').length === 1").await);
    browser.script("document.querySelector('[name=max_deviation]').value = '0.2'").await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    assert!(
        browser.text("#answer-workers tr[data-worker=liar] td[data-label=Fate]").await.contains("excluded outlier")
    );
    assert_eq!(browser.text("#answer-workers tr[data-worker=precise] td[data-label=Said]").await, DIGITS);
    browser.until("document.querySelectorAll('#outcomes tr th').length === 14").await;

    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.show(width, scheme).await;
        for options in [true, false] {
            browser.script(&format!("document.querySelector('#options').open = {options}")).await;
            browser.until(&format!("innerWidth === {width} && document.querySelector('#chart svg') !== null")).await;
            check_layout(&browser, &format!("{width} {scheme}")).await;
        }
        browser.picture(&format!("{width}-{scheme}")).await;
    }
    let dark = "matchMedia('(prefers-color-scheme: dark)').matches \
                && getComputedStyle(document.documentElement).backgroundColor === 'rgb(14, 18, 24)'";
    assert!(browser.is(dark).await);
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_says_who_is_suspect_or_absent_and_what_an_answer_without_them_is_worth() {
    let worker = [&QUICK[..], &["--queries", "BTC/*"]].concat();
    let cluster = Cluster::start(3, &["--expect", "kraken", "--presence-ms", "60000"], &worker).await;
    // As many answers as a worker's usual time is known from.
    for _ in 0..20 {
        cluster.api.answer("BTC/USD").await;
    }
    // A worker stopped like this is silent but still subscribed.
    cluster.workers[2].signal(Signal::STOP);
    let (status, late) = cluster.api.ask(json!({"query": "BTC/USD", "timeout_ms": 500})).await;
    assert_eq!((status, &late["missing"]), (200, &json!(["kraken", "w3"])), "{late}");
    let browser = opened(&cluster).await;
    browser.until("document.querySelector('#workers-note').textContent === 'Expected, but not there: kraken'").await;
    browser.until("document.querySelector('#workers tr[data-worker=w3]').textContent.includes('suspect')").await;

    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    assert_eq!(browser.text("#answer-badges .badge.fair").await.trim(), "◐ partial");
    assert!(browser.is("document.querySelector('#answer-badges .badge.good') === null").await);
    let note = "Partial response: 2/4 workers succeeded; 1 not there; 1 not waited for, silent for longer than usual";
    assert_eq!(browser.text("#answer-note").await, note);
    for (worker, why) in [("kraken", "missing not there"), ("w3", "missing silent for longer than usual")] {
        let fate = browser.text(&format!("#answer-workers tr[data-worker={worker}] td[data-label=Fate]")).await;
        assert!(fate.ends_with(why), "{worker}: {fate}");
    }
    for width in [1280, 360] {
        browser.show(width, "light").await;
        browser.until(&format!("innerWidth === {width}")).await;
        check_layout(&browser, &format!("{width}")).await;
    }

    ask(&browser, "BTX/USD").await;
    browser.until("document.querySelector('#answer-value .error') !== null").await;
    assert_eq!(browser.text("#answer-value").await, "no worker offers BTX/USD; did you mean BTC/*? see GET /queries");
    assert!(browser.is("document.querySelector('#answer-workers tr') === null").await, "nobody is awaited");
    // The browser itself complains about every status that is an error.
    let complaints = browser.complaints().await;
    assert!(complaints.len() == 1 && complaints[0].contains("404"), "{complaints:?}");
}

#[tokio::test]
async fn the_page_can_be_used_by_the_keyboard_alone() {
    let cluster = cluster(&QUICK).await;
    for _ in 0..3 {
        cluster.api.answer("BTC/USD").await;
    }
    let browser = opened(&cluster).await;
    browser.until("document.querySelectorAll('#outcomes tr th').length === 3").await;
    browser.press(TAB).await;
    assert_eq!(browser.text(":focus").await, "Skip to the question");
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'ask'").await;

    // Every stop has a visible focus, and everything that can be used is a stop.
    let mut stops = Vec::new();
    loop {
        browser.press(TAB).await;
        let stop = browser.value("document.activeElement.id || document.activeElement.tagName").await;
        if stop == "BODY" || stops.len() > 30 {
            break;
        }
        let ring = browser.value("getComputedStyle(document.activeElement).outlineStyle").await;
        assert_eq!(ring, "solid", "{stop}");
        stops.push(stop);
    }
    assert_eq!(stops, ["query", "submit", "SUMMARY", "chart-query", "chart-step", "pause"]);

    browser.script("document.querySelector('summary').focus()").await;
    browser.press(SPACE).await;
    browser.until("document.querySelector('#options').open").await;
    browser.press(TAB).await;
    assert!(browser.is("document.activeElement.name === 'strategy'").await);
    browser.press("me").await;
    assert!(browser.is("document.activeElement.value === 'median'").await);
    ask(&browser, "ETH/USD").await;
    browser.until(ANSWERED).await;
    assert!(browser.text("#answer-fine").await.starts_with("median"), "the option counts");

    browser
        .script(
            "document.querySelector('#chart-query').value = 'BTC/USD'; document.querySelector('#chart-query')\
                    .dispatchEvent(new Event('change'))",
        )
        .await;
    browser.until("document.querySelector('#chart-step').getAttribute('aria-valuetext') === '3 of 3'").await;
    browser.script("document.querySelector('#chart-step').focus()").await;
    let newest = browser.text("#chart-readout").await;
    browser.press(ARROW_LEFT).await;
    browser.until("document.querySelector('#chart-step').getAttribute('aria-valuetext') === '2 of 3'").await;
    assert_ne!(browser.text("#chart-readout").await, newest);

    browser.script("document.querySelector('#pause').focus()").await;
    browser.press(SPACE).await;
    browser.until("document.querySelector('#pause').getAttribute('aria-pressed') === 'true'").await;
    cluster.api.answer("LATE/USD").await;
    browser.until("[...document.querySelectorAll('#queries option')].some((one) => one.value === 'LATE/USD')").await;
    assert_eq!(browser.text("#outcomes tr th").await, "ETH/USD", "nothing moves while it is paused");
    browser.press(SPACE).await;
    browser.until("document.querySelector('#outcomes tr th').textContent === 'LATE/USD'").await;
}

#[tokio::test]
async fn the_page_says_when_the_coordinator_is_gone_and_returns_to_it() {
    let cluster = cluster(&QUICK).await;
    let browser = opened(&cluster).await;
    let address = cluster.api.url.trim_start_matches("http://").to_owned();
    let url = cluster.nats.url();
    drop(cluster.coordinator);
    browser.until("document.querySelector('#connection').dataset.state === 'waiting'").await;
    ask(&browser, "BTC/USD").await;
    browser.until("document.querySelector('#answer-value .error') !== null").await;
    assert!(browser.text("#answer-value").await.contains("gave no answer"));
    let flags = ["--nats", &url, "--listen", &address, "--rate-limit", "0", "--presence-ms", "1500"];
    let _again = Program::start(crate::support::COORDINATOR, &flags);
    browser.until(READY).await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    browser.until("document.querySelector('#outcomes tr th') !== null").await;
}
