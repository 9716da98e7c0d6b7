//! What every page must satisfy at any width and in any colours: axe-core's rules of accessibility, and nothing outside
//! the screen.

use std::fs;

use serde_json::{Value as Json, json};

use crate::chromium::Browser;
use crate::packages::Package;

/// The package that contains axe-core, of which only the script is used.
const AXE: Package = Package {
    name: "axe-playwright-python",
    version: "0.1.8",
    dependencies: false,
    purpose: "for axe-core, the rules of accessibility",
};

/// Which of axe-core's rules are run.
#[derive(Clone, Copy)]
pub(crate) enum Rules {
    /// All.
    All,
    /// Those that look at colours. On a page that differs in nothing else, the others find the same again.
    OfColours,
}

/// Checks the page as it is now; `how` says how it is shown.
pub(crate) async fn check_layout(browser: &Browser, how: &str) {
    check(browser, Rules::All, how).await;
}

/// Like [`check_layout`], with some of axe-core's rules.
pub(crate) async fn check(browser: &Browser, rules: Rules, how: &str) {
    // A colour in transition is neither the old nor the new one.
    browser.until("document.getAnimations().every((one) => !(one instanceof CSSTransition))").await;
    let wide = "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 \
                && one.closest('.hidden-text, .summary, svg, thead, datalist') === null).length";
    assert_eq!(browser.value(wide).await, 0, "something is too wide: {how}");
    assert!(browser.is("document.documentElement.scrollWidth <= innerWidth").await, "it scrolls sideways: {how}");
    let sideways = "[...document.querySelectorAll('body *')].filter((one) => one.scrollWidth > one.clientWidth + 1 \
                    && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX) && one.tagName !== 'INPUT') \
                    .map((one) => one.id || one.className)";
    assert_eq!(browser.value(sideways).await, json!([]), "a part of it scrolls sideways: {how}");
    assert_eq!(violations(browser, rules).await, [""; 0], "{how}");
}

/// Violations of the rules of accessibility on the page as it is now.
async fn violations(browser: &Browser, rules: Rules) -> Vec<String> {
    if browser.is("window.axe === undefined").await {
        let script = AXE.folder().join("axe_playwright_python/axe.min.js");
        browser.script(&fs::read_to_string(script).expect("the package has the script")).await;
    }
    let rules = match rules {
        Rules::All => json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]),
        Rules::OfColours => json!({"type": "rule", "values": ["color-contrast", "link-in-text-block"]}),
    };
    // Rows of one list differ in their words only, and each costs time.
    let among = "{include: ['html'], exclude: ['tbody tr:nth-child(n + 16)', 'li:nth-child(n + 16)']}";
    let run = format!(
        "return axe.run({among}, {{runOnly: {rules}, resultTypes: ['violations']}}).then((found) => found.violations.map((one) => \
         [one.id, one.nodes.map((node) => node.html + ' ' + node.any.map((any) => any.message))]))"
    );
    let found = browser.script(&run).await;
    found.as_array().expect("a list").iter().map(Json::to_string).collect()
}
