//! What every page must satisfy at any width and in any colours: axe-core's rules of accessibility, and nothing outside
//! the screen.

use std::fs;

use serde_json::Value as Json;

use crate::chromium::Browser;
use crate::packages::Package;

/// The package that contains axe-core, of which only the script is used.
const AXE: Package = Package {
    name: "axe-playwright-python",
    version: "0.1.8",
    dependencies: false,
    purpose: "for axe-core, the rules of accessibility",
};

/// Checks the page as it is now; `how` says how it is shown.
pub(crate) async fn check_layout(browser: &Browser, how: &str) {
    // A colour in transition is neither the old nor the new one.
    browser.until("document.getAnimations().every((one) => !(one instanceof CSSTransition))").await;
    let wide = "[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1 \
                && one.closest('.hidden-text, .summary, svg, thead, datalist') === null).length";
    assert_eq!(browser.value(wide).await, 0, "something is too wide: {how}");
    assert!(browser.is("document.documentElement.scrollWidth <= innerWidth").await, "it scrolls sideways: {how}");
    assert_eq!(violations(browser).await, [""; 0], "{how}");
}

/// Violations of the rules of accessibility on the page as it is now.
async fn violations(browser: &Browser) -> Vec<String> {
    let script = AXE.folder().join("axe_playwright_python/axe.min.js");
    browser.script(&fs::read_to_string(script).expect("the package has the script")).await;
    let run = "return axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}) \
               .then((found) => found.violations.map((one) => [one.id, one.nodes.map((node) => node.html + ' ' + \
               node.any.map((any) => any.message))]))";
    let found = browser.script(run).await;
    found.as_array().expect("a list").iter().map(Json::to_string).collect()
}
