//! Exact decimals as integers with a scale: apart from the core.
//!
//! Whatever does not fit 127 bits is `None`: not judged. Nothing that is asked in a scenario comes near that.

use std::cmp::Ordering;

use quorate_core::value::Value;
use rust_decimal::Decimal;

/// The magnitude of the mantissa of a decimal is below this.
const MANTISSA_LIMIT: i128 = 1 << 96;
const MAX_SCALE: u32 = 28;

/// `mantissa` / 10^`scale`, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    mantissa: i128,
    scale: u32,
}

impl Number {
    pub(super) const fn new(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    pub(super) fn of(decimal: Decimal) -> Self {
        Self::new(decimal.mantissa(), decimal.scale())
    }

    /// A value that is a number, or a text that spells one as JSON does.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(decimal) => Some(Self::of(*decimal)),
            Value::Text(text) => Self::parse(text),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let magnitude = text.strip_prefix('-').unwrap_or(text);
        let (plain, exponent) = match magnitude.find(['e', 'E']) {
            Some(at) => (&magnitude[..at], exponent(&magnitude[at + 1..])?),
            None => (magnitude, 0),
        };
        let (whole, fraction) = match plain.find('.') {
            Some(at) if at + 1 < plain.len() => (&plain[..at], &plain[at + 1..]),
            Some(_) => return None,
            None => (plain, ""),
        };
        let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !only_digits(whole)
            || !only_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let zeros = all.len() - digits.len();
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self::new(0, 0));
        }
        let power =
            exponent.checked_add(i64::try_from(zeros).ok()?)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let mantissa: i128 = digits.parse().ok()?;
        let (mantissa, scale) = if power >= 0 {
            (mantissa.checked_mul(power_of_ten(u32::try_from(power).ok()?)?)?, 0)
        } else {
            (mantissa, u32::try_from(-power).ok()?)
        };
        let signed = if magnitude.len() < text.len() { -mantissa } else { mantissa };
        (mantissa < MANTISSA_LIMIT && scale <= MAX_SCALE).then(|| Self::new(signed, scale))
    }

    /// In units of 10^-`scale`, which must be as fine as it needs.
    fn units(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(power_of_ten(scale.checked_sub(self.scale)?)?)
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        let scale = self.scale.max(other.scale);
        Some(self.units(scale)?.cmp(&other.units(scale)?))
    }

    /// Rounded half-even to so many decimals.
    pub(super) fn round(self, decimals: u32) -> Option<Self> {
        if self.scale <= decimals {
            return Some(self);
        }
        let divisor = power_of_ten(self.scale - decimals)?;
        let magnitude = divide_half_even(self.mantissa.checked_abs()?, divisor)?;
        Some(Self::new(magnitude * self.mantissa.signum(), decimals))
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 4);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

fn power_of_ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

/// The quotient of two numbers that are not negative.
fn divide_half_even(dividend: i128, divisor: i128) -> Option<i128> {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let up = match rest.checked_mul(2)?.cmp(&divisor) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    };
    Some(quotient + i128::from(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_json_calls_a_number_is_read() {
        for (text, expected) in [
            ("42000.50", Some((420_005, 1))),
            ("-0.10", Some((-1, 1))),
            ("4.2e4", Some((42_000, 0))),
            ("100e-30", Some((1, 28))),
            ("0e-999999999999999999999", Some((0, 0))),
            ("1.500000000000000000000000000000000000000000", Some((15, 1))),
            ("79228162514264337593543950336", None),
            ("1e-29", None),
            ("1e999999999999999999999", None),
            ("", None),
            ("-", None),
            ("1.", None),
            (".5", None),
            ("01", None),
            ("+1", None),
            ("1e", None),
            ("0x10", None),
            (" 1", None),
        ] {
            assert_eq!(Number::parse(text), expected.map(|(mantissa, scale)| Number { mantissa, scale }), "{text}");
        }
    }

    #[test]
    fn a_number_rounds_half_even() {
        for (number, decimals, expected) in
            [("0.125", 2, "0.12"), ("-0.135", 2, "-0.14"), ("2.5", 0, "2"), ("7", 2, "7")]
        {
            assert_eq!(Number::parse(number).and_then(|number| number.round(decimals)), Number::parse(expected));
        }
    }
}
