//! Identifiers: newtypes, bounded and free of control characters, cheap to clone.

use std::fmt;
use std::sync::Arc;

/// The longest identifier accepted from outside, in bytes.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not a valid identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("must be at most {MAX_ID_BYTES} bytes long")]
    TooLong,
    /// The text contains a control character, which could forge a line of a log.
    #[error("must not contain control characters")]
    ControlCharacter,
}

/// Whether the text contains a control character. Most texts are ASCII, which needs no decoding.
pub(crate) fn has_control_character(text: &str) -> bool {
    if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) }
}

fn checked(text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        Err(IdError::Empty)
    } else if text.len() > MAX_ID_BYTES {
        Err(IdError::TooLong)
    } else if has_control_character(text) {
        Err(IdError::ControlCharacter)
    } else {
        Ok(text.into())
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a text from outside: 1 to [`MAX_ID_BYTES`] bytes without control characters.
            ///
            /// # Errors
            /// [`IdError`] says which bound the text breaks.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked(text).map(Self)
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_id! {
    /// Names one request for the client, the coordinator and the workers. A client may choose the id, so that a retry
    /// is recognised; otherwise the coordinator draws one.
    RequestId
}

text_id! {
    /// Names one logical worker; its replicas share it.
    WorkerId
}

/// Names one task: the coordinator's own number for a request in flight, never reused within a run. It is part of the
/// reply subject, which ties a result to exactly the task that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// The adapter's name for one waiting caller. The adapter chooses it and must not reuse it while that caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bounded_printable_texts_are_identifiers() {
        let longest = "x".repeat(MAX_ID_BYTES);
        let too_long = "x".repeat(MAX_ID_BYTES + 1);
        let cases = [
            ("a", None),
            ("worker 8081", None),
            (longest.as_str(), None),
            ("", Some(IdError::Empty)),
            (too_long.as_str(), Some(IdError::TooLong)),
            ("a\nb", Some(IdError::ControlCharacter)),
            ("\u{7f}", Some(IdError::ControlCharacter)),
            ("é", None),
            ("é\u{85}", Some(IdError::ControlCharacter)),
        ];
        for (text, error) in cases {
            assert_eq!(RequestId::new(text).err(), error, "{text:?}");
        }
    }
}
