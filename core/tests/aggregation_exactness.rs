//! The arithmetic of the aggregation against a slow reference that works on decimal digits with pen-and-paper rules.

use std::cmp::Ordering;

use proptest::prelude::*;
use quorate_core::aggregate::{Rule, Strategy as Aggregation, aggregate};
use quorate_core::value::{Value, ValueError};
use rust_decimal::Decimal;

/// Decimals of the finest decimal.
const FINEST: usize = 28;

/// A natural number as decimal digits, the least significant first, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Digits(Vec<u8>);

impl Digits {
    fn trimmed(mut digits: Vec<u8>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self(digits)
    }

    /// Reads digits as they are written, the most significant first.
    fn written(text: &str) -> Self {
        Self::trimmed(text.bytes().rev().map(|byte| byte - b'0').collect())
    }

    /// Appends zeros.
    fn times_pow10(&self, zeros: usize) -> Self {
        Self::trimmed([vec![0; zeros], self.0.clone()].concat())
    }

    fn at(&self, position: usize) -> u8 {
        self.0.get(position).copied().unwrap_or(0)
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let column = |position| {
            let sum = self.at(position) + other.at(position) + carry;
            carry = sum / 10;
            sum % 10
        };
        Self::trimmed((0..=self.0.len().max(other.0.len())).map(column).collect())
    }

    /// The larger less the smaller.
    fn difference(&self, other: &Self) -> Self {
        if self.compare(other) == Ordering::Less {
            return other.difference(self);
        }
        let mut borrow = 0;
        let column = |position| {
            let upper = self.at(position) + 10 - other.at(position) - borrow;
            borrow = u8::from(upper < 10);
            upper % 10
        };
        Self::trimmed((0..self.0.len()).map(column).collect())
    }

    /// Long multiplication, one digit of the other factor at a time.
    fn times(&self, other: &Self) -> Self {
        let rows = other.0.iter().enumerate().flat_map(|(zeros, digit)| vec![self.times_pow10(zeros); (*digit).into()]);
        rows.fold(Self(vec![]), |sum, row| sum.plus(&row))
    }

    /// Long division: the quotient, and whether something remains.
    fn over(&self, divisor: usize) -> (Self, bool) {
        let mut remainder = 0;
        let mut quotient: Vec<u8> = vec![];
        for digit in self.0.iter().rev() {
            let dividend = remainder * 10 + usize::from(*digit);
            quotient.push(u8::try_from(dividend / divisor).expect("one digit"));
            remainder = dividend % divisor;
        }
        quotient.reverse();
        (Self::trimmed(quotient), remainder > 0)
    }

    /// Without the last digits, rounded half-even; `more` says that something nonzero follows the last digit.
    fn rounded(&self, dropped: usize, more: bool) -> Self {
        let kept = Self(self.0.iter().skip(dropped).copied().collect());
        let half = Self(vec![5]).times_pow10(dropped).0.get(1..).map_or(Self(vec![]), |half| Self(half.to_vec()));
        let rest = Self::trimmed(self.0.iter().take(dropped).copied().collect());
        let up = match rest.compare(&half) {
            Ordering::Less => false,
            Ordering::Equal => dropped > 0 && (more || kept.at(0) % 2 == 1),
            Ordering::Greater => true,
        };
        if up { kept.plus(&Self(vec![1])) } else { kept }
    }

    /// The decimal with this mantissa, if there is one.
    fn decimal(&self, negative: bool, scale: usize) -> Option<Decimal> {
        let mantissa =
            self.0.iter().rev().try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add((*digit).into()))?;
        Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, scale.try_into().ok()?).ok()
    }
}

/// A decimal in units of 10^-28: whether it is negative, and its magnitude.
fn units(number: Decimal) -> (bool, Digits) {
    let mantissa = Digits::written(&number.mantissa().unsigned_abs().to_string());
    (number.mantissa() < 0, mantissa.times_pow10(FINEST - number.scale() as usize))
}

