//! The laws that every aggregation obeys, over arbitrary decimals, the extreme ones included.

use proptest::prelude::*;
use quorate_core::aggregate::{Aggregate, AggregateError, Rule, Strategy as Aggregation, aggregate};
use quorate_core::value::{Value, ValueError};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

const NUMERIC: [Aggregation; 2] = [Aggregation::Average, Aggregation::Median];
const ALL: [Aggregation; 3] = [Aggregation::Average, Aggregation::Median, Aggregation::Majority];
const MAX_MANTISSA: i128 = (1 << 96) - 1;

/// Any decimal: extreme, of any scale, or small enough that several are equal.
fn decimal() -> impl Strategy<Value = Decimal> {
    let of = |(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale);
    let extremes = vec![Decimal::MAX, Decimal::MIN, Decimal::new(1, 28), -Decimal::new(1, 28), -Decimal::ZERO];
    prop_oneof![
        (-MAX_MANTISSA..=MAX_MANTISSA, 0_u32..=28).prop_map(of),
        (MAX_MANTISSA - 3..=MAX_MANTISSA, 0_u32..=28).prop_map(of),
        (-30_i128..=30, 0_u32..=2).prop_map(of),
        prop::sample::select(extremes),
    ]
}

/// A decimal with at most 15 digits, 4 of them after the point: sums and small multiples of such are exact.
fn moderate() -> impl Strategy<Value = Decimal> {
    (-10_i64.pow(15)..10_i64.pow(15), 0_u32..=4).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

/// As many moderate decimals as divide a power of ten, so that their mean is exact.
fn moderates() -> impl Strategy<Value = Vec<Decimal>> {
    prop::sample::select(vec![1_usize, 2, 4, 5, 8, 10, 16])
        .prop_flat_map(|count| prop::collection::vec(moderate(), count))
}

/// Any value: a number, a text that is one, or another text.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => decimal().prop_map(Value::Number),
        1 => decimal().prop_map(|number| Value::Text(number.to_string().into())),
        1 => "[ab]{1,2}".prop_map(|text| Value::Text(text.into())),
    ]
}

fn rule(strategy: Aggregation, max_deviation: Option<Decimal>) -> Rule {
    Rule { strategy, precision: 2, max_deviation }
}

fn run(rule: &Rule, values: &[Value]) -> Result<Aggregate, AggregateError> {
    aggregate(rule, &values.iter().collect::<Vec<_>>())
}

fn of_numbers(strategy: Aggregation, numbers: &[Decimal]) -> Decimal {
    let values: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
    let aggregate = run(&rule(strategy, None), &values).expect("there are numbers");
    aggregate.value.as_number().expect("numbers become a number")
}

