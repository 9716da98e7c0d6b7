//! Reads a decimal number exactly, or not at all.

use rust_decimal::Decimal;

use super::ValueError;

/// The most decimals a [`Decimal`] has.
const MAX_SCALE: u32 = 28;
/// The first integer beyond a [`Decimal`]'s mantissa.
const MANTISSA_END: u128 = 1 << 96;
/// Exponents beyond this are all the same: the number is zero or out of range. Larger than any text is long.
const MAX_EXPONENT: i64 = 1 << 40;

/// Reads a number in JSON's grammar in one pass, in time linear in its length and without allocating. The decimals
/// stay as they are written where they fit: `10.50` keeps its zero.
pub(super) fn parse(text: &str) -> Result<Decimal, ValueError> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (integer, rest) = split_digits(rest);
    if integer.is_empty() || (integer.len() > 1 && integer.starts_with('0')) {
        return Err(ValueError::NotANumber);
    }
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => match split_digits(rest) {
            ("", _) => return Err(ValueError::NotANumber),
            split => split,
        },
        None => ("", rest),
    };
    let exponent = match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => parse_exponent(exponent)?,
        None if rest.is_empty() => 0,
        None => return Err(ValueError::NotANumber),
    };

    let (mantissa, trailing_zeros) = significant_digits(integer, fraction)?;
    if mantissa == 0 {
        return Ok(Decimal::ZERO);
    }
    let written_scale = i64::try_from(fraction.len()).map_err(|_| ValueError::OutOfRange)? - exponent;
    let least_scale = written_scale - trailing_zeros;
    let (mantissa, scale) = at_scale(mantissa, least_scale, written_scale.max(0))
        .or_else(|| at_scale(mantissa, least_scale, least_scale.max(0)))
        .ok_or(ValueError::OutOfRange)?;
    let number = Decimal::from_i128_with_scale(mantissa.cast_signed(), scale);
    Ok(if negative { -number } else { number })
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn parse_exponent(text: &str) -> Result<i64, ValueError> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(ValueError::NotANumber);
    }
    let magnitude =
        digits.bytes().fold(0, |value: i64, digit| (value * 10 + i64::from(digit - b'0')).min(MAX_EXPONENT));
    Ok(if negative { -magnitude } else { magnitude })
}

/// The digits from the first to the last that is not zero as an integer, and how many zeros follow them.
fn significant_digits(integer: &str, fraction: &str) -> Result<(u128, i64), ValueError> {
    let (mut mantissa, mut zeros) = (0_u128, 0_i64);
    for digit in integer.bytes().chain(fraction.bytes()) {
        match digit - b'0' {
            0 if mantissa == 0 => {}
            0 => zeros += 1,
            digit => {
                mantissa = times_ten_to(mantissa, zeros + 1).ok_or(ValueError::OutOfRange)? + u128::from(digit);
                zeros = 0;
            }
        }
    }
    if mantissa < MANTISSA_END { Ok((mantissa, zeros)) } else { Err(ValueError::OutOfRange) }
}

/// `mantissa` with `least` decimals, written with `scale` decimals, if a decimal can hold that.
fn at_scale(mantissa: u128, least: i64, scale: i64) -> Option<(u128, u32)> {
    let mantissa = times_ten_to(mantissa, scale.checked_sub(least)?)?;
    let scale = u32::try_from(scale).ok().filter(|scale| *scale <= MAX_SCALE)?;
    Some((mantissa, scale))
}

/// `mantissa * 10^power`, if that is within a mantissa's range.
fn times_ten_to(mantissa: u128, power: i64) -> Option<u128> {
    let factor = 10_u128.checked_pow(u32::try_from(power).ok()?)?;
    mantissa.checked_mul(factor).filter(|product| *product < MANTISSA_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_and_keep_their_decimals() {
        let cases = [
            ("0", "0"),
            ("-0", "0"),
            ("10.50", "10.50"),
            ("-1.5", "-1.5"),
            ("4.2e4", "42000"),
            ("4.2E+4", "42000"),
            ("420e-1", "42.0"),
            ("1e28", "10000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("0e999999999999999999999", "0"),
            ("79228162514264337593543950335", "79228162514264337593543950335"),
            ("1234567890.123456789012345678", "1234567890.123456789012345678"),
            ("1.50000000000000000000000000000000000000000000000", "1.5"),
            ("100000000000000000000000000000000e-10", "10000000000000000000000"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).map(|number| number.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_number_that_would_have_to_be_rounded_is_out_of_range() {
        let digits = "9".repeat(65_536);
        let cases = [
            "79228162514264337593543950336",
            "1e29",
            "1e-29",
            "1.23456789012345678901234567891",
            "1e999999999999999999999",
            "1e-999999999999999999999",
            digits.as_str(),
        ];
        for text in cases {
            assert_eq!(parse(text), Err(ValueError::OutOfRange), "{}", &text[..text.len().min(40)]);
        }
    }

    #[test]
    fn only_the_grammar_of_json_is_a_number() {
        for text in
            ["", "-", "+1", "01", ".5", "5.", "1e", "1e+", "1.e3", "0x1", "NaN", "Infinity", "1 ", " 1", "1_0", "１"]
        {
            assert_eq!(parse(text), Err(ValueError::NotANumber), "{text}");
        }
    }
}
