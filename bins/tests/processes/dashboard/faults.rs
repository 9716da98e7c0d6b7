//! What once was wrong with the page.

use serde_json::json;

use super::{ANSWERED, ask, choose, cluster, crowd, listed, opened, opened_at};
use crate::chromium::Browser;
use crate::support::{Cluster, QUICK};

/// True if nothing reaches beyond the right edge of the page.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth";

/// How far the middles of two elements are apart vertically, in pixels.
fn apart(one: &str, other: &str) -> String {
    let middle = |selector: &str| {
        format!(
            "(({{top, bottom}}) => (top + bottom) / 2)(document.querySelector('{selector}').getBoundingClientRect())"
        )
    };
    format!("Math.abs({} - {})", middle(one), middle(other))
}

/// The texts of all elements that a CSS selector finds.
async fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let all =
        browser.value(&format!("[...document.querySelectorAll('{selector}')].map((one) => one.textContent)")).await;
    serde_json::from_value(all).expect("texts")
}

#[tokio::test]
async fn a_long_query_widens_the_page_for_nobody() {
    let cluster = cluster(&QUICK).await;
    let query = "x".repeat(228);
    cluster.api.answer(&query).await;
    let browser = opened(&cluster).await;
    browser.until(&listed(1)).await;
    for width in [1920, 1280, 768, 320] {
        browser.show(width, "light").await;
        browser.until(&format!("innerWidth === {width} && document.querySelector('#chart svg') !== null")).await;
        assert!(browser.is(FITS).await, "{width}: {}", browser.value("document.documentElement.scrollWidth").await);
    }
    assert!(browser.is(&format!("document.querySelector('#outcomes th [title]').title === '{query}'")).await);
}

#[tokio::test]
async fn nothing_scrolls_sideways_on_the_narrowest_phone() {
    let cluster = cluster(&QUICK).await;
    cluster.api.answer("BTC/USD").await;
    let browser = opened(&cluster).await;
    browser.until(&listed(1)).await;
    browser.show(320, "light").await;
    browser.script("document.querySelector('#options').open = true").await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    assert!(browser.is(FITS).await, "{}", browser.value("document.documentElement.scrollWidth").await);
}

#[tokio::test]
async fn whoever_did_not_answer_is_not_awaited_after_an_error() {
    let cluster = cluster(&["--delay-min-ms", "20000", "--delay-max-ms", "20000"]).await;
    let browser = opened(&cluster).await;
    let waiting =
        "[...document.querySelectorAll('#answer-workers tr')].filter((row) => row.textContent.includes('waiting'))";
    for (field, value, rows) in [("timeout_ms", "300", 3), ("max_deviation", "much", 0)] {
        choose(&browser, field, value).await;
        ask(&browser, "BTC/USD").await;
        browser.until("document.querySelector('#answer-value .error') !== null").await;
        assert_eq!(browser.value(&format!("{waiting}.length")).await, 0, "{field}");
        let shown = browser.value("document.querySelectorAll('#answer-workers tr').length").await;
        assert_eq!(shown, rows, "{field}: those that were asked, as far as anybody was");
    }
    choose(&browser, "max_deviation", "").await;
    choose(&browser, "timeout_ms", "20000").await;
    ask(&browser, "BTC/USD").await;
    browser.until(&format!("{waiting}.length === 3")).await;
    drop(cluster.coordinator);
    browser.until("document.querySelector('#answer-value .error') !== null").await;
    assert_eq!(browser.value(&format!("{waiting}.length")).await, 0, "the coordinator is gone");
}

#[tokio::test]
async fn a_query_without_an_answer_is_not_said_to_have_answers_that_are_no_numbers() {
    let cluster = cluster(&["--delay-min-ms", "1", "--delay-max-ms", "2", "--failure-rate", "1"]).await;
    assert_eq!(cluster.api.ask(json!({"query": "BTC/USD"})).await.0, 422);
    let browser = opened(&cluster).await;
    browser.until(&listed(1)).await;
    browser.until("document.querySelector('#chart .empty').textContent !== 'Nothing was asked yet.'").await;
    assert_eq!(browser.text("#chart .empty").await, "No request for this query has had an answer yet.");
}