/// The answer as it is shown, so that 1.0 differs from 1.00, and what else must not depend on the order.
fn shown(aggregate: &Aggregate) -> (String, usize, bool, Option<[String; 2]>, bool) {
    let spread = aggregate.spread.map(|spread| [spread.min, spread.max].map(|bound| bound.to_string()));
    (aggregate.value.to_string(), aggregate.used, aggregate.tie, spread, aggregate.disputed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_order_of_the_values_does_not_matter(
        (original, shuffled) in prop::collection::vec(value(), 1..12)
            .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
        max_deviation in prop::option::of(decimal()),
    ) {
        for strategy in ALL {
            let rule = rule(strategy, max_deviation);
            let [a, b] = [&original, &shuffled].map(|values| run(&rule, values));
            prop_assert_eq!(a.as_ref().map(shown), b.as_ref().map(shown));
            let excluded = |outcome: &Result<Aggregate, _>, values: &[Value]| {
                let excluded = outcome.iter().flat_map(|aggregate| &aggregate.excluded);
                let mut shown: Vec<_> = excluded.map(|(index, why)| format!("{} {why:?}", values[*index])).collect();
                shown.sort();
                shown
            };
            prop_assert_eq!(excluded(&a, &original), excluded(&b, &shuffled));
        }
    }

    #[test]
    fn how_equal_numbers_are_written_does_not_matter(numbers in prop::collection::vec(decimal(), 1..12)) {
        let written: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
        let normal: Vec<Value> = numbers.iter().map(|number| Value::Number(number.normalize())).collect();
        for strategy in ALL {
            let [a, b] = [written.as_slice(), &normal].map(|values| run(&rule(strategy, None), values));
            prop_assert_eq!(a.as_ref().map(shown), b.as_ref().map(shown));
        }
    }

    #[test]
    fn no_answer_has_trailing_zeros_or_a_negative_zero(numbers in prop::collection::vec(decimal(), 1..12)) {
        for strategy in ALL {
            let answer = of_numbers(strategy, &numbers).to_string();
            prop_assert!(!answer.contains('.') || !answer.ends_with('0'), "{answer}");
            prop_assert_ne!(answer, "-0");
        }
    }

    #[test]
    fn the_answer_lies_within_the_used_values(
        values in prop::collection::vec(value(), 1..12),
        max_deviation in prop::option::of(decimal()),
    ) {
        for strategy in NUMERIC {
            let Ok(aggregate) = run(&rule(strategy, max_deviation), &values) else { continue };
            let is_used = |index: &usize| aggregate.excluded.iter().all(|(excluded, _)| excluded != index);
            let used: Vec<Decimal> =
                (0..values.len()).filter(is_used).map(|index| values[index].as_number().expect("used")).collect();
            let spread = aggregate.spread.expect("numbers have a spread");
            prop_assert_eq!(Some(&spread.min), used.iter().min());
            prop_assert_eq!(Some(&spread.max), used.iter().max());
            prop_assert_eq!(aggregate.used, used.len());
            let answer = aggregate.value.as_number().expect("a number");
            prop_assert!(spread.min <= answer && answer <= spread.max, "{answer} of {used:?}");
        }
    }

    #[test]
    fn equal_values_give_that_value(number in decimal(), count in 1_usize..12) {
        for strategy in NUMERIC {
            prop_assert_eq!(of_numbers(strategy, &vec![number; count]), number);
        }
    }

    #[test]
    fn adding_a_constant_moves_the_answer_by_it(numbers in moderates(), constant in moderate()) {
        let moved: Vec<Decimal> = numbers.iter().map(|number| number + constant).collect();
        for strategy in NUMERIC {
            prop_assert_eq!(of_numbers(strategy, &moved), of_numbers(strategy, &numbers) + constant);
        }
    }

    #[test]
    fn scaling_scales_the_answer(numbers in moderates(), factor in -1000_i64..=1000) {
        let factor = Decimal::from(factor);
        let scaled: Vec<Decimal> = numbers.iter().map(|number| number * factor).collect();
        for strategy in NUMERIC {
            prop_assert_eq!(of_numbers(strategy, &scaled), of_numbers(strategy, &numbers) * factor);
        }
    }

    #[test]
    fn fewer_than_half_liars_leave_the_median_in_the_honest_range(
        honest in prop::collection::vec(decimal(), 1..10),
        lies in prop::collection::vec(decimal(), 0..10),
    ) {
        let lies = &lies[..lies.len().min(honest.len() - 1)];
        let median = of_numbers(Aggregation::Median, &[&honest, lies].concat());
        prop_assert!(honest.iter().min() <= Some(&median) && Some(&median) <= honest.iter().max());
    }

    #[test]
    fn the_majority_is_a_value_that_no_other_outnumbers(values in prop::collection::vec(value(), 1..12)) {
        let aggregate = run(&rule(Aggregation::Majority, None), &values).expect("every value counts");
        let rounded = |value: &Value| match value {
            Value::Number(number) => Value::Number(number.round_dp(2)),
            Value::Text(_) => value.clone(),
        };
        let votes = |of: &Value| values.iter().filter(|value| rounded(value) == *of).count();
        let winning = votes(&aggregate.value);
        prop_assert!(winning > 0);
        prop_assert!(values.iter().all(|value| votes(&rounded(value)) <= winning));
        let rival = values.iter().map(rounded).any(|value| value != aggregate.value && votes(&value) == winning);
        prop_assert_eq!(aggregate.tie, rival);
    }

    #[test]
    fn a_tie_goes_to_the_number_nearest_the_median_and_then_to_the_smaller(
        mut numbers in prop::collection::vec(-9_i64..=9, 1..12),
    ) {
        numbers.sort_unstable();
        let votes = |of: i64| numbers.iter().filter(|number| **number == of).count();
        let most = numbers.iter().map(|number| votes(*number)).max();
        let twice_the_median = numbers[(numbers.len() - 1) / 2] + numbers[numbers.len() / 2];
        let nearest = (-9..=9)
            .filter(|number| Some(votes(*number)) == most)
            .min_by_key(|number| ((2 * number - twice_the_median).abs(), *number))
            .expect("one value has most votes");
        let decimals: Vec<Decimal> = numbers.into_iter().map(Decimal::from).collect();
        prop_assert_eq!(of_numbers(Aggregation::Majority, &decimals), Decimal::from(nearest));
    }

    #[test]
    fn a_number_survives_being_written_and_read(number in decimal()) {
        let text = number.to_string();
        let read = Value::number(&text).expect("a decimal is a number");
        prop_assert_eq!(&read, &Value::Number(number));
        prop_assert_eq!(read.as_number().map(|read| read.scale()), Some(number.scale()));
    }

    #[test]
    fn reading_a_number_never_panics_and_agrees_with_a_json_parser(
        noise in "\\PC{0,40}",
        almost in "-?[0-9]{0,40}\\.?[0-9]{0,40}([eE][+-]?[0-9]{0,30})?",
    ) {
        for text in [noise, almost] {
            let number_like = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            let in_grammar = number_like && text.trim_end() == text && serde_json::from_str::<&RawValue>(&text).is_ok();
            match Value::number(&text) {
                Ok(read) => prop_assert!(in_grammar && Value::number(&read.to_string()).as_ref() == Ok(&read)),
                Err(error) => prop_assert_eq!(in_grammar, error == ValueError::OutOfRange),
            }
        }
    }
}
