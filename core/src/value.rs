//! What a worker observed: an exact decimal, or a text.

mod number;

use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;

/// The longest text value accepted, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// An observed value. There is no binary floating point between the wire and the answer: NaN and infinity cannot
/// exist, and 0.1 + 0.2 is 0.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An exact decimal number: a 96-bit integer scaled by a power of ten between 10^-28 and 1.
    Number(Decimal),
    /// A text of at most [`MAX_TEXT_BYTES`], such as a label or a block hash.
    Text(Arc<str>),
}

/// Why something from outside is not a [`Value`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a decimal number in JSON's grammar.
    #[error("is not a decimal number")]
    NotANumber,
    /// A number that a 96-bit decimal cannot hold exactly.
    #[error("is not exactly representable: at most 28 significant digits and 28 decimals, below 7.9e28")]
    OutOfRange,
    /// A text longer than [`MAX_TEXT_BYTES`].
    #[error("is longer than {MAX_TEXT_BYTES} bytes")]
    TextTooLong,
}

impl Value {
    /// Reads a number in JSON's grammar (`-1`, `0.5`, `4.2e4`), keeping every digit.
    ///
    /// # Errors
    /// [`ValueError::NotANumber`] or [`ValueError::OutOfRange`]; a number is never rounded on the way in.
    pub fn number(text: &str) -> Result<Self, ValueError> {
        number::parse(text).map(Self::Number)
    }

    /// Takes a text.
    ///
    /// # Errors
    /// [`ValueError::TextTooLong`].
    pub fn text(text: &str) -> Result<Self, ValueError> {
        if text.len() > MAX_TEXT_BYTES { Err(ValueError::TextTooLong) } else { Ok(Self::Text(text.into())) }
    }

    /// The value as a number: a number itself, or a text that is one in JSON's grammar, as many price feeds send it.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => match Self::number(text) {
                Ok(Self::Number(number)) => Some(number),
                _ => None,
            },
        }
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}
