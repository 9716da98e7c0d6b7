//! Exact arithmetic on decimals as integers with a scale, and what a strategy makes of values: apart from the core.
//!
//! Whatever does not fit 127 bits is `None`: not judged. Nothing that is asked in a scenario comes near that.

use std::cmp::Ordering;

use quorate_core::aggregate::{Exclusion, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::terms::Terms;

/// The magnitude of the mantissa of a decimal is below this.
const MANTISSA_LIMIT: i128 = 1 << 96;
const MAX_SCALE: u32 = 28;

/// `mantissa` / 10^`scale`, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    mantissa: i128,
    scale: u32,
}

impl Number {
    pub(super) const fn new(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    pub(super) fn of(decimal: Decimal) -> Self {
        Self::new(decimal.mantissa(), decimal.scale())
    }

    /// A value that is a number, or a text that spells one as JSON does.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(decimal) => Some(Self::of(*decimal)),
            Value::Text(text) => Self::parse(text),
        }
    }

    /// Whether a decimal is written in just this way.
    pub(super) fn is(self, decimal: Decimal) -> bool {
        decimal.mantissa() == self.mantissa && decimal.scale() == self.scale
    }

    fn parse(text: &str) -> Option<Self> {
        let magnitude = text.strip_prefix('-').unwrap_or(text);
        let (plain, exponent) = match magnitude.find(['e', 'E']) {
            Some(at) => (&magnitude[..at], exponent(&magnitude[at + 1..])?),
            None => (magnitude, 0),
        };
        let (whole, fraction) = match plain.find('.') {
            Some(at) if at + 1 < plain.len() => (&plain[..at], &plain[at + 1..]),
            Some(_) => return None,
            None => (plain, ""),
        };
        let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !only_digits(whole)
            || !only_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let zeros = all.len() - digits.len();
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(Self::new(0, 0));
        }
        let power =
            exponent.checked_add(i64::try_from(zeros).ok()?)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let mantissa: i128 = digits.parse().ok()?;
        let (mantissa, scale) = if power >= 0 {
            (mantissa.checked_mul(power_of_ten(u32::try_from(power).ok()?)?)?, 0)
        } else {
            (mantissa, u32::try_from(-power).ok()?)
        };
        let signed = if magnitude.len() < text.len() { -mantissa } else { mantissa };
        (mantissa < MANTISSA_LIMIT && scale <= MAX_SCALE).then(|| Self::new(signed, scale))
    }

    /// In units of 10^-`scale`, which must be as fine as it needs.
    fn units(self, scale: u32) -> Option<i128> {
        self.mantissa.checked_mul(power_of_ten(scale.checked_sub(self.scale)?)?)
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        let scale = self.scale.max(other.scale);
        Some(self.units(scale)?.cmp(&other.units(scale)?))
    }

    fn distance(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self::new(self.units(scale)?.checked_sub(other.units(scale)?)?.checked_abs()?, scale))
    }

    /// Rounded half-even to so many decimals.
    pub(super) fn round(self, decimals: u32) -> Option<Self> {
        if self.scale <= decimals {
            return Some(self);
        }
        let divisor = power_of_ten(self.scale - decimals)?;
        let magnitude = divide_half_even(self.mantissa.checked_abs()?, divisor)?;
        Some(Self::new(magnitude * self.mantissa.signum(), decimals))
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 4);
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

fn power_of_ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

/// The quotient of two numbers that are not negative.
fn divide_half_even(dividend: i128, divisor: i128) -> Option<i128> {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let up = match rest.checked_mul(2)?.cmp(&divisor) {
        Ordering::Less => false,
        Ordering::Equal => quotient % 2 == 1,
        Ordering::Greater => true,
    };
    Some(quotient + i128::from(up))
}

/// In ascending order.
fn sorted(numbers: &[Number]) -> Option<Vec<Number>> {
    let scale = numbers.iter().map(|number| number.scale).max().unwrap_or(0);
    let mut keyed = numbers.iter().map(|number| Some((number.units(scale)?, *number))).collect::<Option<Vec<_>>>()?;
    keyed.sort_by_key(|(units, _)| *units);
    Some(keyed.into_iter().map(|(_, number)| number).collect())
}

