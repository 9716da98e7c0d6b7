//! The outlier rule: which numbers are too far from the median to be believed.

use rust_decimal::Decimal;

use super::median::median;
use super::scaled::{FINEST_SCALE, distance};
use super::wide::Wide;

/// What the outlier rule says about some numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The numbers at these positions are outliers: ascending, and fewer than half of all.
    Exclude(Vec<usize>),
    /// Half or more of the numbers would be outliers, so that the median says nothing about them.
    Disputed,
}

/// Finds the numbers v with |v - median| > `fraction` · |median|, compared exactly. A negative fraction counts as 0.
pub(super) fn judge(numbers: &[Decimal], fraction: Decimal) -> Verdict {
    let Some(median) = median(&mut numbers.to_vec()) else { return Verdict::Exclude(Vec::new()) };
    let Some(limit) = limit(fraction, median) else { return Verdict::Exclude(Vec::new()) };
    let is_outlier = |position: &usize| distance(numbers[*position], median) > limit;
    let outliers: Vec<usize> = (0..numbers.len()).filter(is_outlier).collect();
    if outliers.len() * 2 < numbers.len() { Verdict::Exclude(outliers) } else { Verdict::Disputed }
}

/// The largest distance in units of 10^-28 that is no more than `fraction` · |`median`|; `None` if every distance is
/// less.
fn limit(fraction: Decimal, median: Decimal) -> Option<Wide> {
    let fraction = fraction.max(Decimal::ZERO);
    let product = Wide::product(fraction.mantissa().unsigned_abs(), median.mantissa().unsigned_abs());
    // Distances are whole, so what is rounded off here decides none.
    match fraction.scale() + median.scale() {
        scale @ ..=FINEST_SCALE => product.checked_mul_pow10(FINEST_SCALE - scale),
        scale => Some(product.div_pow10(scale - FINEST_SCALE)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn numbers_farther_from_the_median_than_the_fraction_are_outliers() {
        let max = "79228162514264337593543950335";
        for (numbers, fraction, expected) in [
            ("100 101 99 200", "0.1", vec![3]),
            ("100 110 90", "0.1", vec![]),
            ("100 110.0000000000000000000000001 90", "0.1", vec![1]),
            ("100 110 89.99999999999999999999999999", "0.1", vec![2]),
            ("-100 -110 -90 -200 5", "0.1", vec![3, 4]),
            ("5", "0", vec![]),
            ("5 5 5.0 6", "0", vec![3]),
            ("5 5 5.0 6", "-3", vec![3]),
            // Around zero only zeros are near.
            ("0 0 0.00 0.0000000000000000000000000001", "1000", vec![3]),
            // A limit beyond 256 bits is no limit.
            (&format!("{max} {max} -{max}"), max, vec![]),
            (&format!("{max} {max} -{max}"), "1.99999", vec![2]),
            (&format!("{max} {max} -{max}"), "2", vec![]),
            ("", "0.1", vec![]),
        ] {
            let verdict = judge(&decimals(numbers), number(fraction));
            assert_eq!(verdict, Verdict::Exclude(expected), "{numbers} by {fraction}");
        }
    }

    #[test]
    fn half_or_more_outliers_are_a_dispute() {
        for (numbers, fraction) in [("1 1 100 100", "0.1"), ("1 2", "0"), ("1 2 3 100", "0.4"), ("-1 0 1", "9")] {
            assert_eq!(judge(&decimals(numbers), number(fraction)), Verdict::Disputed, "{numbers} by {fraction}");
        }
    }
}
