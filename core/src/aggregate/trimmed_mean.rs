//! The mean without the extremes.

use rust_decimal::Decimal;

use super::average::mean;
use super::combine::{Combine, Votes};
use super::ranked::Ranked;
use super::{Millionths, Rule};
use crate::value::Value;

/// The exact mean without the lowest and the highest share.
pub(super) struct TrimmedMean;

impl Combine for TrimmedMean {
    fn name(&self) -> &'static str {
        "trimmed_mean"
    }

    fn combine(&self, votes: Votes<'_>, rule: &Rule) -> Option<(Value, bool)> {
        trimmed_mean(votes.numbers, rule.trim_share).map(|mean| (Value::Number(mean), false))
    }
}

/// The mean without the ⌊`share` · count⌋ lowest and as many highest numbers, rounded as by [`mean`]; `None` if there
/// are no numbers.
///
/// With a share of a half or more, the one or two middle numbers remain.
fn trimmed_mean(mut numbers: Ranked<'_>, share: Millionths) -> Option<Decimal> {
    let count = numbers.as_slice().len();
    let most = count.checked_sub(1)? / 2;
    let product = count as u128 * u128::from(share.get()) / u128::from(Millionths::ONE.get());
    let trimmed = usize::try_from(product).map_or(most, |trimmed| trimmed.min(most));
    mean(numbers.without_ends(trimmed))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn a_share_of_each_side_is_left_out() {
        for (numbers, share, expected) in [
            ("1 2 3 4 100", "0", "22"),
            ("100 2 3 1 4", "0.2", "3"),
            ("1 2 3 4 100", "0.199999", "22"),
            ("9 1 5 -7", "0.25", "3"),
            ("9 1 5 -7", "0.499999", "3"),
            ("9 1 5 -7", "0.5", "3"),
            ("9 1 5 -7 5", "1000000", "5"),
            ("3 1", "0.5", "2"),
            ("7.50", "0.4", "7.5"),
        ] {
            let share = Millionths::from_decimal(number(share)).expect("a factor");
            assert_eq!(
                trimmed_mean(Ranked::of(&mut decimals(numbers)), share),
                Some(number(expected)),
                "{numbers} by {share}"
            );
        }
        assert_eq!(trimmed_mean(Ranked::of(&mut []), Millionths::ZERO), None);
    }
}
