//! The median, found without sorting.

use rust_decimal::Decimal;

use super::Rule;
use super::average::mean;
use super::combine::{Combine, Votes};
use super::ranked::Ranked;
use crate::value::Value;

/// The middle value.
pub(super) struct Median;

impl Combine for Median {
    fn name(&self) -> &'static str {
        "median"
    }

    fn combine(&self, votes: Votes<'_>, _rule: &Rule) -> Option<(Value, bool)> {
        middle(&mut { votes.numbers }).map(|median| (Value::Number(median), false))
    }
}

/// The middle number, or the exact mean of the two middle ones, without trailing zeros; `None` if there are no numbers.
///
/// Reorders `numbers`. Takes time proportional to their count.
pub fn median(numbers: &mut [Decimal]) -> Option<Decimal> {
    middle(&mut Ranked::of(numbers))
}

/// The median of ranked numbers.
pub(super) fn middle(numbers: &mut Ranked<'_>) -> Option<Decimal> {
    let count = numbers.as_slice().len();
    let middle = count.checked_sub(1)? / 2;
    if count.is_multiple_of(2) { mean(&numbers.pair_at(middle)) } else { Some(numbers.at(middle).normalize()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_middle_ones() {
        for (numbers, expected) in [
            ("7", "7"),
            ("7.10", "7.1"),
            ("2 1", "1.5"),
            ("3 1 2", "2"),
            ("4 1 3 2", "2.5"),
            ("100 -2 10 0", "5"),
            ("5 5 5 1", "5"),
            ("1.0 1 1.00", "1"),
            ("79228162514264337593543950335 79228162514264337593543950335", "79228162514264337593543950335"),
            ("-79228162514264337593543950335 79228162514264337593543950335", "0"),
        ] {
            assert_eq!(median(&mut decimals(numbers)), Some(number(expected)), "{numbers}");
        }
    }

    #[test]
    fn the_median_has_no_trailing_zeros() {
        assert_eq!(median(&mut decimals("7.100")).map(|median| median.scale()), Some(1));
    }

    #[test]
    fn no_numbers_have_no_median() {
        assert_eq!(median(&mut []), None);
    }
}
