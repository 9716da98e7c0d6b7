//! The chart: over real time, a colour for each worker, and marks for what went wrong.

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::scripted::{EVENTS, Scripted, outcome};
use super::{choose, listed, opened_on};
use crate::chromium::Browser;
use crate::support::{Api, Cluster, Program};

/// How many marks of a kind there are.
fn marks(kind: &str) -> String {
    format!(
        "[...document.querySelectorAll('#chart {kind}')].reduce((sum, path) => sum + Number(path.dataset.count), 0)"
    )
}

/// Three workers that agree, one that is far off, and one that fails.
async fn workers(cluster: &Cluster, folder: &TempDir) -> Vec<Program> {
    let commands = [("a", "echo 99"), ("b", "echo 100"), ("c", "echo 101"), ("far", "echo 120"), ("fails", "exit 1")];
    let workers = commands.map(|(id, command)| cluster.script(folder, id, "*", command));
    cluster.api.wait_for(5, "live").await;
    workers.into()
}

async fn asked(api: &Api, body: Json, expected: u16) {
    let (status, answer) = api.ask(body).await;
    assert_eq!(status, expected, "{answer}");
}

#[tokio::test]
async fn the_chart_has_a_time_axis_colours_deviations_and_failures() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let _workers = workers(&cluster, &folder).await;
    for _ in 0..4 {
        asked(&cluster.api, json!({"query": "q"}), 200).await;
    }
    asked(&cluster.api, json!({"query": "q", "min_responses": 5}), 422).await;
    let disputed = json!({"query": "q", "max_deviation": "none", "tolerance": 0, "min_agreement": 0.9});
    asked(&cluster.api, disputed, 200).await;
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/?query=q", cluster.api.url)).await;
    browser.until(&format!("{} && document.querySelector('#chart svg') !== null", listed(6))).await;

    // Three used values in five outcomes, and four in the one without an outlier rule.
    assert_eq!(browser.value(&marks("g.worker .used")).await, 19);
    assert_eq!(browser.value(&marks("g.worker .excluded")).await, 5);
    assert_eq!(browser.value(&marks(".unanswered")).await, 1);
    assert_eq!(browser.value(&marks(".failures")).await, 6, "one worker fails each time");
    assert_eq!(browser.value(&marks(".disputed")).await, 1);
    assert_eq!(browser.value(&marks("path.answer")).await, 4);
    let colours =
        "new Set([...document.querySelectorAll('#chart g.worker .used')].map((path) => getComputedStyle(path).stroke))";
    assert_eq!(browser.value(&format!("{colours}.size")).await, 4, "each has its own");
    let swatch = "getComputedStyle(document.querySelector('#chart-legend [data-worker=far] .swatch')).backgroundColor";
    let mark = "getComputedStyle(document.querySelector('#chart g[data-worker=far] .used')).stroke";
    assert_eq!(browser.value(swatch).await, browser.value(mark).await);

    // Where a tick is follows from when the outcomes ended.
    let ticks = "[...document.querySelectorAll('#chart .time')].map((tick) => [Number(tick.dataset.at), Number(tick.getAttribute('x'))])";
    let ticks: Vec<(f64, f64)> = serde_json::from_value(browser.value(ticks).await).expect("times and places");
    assert!(ticks.len() >= 2, "{ticks:?}");
    let speeds: Vec<_> = ticks.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
    assert!(speeds.iter().all(|speed| (speed / speeds[0] - 1.0).abs() < 0.01), "{ticks:?}");

    assert!(browser.text("#chart-readout [data-worker=far]").await.contains("+14.3 %"), "of the mean of four");
    choose(&browser, "chart-what", "deviation").await;
    browser.until("document.querySelector('#chart .tick').textContent.endsWith(' %')").await;
    choose(&browser, "chart-step", "4").await;
    browser.until("document.querySelector('#chart-readout strong').textContent === 'no answer'").await;
    assert!(browser.text("#chart-readout [data-worker=fails]").await.contains("failed"));
    choose(&browser, "chart-step", "0").await;
    browser.until("document.querySelector('#chart-readout strong').textContent === '100'").await;
    let far = browser.text("#chart-readout [data-worker=far]").await;
    assert!(far.contains("+20.0 %") && far.contains("excluded, outlier"), "{far}");
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn what_has_ended_survives_a_reload_where_it_was_in_time() {
    let cluster = super::cluster(&crate::support::QUICK).await;
    let mut last = Json::Null;
    for number in 0..300 {
        last = cluster.api.answer(if number < 40 { "early" } else { "late" }).await;
    }
    let id = last["request_id"].as_str().expect("an id");
    let whole = format!("document.querySelector('#outcomes .time a')?.getAttribute('href') === '?request={id}'");
    let times = "[...document.querySelectorAll('#outcomes .time a')].map((link) => link.title)";
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/", cluster.api.url)).await;
    browser.until(&whole).await;
    assert!(browser.is(&listed(100)).await);
    assert!(browser.text("#missed").await.starts_with("the last 100 of 2"), "a page asks for 256 events");
    let before = browser.value(times).await;
    browser.open(&format!("{}/", cluster.api.url)).await;
    browser.until(&whole).await;
    assert_eq!(browser.value(times).await, before);
    // The page of a query has all that is kept of it, however much came since.
    browser.open(&format!("{}/?query=early", cluster.api.url)).await;
    browser.until(&listed(40)).await;
    assert_eq!(
        browser
            .value("new Set([...document.querySelectorAll('#outcomes th')].map((one) => one.textContent)).size")
            .await,
        1
    );
}

