//! The exact mean of decimals, rounded once at the end.

use rust_decimal::Decimal;

use super::wide::Wide;
use super::with_unsigned_zero;

/// The significant digits a rounded mean keeps.
const SIGNIFICANT_DIGITS: u32 = 28;
/// The most decimals a [`Decimal`] has.
const MAX_SCALE: u32 = 28;

/// The mean of `values`, which must not be empty: exact where a decimal can hold it; else rounded half-even to 28
/// significant digits, though never to fewer than the integer part has; and never outside the range of the values.
/// Trailing zeros are dropped, so that the order of the values can't show.
pub(super) fn mean(values: &[Decimal]) -> Decimal {
    let count = values.len() as u64;
    let (magnitude, negative) = sum(values);
    let (quotient, remainder) = magnitude.divided_by(count);
    let (mantissa, scale) = if remainder == 0 && without_trailing_zeros(quotient, MAX_SCALE).0.to_u96().is_some() {
        (quotient, MAX_SCALE)
    } else {
        rounded(quotient, remainder, count)
    };
    let (mantissa, scale) = without_trailing_zeros(mantissa, scale);
    let smallest = values.iter().min().expect("a mean is of at least one value").normalize();
    let largest = values.iter().max().expect("a mean is of at least one value").normalize();
    // Rounding to fewer digits than the values have may leave their range, by less than one unit of the last digit.
    mantissa.to_u96().map_or(if negative { smallest } else { largest }, |mantissa| {
        let magnitude = Decimal::from_i128_with_scale(mantissa.cast_signed(), scale);
        let signed = if negative { -magnitude } else { magnitude };
        with_unsigned_zero(signed.clamp(smallest, largest))
    })
}

/// The sum's magnitude, scaled by ten to the 28th, and whether it is negative.
fn sum(values: &[Decimal]) -> (Wide, bool) {
    // Mantissas have 96 bits: 2^31 of them fit into an i128.
    let mut by_scale = [0_i128; MAX_SCALE as usize + 1];
    for value in values {
        by_scale[value.scale() as usize] += value.mantissa();
    }
    let (mut positive, mut negative) = (Wide::ZERO, Wide::ZERO);
    for (mantissa, scale) in by_scale.into_iter().zip(0..) {
        let scaled = Wide::from(mantissa.unsigned_abs()).times_ten_to(MAX_SCALE - scale);
        if mantissa >= 0 {
            positive = positive.plus(scaled);
        } else {
            negative = negative.plus(scaled);
        }
    }
    (positive.distance(negative), negative > positive)
}

/// `quotient + remainder / divisor`, scaled by ten to the 28th, rounded half-even to 28 significant digits.
fn rounded(quotient: Wide, remainder: u64, divisor: u64) -> (Wide, u32) {
    let drop = quotient.decimal_digits().saturating_sub(SIGNIFICANT_DIGITS).min(MAX_SCALE);
    let mut kept = quotient;
    let round_up = if drop == 0 {
        let twice = u128::from(remainder) * 2;
        twice > u128::from(divisor) || (twice == u128::from(divisor) && kept.is_odd())
    } else {
        let (mut last, mut below) = (0, remainder != 0);
        for _ in 0..drop {
            below |= last != 0;
            (kept, last) = kept.divided_by(10);
        }
        last > 5 || (last == 5 && (below || kept.is_odd()))
    };
    if round_up {
        kept = kept.plus(Wide::from(1));
    }
    (kept, MAX_SCALE - drop)
}

fn without_trailing_zeros(mut mantissa: Wide, mut scale: u32) -> (Wide, u32) {
    while scale > 0
        && let (quotient, 0) = mantissa.divided_by(10)
    {
        mantissa = quotient;
        scale -= 1;
    }
    (mantissa, scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_exact_or_rounded_half_even_to_28_digits() {
        let cases: &[(&[&str], &str)] = &[
            (&["0.1", "0.2"], "0.15"),
            (&["1", "1", "2"], "1.333333333333333333333333333"),
            (&["-1", "-1", "-2"], "-1.333333333333333333333333333"),
            (&["1", "2", "2"], "1.666666666666666666666666667"),
            (&["79228162514264337593543950335", "79228162514264337593543950335"], "79228162514264337593543950335"),
            (&["79228162514264337593543950335", "-79228162514264337593543950335"], "0"),
            (&["79228162514264337593543950335", "79228162514264337593543950334"], "79228162514264337593543950334"),
            (&["0.0000000000000000000000000001", "0.0000000000000000000000000002"], "0.0000000000000000000000000002"),
            (&["0.0000000000000000000000000001", "0"], "0"),
            (&["0.0000000000000000000000000003", "0"], "0.0000000000000000000000000002"),
            (&["1.0000000000000000000000000001", "1.0000000000000000000000000003"], "1.0000000000000000000000000002"),
            (&["42000.50", "42000.5"], "42000.5"),
            (&["0", "-0.0"], "0"),
        ];
        for (values, expected) in cases {
            let values: Vec<Decimal> =
                values.iter().map(|text| Decimal::from_str_exact(text).expect("a decimal")).collect();
            assert_eq!(mean(&values).to_string(), *expected, "{values:?}");
        }
    }

    #[test]
    fn rounding_never_leaves_the_range_of_the_values() {
        let (low, high) = (
            Decimal::from_str_exact("1.0000000000000000000000000001"),
            Decimal::from_str_exact("1.0000000000000000000000000002"),
        );
        let (low, high) = (low.expect("a decimal"), high.expect("a decimal"));
        let result = mean(&[low, low, high]);
        assert!((low..=high).contains(&result), "{result}");
    }
}