/// Exact where a decimal holds it; else rounded half-even to 28 significant digits, at most 28 decimals and no integer
/// digit, and not beyond the smallest and the largest.
fn mean(numbers: &[Number]) -> Option<Number> {
    let ordered = sorted(numbers)?;
    let (least, most) = (*ordered.first()?, *ordered.last()?);
    let count = i128::try_from(numbers.len()).ok()?;
    let scale = most.scale.max(numbers.iter().map(|number| number.scale).max()?);
    let sum = numbers.iter().try_fold(0_i128, |sum, number| sum.checked_add(number.units(scale)?))?;
    // A count below 2^11 has at most ten factors of two or five.
    for more in 0..=10.min(MAX_SCALE - scale) {
        let dividend = sum.checked_mul(power_of_ten(more)?)?;
        if dividend % count == 0 {
            let exact = Number::new(dividend / count, scale + more);
            if exact.mantissa.abs() < MANTISSA_LIMIT {
                return Some(exact);
            }
        }
    }
    let magnitude = sum.checked_abs()?;
    let whole = magnitude / count.checked_mul(power_of_ten(scale)?)?;
    let whole_digits = if whole == 0 { 0 } else { whole.ilog10() + 1 };
    let decimals = MAX_SCALE - whole_digits.min(MAX_SCALE);
    let dividend = magnitude.checked_mul(power_of_ten(decimals.saturating_sub(scale))?)?;
    let divisor = count.checked_mul(power_of_ten(scale.saturating_sub(decimals))?)?;
    let rounded = Number::new(divide_half_even(dividend, divisor)? * sum.signum(), decimals);
    if rounded.compare(least)? == Ordering::Less {
        Some(least)
    } else if rounded.compare(most)? == Ordering::Greater {
        Some(most)
    } else {
        Some(rounded)
    }
}

fn median(numbers: &[Number]) -> Option<Number> {
    let ordered = sorted(numbers)?;
    let middle = ordered.len() / 2;
    if ordered.len().is_multiple_of(2) {
        mean(&ordered[middle.checked_sub(1)?..=middle])
    } else {
        Some(ordered[middle])
    }
}

/// What the values that count come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// `None` if there is nothing to come to.
    pub(super) value: Option<Winner<'a>>,
    pub(super) used: u32,
    pub(super) tie: bool,
    pub(super) disputed: bool,
    /// The smallest and the largest number, if all are numbers.
    pub(super) spread: Option<(Number, Number)>,
    /// Why each value was not used.
    pub(super) excluded: Vec<Option<Exclusion>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winner<'a> {
    Number(Number),
    Text(&'a str),
}

impl Winner<'_> {
    pub(super) fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Number(number), Value::Number(decimal)) => number.is(*decimal),
            (Self::Text(text), Value::Text(value)) => text == value.as_ref(),
            _ => false,
        }
    }
}

/// Aggregates values that may be used. `None` if that does not fit the arithmetic.
pub(super) fn aggregate<'a>(terms: &Terms, values: &[&'a Value]) -> Option<Reference<'a>> {
    let mut excluded = vec![None; values.len()];
    let mut numbers = Vec::with_capacity(values.len());
    let mut texts: Vec<&str> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match value {
            Value::Text(text) if terms.strategy == Strategy::Majority => texts.push(text),
            value => match Number::of_value(value) {
                Some(number) => numbers.push((index, number)),
                None => excluded[index] = Some(Exclusion::NotANumber),
            },
        }
    }
    let outliers = match terms.max_deviation {
        Some(fraction) if !numbers.is_empty() => outliers(&numbers, Number::of(fraction))?,
        _ => Vec::new(),
    };
    let disputed = !outliers.is_empty() && outliers.len() * 2 >= numbers.len();
    if !disputed {
        for index in outliers {
            excluded[index] = Some(Exclusion::Outlier);
        }
        numbers.retain(|(index, _)| excluded[*index].is_none());
    }
    let numbers: Vec<Number> = numbers.into_iter().map(|(_, number)| number).collect();
    let used = u32::try_from(numbers.len() + texts.len()).ok()?;
    let spread = if texts.is_empty() && !numbers.is_empty() {
        let ordered = sorted(&numbers)?;
        Some((*ordered.first()?, *ordered.last()?))
    } else {
        None
    };
    let (value, tie) = match terms.strategy {
        _ if used == 0 => (None, false),
        Strategy::Average => (Some(Winner::Number(mean(&numbers)?)), false),
        Strategy::Median => (Some(Winner::Number(median(&numbers)?)), false),
        Strategy::Majority => majority(&numbers, &texts, terms.precision).map(|(winner, tie)| (Some(winner), tie))?,
    };
    Some(Reference { value, used, tie, disputed, spread, excluded })
}

/// The indices of the numbers that are farther from the median than this fraction of its magnitude.
fn outliers(numbers: &[(usize, Number)], fraction: Number) -> Option<Vec<usize>> {
    let median = median(&numbers.iter().map(|(_, number)| *number).collect::<Vec<_>>())?;
    let product = fraction.mantissa.max(0).checked_mul(median.mantissa.checked_abs()?)?;
    let limit = Number::new(product, fraction.scale + median.scale);
    let mut outliers = Vec::new();
    for (index, number) in numbers {
        if number.distance(median)?.compare(limit)? == Ordering::Greater {
            outliers.push(*index);
        }
    }
    Some(outliers)
}

