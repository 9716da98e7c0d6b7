//! What a worker can answer.

use std::sync::Arc;

use crate::id::has_control_character;
use crate::pattern::Pattern;
use crate::query::{MAX_QUERY_CHARS, Query};

/// The most patterns of one offer.
pub const MAX_PATTERNS: usize = 256;
/// The most bytes of all patterns of one offer together.
pub const MAX_OFFER_BYTES: usize = 16 << 10;

/// The queries that a worker can answer: all that match one of its patterns, or all queries if it has none. Cheap to
/// clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offer(Arc<[Pattern]>);

/// Why patterns are no [`Offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// There are more than [`MAX_PATTERNS`] patterns, or they have more than [`MAX_OFFER_BYTES`] together.
    #[error("a worker offers at most {MAX_PATTERNS} queries, of {MAX_OFFER_BYTES} bytes together")]
    TooMuch,
    /// A pattern is empty, too long, or has a control character.
    #[error("an offered query must have 1 to {MAX_QUERY_CHARS} characters, none of them a control character")]
    Pattern,
}

impl Offer {
    /// Checks patterns from outside. Their order and repetitions do not matter.
    ///
    /// # Errors
    /// [`OfferError`] says which bound they break.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, OfferError> {
        let (mut checked, mut bytes) = (Vec::new(), 0);
        for pattern in patterns {
            bytes += pattern.len();
            if checked.len() == MAX_PATTERNS || bytes > MAX_OFFER_BYTES {
                return Err(OfferError::TooMuch);
            }
            if pattern.is_empty() || pattern.chars().count() > MAX_QUERY_CHARS || has_control_character(pattern) {
                return Err(OfferError::Pattern);
            }
            checked.push(Pattern::new(pattern));
        }
        checked.sort_unstable();
        checked.dedup();
        Ok(Self(checked.into()))
    }

    /// The patterns in order; none if it offers every query.
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }

    /// The bytes of all patterns together.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|pattern| pattern.as_str().len()).sum()
    }

    /// Whether it offers this query.
    pub fn covers(&self, query: &Query) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| pattern.matches(query.as_str()))
    }

    /// Whether some query is offered and matches `pattern`.
    pub fn overlaps(&self, pattern: &Pattern) -> bool {
        self.0.is_empty() || self.0.iter().any(|offered| offered.overlaps(pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_covers_what_one_of_its_patterns_matches_and_everything_without_one() {
        let query = |text| Query::new(text).expect("a query");
        let offer = Offer::new(["ETH/USD", "BTC/*", "ETH/USD"]).expect("an offer");
        assert_eq!(offer.patterns(), [Pattern::new("BTC/*"), Pattern::new("ETH/USD")]);
        assert!(offer.covers(&query("BTC/EUR")) && offer.covers(&query("ETH/USD")));
        assert!(!offer.covers(&query("ETH/EUR")));
        assert!(Offer::default().covers(&query("ETH/EUR")));
    }

    #[test]
    fn an_offer_is_bounded_in_count_and_bytes() {
        let many = |count, length| Offer::new(std::iter::repeat_n("x".repeat(length).as_str(), count));
        assert!(many(256, 64).is_ok());
        assert_eq!(many(257, 1), Err(OfferError::TooMuch));
        assert_eq!(many(65, 256), Err(OfferError::TooMuch));
        assert_eq!(many(1, 257), Err(OfferError::Pattern));
        assert_eq!(Offer::new([""]), Err(OfferError::Pattern));
        assert_eq!(Offer::new(["BTC\n"]), Err(OfferError::Pattern));
    }
}