/// The sum of signed magnitudes.
fn sum(numbers: impl Iterator<Item = (bool, Digits)>) -> (bool, Digits) {
    numbers.fold((false, Digits(vec![])), |(negative, sum), (other_negative, other)| match sum.compare(&other) {
        _ if negative == other_negative => (negative, sum.plus(&other)),
        Ordering::Less => (other_negative, sum.difference(&other)),
        _ => (negative, sum.difference(&other)),
    })
}

fn reference_mean(numbers: &[Decimal]) -> Decimal {
    let (negative, sum) = sum(numbers.iter().map(|number| units(*number)));
    let (quotient, inexact) = sum.over(numbers.len());
    let exact = (0..=FINEST)
        .filter(|dropped| !inexact && quotient.0.iter().take(*dropped).all(|digit| *digit == 0))
        .find_map(|dropped| quotient.rounded(dropped, false).decimal(negative, FINEST - dropped));
    let rounded = || {
        let dropped = quotient.0.len().saturating_sub(28).min(FINEST);
        // One more digit tells a half from less than a half where no digit of the quotient is dropped.
        let (finer, more) = sum.times_pow10(1).over(numbers.len());
        finer.rounded(dropped + 1, more).decimal(negative, FINEST - dropped).expect("a mean is in range")
    };
    let (min, max) = (numbers.iter().min().expect("numbers"), numbers.iter().max().expect("numbers"));
    exact.unwrap_or_else(rounded).clamp(*min, *max)
}

/// Whether |v - median| > fraction · |median|, where a negative fraction counts as 0.
fn reference_outlier(number: Decimal, median: Decimal, fraction: Decimal) -> bool {
    let (median_negative, median) = units(median);
    let (_, distance) = sum([units(number), (!median_negative, median.clone())].into_iter());
    let (_, fraction) = units(fraction.max(Decimal::ZERO));
    distance.times_pow10(FINEST).compare(&fraction.times(&median)) == Ordering::Greater
}

/// Any decimal, with many near the ends of the range and many that share all but their last digits.
fn decimal() -> impl Strategy<Value = Decimal> {
    let max = (1_i128 << 96) - 1;
    let mantissas =
        prop_oneof![-max..=max, max - 9..=max, -max..=9 - max, -20_i128..=20, 10_i128.pow(28) - 9..=10_i128.pow(28)];
    (mantissas, prop_oneof![Just(0_u32), Just(28), 0_u32..=28])
        .prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale))
}

/// Decimals that are alike, so that an outlier rule tells some apart.
fn alike() -> impl Strategy<Value = Vec<Decimal>> {
    let max = (1_i128 << 96) - 1;
    let around = prop_oneof![max - 60..=max, -max..=60 - max, 40_i128..=100, -100_i128..=-40];
    (around, 0_u32..=28, prop::collection::vec(-9_i128..=9, 1..12)).prop_map(move |(center, scale, steps)| {
        let mantissas = steps.into_iter().map(|step| (center + step).clamp(-max, max));
        mantissas.map(|mantissa| Decimal::from_i128_with_scale(mantissa, scale)).collect()
    })
}

/// The order of two decimals.
fn reference_order(a: Decimal, b: Decimal) -> Ordering {
    let (b_negative, b_units) = units(b);
    match sum([units(a), (!b_negative, b_units)].into_iter()) {
        (_, difference) if difference.0.is_empty() => Ordering::Equal,
        (true, _) => Ordering::Less,
        (false, _) => Ordering::Greater,
    }
}

