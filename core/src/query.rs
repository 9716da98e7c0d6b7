//! The question: a short text that means something to the workers and nothing to the coordinator.

use std::fmt;
use std::sync::Arc;

use crate::id::has_control_character;

/// The longest query accepted, in characters (Unicode scalar values).
pub const MAX_QUERY_CHARS: usize = 256;

/// A question of 1 to [`MAX_QUERY_CHARS`] characters, none of them a control character. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query(Arc<str>);

/// Why a text is not a [`Query`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is empty.
    #[error("query must not be empty")]
    Empty,
    /// The text is longer than [`MAX_QUERY_CHARS`].
    #[error("query must be at most {MAX_QUERY_CHARS} characters long")]
    TooLong,
    /// The text contains a control character, which could forge a line of a log.
    #[error("query must not contain control characters")]
    ControlCharacter,
}

impl Query {
    /// Checks a text from outside.
    ///
    /// # Errors
    /// [`QueryError`] says which bound the text breaks.
    pub fn new(text: &str) -> Result<Self, QueryError> {
        if text.is_empty() {
            return Err(QueryError::Empty);
        }
        // A character has at most four bytes, so a huge text is refused without being counted.
        if text.len() > 4 * MAX_QUERY_CHARS || text.chars().count() > MAX_QUERY_CHARS {
            return Err(QueryError::TooLong);
        }
        if has_control_character(text) {
            return Err(QueryError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_shown_as_it_was_asked() {
        let query = Query::new("BTC/USD").expect("a query");
        assert_eq!((query.to_string(), format!("{query:?}")), ("BTC/USD".to_owned(), "\"BTC/USD\"".to_owned()));
    }

    #[test]
    fn length_is_counted_in_characters_not_bytes() {
        assert!(Query::new(&"é".repeat(MAX_QUERY_CHARS)).is_ok());
        assert_eq!(Query::new(&"é".repeat(MAX_QUERY_CHARS + 1)), Err(QueryError::TooLong));
        assert_eq!(Query::new(&"x".repeat(1 << 20)), Err(QueryError::TooLong));
        assert_eq!(Query::new(""), Err(QueryError::Empty));
        assert_eq!(Query::new("BTC\u{0}USD"), Err(QueryError::ControlCharacter));
    }
}
