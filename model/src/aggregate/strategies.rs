//! The expected answer of each strategy.

use std::collections::BTreeMap;

use quorate_core::aggregate::{Millionths, Rule, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::whole::{Whole, distance, finest, rounded};

/// A used number and its weight in millionths.
pub(super) type Weighted = (Decimal, u64);

/// The answer, and whether it was a tie; `None` without values.
///
/// # Panics
/// If the model does not know the strategy.
pub(super) fn combine(rule: &Rule, used: &[Weighted], texts: &[&str]) -> Option<(Value, bool)> {
    let ascending: Vec<Decimal> = used.iter().map(|(number, _)| *number).collect();
    let number = match rule.strategy {
        Strategy::Majority => return most_frequent(&ascending, texts, rule.precision),
        Strategy::Average => mean(&ascending),
        Strategy::Median => median(&ascending),
        Strategy::WeightedMedian => weighted_median(used),
        Strategy::TrimmedMean => trimmed_mean(&ascending, rule.trim_share),
        Strategy::Min => ascending.first().copied(),
        Strategy::Max => ascending.last().copied(),
        unknown => panic!("the model does not know the strategy {unknown}"),
    };
    number.map(|number| (Value::Number(number.normalize()), false))
}

/// The mean of ascending numbers.
pub(super) fn mean(ascending: &[Decimal]) -> Option<Decimal> {
    let (first, last) = (ascending.first()?, ascending.last()?);
    let scale = finest(ascending);
    let zero = Whole::from(0);
    let sum = ascending.iter().fold(zero, |sum, number| sum.plus(&Whole::at(*number, scale)));
    let mean = sum.over(ascending.len(), scale).expect("a mean is within the range of its numbers");
    Some(mean.clamp(*first, *last).normalize())
}

/// The middle of ascending numbers, or the mean of the two middle ones.
pub(super) fn median(ascending: &[Decimal]) -> Option<Decimal> {
    let middle = ascending.len().checked_sub(1)? / 2..=ascending.len() / 2;
    mean(&ascending[middle])
}

/// The mean of two numbers: the first that covers half of the weight, with those before it, and the first that covers
/// more.
fn weighted_median(used: &[Weighted]) -> Option<Decimal> {
    let weightless = used.iter().all(|(_, weight)| *weight == 0);
    let up_to = |most: Decimal| -> u128 {
        let those = used.iter().filter(|(number, _)| *number <= most);
        those.map(|(_, weight)| if weightless { 1 } else { u128::from(*weight) }).sum()
    };
    let total = up_to(used.last()?.0);
    let (lower, _) = used.iter().find(|(number, _)| up_to(*number) * 2 >= total)?;
    let (upper, _) = used.iter().find(|(number, _)| up_to(*number) * 2 > total)?;
    mean(&[*lower, *upper])
}

/// The mean without the lowest and the highest share. One number goes at each end at a time, as long as any are left.
fn trimmed_mean(ascending: &[Decimal], share: Millionths) -> Option<Decimal> {
    let mut left = ascending;
    let mut trimmed = 0;
    // While one more at each end is within the share.
    while (trimmed + 1) * 1_000_000 <= ascending.len() as u128 * u128::from(share.get())
        && let [_, inner @ .., _] = left
        && !inner.is_empty()
    {
        left = inner;
        trimmed += 1;
    }
    mean(left)
}

/// The most frequent value, and whether others are as frequent. Of those, the number nearest the median goes first, the
/// smaller of two equally near; if all are texts, the first in byte order.
fn most_frequent(ascending: &[Decimal], texts: &[&str], precision: u32) -> Option<(Value, bool)> {
    let mut numbers: BTreeMap<Decimal, usize> = BTreeMap::new();
    for number in ascending {
        *numbers.entry(shortened(*number, precision)).or_default() += 1;
    }
    let mut words: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts {
        *words.entry(text).or_default() += 1;
    }
    let most = *numbers.values().chain(words.values()).max()?;
    let ties = numbers.values().chain(words.values()).filter(|votes| **votes == most).count();
    let median = median(ascending);
    let first_numbers = numbers.iter().filter(|(_, votes)| **votes == most).map(|(number, _)| *number);
    let number = median.and_then(|median| {
        first_numbers.min_by(|a, b| {
            let scale = finest(&[*a, *b, median]);
            distance(*a, median, scale).compare(&distance(*b, median, scale))
        })
    });
    let winner = match number {
        Some(number) => Value::Number(number),
        None => Value::Text((*words.iter().find(|(_, votes)| **votes == most)?.0).into()),
    };
    Some((winner, ties > 1))
}

/// The number rounded half-even to at most `precision` decimals, without trailing zeros.
pub(super) fn shortened(number: Decimal, precision: u32) -> Decimal {
    let Some(surplus) = number.scale().checked_sub(precision) else { return number.normalize() };
    let (magnitude, unit) = (number.mantissa().unsigned_abs(), 10_u128.pow(surplus));
    let rounded = rounded(magnitude / unit, magnitude % unit, unit);
    let mantissa = i128::try_from(rounded).expect("rounding to fewer digits does not make the mantissa larger");
    let signed = if number.is_sign_negative() { -mantissa } else { mantissa };
    Decimal::from_i128_with_scale(signed, precision).normalize()
}
