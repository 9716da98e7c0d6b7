//! The page that describes the API, in a real browser.

use serde_json::{Value as Json, json};

use crate::accessibility::check_layout;
use crate::chromium::{Browser, ENTER, TAB};
use crate::support::{Cluster, QUICK};

const SHOWN: &str = "document.documentElement.dataset.state === 'shown'";

async fn opened(cluster: &Cluster) -> Browser {
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/docs", cluster.api.url)).await;
    browser.until(SHOWN).await;
    browser
}

/// The names in an object.
fn names(object: &Json) -> Vec<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

#[tokio::test]
async fn the_page_shows_every_route_status_field_and_schema_of_the_document() {
    let cluster = Cluster::start(0, &[], &QUICK).await;
    let (_, document) = cluster.api.get("/openapi.json").await;
    let browser = opened(&cluster).await;
    for path in names(&document["paths"]) {
        for method in names(&document["paths"][&path]) {
            let title = format!("{} {path}", method.to_uppercase());
            let card = format!(
                "[...document.querySelectorAll('h3 code')].find((one) => one.textContent === {}).closest('section')",
                json!(title)
            );
            let statuses = format!("[...{card}.querySelectorAll('[data-status]')].map((one) => one.dataset.status)");
            let shown = browser.value(&statuses).await;
            assert_eq!(shown, json!(names(&document["paths"][&path][&method]["responses"])), "{title}");
        }
    }
    for name in names(&document["components"]["schemas"]) {
        let fields = &document["components"]["schemas"][&name]["properties"];
        let terms = format!(
            "[...document.getElementById('schema-{name}').closest('section').querySelectorAll('dt > code')].map((one) => \
             one.textContent)"
        );
        let mut shown: Vec<String> =
            serde_json::from_value(browser.value(&terms).await).unwrap_or_else(|error| panic!("{name}: {error}"));
        shown.sort_unstable();
        if fields.is_object() {
            assert_eq!(shown, names(fields), "{name}");
        }
    }
    let broken = "[...document.querySelectorAll('a[href^=\"#\"]')].map((one) => one.getAttribute('href').slice(1)) \
                  .filter((id) => document.getElementById(id) === null)";
    assert_eq!(browser.value(broken).await, json!([]), "links that lead nowhere");
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_keeps_to_the_rules_of_accessibility_in_light_and_dark_and_on_a_phone() {
    let cluster = Cluster::start(0, &[], &QUICK).await;
    let browser = opened(&cluster).await;
    // With everything expanded.
    browser.script("document.querySelectorAll('details').forEach((one) => { one.open = true })").await;
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.show(width, scheme).await;
        browser.until(&format!("innerWidth === {width}")).await;
        check_layout(&browser, &format!("{width} {scheme}")).await;
        browser.picture(&format!("docs-{width}-{scheme}")).await;
    }
    assert_eq!(browser.complaints().await, [""; 0]);
}

#[tokio::test]
async fn the_page_is_reached_from_the_dashboard_and_read_by_the_keyboard() {
    let cluster = Cluster::start(0, &[], &QUICK).await;
    let browser = Browser::start().await;
    browser.show(1280, "light").await;
    browser.open(&format!("{}/", cluster.api.url)).await;
    browser.script("document.querySelector('a[href=docs]').focus()").await;
    browser.press(ENTER).await;
    browser.until(SHOWN).await;
    browser.press(TAB).await;
    assert_eq!(browser.text(":focus").await, "Skip to the routes");
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'routes'").await;
    // The answers of a route open with Enter, like a button.
    browser.script("document.querySelector('summary').focus()").await;
    browser.press(ENTER).await;
    browser.until("document.querySelector('details').open").await;
    browser.press(TAB).await;
    assert_eq!(browser.value("getComputedStyle(document.activeElement).outlineStyle").await, "solid");
}
