//! The outlier rules: which numbers lie too far from the others to be believed.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::Millionths;
use super::median::middle;
use super::ranked::Ranked;
use super::scaled::Unit;
use super::spread::{Quartiles, twice_the_mad};
use super::wide::Wide;
use crate::value::Value;

/// 10^4 times the factor that makes the median absolute deviation of normally distributed values equal to their
/// standard deviation: 1.4826, the inverse of the normal distribution's third quartile (Rousseeuw and Croux, 1993).
const MAD_SCALE: u64 = 14_826;
/// Millionths times ten-thousandths.
const MAD_PARTS: u64 = 10_000 * Millionths::ONE.get();

/// The products of bounded factors with distances, below 2^192, fit 256 bits.
const IN_RANGE: &str = "40 + 14 + 192 bits are less than 256";

/// Which numbers are outliers. They are excluded if they are fewer than half of all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutlierRule {
    /// No number.
    None,
    /// Those farther from the median than this fraction of the median's magnitude; a negative fraction counts as 0.
    Relative(Decimal),
    /// Those farther from the median than this many times 1.4826 times the median absolute deviation. If that is zero,
    /// as it is when more than half of the numbers are equal, those that differ from the median.
    Mad(Millionths),
    /// Those farther below the first or above the third quartile than this many times the interquartile range (Tukey's
    /// fences).
    Iqr(Millionths),
}

/// A text that is not an outlier rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be none, a fraction such as 0.05, mad:K or iqr:K, with K from 0 to 1000000 and at most 6 decimals")]
pub struct InvalidOutlierRule;

impl FromStr for OutlierRule {
    type Err = InvalidOutlierRule;

    fn from_str(text: &str) -> Result<Self, InvalidOutlierRule> {
        let number = |text| match Value::number(text) {
            Ok(Value::Number(number)) => Ok(number),
            _ => Err(InvalidOutlierRule),
        };
        let factor = |text| Millionths::from_decimal(number(text)?).ok_or(InvalidOutlierRule);
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            None => number(text).map(Self::Relative),
            Some(("mad", times)) => factor(times).map(Self::Mad),
            Some(("iqr", times)) => factor(times).map(Self::Iqr),
            Some(_) => Err(InvalidOutlierRule),
        }
    }
}

impl fmt::Display for OutlierRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Relative(fraction) => fraction.fmt(f),
            Self::Mad(times) => write!(f, "mad:{times}"),
            Self::Iqr(times) => write!(f, "iqr:{times}"),
        }
    }
}

/// The boundary that a rule draws around numbers. All comparisons are exact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fence {
    /// There is none.
    None,
    /// Outliers are numbers whose distance from the center, multiplied by `parts`, exceeds `limit` units.
    Around { center: Decimal, unit: Unit, parts: u64, limit: Wide },
    /// Outliers are numbers whose distance above the origin, multiplied by `parts`, is below `low` or above `high`. If
    /// there is no `low`, the fence reaches `below` the origin.
    Between { origin: Decimal, unit: Unit, parts: u64, low: Option<Wide>, below: Wide, high: Wide },
}

impl Fence {
    /// The fence of `rule` around `numbers`. `distances` is overwritten.
    pub(super) fn of(rule: OutlierRule, numbers: &mut Ranked<'_>, distances: &mut Vec<Wide>) -> Self {
        let Some(center) = middle(numbers) else { return Self::None };
        let unit = Unit::of(numbers.as_slice()).and(center);
        match rule {
            OutlierRule::None => Self::None,
            OutlierRule::Relative(fraction) => match fraction_of(center, fraction, unit) {
                None => Self::None,
                Some(limit) => Self::Around { center, unit, parts: 1, limit },
            },
            OutlierRule::Mad(times) => {
                let mad = twice_the_mad(numbers.as_slice(), center, unit, distances);
                let limit = mad.checked_mul(times.get()).and_then(|product| product.checked_mul(MAD_SCALE));
                Self::Around { center, unit, parts: 2 * MAD_PARTS, limit: limit.expect(IN_RANGE) }
            }
            OutlierRule::Iqr(times) => {
                let Some(Quartiles { origin, unit, first, third }) = Quartiles::of(numbers) else { return Self::None };
                // Quartiles are multiplied by four, the factor by a million.
                let parts = Millionths::ONE.get();
                let times_parts = |offset: Wide| offset.checked_mul(parts).expect(IN_RANGE);
                let reach = third.abs_diff(first).checked_mul(times.get()).expect(IN_RANGE);
                let (first, third) = (times_parts(first), times_parts(third));
                let low = (first >= reach).then(|| first.abs_diff(reach));
                let below = if first >= reach { Wide::ZERO } else { first.abs_diff(reach) };
                let high = third.checked_add(reach).expect(IN_RANGE);
                Self::Between { origin, unit, parts: 4 * parts, low, below, high }
            }
        }
    }

    /// Whether a number is an outlier. For [`Fence::Between`] it must be one of those the fence was computed from.
    pub(super) fn excludes(&self, number: Decimal) -> bool {
        let times = |distance: Wide, parts: u64| distance.checked_mul(parts).expect(IN_RANGE);
        match *self {
            Self::None => false,
            Self::Around { center, unit, parts: 1, limit } => unit.distance(number, center) > limit,
            Self::Around { center, unit, parts, limit } => times(unit.distance(number, center), parts) > limit,
            Self::Between { origin, unit, parts, low, high, .. } => {
                let offset = times(unit.distance(number, origin), parts);
                offset > high || low.is_some_and(|low| offset < low)
            }
        }
    }