/// The page of a query with these outcomes: when each ended, and its answer.
async fn drawn(outcomes: &[(&str, Json)]) -> (Cluster, Browser) {
    let cluster = Cluster::start(0, &[], &[]).await;
    let events: String = (1..).zip(outcomes).map(|(number, (at, value))| outcome(number, at, value)).collect();
    let respond = move |target: &str, _| target.starts_with("/events").then(|| format!("{EVENTS}{events}"));
    let scripted = Scripted::start(&cluster, respond).await;
    let browser = opened_on(&scripted.url, "?query=q").await;
    browser.until(&listed(outcomes.len())).await;
    browser.until("document.querySelector('#chart svg') !== null").await;
    (cluster, browser)
}

/// The places in the chart that are no numbers or outside of it.
async fn strays(browser: &Browser) -> Json {
    let numbers = "[one.getAttribute('d')?.match(/[A-Za-z][^A-Za-z]*/g)?.filter((part) => /^[ML]/.test(part)) \
                   .map((part) => part.slice(1)) ?? [], ...['x', 'x1', 'x2', 'y', 'y1', 'y2'].map((name) => \
                   one.getAttribute(name) ?? [])].flat().join(' ').split(' ').filter((text) => text !== '')";
    browser
        .value(&format!(
            "[...document.querySelectorAll('#chart svg *')].flatMap((one) => {numbers}).filter((text) => \
             !(Number(text) >= 0 && Number(text) <= document.querySelector('#chart svg').width.baseVal.value)) \
             .concat([...document.querySelectorAll('#chart path')].map((one) => one.getAttribute('d')) \
             .filter((d) => /Infinity|NaN|e/.test(d)))"
        ))
        .await
}

#[tokio::test]
async fn a_clock_that_is_set_back_leaves_every_outcome_within_the_chart() {
    let times = ["12:00:00", "12:30:00", "10:30:00", "11:00:15", "11:00:15"];
    let outcomes = times.map(|time| (format!("2026-03-01T{time}Z"), json!(1)));
    let (_cluster, browser) = drawn(&outcomes.each_ref().map(|(at, value)| (at.as_str(), value.clone()))).await;
    assert_eq!(strays(&browser).await, json!([]));
    assert_eq!(browser.value(&marks("path.answer")).await, 5);
    for line in ["aggregate", "thread"] {
        let line = browser.value(&format!("document.querySelector('#chart .{line}').getAttribute('d')")).await;
        let parts = line.as_str().expect("a line").matches('M').count();
        assert_eq!(parts, 2, "no line leads back in time: {line}");
    }
    // An hour ahead is not within the last minute.
    choose(&browser, "chart-span", "1").await;
    browser.until(&format!("{} === 2", marks("path.answer"))).await;
    assert_eq!(strays(&browser).await, json!([]));
}

#[tokio::test]
async fn a_label_that_looks_like_an_infinite_number_breaks_no_line() {
    let values = [json!(1), json!("1e999"), json!(2), json!("-1e308"), json!("1e308"), json!("1e-320"), json!(3)];
    let outcomes: Vec<_> = values.into_iter().map(|value| ("2026-03-01T12:00:00Z", value)).collect();
    let (_cluster, browser) = drawn(&outcomes).await;
    assert_eq!(strays(&browser).await, json!([]));
    assert_eq!(browser.value(&marks("path.answer")).await, 4, "1, 2, 1e-320 and 3");
    assert_eq!(browser.value(&marks("path.used")).await, 4);
    choose(&browser, "chart-what", "deviation").await;
    browser.until("document.querySelector('#chart .tick').textContent.endsWith(' %')").await;
    assert_eq!(strays(&browser).await, json!([]));
    choose(&browser, "chart-step", "1").await;
    browser.until("document.querySelector('#chart-readout strong').textContent === '1e999'").await;
}

#[tokio::test]
async fn the_focus_stays_in_the_chart_when_an_outcome_arrives() {
    let cluster = super::cluster(&crate::support::QUICK).await;
    for _ in 0..2 {
        cluster.api.answer("q").await;
    }
    let browser = opened_on(&cluster.api.url, "").await;
    browser.until(&listed(2)).await;
    let newest = "document.querySelector('#chart-readout .moment a')?.title";
    for focused in ["#chart-link a", "#chart-legend [data-worker=w2] a", "#readout", "#chart-readout .moment a"] {
        browser.until(&format!("document.querySelector({}) !== null", json!(focused))).await;
        browser.script(&format!("document.querySelector({}).focus()", json!(focused))).await;
        let id = cluster.api.answer("q").await["request_id"].clone();
        browser.until(&format!("{newest} === {id}")).await;
        let kept = format!("document.activeElement === document.querySelector({})", json!(focused));
        assert!(browser.is(&kept).await, "{focused}: {}", browser.value("document.activeElement.tagName").await);
    }
}
