//! The exact mean. The sum is exact, it is divided once, and the quotient is rounded at most once.

use rust_decimal::Decimal;

use super::Rule;
use super::combine::{Combine, Votes};
use super::scaled::{FINEST_SCALE, POW10, Unit};
use super::wide::Wide;
use crate::value::Value;

/// Significant digits of a mean that no decimal holds exactly.
const SIGNIFICANT_DIGITS: u32 = 28;

/// This many mantissas, each below 2^96, sum up within an `i128`.
const SUMMANDS_OF_AN_I128: usize = 1 << 30;

/// A mean is no larger than its largest input.
const IN_RANGE: &str = "the magnitude of a mean is at most that of an input, below 2^96";

/// The exact mean.
pub(super) struct Average;

impl Combine for Average {
    fn name(&self) -> &'static str {
        "average"
    }

    fn combine(&self, votes: Votes<'_>, _rule: &Rule) -> Option<(Value, bool)> {
        mean(votes.numbers.as_slice()).map(|mean| (Value::Number(mean), false))
    }
}

/// The mean, without trailing zeros; `None` if there are no numbers.
///
/// It is exact if a decimal can hold it. Otherwise it is rounded half-even to 28 significant digits, but to no more
/// than 28 decimals and never in the integer digits, and it stays between the smallest and the largest number.
pub fn mean(numbers: &[Decimal]) -> Option<Decimal> {
    short_mean(numbers).or_else(|| long_mean(numbers))
}

/// The mean, if all numbers have the same scale and 128 bits are enough to compute it. Usually they are.
fn short_mean(numbers: &[Decimal]) -> Option<Decimal> {
    let scale = numbers.first()?.scale();
    let mut sum = 0_i128;
    for number in numbers.iter().take(SUMMANDS_OF_AN_I128) {
        if number.scale() != scale {
            return None;
        }
        sum += number.mantissa();
    }
    if numbers.len() > SUMMANDS_OF_AN_I128 {
        return None;
    }
    // Clamping is not needed: the smallest and the largest number are themselves possible results of the rounding.
    let magnitude = short_quotient(sum.unsigned_abs(), numbers.len() as u64, scale)?;
    Some(if sum < 0 && !magnitude.is_zero() { -magnitude } else { magnitude })
}

/// The mean of any numbers.
fn long_mean(numbers: &[Decimal]) -> Option<Decimal> {
    let (min, max) = (*numbers.iter().min()?, *numbers.iter().max()?);
    let (negative, sum) = sum(numbers);
    let count = numbers.len() as u64;
    let magnitude = quotient(sum, count, Unit::FINEST).expect(IN_RANGE);
    let mean = if negative { -magnitude } else { magnitude };
    Some(mean.clamp(min, max).normalize())
}

/// Whether the sum is negative, and its magnitude in units of 10^-28, below 2^255.
fn sum(numbers: &[Decimal]) -> (bool, Wide) {
    let [mut positive, mut negative] = [Wide::ZERO; 2];
    for chunk in numbers.chunks(SUMMANDS_OF_AN_I128) {
        let mut totals = [0_i128; FINEST_SCALE as usize + 1];
        for number in chunk {
            totals[number.scale() as usize] += number.mantissa();
        }
        for (total, scale) in totals.into_iter().zip(0..).filter(|(total, _)| *total != 0) {
            let side = if total < 0 { &mut negative } else { &mut positive };
            *side = side
                .checked_add(Unit::FINEST.units(total.unsigned_abs(), scale))
                .expect("a slice holds fewer than 2^59 decimals");
        }
    }
    (negative > positive, positive.abs_diff(negative))
}

/// The quotient of `sum` units and `count`, not 0, without trailing zeros: exact if a decimal can hold it, otherwise
/// rounded half-even to 28 significant digits, but never in the integer digits; `None` beyond the range of decimals.
/// The sum is below 2^195.
pub(super) fn quotient(sum: Wide, count: u64, unit: Unit) -> Option<Decimal> {
    if let Some(magnitude) = sum.to_u128()
        && let Some(quotient) = short_quotient(magnitude, count, unit.scale)
    {
        return Some(quotient);
    }
    // In units of 10^-28.
    let sum = sum.checked_mul_pow10(FINEST_SCALE - unit.scale)?;
    exact_quotient(sum, count).or_else(|| rounded_quotient(sum, count)).map(|quotient| quotient.normalize())
}

