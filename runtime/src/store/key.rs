//! Keys: any short text, written as one token of a subject.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::bus::subject::token;

/// What an entry is stored under: a text, written as one token of a subject.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key for a text that is not empty. Different texts have different keys.
    pub fn new(text: &str) -> Self {
        Self(token(text).to_string().into())
    }

    /// The key that a token of a subject is, if some text is written so.
    pub fn from_token(token: &str) -> Option<Self> {
        let key = Self(token.into());
        let is_written_so = !token.is_empty() && key.text().is_some_and(|text| Self::new(&text) == key);
        is_written_so.then_some(key)
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.0
    }

    /// The text.
    pub fn text(&self) -> Option<String> {
        Some(percent_decode_str(&self.0).decode_utf8().ok()?.into_owned())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
