//! Which outcomes are wanted. Coordinators filter too; earlier versions of them send everything.

use super::Event;

/// Whether the event is none of a request, or the end of one with this query, in which `*` stands for any characters.
pub(super) fn is_wanted(event: &Event, query: &str) -> bool {
    match event {
        Event::Answered(_) | Event::Unanswered(_) => event.query().is_some_and(|asked| matches(query, asked)),
        _ => true,
    }
}

fn matches(pattern: &str, query: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == query };
    let Some(mut left) = query.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first match of each part leaves the most for the parts after it.
    for part in middle.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, query, expected) in [
            ("BTC/USD", "BTC/USD", true),
            ("BTC/USD", "BTC/USDT", false),
            ("*", "", true),
            ("BTC/*", "BTC/", true),
            ("BTC/*", "ETH/BTC/", false),
            ("*/USD", "a/b/USD", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(pattern, query), expected, "{pattern} {query}");
        }
    }
}
