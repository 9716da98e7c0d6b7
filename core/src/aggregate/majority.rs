//! The most frequent value, and the choice among several that are equally frequent.

use std::sync::Arc;

use rust_decimal::{Decimal, RoundingStrategy};

use super::Rule;
use super::combine::{Combine, Votes};
use super::median::median;
use super::scaled::Unit;
use crate::value::Value;

/// The most frequent value.
pub(super) struct Majority;

impl Combine for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn combine(&self, votes: Votes<'_>, rule: &Rule) -> Option<(Value, bool)> {
        majority(votes.numbers.into_slice(), votes.texts, rule.precision)
    }

    fn takes_texts(&self) -> bool {
        true
    }

    fn compared(&self, number: Decimal, rule: &Rule) -> Decimal {
        round(number, rule.precision)
    }

    fn default_tolerance(&self) -> Decimal {
        Decimal::ZERO
    }
}

/// The most frequent value and whether others were as frequent; `None` if there are no values.
///
/// Numbers are equal if they are equal after rounding half-even to `precision` decimals; the result is rounded and has
/// no trailing zeros. Texts are compared byte by byte. A number never equals a text.
///
/// Among equally frequent values, a number is preferred to a text; among numbers the one nearest to the median of
/// `numbers`, and the smaller of two equally near; among texts the lexicographically smallest.
///
/// Rounds and sorts `numbers`, and sorts `texts`.
fn majority(numbers: &mut [Decimal], texts: &mut [Arc<str>], precision: u32) -> Option<(Value, bool)> {
    // Before rounding: the median is that of the unrounded values.
    let median = median(numbers);
    for number in &mut *numbers {
        *number = round(*number, precision);
    }
    numbers.sort_unstable();
    texts.sort_unstable();
    let (number_votes, text_votes) = (most_votes(numbers), most_votes(texts));

    let votes = number_votes.max(text_votes);
    let ties = most_frequent(numbers, votes).count() + most_frequent(texts, votes).count();
    let winner = if number_votes < text_votes {
        Value::Text(Arc::clone(most_frequent(texts, votes).next()?))
    } else {
        let median = median?;
        Value::Number(*most_frequent(numbers, votes).min_by_key(|number| Unit::FINEST.distance(**number, median))?)
    };
    Some((winner, ties > 1))
}

/// The number with at most `precision` decimals, half-even, without trailing zeros.
fn round(number: Decimal, precision: u32) -> Decimal {
    number.round_dp_with_strategy(precision, RoundingStrategy::MidpointNearestEven).normalize()
}

/// The number of occurrences of the most frequent of sorted items.
fn most_votes<T: PartialEq>(sorted: &[T]) -> usize {
    sorted.chunk_by(PartialEq::eq).map(<[T]>::len).max().unwrap_or(0)
}

/// The sorted items that occur exactly `votes` times, ascending.
fn most_frequent<T: PartialEq>(sorted: &[T], votes: usize) -> impl Iterator<Item = &T> {
    sorted.chunk_by(PartialEq::eq).filter(move |group| group.len() == votes).map(|group| &group[0])
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    fn winner(numbers: &str, texts: &[&str], precision: u32) -> Option<(Value, bool)> {
        let mut texts: Vec<Arc<str>> = texts.iter().map(|text| (*text).into()).collect();
        majority(&mut decimals(numbers), &mut texts, precision)
    }

    #[test]
    fn the_most_frequent_number_after_rounding_wins() {
        for (numbers, precision, expected, tie) in [
            ("1 2 2", 2, "2", false),
            ("10.001 10.004 10.02", 2, "10.00", false),
            ("0.125 0.115 0.12 7 7", 2, "0.12", false),
            ("2.5 1.5 2 3 3", 0, "2", false),
            ("1.0 1 1.00 2 2", 28, "1", false),
            ("-0.001 0.001 5", 2, "0", false),
            // Ties: nearest the median, the smaller of two equally near.
            ("1 2", 2, "1", true),
            ("1 1 5 5 6 7 8", 2, "5", true),
            ("1 1 9 9 5", 2, "1", true),
            ("1.004 9.01 9.02 0.99", 1, "9", true),
        ] {
            let expected = Some((Value::Number(number(expected)), tie));
            assert_eq!(winner(numbers, &[], precision), expected, "{numbers} at {precision}");
        }
    }

    #[test]
    fn texts_compare_exactly_and_never_equal_numbers() {
        for (numbers, texts, expected) in [
            ("", &["red", "blue", "red"] as &[&str], ("red", false)),
            ("", &["red", "blue"], ("blue", true)),
            ("", &["a", "A"], ("A", true)),
            ("1", &["1", "1"], ("1", false)),
            ("1 2", &["b", "b", "a", "a"], ("a", true)),
        ] {
            let (value, tie) = winner(numbers, texts, 2).expect("there are values");
            assert_eq!((value, tie), (Value::Text(expected.0.into()), expected.1), "{numbers} {texts:?}");
        }
    }

    #[test]
    fn a_number_goes_before_an_equally_frequent_text() {
        assert_eq!(winner("7", &["a"], 2), Some((Value::Number(number("7")), true)));
        assert_eq!(winner("7 7", &["a"], 2), Some((Value::Number(number("7")), false)));
    }

    #[test]
    fn rounding_survives_the_extremes() {
        for precision in [0, 1, 27, 28, 29, u32::MAX] {
            for extreme in [Decimal::MAX, Decimal::MIN, Decimal::new(1, 28), -Decimal::new(1, 28)] {
                assert!(majority(&mut [extreme], &mut [], precision).is_some(), "{extreme} at {precision}");
            }
        }
        let almost_eight = Decimal::from_i128_with_scale((1 << 96) - 1, 28);
        assert_eq!(majority(&mut [almost_eight], &mut [], 0), Some((Value::Number(number("8")), false)));
    }

    #[test]
    fn nothing_has_no_majority() {
        assert_eq!(winner("", &[], 2), None);
    }
}
