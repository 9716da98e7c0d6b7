//! The most frequent value.

use rust_decimal::Decimal;

use super::median::median;
use super::wide::distance;
use super::with_unsigned_zero;
use crate::value::Value;

/// The most frequent of `numbers`, rounded half-even to `precision` decimals, and `texts`, and whether others were
/// equally frequent; `None` if there are none. A number never equals a text.
///
/// Among equally frequent values the number nearest the median of all numbers is taken, the smaller of two equally
/// near; where no number is among them, the first text in the order of code points.
pub(super) fn majority(numbers: &[Decimal], texts: &[&Value], precision: u32) -> Option<(Value, bool)> {
    let mut rounded: Vec<Decimal> =
        numbers.iter().map(|number| with_unsigned_zero(number.round_dp(precision))).collect();
    // Of equal decimals the one written with the most decimals stands first and speaks for all of them.
    rounded.sort_unstable_by(|a, b| a.cmp(b).then(b.scale().cmp(&a.scale())));
    let mut labels: Vec<&str> = texts.iter().filter_map(|value| text_of(value)).collect();
    labels.sort_unstable();

    let number_runs: Vec<&[Decimal]> = rounded.chunk_by(|a, b| a == b).collect();
    let label_runs: Vec<&[&str]> = labels.chunk_by(|a, b| a == b).collect();
    let lengths = number_runs.iter().map(|run| run.len()).chain(label_runs.iter().map(|run| run.len()));
    let longest = lengths.clone().max()?;
    let tie = lengths.filter(|length| *length == longest).count() > 1;

    let tied_numbers = number_runs.iter().filter(|run| run.len() == longest).map(|run| run[0]);
    let nearest = if tie {
        let center = if numbers.is_empty() { Decimal::ZERO } else { median(&mut numbers.to_vec()) };
        tied_numbers.min_by_key(|number| (distance(*number, center), *number))
    } else {
        tied_numbers.min()
    };
    let value = match nearest {
        Some(number) => Value::Number(number),
        None => Value::Text(label_runs.iter().find(|run| run.len() == longest)?[0].into()),
    };
    Some((value, tie))
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Number(_) => None,
    }
}
