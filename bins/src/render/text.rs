//! Makes texts from the network safe for a terminal, and times readable.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The end of a text that does not fit.
const CUT: &str = "...";

/// `text` on one line, with its control characters as escapes: nothing in it can control a terminal or look like
/// another line.
pub fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The text, or as much of it as fits into `width` columns of a terminal, with a mark at its end.
pub fn cut(text: String, width: usize) -> String {
    if text.width() <= width {
        return text;
    }
    let mut cut = String::new();
    for character in text.chars() {
        if cut.width() + character.width().unwrap_or(0) > width.saturating_sub(CUT.len()) {
            break;
        }
        cut.push(character);
    }
    cut + CUT
}

/// JSON `text` with the same meaning, on one line and without control characters.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            // White space between tokens. JSON does not allow these characters within a string.
            '\t' | '\r' | '\n' => shown.push(' '),
            _ if steers(character) => {
                let _ = write!(shown, "\\u{:04x}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a terminal would act on a character instead of showing it: control characters, line separators, and those
/// that reverse the direction of text. All are below U+10000.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Nanoseconds as a readable time, rounded down: `850 µs`, `412 ms`, `12.3 s`.
pub fn time(nanos: u64) -> String {
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..10_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10),
        10_000_000..10_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{}.{} s", nanos / 1_000_000_000, nanos / 100_000_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_network_steers_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\r\nc\u{9b}d\u{202e}é"), r"a\u{1b}[31mb\u{d}\u{a}c\u{9b}d\u{202e}é");
        let answer = "{\r\n\t\"err\": \"\u{9b}2J\u{7f}\"}";
        assert_eq!(json(answer), "{   \"err\": \"\\u009b2J\\u007f\"}");
        let meaning = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(meaning(&json(answer)), meaning(answer));
    }

    #[test]
    fn times_have_three_digits_or_so() {
        for (nanos, shown) in [
            (0, "0 µs"),
            (850_999, "850 µs"),
            (1_250_000, "1.2 ms"),
            (412_999_999, "412 ms"),
            (9_999_000_000, "9999 ms"),
            (12_340_000_000, "12.3 s"),
            (u64::MAX, "18446744073.7 s"),
        ] {
            assert_eq!(time(nanos), shown);
        }
    }
}
