//! The middle value.

use rust_decimal::Decimal;

use super::mean::mean;

/// The median of `values`, which must not be empty: the middle value, or the exact mean of the two middle ones.
/// Reorders `values`; takes time linear in their number.
pub(super) fn median(values: &mut [Decimal]) -> Decimal {
    let middle = values.len() / 2;
    let is_even = values.len().is_multiple_of(2);
    let (lower, upper, _) = values.select_nth_unstable(middle);
    if is_even {
        let below = *lower.iter().max().expect("the lower half of an even count is not empty");
        mean(&[below, *upper])
    } else {
        upper.normalize()
    }
}