#[tokio::test]
async fn the_link_to_the_api_is_on_its_line() {
    let cluster = Cluster::start(0, &[], &QUICK).await;
    let browser = opened(&cluster).await;
    let distance = browser.value(&apart("a[href=docs]", "#connection")).await;
    assert!(distance.as_f64().is_some_and(|distance| distance < 2.0), "{distance}");
}

#[tokio::test]
async fn worker_2_comes_before_worker_10() {
    let (_dev, api) = crowd(11).await;
    let browser = opened_at(&api, 11).await;
    let names: Vec<_> = (1..=11).map(|number| format!("worker-{number}")).collect();
    assert_eq!(texts(&browser, "#workers tr th").await, names);
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    assert_eq!(texts(&browser, "#answer-workers tr th").await, names);
}

#[tokio::test]
async fn an_error_names_the_field_as_the_form_does_marks_it_and_goes_there() {
    let cluster = cluster(&QUICK).await;
    let browser = opened(&cluster).await;
    for (field, value, said) in [
        ("timeout_ms", "0", "Timeout (ms) must be a whole number of at least 1"),
        // The coordinator knows the bound, the page does not.
        ("timeout_ms", "3600000", "Timeout (ms) must be between 1 and 60000"),
        ("tolerance", "much", "Tolerance "),
    ] {
        browser.script("document.querySelector('#options').open = false").await;
        choose(&browser, field, value).await;
        ask(&browser, "BTC/USD").await;
        browser.until("document.querySelector('[aria-invalid=true]') !== null").await;
        assert_eq!(browser.value("document.activeElement.name").await, field);
        let told = "document.getElementById(document.activeElement.getAttribute('aria-describedby'))";
        assert!(
            browser.is(&format!("{told}.checkVisibility() && document.activeElement.ariaInvalid === 'true'")).await
        );
        let told = browser.value(&format!("{told}.textContent")).await;
        assert!(told.as_str().is_some_and(|told| told.starts_with(said) && !told.contains(field)), "{told}");
        choose(&browser, field, "").await;
        assert!(browser.is("document.querySelector('[aria-invalid]') === null").await, "it is being corrected");
    }
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
}

#[tokio::test]
async fn a_low_score_is_a_share_in_percent_and_is_not_green() {
    let cluster = cluster(&QUICK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let _liar = cluster.script(&folder, "liar", "*", "echo 1");
    cluster.api.wait_for(4, "live").await;
    for _ in 0..25 {
        cluster.api.answer("BTC/USD").await;
    }
    let browser = opened_at(&cluster.api, 4).await;
    let score = |worker| format!("#workers tr[data-worker={worker}] .score");
    let [high, low] = [browser.text(&score("w1")).await, browser.text(&score("liar")).await];
    assert_eq!(high, "100 %");
    assert!(low.strip_suffix(" %").and_then(|low| low.parse::<u8>().ok()).is_some_and(|low| low < 30), "{low}");
    let colour = |worker| format!("getComputedStyle(document.querySelector('{} span')).color", score(worker));
    assert_eq!(browser.value(&colour("liar")).await, "rgb(169, 35, 28)", "the colour of what is poor");
    assert_eq!(browser.value(&colour("w1")).await, "rgb(23, 112, 60)", "the colour of what is good");
    assert_eq!(browser.text("#workers tr:first-child th").await, "liar", "the worst is first");
}

#[tokio::test]
async fn an_answer_has_as_many_decimals_as_people_read_and_all_of_them_on_demand() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let values = [("a", "41914.31"), ("b", "41914.32"), ("c", "41914.35")];
    let _workers = values.map(|(id, value)| cluster.script(&folder, id, "*", &format!("echo {value}")));
    cluster.api.wait_for(3, "live").await;
    let browser = opened_at(&cluster.api, 3).await;
    ask(&browser, "BTC/USD").await;
    browser.until(ANSWERED).await;
    let exact = "41914.32666666666666666666667";
    assert_eq!(browser.text("#answer-value .final").await, "41914.3267", "two decimals more than the values");
    assert!(browser.is(&format!("document.querySelector('#answer-value .final').title === '{exact}'")).await);
    browser.script("document.querySelector('#answer-value button').click()").await;
    assert_eq!(browser.text("#answer-value .final").await, exact);
    assert_eq!(browser.text("#outcomes td[data-label=Answer]").await, "41914.3267");
    assert!(
        browser
            .is(&format!("document.querySelector('#outcomes td[data-label=Answer] [title]').title === '{exact}'"))
            .await
    );
}
