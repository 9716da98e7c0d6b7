//! A timeline as one self-contained page for a browser.

use super::Timeline;

/// The page, with [`DATA`] in place of its data.
const PAGE: &str = include_str!("page.html");
/// The placeholder for the data, which occurs once in the page.
const DATA: &str = "\"the timeline\"";

/// The page of a timeline.
pub fn page(timeline: &Timeline) -> String {
    let json = serde_json::to_string(timeline).expect("a timeline has only texts, numbers and lists");
    let (before, after) = PAGE.split_once(DATA).expect("the page has a place for the data");
    format!("{before}{}{after}", embedded(&json))
}

/// Equivalent JSON that cannot end the element around it. The escaped characters occur only in strings.
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