/// The value, the indices of outliers and whether they are disputed.
fn run(strategy: Aggregation, numbers: &[Decimal], max_deviation: Option<Decimal>) -> (Decimal, Vec<usize>, bool) {
    let values: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
    let rule = Rule { strategy, precision: 2, max_deviation };
    let aggregate = aggregate(&rule, &values.iter().collect::<Vec<_>>()).expect("there are numbers");
    let excluded = aggregate.excluded.iter().map(|(index, _)| *index).collect();
    (aggregate.value.as_number().expect("numbers become a number"), excluded, aggregate.disputed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_average_is_the_reference_mean(numbers in prop_oneof![prop::collection::vec(decimal(), 1..9), alike()]) {
        prop_assert_eq!(run(Aggregation::Average, &numbers, None).0, reference_mean(&numbers));
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted_numbers(numbers in prop::collection::vec(decimal(), 1..9)) {
        let mut sorted = numbers.clone();
        sorted.sort();
        let middle = &sorted[(sorted.len() - 1) / 2..=sorted.len() / 2];
        prop_assert_eq!(run(Aggregation::Median, &numbers, None).0, reference_mean(middle));
    }

    #[test]
    fn the_spread_is_from_the_smallest_to_the_largest(a in decimal(), b in decimal()) {
        let (smaller, larger) = if reference_order(a, b) == Ordering::Greater { (b, a) } else { (a, b) };
        let rule = Rule { strategy: Aggregation::Average, precision: 2, max_deviation: None };
        let aggregate = aggregate(&rule, &[&Value::Number(a), &Value::Number(b)]).expect("there are numbers");
        let spread = aggregate.spread.map(|spread| (spread.min.to_string(), spread.max.to_string()));
        prop_assert_eq!(spread, Some((smaller.normalize().to_string(), larger.normalize().to_string())));
    }

    #[test]
    fn a_majority_of_one_is_it_rounded_half_even(
        number in prop_oneof![
            decimal(),
            (-200_i128..=200, 1_u32..=28).prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale)),
        ],
        dropped in 0_u32..=2,
    ) {
        let precision = number.scale().saturating_sub(dropped);
        let rule = Rule { strategy: Aggregation::Majority, precision, max_deviation: None };
        let aggregate = aggregate(&rule, &[&Value::Number(number)]).expect("there is a number");
        let (negative, units) = units(number);
        let scale = precision as usize;
        let rounded = units.rounded(FINEST - scale, false).decimal(negative, scale).expect("no digit more than before");
        prop_assert_eq!(aggregate.value, Value::Number(rounded));
    }

    #[test]
    fn exactly_those_beyond_the_fraction_are_outliers_unless_half_or_more_are(
        numbers in prop_oneof![prop::collection::vec(decimal(), 1..9), alike()],
        fraction in prop_oneof![(0_i64..=20).prop_map(|percent| Decimal::new(percent, 2)), decimal()],
    ) {
        let (median, ..) = run(Aggregation::Median, &numbers, None);
        let outlying: Vec<usize> =
            (0..numbers.len()).filter(|index| reference_outlier(numbers[*index], median, fraction)).collect();
        let disputed = outlying.len() * 2 >= numbers.len();
        let expected = if disputed { vec![] } else { outlying };
        let (_, excluded, said_disputed) = run(Aggregation::Average, &numbers, Some(fraction));
        prop_assert_eq!((&excluded, said_disputed), (&expected, disputed));

        let distance = |index: &usize| sum([units(numbers[*index]), units(-median)].into_iter()).1;
        let nearest = (0..numbers.len()).min_by(|a, b| distance(a).compare(&distance(b)));
        prop_assert!(nearest.is_some_and(|nearest| !excluded.contains(&nearest)));
    }

    #[test]
    fn a_number_is_read_exactly_or_refused(
        integer in "0|[1-9][0-9]{0,30}|[1-9]0{0,40}",
        fraction in "[0-9]{0,30}|[0-9]{0,3}0{0,60}",
        exponent in -40_i64..40,
    ) {
        let point = if fraction.is_empty() { "" } else { "." };
        let read = Value::number(&format!("{integer}{point}{fraction}e{exponent}"));
        // In units of 10^-200, in which the text is whole.
        let shift = usize::try_from(200 + exponent).expect("positive") - fraction.len();
        let whole = Digits::written(&format!("{integer}{fraction}")).times_pow10(shift);
        let exact = (0..=FINEST).find_map(|scale| {
            let fits = whole.0.iter().take(200 - scale).all(|digit| *digit == 0);
            if fits { whole.rounded(200 - scale, false).decimal(false, scale) } else { None }
        });
        prop_assert_eq!(read, exact.map(Value::Number).ok_or(ValueError::OutOfRange));
    }
}
