//! Questions that are asked on the page.

use rustix::process::Signal;
use serde_json::json;

use super::{ANSWERED, ask, choose, cluster, listed, opened};
use crate::accessibility::check_layout;
use crate::chromium::{ARROW_LEFT, ENTER, SPACE, TAB};
use crate::support::{Cluster, QUICK};

#[tokio::test]
async fn a_question_is_answered_on_the_page_worker_by_worker_and_a_killed_worker_turns_grey() {
    let mut cluster = Cluster::start(0, &["--presence-ms", "1500"], &[]).await;
    // So far apart that the page draws each of them.
    for (id, delay) in [("w1", "150"), ("w2", "650"), ("w3", "1150")] {
        let flags = ["--delay-min-ms", delay, "--delay-max-ms", delay, "--failure-rate", "0"];
        cluster.workers.push(cluster.worker(id, &flags));
    }
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
    let value = browser.text("#answer-value .final").await;
    assert!(value.parse::<f64>().is_ok_and(|value| value > 0.0), "{value:?}");
    assert_eq!(browser.text("#outcomes tr th").await, "ETH/USD");
    assert_eq!(browser.text("#outcomes td[data-label=Answer]").await, value, "the stream says what the answer said");
    assert_eq!(browser.text("#answer-workers tr:nth-child(3) th").await, "w3");
    let spoken = browser.text("#answer-summary").await;
    assert!(spoken.contains(&value) && spoken.contains("3 of 3 workers"), "{spoken}");
    let drawn = "[...document.querySelectorAll('#chart .worker .used')].map((path) => path.dataset.count).join()";
    browser.until(&format!("{drawn} === '1,1,1'")).await;

    let killed = cluster.workers.remove(1);
    drop(killed);
    browser.until("document.querySelector('#workers tr[data-worker=w2]').dataset.state === 'expired'").await;
    let colour = |worker: &str| {
        format!("getComputedStyle(document.querySelector('#workers tr[data-worker={worker}] th a')).color")
    };
    assert_ne!(browser.value(&colour("w2")).await, browser.value(&colour("w1")).await);
    let quiet = browser.value("getComputedStyle(document.querySelector('.fine')).color").await;
    assert_eq!(browser.value(&colour("w2")).await, quiet);
    assert!(browser.text("#workers tr[data-worker=w2] td[data-label=State]").await.contains("expired"));
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
    browser.until(&listed(3)).await;
    browser.press(TAB).await;
    assert_eq!(browser.text(":focus").await, "Skip to the contents");
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'main'").await;

    // Every stop has a visible focus, and everything that can be used is a stop.
    let mut stops = Vec::new();
    loop {
        browser.press(TAB).await;
        let stop = "(({id, dataset, textContent}) => id || dataset.order || textContent.replace(/^\\d\\d:.*/, 'time'))";
        let stop = browser.value(&format!("{stop}(document.activeElement)")).await;
        if browser.is("document.activeElement === document.body").await || stops.len() > 60 {
            break;
        }
        let ring = browser.value("getComputedStyle(document.activeElement).outlineStyle").await;
        assert_eq!(ring, "solid", "{stop}");
        stops.push(stop);
    }
    let workers = ["w1", "w2", "w3"];
    let expected: Vec<_> = [
        &["query", "submit", "Options", "BTC/USD", "chart-query", "chart-what", "chart-span"][..],
        &workers,
        &["chart-step", "time", "readout", "workers-filter", "workers-order", "workers-scroll"],
        &["name", "score", "p50", "p90", "p99", "seen"],
        &workers,
        &["pause", "outcomes-scroll", "time", "BTC/USD", "time", "BTC/USD", "time", "BTC/USD"],
    ]
    .concat();
    assert_eq!(stops, expected);

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

    choose(&browser, "chart-query", "BTC/USD").await;
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
