//! What a worker observed: an exact decimal, or a text.

use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// The longest text value accepted, in bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// The largest mantissa of a decimal, 2^96 - 1.
const MAX_MANTISSA: i128 = (1 << 96) - 1;

/// An observed value. There is no binary floating point between the wire and the answer: NaN and infinity cannot
/// exist, and 0.1 + 0.2 is 0.3.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// An exact decimal number: a 96-bit integer scaled by a power of ten between 10^-28 and 1.
    Number(Decimal),
    /// A text such as a label or a block hash, in the form that [`Value::text`] gives it.
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
    /// Trailing zeros are kept as far as they fit: 10.50 has two decimals. The time is proportional to the length of
    /// the text, whatever the exponent.
    ///
    /// # Errors
    /// [`ValueError::NotANumber`] or [`ValueError::OutOfRange`]; a number is never rounded on the way in.
    pub fn number(text: &str) -> Result<Self, ValueError> {
        let literal = Literal::parse(text).ok_or(ValueError::NotANumber)?;
        literal.decimal().map(Self::Number).ok_or(ValueError::OutOfRange)
    }

    /// Makes a value of a text: removes white space around it and normalizes it to Unicode's form C, so that texts that
    /// look the same are equal.
    ///
    /// # Errors
    /// [`ValueError::TextTooLong`] if it has more than [`MAX_TEXT_BYTES`] bytes, as given or in its normal form.
    pub fn text(text: &str) -> Result<Self, ValueError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(ValueError::TextTooLong);
        }
        let trimmed = text.trim();
        let normal: Arc<str> = match is_nfc_quick(trimmed.chars()) {
            IsNormalized::Yes => trimmed.into(),
            IsNormalized::No | IsNormalized::Maybe => trimmed.nfc().collect::<String>().into(),
        };
        if normal.len() > MAX_TEXT_BYTES { Err(ValueError::TextTooLong) } else { Ok(Self::Text(normal)) }
    }

    /// The value as a number: a number itself, or a text that spells one in JSON's grammar, as in many price feeds.
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

/// The parts of a number in JSON's grammar.
struct Literal<'a> {
    negative: bool,
    /// Digits before the decimal point, at least one.
    integer: &'a str,
    /// Digits after it.
    fraction: &'a str,
    /// Saturated at 63 bits: no text is long enough to compensate for a larger exponent.
    exponent: i64,
}

impl<'a> Literal<'a> {
    /// Splits the text into its parts; `None` if it is not in the grammar.
    fn parse(text: &'a str) -> Option<Self> {
        let magnitude = text.strip_prefix('-').unwrap_or(text);
        let (digits, exponent) = match magnitude.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, parse_exponent(exponent)?),
            None => (magnitude, 0),
        };
        let (integer, fraction) = match digits.split_once('.') {
            Some((integer, fraction)) if is_digits(fraction) => (integer, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let leading_zero = integer.len() > 1 && integer.starts_with('0');
        let negative = magnitude.len() < text.len();
        (is_digits(integer) && !leading_zero).then_some(Self { negative, integer, fraction, exponent })
    }

    /// The number, if a decimal can hold it exactly.
    fn decimal(&self) -> Option<Decimal> {
        let (significand, trailing_zeros) = self.significand()?;
        let decimals = i64::try_from(self.fraction.len()).ok()?.saturating_sub(self.exponent);
        let written_scale = decimals.clamp(0, Decimal::MAX_SCALE.into());
        if significand == 0 {
            return Some(Decimal::new(0, u32::try_from(written_scale).ok()?));
        }
        let least_scale = decimals.saturating_sub(trailing_zeros);
        let mut scale = least_scale.max(0);
        let whole_zeros = u32::try_from(scale.saturating_sub(least_scale)).ok()?;
        let mut mantissa = significand.checked_mul(10_i128.checked_pow(whole_zeros)?)?;
        while scale < written_scale && mantissa <= MAX_MANTISSA / 10 {
            mantissa *= 10;
            scale += 1;
        }
        let signed = if self.negative { -mantissa } else { mantissa };
        Decimal::try_from_i128_with_scale(signed, u32::try_from(scale).ok()?).ok()
    }

    /// The digits as one integer without its trailing zeros, and the number of those; `None` beyond 127 bits.
    fn significand(&self) -> Option<(i128, i64)> {
        let mut significand = 0_i128;
        let mut zeros = 0_i64;
        for digit in self.integer.bytes().chain(self.fraction.bytes()).map(|byte| byte - b'0') {
            match (digit, significand) {
                (0, 0) => {}
                (0, _) => zeros += 1,
                _ => {
                    let shift = 10_i128.checked_pow(u32::try_from(zeros + 1).ok()?)?;
                    significand = significand.checked_mul(shift)?.checked_add(digit.into())?;
                    zeros = 0;
                }
            }
        }
        Some((significand, zeros))
    }
}

/// Parses the text after an `e`, saturated at 63 bits.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !is_digits(digits) {
        return None;
    }
    let append = |number: i64, digit: u8| number.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let magnitude = digits.bytes().fold(0, append);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

