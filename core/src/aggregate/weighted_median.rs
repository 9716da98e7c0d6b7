//! The median of weighted values.

use rust_decimal::Decimal;

use super::average::mean;
use super::combine::{Combine, Votes};
use super::{Millionths, Rule};
use crate::value::Value;

/// The value in the middle of the weights.
pub(super) struct WeightedMedian;

impl Combine for WeightedMedian {
    fn name(&self) -> &'static str {
        "weighted_median"
    }

    fn combine(&self, votes: Votes<'_>, _rule: &Rule) -> Option<(Value, bool)> {
        weighted_median(votes.weighted).map(|median| (Value::Number(median), false))
    }

    fn uses_weights(&self) -> bool {
        true
    }
}

/// The smallest number that, with all below it, has more than half of the weight; if it and those below have exactly
/// half, the exact mean of it and the next number with a weight. Without trailing zeros; `None` if there are no
/// numbers.
///
/// Weights that are all zero count as equal. Sorts `weighted`.
fn weighted_median(weighted: &mut [(Decimal, Millionths)]) -> Option<Decimal> {
    weighted.sort_unstable();
    let sum: u128 = weighted.iter().map(|(_, weight)| u128::from(weight.get())).sum();
    let of = |weight: Millionths| if sum == 0 { 1 } else { u128::from(weight.get()) };
    let total = if sum == 0 { weighted.len() as u128 } else { sum };
    let mut so_far = 0;
    let middle = weighted.iter().position(|(_, weight)| {
        so_far += of(*weight);
        2 * so_far >= total
    })?;
    let (number, _) = weighted[middle];
    let next = weighted[middle + 1..].iter().find(|(_, weight)| of(*weight) > 0);
    match next {
        Some((next, _)) if 2 * so_far == total => mean(&[number, *next]),
        _ => Some(number.normalize()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn the_weighted_median_has_half_of_the_weight_on_each_side() {
        for (numbers, weights, expected) in [
            ("1 2 3 4 5", "15 10 20 30 25", "4"),
            ("1 2 3 4", "49 1 25 25", "2.5"),
            ("4 3 2 1", "25 25 1 49", "2.5"),
            ("3 1 2", "1 1 1", "2"),
            ("3 1 2 4", "1 1 1 1", "2.5"),
            ("1 2 3", "0 0 0", "2"),
            ("1 2 3 4", "0 0 0 0", "2.5"),
            // A number without a weight is neither of the two middle ones.
            ("1 2 3", "1 0 1", "2"),
            ("1 2 4", "1 0 1", "2.5"),
            ("1 2 3", "5 1 1", "1"),
            ("1 9", "0 0.000001", "9"),
            ("7.50", "3", "7.5"),
        ] {
            let weights =
                decimals(weights).into_iter().map(|weight| Millionths::from_decimal(weight).expect("a factor"));
            let mut weighted: Vec<_> = decimals(numbers).into_iter().zip(weights).collect();
            assert_eq!(weighted_median(&mut weighted), Some(number(expected)), "{numbers} of {weighted:?}");
        }
        assert_eq!(weighted_median(&mut []), None);
    }
}