/// The quotient of `magnitude` · 10^-`scale` and `count`, as [`quotient`] gives it, if 128 bits are enough to compute
/// it.
fn short_quotient(magnitude: u128, count: u64, scale: u32) -> Option<Decimal> {
    let decimal = |mantissa: u128, scale| {
        let decimal = Decimal::try_from_i128_with_scale(i128::try_from(mantissa).ok()?, scale).ok()?;
        Some(decimal.normalize())
    };
    let (whole, remainder) = div_rem(magnitude, count);
    // Digit by digit: a quotient that terminates does so after at most as many further decimals as its divisor has
    // bits.
    let (mut quotient, mut rest) = (whole, remainder);
    for more in 0..=count.ilog2() {
        if rest == 0 {
            return decimal(quotient, scale + more);
        }
        let ten_times = rest.checked_mul(10)?;
        quotient = quotient.checked_mul(10)?.checked_add((ten_times / count).into())?;
        rest = ten_times % count;
    }
    // It does not terminate, so rounding never meets a midpoint. Compute the digits that are kept.
    let digits = whole.checked_ilog10().map_or(0, |log| log + 1);
    let more = SIGNIFICANT_DIGITS.checked_sub(digits)?.min(FINEST_SCALE - scale);
    let (floor, rest) = div_rem(magnitude.checked_mul(POW10[more as usize])?, count);
    decimal(floor + u128::from(rest > count - rest), scale + more)
}

/// Quotient and remainder; most dividends are small.
fn div_rem(dividend: u128, divisor: u64) -> (u128, u64) {
    if let Ok(dividend) = u64::try_from(dividend) {
        return ((dividend / divisor).into(), dividend % divisor);
    }
    let wide = u128::from(divisor);
    let quotient = dividend / wide;
    (quotient, (dividend - quotient * wide) as u64)
}

/// The quotient of `sum` units of 10^-28 and `count`, if a decimal holds it exactly.
fn exact_quotient(sum: Wide, count: u64) -> Option<Decimal> {
    let (mut quotient, 0) = sum.div_rem(count) else { return None };
    let mut scale = FINEST_SCALE;
    // Trailing zeros are removed by powers of two: that covers any number of them below 32, and there are at most 28.
    for zeros in [16, 8, 4, 2, 1] {
        if zeros <= scale
            && let (shorter, 0) = quotient.div_rem(10_u64.pow(zeros))
        {
            quotient = shorter;
            scale -= zeros;
        }
    }
    decimal(quotient, scale)
}

/// The quotient of `sum` units of 10^-28 and `count`, rounded half-even to 28 significant digits.
fn rounded_quotient(sum: Wide, count: u64) -> Option<Decimal> {
    let dropped_digits = surplus_digits(sum.div_rem(count).0);
    let floor = sum.div_pow10(dropped_digits).div_rem(count).0.to_u128()?;
    let divisor = Wide::from(u128::from(count)).checked_mul_pow10(dropped_digits).expect("64 + 94 bits are below 256");
    let times_divisor = |quotient: u128| {
        let product = Wide::product(quotient, u128::from(count)).checked_mul_pow10(dropped_digits);
        product.expect("a quotient times its divisor is about the sum")
    };
    let remainder = sum.abs_diff(times_divisor(floor));
    let rest = divisor.abs_diff(remainder);
    let up = remainder > rest || (remainder == rest && floor % 2 == 1);
    decimal(Wide::from(floor.checked_add(u128::from(up))?), FINEST_SCALE - dropped_digits)
}

/// The number of decimals, 0 to 28, that a quotient in units of 10^-28 has beyond 28 significant digits.
fn surplus_digits(quotient: Wide) -> u32 {
    let too_long = |dropped: &u32| {
        Wide::from(1).checked_mul_pow10(SIGNIFICANT_DIGITS + dropped).is_some_and(|limit| quotient >= limit)
    };
    (0..FINEST_SCALE).take_while(too_long).count() as u32
}

