//! Values: exact decimals, or texts.

use std::fmt;

use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// What a worker observed, or what the workers' values became.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number, with all the digits that the coordinator wrote.
    Number(Decimal),
    /// A text, such as a label or a block hash.
    Text(String),
}

impl Value {
    /// The value as a number: a number itself, or a text that spells one. A coordinator writes numbers as texts if the
    /// request says so.
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => number(text),
        }
    }
}

impl fmt::Display for Value {
    /// A number with all its digits, or a text as it came, which may have control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Number(number)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A deserializer for numbers would read them as binary floats.
        let json = Box::<RawValue>::deserialize(deserializer)?;
        read(json.get()).map_err(D::Error::custom)
    }
}

fn read(json: &str) -> Result<Value, String> {
    if json.starts_with('"') {
        return serde_json::from_str(json).map(Value::Text).map_err(|error| error.to_string());
    }
    number(json).map(Value::Number).ok_or_else(|| format!("{json} is neither a text nor a number that a decimal holds"))
}

/// Reads a number in JSON's grammar, and never rounds it.
fn number(text: &str) -> Option<Decimal> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (digits, has_exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, _)) => (digits, true),
        None => (unsigned, false),
    };
    let is_digit_or_point = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || !digits.bytes().all(is_digit_or_point) {
        return None;
    }
    let exact = Decimal::from_str_exact(text.split(['e', 'E']).next()?).ok()?;
    if has_exponent { Decimal::from_scientific(text).ok() } else { Some(exact) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Option<Value> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn numbers_keep_every_digit_or_are_refused() {
        for digits in ["1.50", "0.980000", "-7.9228162514264337593543950335", "12345678901234567890.123456789", "0"] {
            let read = value(digits).expect("a value");
            assert_eq!((read.to_string().as_str(), read), (digits, Value::Number(digits.parse().expect("a decimal"))));
        }
        assert_eq!(value("4.2e3"), Some(Value::Number(Decimal::from(4200))));
        for lost in ["0.12345678901234567890123456789012345", "1e400", "79228162514264337593543950336", "null", "[1]"] {
            assert_eq!(value(lost), None, "{lost}");
        }
    }

    #[test]
    fn a_text_that_spells_a_number_is_one_where_a_number_is_wanted() {
        let number = |json| value(json).expect("a value").number().map(|number| number.to_string());
        assert_eq!(number("\"42000.50\""), Some("42000.50".to_owned()));
        assert_eq!(number("42000.50"), Some("42000.50".to_owned()));
        for text in ["\"a\"", "\"\"", "\"-\"", "\"+1\"", "\" 1\"", "\"1_000\"", "\".5\"", "\"NaN\""] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
