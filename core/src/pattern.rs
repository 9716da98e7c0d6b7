//! Patterns of queries.

/// A query, or a pattern in which `*` stands for any characters, including none and including `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}