    /// Like [`Fence::excludes`], but for any number. It may have more decimals than the numbers that the fence was
    /// computed from, and lie below them.
    pub(super) fn excludes_any(&self, number: Decimal) -> bool {
        // A distance beyond 256 bits in a finer unit exceeds every limit.
        let beyond = |distance: Wide, unit: Unit, finer: Unit, parts: u64, limit: Wide| {
            let distance = distance.checked_mul(parts).expect(IN_RANGE);
            limit.checked_mul_pow10(finer.scale - unit.scale).is_some_and(|limit| distance > limit)
        };
        match *self {
            Self::None => false,
            Self::Around { center, unit, parts, limit } => {
                let finer = unit.and(number);
                beyond(finer.distance(number, center), unit, finer, parts, limit)
            }
            Self::Between { origin, unit, parts, low, below, high } => {
                let finer = unit.and(number);
                let distance = finer.distance(number, origin);
                if number < origin {
                    return low.is_some() || beyond(distance, unit, finer, parts, below);
                }
                let is_below = |low: Wide| {
                    let distance = distance.checked_mul(parts).expect(IN_RANGE);
                    low.checked_mul_pow10(finer.scale - unit.scale).is_none_or(|low| distance < low)
                };
                beyond(distance, unit, finer, parts, high) || low.is_some_and(is_below)
            }
        }
    }
}

/// The largest distance in units that is no more than `fraction` · |`of`|; `None` if every distance is less. A negative
/// fraction counts as 0.
pub(super) fn fraction_of(of: Decimal, fraction: Decimal, unit: Unit) -> Option<Wide> {
    let fraction = fraction.max(Decimal::ZERO);
    let product = Wide::product(fraction.mantissa().unsigned_abs(), of.mantissa().unsigned_abs());
    // Distances are whole, so rounding down here changes no comparison.
    match fraction.scale() + of.scale() {
        scale if scale <= unit.scale => product.checked_mul_pow10(unit.scale - scale),
        scale => Some(product.div_pow10(scale - unit.scale)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decimals;
    use super::*;

    /// The positions of the outliers.
    fn outliers(numbers: &str, rule: &str) -> Vec<usize> {
        let numbers = decimals(numbers);
        let rule = rule.parse().expect("a rule");
        let fence = Fence::of(rule, &mut Ranked::of(&mut numbers.clone()), &mut Vec::new());
        (0..numbers.len()).filter(|position| fence.excludes(numbers[*position])).collect()
    }

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
            assert_eq!(outliers(numbers, fraction), expected, "{numbers} by {fraction}");
        }
    }

    #[test]
    fn numbers_beyond_many_median_absolute_deviations_are_outliers() {
        let max = "79228162514264337593543950335";
        for (numbers, times, expected) in [
            ("10 10.1 9.9 10.05 55", "5", vec![4]),
            // The median is 3, the deviations 2 1 0 1 2 and their median 1: the limit is 1.4826.
            ("1 2 3 4 5", "1", vec![0, 4]),
            ("1 2 3 4 5", "1.35", vec![]),
            ("1 2 3 4 5", "1.348", vec![0, 4]),
            ("1.5174 2 3 4 4.4826", "1", vec![]),
            ("1.5173999999999999999999999999 2 3 4 4.4826000000000000000000000001", "1", vec![0, 4]),
            // Of an even count the median and the deviation lie between two: 2.5, and 1 of 1.5 0.5 0.5 1.5.
            ("1 2 3 4", "1", vec![0, 3]),
            ("1 2 3 4", "1.02", vec![]),
            // A deviation of zero excludes whatever differs, and nothing that does not.
            ("10 10 10 10 11", "3", vec![4]),
            ("10 10 10 10.0", "0", vec![]),
            (&format!("{max} -{max} {max}"), "1000000", vec![1]),
            (&format!("{max} -{max}"), "1", vec![]),
            ("", "1", vec![]),
        ] {
            assert_eq!(outliers(numbers, &format!("mad:{times}")), expected, "{numbers} by {times}");
        }
    }

    #[test]
    fn numbers_beyond_the_fences_of_the_quartiles_are_outliers() {
        let max = "79228162514264337593543950335";
        for (numbers, times, expected) in [
            // Quartiles 2 and 4: the fences are -1 and 7.
            ("1 2 3 4 7", "1.5", vec![]),
            ("1 2 3 4 7.0000000000000000000000000001", "1.5", vec![4]),
            ("-1 2 3 4 5", "1.5", vec![]),
            ("-1.0000000000000000000000000001 2 3 4 5", "1.5", vec![0]),
            // Quartiles 1.75 and 3.25.
            ("1 2 3 4", "0.5", vec![]),
            ("1 2 3 4", "0.499999", vec![0, 3]),
            ("9 1 1 1 1 1", "3", vec![0]),
            ("5 5 5 5", "0", vec![]),
            ("1 3", "0", vec![0, 1]),
            (&format!("{max} {max} -{max} -{max}"), "1000000", vec![]),
            (&format!("{max} {max} {max} {max} -{max}"), "1000000", vec![4]),
            ("", "1", vec![]),
        ] {
            assert_eq!(outliers(numbers, &format!("iqr:{times}")), expected, "{numbers} by {times}");
        }
    }

    #[test]
    fn a_rule_reads_as_it_is_written() {
        for text in ["none", "0.05", "0", "mad:5", "mad:2.5", "iqr:1.5", "iqr:0.000001"] {
            assert_eq!(text.parse::<OutlierRule>().map(|rule| rule.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "mad", "mad:", "mad:-1", "mad:1e7", "mad:0.0000001", "sd:3", "iqr:x", "mad:1:2", "MAD:3", "5%"]
        {
            assert_eq!(text.parse::<OutlierRule>(), Err(InvalidOutlierRule), "{text}");
        }
    }
}