/// `mantissa` · 10^-`scale`, if the mantissa is below 2^96.
fn decimal(mantissa: Wide, scale: u32) -> Option<Decimal> {
    let mantissa = i128::try_from(mantissa.to_u128()?).ok()?;
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn the_mean_is_exact_or_rounded_half_even_once() {
        for (numbers, expected) in [
            ("0.1 0.2", "0.15"),
            ("1 1 2", "1.333333333333333333333333333"),
            ("-1 -1 -2", "-1.333333333333333333333333333"),
            ("0 0 1", "0.3333333333333333333333333333"),
            ("0 0 2", "0.6666666666666666666666666667"),
            ("0 0 20", "6.666666666666666666666666667"),
            ("10.50 10.5", "10.5"),
            ("-5 5", "0"),
            // Exact with 29 digits, where 28 would lose one.
            ("1.2345678901234567890123456789", "1.2345678901234567890123456789"),
            // Halves of the last digit go to the even neighbour.
            ("0 0.0000000000000000000000000001", "0"),
            ("0.0000000000000000000000000001 0.0000000000000000000000000002", "0.0000000000000000000000000002"),
            ("0 -0.0000000000000000000000000003", "-0.0000000000000000000000000002"),
            ("0 0.0000000000000000000000000005", "0.0000000000000000000000000002"),
            // Beyond 28 integer digits, nothing of the integer part is dropped.
            ("79228162514264337593543950335 79228162514264337593543950335", "79228162514264337593543950335"),
            ("79228162514264337593543950335 79228162514264337593543950334", "79228162514264337593543950334"),
            ("79228162514264337593543950333 79228162514264337593543950334", "79228162514264337593543950334"),
            ("79228162514264337593543950335 -79228162514264337593543950335", "0"),
            ("-79228162514264337593543950335 -79228162514264337593543950335", "-79228162514264337593543950335"),
            // Rounding carries into a new digit.
            ("9.999999999999999999999999999 10 10", "10"),
        ] {
            assert_eq!(mean(&decimals(numbers)), Some(number(expected)), "{numbers}");
        }
    }

    #[test]
    fn a_short_mean_keeps_the_29th_digit_that_ends_it() {
        let numbers = decimals("5000000000000000000000000000 5000000000000000000000000001");
        assert_eq!(mean(&numbers), Some(number("5000000000000000000000000000.5")));
    }

    #[test]
    fn a_long_mean_of_zero_has_no_sign() {
        for numbers in ["1 -1.0", "-0.0000000000000000000000000001 0 0.0"] {
            assert_eq!(mean(&decimals(numbers)).expect("a mean").to_string(), "0", "{numbers}");
        }
    }

    #[test]
    fn a_mean_stays_within_its_inputs_though_they_have_more_digits_than_it_keeps() {
        let numbers = decimals("1.2345678901234567890123456786 1.2345678901234567890123456787");
        assert_eq!(mean(&numbers), Some(number("1.2345678901234567890123456787")));
    }

    #[test]
    fn the_short_and_the_long_computation_agree() {
        for numbers in [
            "1.00 2.00 4.00",
            "1 2 4 8 16 32 65",
            "-7 -7 -8",
            "9999999999999999999999999998 9999999999999999999999999999 9999999999999999999999999999",
            "0.0000000000000000000000000001 0.0000000000000000000000000001 0.0000000000000000000000000002",
            "3 3 3 3 3 3 3 4",
            // Too small to differ from zero, which has no sign.
            "-0.0000000000000000000000000001 -0.0000000000000000000000000001 0.0000000000000000000000000001",
            "0 0 0",
        ] {
            let numbers = decimals(numbers);
            let short = short_mean(&numbers);
            assert!(short.is_some(), "{numbers:?}");
            assert_eq!(short.map(|mean| mean.to_string()), long_mean(&numbers).map(|mean| mean.to_string()));
        }
        for too_long in ["1.0 2", "79228162514264337593543950334 79228162514264337593543950335"] {
            assert_eq!(short_mean(&decimals(too_long)), None, "{too_long}");
        }
    }

    #[test]
    fn no_numbers_have_no_mean() {
        assert_eq!(mean(&[]), None);
    }
}