/// The most frequent; a number before a text, of numbers the one nearest the median, then the smaller, of texts the
/// first.
fn majority<'a>(numbers: &[Number], texts: &[&'a str], precision: u32) -> Option<(Winner<'a>, bool)> {
    let mut rounded: Vec<(Number, usize)> = Vec::new();
    for number in numbers {
        let number = number.round(precision)?;
        match rounded.iter_mut().find(|(seen, _)| *seen == number) {
            Some((_, votes)) => *votes += 1,
            None => rounded.push((number, 1)),
        }
    }
    let mut spelled: Vec<(&str, usize)> = Vec::new();
    for text in texts {
        match spelled.iter_mut().find(|(seen, _)| seen == text) {
            Some((_, votes)) => *votes += 1,
            None => spelled.push((text, 1)),
        }
    }
    let most = rounded.iter().map(|(_, votes)| *votes).chain(spelled.iter().map(|(_, votes)| *votes)).max()?;
    let numbers_first: Vec<Number> = rounded.into_iter().filter(|(_, votes)| *votes == most).map(|(n, _)| n).collect();
    let texts_first: Vec<&'a str> = spelled.into_iter().filter(|(_, votes)| *votes == most).map(|(t, _)| t).collect();
    let tie = numbers_first.len() + texts_first.len() > 1;
    if numbers_first.is_empty() {
        return Some((Winner::Text(texts_first.into_iter().min()?), tie));
    }
    if numbers_first.len() == 1 {
        return Some((Winner::Number(numbers_first[0]), tie));
    }
    let median = median(numbers)?;
    let mut nearest: Option<(Number, Number)> = None;
    for number in sorted(&numbers_first)? {
        let distance = number.distance(median)?;
        if nearest.is_none_or(|(_, least)| distance.compare(least) == Some(Ordering::Less)) {
            nearest = Some((number, distance));
        }
    }
    nearest.map(|(number, _)| (Winner::Number(number), tie))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<Number> {
        text.split_whitespace().map(|word| Number::parse(word).expect("a number")).collect()
    }

    #[test]
    fn only_what_json_calls_a_number_is_read() {
        for (text, expected) in [
            ("42000.50", Some((420_005, 1))),
            ("-0.10", Some((-1, 1))),
            ("4.2e4", Some((42_000, 0))),
            ("100e-30", Some((1, 28))),
            ("0e-999999999999999999999", Some((0, 0))),
            ("1.500000000000000000000000000000000000000000", Some((15, 1))),
            ("79228162514264337593543950336", None),
            ("1e-29", None),
            ("1e999999999999999999999", None),
            ("", None),
            ("-", None),
            ("1.", None),
            (".5", None),
            ("01", None),
            ("+1", None),
            ("1e", None),
            ("0x10", None),
            (" 1", None),
        ] {
            assert_eq!(Number::parse(text), expected.map(|(mantissa, scale)| Number { mantissa, scale }), "{text}");
        }
    }

    #[test]
    fn a_mean_is_exact_or_rounded_half_even_once() {
        for (of, expected) in [
            ("0.1 0.2", "0.15"),
            ("1 1 2", "1.333333333333333333333333333"),
            ("-1 -1 -2", "-1.333333333333333333333333333"),
            ("0 0 2", "0.6666666666666666666666666667"),
            ("42000.01 42000.02 42000.02", "42000.01666666666666666666667"),
            ("-5 5", "0"),
            ("9.999999999999999999999999999 10 10", "10"),
            ("1.2345678901234567890123456786 1.2345678901234567890123456787", "1.2345678901234567890123456787"),
        ] {
            assert_eq!(mean(&numbers(of)), Number::parse(expected), "{of}");
        }
    }

    #[test]
    fn a_median_is_the_middle() {
        for (of, expected) in [("3 1 2", "2"), ("4 1 3 2", "2.5"), ("7.10", "7.1")] {
            assert_eq!(median(&numbers(of)), Number::parse(expected), "{of}");
        }
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_number_rounds_half_even() {
        for (number, decimals, expected) in
            [("0.125", 2, "0.12"), ("-0.135", 2, "-0.14"), ("2.5", 0, "2"), ("7", 2, "7")]
        {
            assert_eq!(Number::parse(number).and_then(|number| number.round(decimals)), Number::parse(expected));
        }
    }
}
