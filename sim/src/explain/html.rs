//! A timeline as one page for a browser, which needs nothing else.

use super::Timeline;

/// The page; its data goes in place of [`DATA`].
const PAGE: &str = include_str!("page.html");
/// Where the data goes: once in the page.
const DATA: &str = "\"the timeline\"";

/// The page of a timeline.
pub fn page(timeline: &Timeline) -> String {
    let json = serde_json::to_string(timeline).expect("a timeline has only texts, numbers and lists");
    let (before, after) = PAGE.split_once(DATA).expect("the page has a place for the data");
    format!("{before}{}{after}", embedded(&json))
}

/// JSON that means the same and cannot end the element it stands in: outside of strings it has no such characters.
fn embedded(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            character => safe.push(character),
        }
    }
    safe
}
