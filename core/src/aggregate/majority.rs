//! The most frequent value, and which one to take when several are.

use std::cmp::Ordering;
use std::sync::Arc;

use rust_decimal::{Decimal, RoundingStrategy};

use super::median::median;
use super::scaled::distance;
use crate::value::Value;

/// The most frequent value and whether others were as frequent; `None` of nothing.
///
/// Numbers count as equal if they are after rounding half-even to `precision` decimals, and come out rounded and
/// without trailing zeros; texts count as equal byte by byte; a number never equals a text.
///
/// Of equally frequent values a number goes before a text; of numbers the one nearest the median of `numbers`, the
/// smaller of two equally near; of texts the lexicographically smallest.
pub(super) fn majority(numbers: &[Decimal], texts: &[&Arc<str>], precision: u32) -> Option<(Value, bool)> {
    let rounded = numbers.iter().map(|number| round(*number, precision)).collect();
    let (number_votes, tied_numbers) = most_frequent(rounded);
    let (text_votes, tied_texts) = most_frequent(texts.to_vec());

    let ties = match number_votes.cmp(&text_votes) {
        Ordering::Less => tied_texts.len(),
        Ordering::Equal => tied_numbers.len() + tied_texts.len(),
        Ordering::Greater => tied_numbers.len(),
    };
    let winner = if number_votes < text_votes {
        Value::Text(Arc::clone(tied_texts.first()?))
    } else {
        let median = median(&mut numbers.to_vec())?;
        Value::Number(tied_numbers.into_iter().min_by_key(|number| distance(*number, median))?)
    };
    Some((winner, ties > 1))
}

/// The number with at most `precision` decimals, half-even, without trailing zeros.
fn round(number: Decimal, precision: u32) -> Decimal {
    number.round_dp_with_strategy(precision, RoundingStrategy::MidpointNearestEven).normalize()
}

/// The highest count of equal items, and the items that have it, ascending.
fn most_frequent<T: Ord + Copy>(mut items: Vec<T>) -> (usize, Vec<T>) {
    items.sort_unstable();
    let groups = || items.chunk_by(|a, b| a == b);
    let votes = groups().map(<[T]>::len).max().unwrap_or(0);
    (votes, groups().filter(|group| group.len() == votes).map(|group| group[0]).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    fn winner(numbers: &str, texts: &[&str], precision: u32) -> Option<(Value, bool)> {
        let texts: Vec<Arc<str>> = texts.iter().map(|text| (*text).into()).collect();
        majority(&decimals(numbers), &texts.iter().collect::<Vec<_>>(), precision)
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
                assert!(majority(&[extreme], &[], precision).is_some(), "{extreme} at {precision}");
            }
        }
        let almost_eight = Decimal::from_i128_with_scale((1 << 96) - 1, 28);
        assert_eq!(majority(&[almost_eight], &[], 0), Some((Value::Number(number("8")), false)));
    }

    #[test]
    fn nothing_has_no_majority() {
        assert_eq!(winner("", &[], 2), None);
    }
}
