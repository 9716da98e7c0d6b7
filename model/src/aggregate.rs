//! From many values to one, as it must be: everything is sorted, counted and compared one by one.
//!
//! Numbers whose sums and products fit 128 bits are reckoned there, the others with [`pen`].

use std::cmp::Ordering;
use std::collections::BTreeMap;

use quorate_core::aggregate::{Aggregate, AggregateError, Exclusion, Rule, Spread, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::pen;

/// What core must make of these values by this rule.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    let majority = rule.strategy == Strategy::Majority;
    let mut numbers: BTreeMap<usize, Decimal> = BTreeMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut excluded: BTreeMap<usize, Exclusion> = BTreeMap::new();
    for (index, &value) in values.iter().enumerate() {
        match (value, value.as_number()) {
            (Value::Text(text), _) if majority => texts.push(text),
            (_, Some(number)) => drop(numbers.insert(index, number)),
            (_, None) => drop(excluded.insert(index, Exclusion::NotANumber)),
        }
    }

    let mut disputed = false;
    if let (Some(fraction), Some(median)) = (rule.max_deviation, median(&sorted(&numbers))) {
        let far: Vec<usize> =
            numbers.iter().filter(|(_, n)| is_outlier(**n, median, fraction)).map(|(index, _)| *index).collect();
        disputed = far.len() * 2 >= numbers.len();
        if !disputed {
            numbers.retain(|index, _| !far.contains(index));
            excluded.extend(far.into_iter().map(|index| (index, Exclusion::Outlier)));
        }
    }

    let ascending = sorted(&numbers);
    let (value, tie) = match rule.strategy {
        Strategy::Average => mean(&ascending).map(|mean| (mean.into(), false)),
        Strategy::Median => median(&ascending).map(|median| (median.into(), false)),
        Strategy::Majority => most_frequent(&ascending, &texts, rule.precision),
    }
    .ok_or(AggregateError::NoValues)?;
    let spread = match ascending[..] {
        [min, .., max] | [min @ max] if texts.is_empty() => Some(Spread { min: min.normalize(), max: max.normalize() }),
        _ => None,
    };
    let used = ascending.len() + texts.len();
    Ok(Aggregate { value, used, tie, excluded: excluded.into_iter().collect(), spread, disputed })
}

fn sorted(numbers: &BTreeMap<usize, Decimal>) -> Vec<Decimal> {
    let mut sorted: Vec<Decimal> = numbers.values().copied().collect();
    sorted.sort_unstable();
    sorted
}

/// The middle of ascending numbers, or the mean of the two middle ones.
fn median(ascending: &[Decimal]) -> Option<Decimal> {
    let middle = ascending.len().checked_sub(1)? / 2..=ascending.len() / 2;
    mean(&ascending[middle])
}

/// The mean of ascending numbers.
fn mean(ascending: &[Decimal]) -> Option<Decimal> {
    let (first, last) = (ascending.first()?, ascending.last()?);
    let mean = short_mean(ascending).unwrap_or_else(|| pen::mean(ascending));
    Some(mean.clamp(*first, *last).normalize())
}

/// The mean, if 128 bits are enough to find it.
fn short_mean(numbers: &[Decimal]) -> Option<Decimal> {
    let scale = numbers.iter().map(Decimal::scale).max()?;
    let sum = numbers.iter().try_fold(0_i128, |sum, number| sum.checked_add(at_scale(*number, scale)?))?;
    let (magnitude, count) = (sum.unsigned_abs(), numbers.len() as u128);
    let limit = 10_u128.pow(28).checked_mul(count)?;
    if magnitude >= limit {
        return None;
    }
    // With as many decimals as 28 digits hold, and one more where the result is exact and a decimal still holds it.
    let decimals = (scale..=28).take_while(|decimals| magnitude < limit / 10_u128.pow(decimals - scale)).last()?;
    let quotient = |decimals: u32| {
        let dividend = magnitude.checked_mul(10_u128.pow(decimals - scale))?;
        Some((dividend / count, dividend % count))
    };
    let (floor, rest) = quotient(decimals)?;
    let signed = |magnitude: u128, decimals| {
        let mantissa = i128::try_from(magnitude).ok()?;
        Decimal::try_from_i128_with_scale(if sum < 0 { -mantissa } else { mantissa }, decimals).ok()
    };
    if rest > 0
        && decimals < 28
        && let (exact, 0) = quotient(decimals + 1)?
        && let Some(mean) = signed(exact, decimals + 1)
    {
        return Some(mean);
    }
    signed(rounded(floor, rest, count), decimals)
}

/// `floor` + `rest` / `divisor`, rounded half-even.
fn rounded(floor: u128, rest: u128, divisor: u128) -> u128 {
    match (rest * 2).cmp(&divisor) {
        Ordering::Less => floor,
        Ordering::Equal => floor + floor % 2,
        Ordering::Greater => floor + 1,
    }
}

/// The number in units of 10^-`scale`, if it fits.
fn at_scale(number: Decimal, scale: u32) -> Option<i128> {
    number.mantissa().checked_mul(10_i128.checked_pow(scale.checked_sub(number.scale())?)?)
}

/// |a - b| in units of 10^-`scale`, if it fits.
fn distance(a: Decimal, b: Decimal, scale: u32) -> Option<u128> {
    at_scale(a, scale)?.checked_sub(at_scale(b, scale)?).map(i128::unsigned_abs)
}

/// Whether |number - median| > fraction · |median|, where a negative fraction counts as 0.
fn is_outlier(number: Decimal, median: Decimal, fraction: Decimal) -> bool {
    let scale = number.scale().max(median.scale());
    let short = || {
        let distance = distance(number, median, scale)?.checked_mul(10_u128.checked_pow(fraction.scale())?)?;
        let fraction = u128::try_from(fraction.mantissa()).unwrap_or(0);
        Some(distance > at_scale(median, scale)?.unsigned_abs().checked_mul(fraction)?)
    };
    short().unwrap_or_else(|| pen::is_outlier(number, median, fraction))
}

/// Of two numbers the one nearer to `to`.
fn nearer(a: Decimal, b: Decimal, to: Decimal) -> Ordering {
    let scale = a.scale().max(b.scale()).max(to.scale());
    if let (Some(a), Some(b)) = (distance(a, to, scale), distance(b, to, scale)) {
        return a.cmp(&b);
    }
    let far = |number: Decimal| pen::sum([pen::units(number), pen::units(-to)].into_iter()).1;
    far(a).compare(&far(b))
}

/// The most frequent value, and whether others are as frequent. Numbers go before texts; of numbers the one nearest the
/// median goes first and the smaller of two as near; of texts the first in the order of their bytes.
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
    let number = median.and_then(|median| first_numbers.min_by(|a, b| nearer(*a, *b, median)));
    let winner = match number {
        Some(number) => Value::Number(number),
        None => Value::Text((*words.iter().find(|(_, votes)| **votes == most)?.0).into()),
    };
    Some((winner, ties > 1))
}

/// The number with at most so many decimals, half-even, without trailing zeros.
fn shortened(number: Decimal, precision: u32) -> Decimal {
    let Some(surplus) = number.scale().checked_sub(precision) else { return number.normalize() };
    let (magnitude, unit) = (number.mantissa().unsigned_abs(), 10_u128.pow(surplus));
    let rounded = rounded(magnitude / unit, magnitude % unit, unit);
    let mantissa = i128::try_from(rounded).expect("no more than before");
    let signed = if number.is_sign_negative() { -mantissa } else { mantissa };
    Decimal::from_i128_with_scale(signed, precision).normalize()
}
