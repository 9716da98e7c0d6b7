//! Patterns of queries.

/// A query, or a pattern in which `*` stands for any characters, including none and including `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

impl Pattern {
    /// Makes a pattern; every text is one.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// The pattern itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern matches `query`. The time is at worst proportional to the product of both lengths.
    pub fn matches(&self, query: &str) -> bool {
        let Some((prefix, rest)) = self.0.split_once('*') else {
            return self.0 == query;
        };
        let Some(mut query) = query.strip_prefix(prefix) else {
            return false;
        };
        let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
        // The leftmost match of each part leaves the most text to the parts after it.
        for part in middle.split('*') {
            let Some(at) = query.find(part) else {
                return false;
            };
            query = &query[at + part.len()..];
        }
        query.ends_with(suffix)
    }

    /// Whether some text matches both patterns. The time is at worst proportional to the product of both lengths, and short
    /// if one has no `*`, or if they begin or end differently.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (Some((our_start, our_end)), Some((their_start, their_end))) = (self.ends(), other.ends()) else {
            return self.matches(&other.0) || other.matches(&self.0);
        };
        let fit_at_start = our_start.starts_with(their_start) || their_start.starts_with(our_start);
        let fit_at_end = our_end.ends_with(their_end) || their_end.ends_with(our_end);
        fit_at_start && fit_at_end && self.meets(other)
    }

    /// What comes before the first and after the last `*`; `None` if there is none.
    fn ends(&self) -> Option<(&str, &str)> {
        Some((self.0.split_once('*')?.0, self.0.rsplit_once('*')?.1))
    }

    /// Decides [`Pattern::overlaps`] byte by byte.
    fn meets(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.0.as_bytes());
        // Whether the first i bytes of ours and the first j bytes of theirs overlap, for one i and all j.
        let mut row: Vec<bool> = Vec::with_capacity(theirs.len() + 1);
        row.push(true);
        for byte in theirs {
            row.push(*byte == b'*' && row.last() == Some(&true));
        }
        for our in ours {
            let mut before = row[0];
            row[0] &= *our == b'*';
            for (index, their) in theirs.iter().enumerate() {
                let (left, above) = (row[index], row[index + 1]);
                row[index + 1] = match (our, their) {
                    (b'*', _) | (_, b'*') => left || above || before,
                    _ => our == their && before,
                };
                before = above;
            }
        }
        row[theirs.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, query, matches) in [
            ("BTC/USD", "BTC/USD", true),
            ("BTC/USD", "BTC/USDT", false),
            ("BTC/USD", "btc/usd", false),
            ("*", "", true),
            ("*", "BTC/USD", true),
            ("*/USD", "BTC/USD", true),
            ("*/USD", "BTC/USDT", false),
            ("BTC/*", "BTC/USD", true),
            ("BTC/*", "ETH/USD", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a**a", "aba", true),
            ("*é*", "caféx", true),
            ("a*ab*b", "aabb", true),
            ("a*ab*b", "aab", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(query), matches, "{pattern} {query}");
        }
    }

    #[test]
    fn patterns_overlap_if_some_text_matches_both() {
        for (one, other, overlap) in [
            ("BTC/USD", "BTC/USD", true),
            ("BTC/USD", "BTC/USDT", false),
            ("*", "", true),
            ("*", "BTC/*", true),
            ("BTC/*", "*/USD", true),
            ("BTC/*", "ETH/*", false),
            ("*/USD", "*/EUR", false),
            ("BTC/*", "BTC/USD", true),
            ("a*b", "b*a", false),
            ("a*b*c", "*abc", true),
            ("a*c", "ab", false),
            ("*a*", "*b*", true),
        ] {
            let (one, other) = (Pattern::new(one), Pattern::new(other));
            assert_eq!((one.overlaps(&other), other.overlaps(&one)), (overlap, overlap), "{one:?} {other:?}");
        }
    }
}