/// Whether there is at least one character, and all are ASCII digits.
fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_digits_and_its_scale() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.00", "0.00"),
            ("-1", "-1"),
            ("10.50", "10.50"),
            ("0.5", "0.5"),
            ("4.2e4", "42000"),
            ("4.20E+4", "42000"),
            ("42e-1", "4.2"),
            ("420e-1", "42.0"),
            ("1e28", "10000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("100e-30", "0.0000000000000000000000000001"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
            ("-7.9228162514264337593543950335", "-7.9228162514264337593543950335"),
            ("0e999999999", "0"),
            ("0e-999999999999999999999", "0.0000000000000000000000000000"),
            ("0.0e-3", "0.0000"),
            // Trailing zeros that do not fit are dropped.
            ("1.500000000000000000000000000000000000000000", "1.5000000000000000000000000000"),
            ("9.00000000000000000000000000000", "9.000000000000000000000000000"),
        ] {
            assert_eq!(Value::number(text).map(|value| value.to_string()).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_text_outside_the_grammar_of_json_is_not_a_number() {
        for text in [
            "",
            "-",
            "+1",
            "--1",
            ".5",
            "5.",
            "-.5",
            "00",
            "01",
            "-01",
            "1e",
            "1e+",
            "1e+-1",
            "1e1.5",
            "1e1e1",
            "e1",
            ".",
            " 1",
            "1 ",
            "1,5",
            "1_000",
            "0x10",
            "NaN",
            "Infinity",
            "-Infinity",
            "1..2",
            "1.2.3",
            "\u{661}",
            "1\0",
            "1e\u{661}",
            "1.e5",
        ] {
            assert_eq!(Value::number(text), Err(ValueError::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn a_number_that_a_decimal_cannot_hold_exactly_is_out_of_range() {
        for text in [
            "79228162514264337593543950336",
            "-79228162514264337593543950336",
            "1e29",
            "8e28",
            "1e-29",
            "1e-30",
            "10e-30",
            "0.00000000000000000000000000001",
            "7.9228162514264337593543950336",
            "1.00000000000000000000000000001",
            "1e999999999999999999999",
            "1e-999999999999999999999",
        ] {
            assert_eq!(Value::number(text), Err(ValueError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn long_texts_are_judged_by_their_value() {
        let zeros = "0".repeat(1 << 16);
        let nines = "9".repeat(1 << 16);
        assert_eq!(Value::number(&nines), Err(ValueError::OutOfRange));
        assert_eq!(Value::number(&format!("1{zeros}")), Err(ValueError::OutOfRange));
        assert_eq!(Value::number(&format!("1{zeros}1")), Err(ValueError::OutOfRange));
        assert_eq!(Value::number(&format!("1e{nines}")), Err(ValueError::OutOfRange));
        assert_eq!(Value::number(&format!("1{zeros}e-65536")), Value::number("1"));
        assert_eq!(Value::number(&format!("0.{zeros}1e65537")), Value::number("1"));
        assert_eq!(Value::number(&format!("0.{zeros}")), Value::number("0"));
        assert_eq!(Value::number(&format!("1e{zeros}2")), Value::number("100"));
    }

    #[test]
    fn a_text_is_a_number_if_it_spells_one() {
        let number = |text: &str| Value::text(text).expect("short").as_number();
        assert_eq!(number("42000.10"), Some(Decimal::new(4_200_010, 2)));
        assert_eq!(number("42,000"), None);
        assert_eq!(number("1e99"), None);
    }

    #[test]
    fn texts_that_look_the_same_are_equal() {
        let text = |text: &str| Value::text(text).expect("short");
        for (one, other) in
            [("red", " red\r\n"), ("é", "e\u{301}"), ("Å", "\u{212b}"), ("", "\u{3000}"), ("a b", "\ta b\u{a0}")]
        {
            assert_eq!(text(one), text(other), "{one:?} {other:?}");
        }
        assert_ne!(text("red"), text("Red"));
        assert_ne!(text("a b"), text("a  b"));
        assert_ne!(text("ﬁ"), text("fi"), "compatible characters are not the same");
        assert_eq!(text(" 1.5 ").as_number(), Some(Decimal::new(15, 1)));
    }

    #[test]
    fn a_text_that_grows_too_long_in_its_normal_form_is_refused() {
        // Four bytes that become twelve.
        let growing = "\u{1d160}";
        assert!(Value::text(&growing.repeat(MAX_TEXT_BYTES / 12)).is_ok());
        assert_eq!(Value::text(&growing.repeat(MAX_TEXT_BYTES / 4)), Err(ValueError::TextTooLong));
    }

    #[test]
    fn a_text_has_a_length_limit() {
        assert!(Value::text(&"a".repeat(MAX_TEXT_BYTES)).is_ok());
        assert_eq!(Value::text(&"a".repeat(MAX_TEXT_BYTES + 1)), Err(ValueError::TextTooLong));
    }
}
