//! Values in JSON: numbers keep all their digits in both directions.

use std::io::Write as _;
use std::str::FromStr;

use quorate_core::coordinator::Score;
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The longest decimal, in bytes: a sign, 29 digits and a point.
const MAX_NUMBER_BYTES: usize = 31;

/// How the values of an answer are written if they are numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// As JSON numbers with all their digits.
    #[default]
    Number,
    /// As JSON strings, for readers that would turn a number into a binary float.
    String,
}

impl Numbers {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Number, Self::String];

    /// The name in requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::String => "string",
        }
    }
}

impl FromStr for Numbers {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|numbers| numbers.name() == name).ok_or("numbers must be number or string")
    }
}

/// A [`Value`] that serializes as a number with all its digits, or as a string.
#[derive(Debug)]
pub struct JsonValue<'a> {
    /// The value.
    pub value: &'a Value,
    /// How it is written if it is a number.
    pub numbers: Numbers,
}

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Number(number) => JsonDecimal { number: *number, numbers: self.numbers }.serialize(serializer),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// A value of an answer that is always a number.
#[derive(Debug)]
pub(crate) struct JsonDecimal {
    pub(crate) number: Decimal,
    pub(crate) numbers: Numbers,
}

impl Serialize for JsonDecimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.numbers {
            Numbers::Number => JsonNumber(self.number).serialize(serializer),
            Numbers::String => serializer.collect_str(&self.number),
        }
    }
}

/// A decimal that serializes as a JSON number with all its digits.
#[derive(Clone, Copy, Debug)]
pub struct JsonNumber(pub Decimal);

impl From<Score> for JsonNumber {
    fn from(score: Score) -> Self {
        Self(Decimal::new(score.millionths().into(), 6))
    }
}

impl Serialize for JsonNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; MAX_NUMBER_BYTES];
        let mut rest = &mut text[..];
        write!(rest, "{}", self.0).map_err(S::Error::custom)?;
        let length = MAX_NUMBER_BYTES - rest.len();
        let json: &RawValue = serde_json::from_slice(&text[..length]).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

/// Reads a value from well-formed JSON.
///
/// # Errors
/// A message for people that says what it is instead, or which bound it breaks.
pub(super) fn read(json: &RawValue) -> Result<Value, String> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Value::text(&text).map_err(|error| format!("value {error}"))
        }
        Some(b'-' | b'0'..=b'9') => Value::number(text).map_err(|error| format!("value {error}")),
        _ => Err("value must be a number or a string".to_owned()),
    }
}

/// The whole part of a JSON number that is not negative, has no exponent and fits 64 bits. Fields that are not
/// essential are read this way, because some programs write them as fractions.
pub(super) fn whole_number(json: &RawValue) -> Option<u64> {
    let (whole, fraction) = json.get().split_once('.').unwrap_or((json.get(), ""));
    if fraction.contains(['e', 'E']) { None } else { whole.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_every_digit_through_the_wire() {
        let longest = ["-7.9228162514264337593543950335", "-0.0000000000000000000000000001"];
        let others = ["1234567890.123456789012345678", "0.1", "-42000.50", "\"0.10\"", "\"na\\\"me\""];
        for json in longest.into_iter().chain(others) {
            let raw = RawValue::from_string(json.to_owned()).expect("JSON");
            let value = read(&raw).expect("a value");
            assert_eq!(
                serde_json::to_string(&JsonValue { value: &value, numbers: Numbers::Number }).expect("serializable"),
                json
            );
            let text =
                serde_json::to_string(&JsonValue { value: &value, numbers: Numbers::String }).expect("serializable");
            assert_eq!(text.trim_matches('"'), json.trim_matches('"'));
            assert!(text.starts_with('"'), "{text}");
        }
    }

    #[test]
    fn what_is_neither_a_valid_number_nor_a_string_is_refused() {
        for json in ["null", "true", "[1]", "{\"a\":1}", "1e400", "1e-400"] {
            let raw = RawValue::from_string(json.to_owned()).expect("JSON");
            assert!(read(&raw).is_err(), "{json}");
        }
    }
}
