//! What holds for every strategy, or for the one in the name of the test.

use proptest::prelude::*;
use quorate_core::aggregate::{Rule, Strategy as Aggregation};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::support::{Sent, decimal, moderate, numeric, of_numbers, of_numbers_by, rule, run, sent, shown};

/// Moderate decimals whose count divides a power of ten, so that their mean is exact, even without a quarter at each
/// end.
fn moderates() -> impl Strategy<Value = Vec<Decimal>> {
    prop::sample::select(vec![1_usize, 2, 4, 8, 16]).prop_flat_map(|count| prop::collection::vec(moderate(), count))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_order_of_the_values_does_not_matter(
        (original, shuffled) in prop::collection::vec(sent(), 0..12)
            .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
        rule in rule(),
    ) {
        let [a, b] = [&original, &shuffled].map(|values| shown(&run(&rule, values), values));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn how_equal_numbers_are_written_does_not_matter(written in prop::collection::vec(sent(), 0..12), rule in rule()) {
        let normal: Vec<Sent> = written
            .iter()
            .map(|sent| match &sent.value {
                Value::Number(number) => Sent { value: Value::Number(number.normalize()), ..sent.clone() },
                Value::Text(_) => sent.clone(),
            })
            .collect();
        let [a, b] = [&written, &normal].map(|values| shown(&run(&rule, values), values));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn no_answer_has_trailing_zeros_or_a_negative_zero(numbers in prop::collection::vec(decimal(), 1..12), rule in rule()) {
        let aggregate = of_numbers_by(&Rule { max_age: None, ..rule }, &numbers);
        let spread = aggregate.spread.expect("all are numbers");
        let said = [aggregate.value.as_number(), Some(spread.min), Some(spread.max), spread.interquartile, Some(spread.mad)];
        for text in said.into_iter().flatten().map(|number| number.to_string()) {
            prop_assert!(!text.contains('.') || !text.ends_with('0'), "{text}");
            prop_assert_ne!(text, "-0");
        }
    }

    #[test]
    fn the_answer_lies_within_the_used_values(sent in prop::collection::vec(sent(), 1..12), rule in rule()) {
        for strategy in numeric() {
            let Ok(aggregate) = run(&Rule { strategy, ..rule }, &sent) else { continue };
            let is_used = |index: &usize| aggregate.excluded.iter().all(|(excluded, _)| excluded != index);
            let used: Vec<Decimal> =
                (0..sent.len()).filter(is_used).map(|index| sent[index].value.as_number().expect("used")).collect();
            let spread = aggregate.spread.expect("numbers have a spread");
            prop_assert_eq!(Some(&spread.min), used.iter().min());
            prop_assert_eq!(Some(&spread.max), used.iter().max());
            prop_assert_eq!(aggregate.used, used.len());
            let answer = aggregate.value.as_number().expect("a number");
            prop_assert!(spread.min <= answer && answer <= spread.max, "{answer} of {used:?}");
        }
    }

    #[test]
    fn equal_values_give_that_value(number in decimal(), count in 1_usize..12, rule in rule()) {
        for strategy in numeric() {
            let aggregate = of_numbers_by(&Rule { strategy, max_age: None, ..rule }, &vec![number; count]);
            prop_assert_eq!(aggregate.value, Value::Number(number));
            prop_assert_eq!((aggregate.used, aggregate.agreeing, aggregate.disputed), (count, count, false));
        }
    }

    #[test]
    fn adding_a_constant_moves_the_answer_by_it(numbers in moderates(), constant in moderate()) {
        let moved: Vec<Decimal> = numbers.iter().map(|number| number + constant).collect();
        for strategy in numeric() {
            prop_assert_eq!(of_numbers(strategy, &moved), of_numbers(strategy, &numbers) + constant, "{}", strategy);
        }
    }

    #[test]
    fn scaling_scales_the_answer(numbers in moderates(), factor in 0_i64..=1000) {
        let factor = Decimal::from(factor);
        let scaled: Vec<Decimal> = numbers.iter().map(|number| number * factor).collect();
        for strategy in numeric() {
            prop_assert_eq!(of_numbers(strategy, &scaled), of_numbers(strategy, &numbers) * factor, "{}", strategy);
        }
    }

    #[test]
    fn the_opposite_of_all_values_gives_the_opposite_answer(numbers in moderates()) {
        let opposite: Vec<Decimal> = numbers.iter().map(|number| -number).collect();
        for strategy in numeric() {
            let mirrored = match strategy {
                Aggregation::Min => Aggregation::Max,
                Aggregation::Max => Aggregation::Min,
                other => other,
            };
            prop_assert_eq!(of_numbers(strategy, &opposite), -of_numbers(mirrored, &numbers), "{}", strategy);
        }
    }

    #[test]
    fn a_larger_value_never_makes_the_answer_smaller(
        numbers in prop::collection::vec(moderate(), 1..12),
        place in any::<prop::sample::Index>(),
        by in moderate(),
    ) {
        let mut raised = numbers.clone();
        raised[place.index(numbers.len())] += by.abs();
        for strategy in numeric() {
            let (before, after) = (of_numbers(strategy, &numbers), of_numbers(strategy, &raised));
            prop_assert!(before <= after, "{strategy}: {before} and then {after}");
        }
    }

    #[test]
    fn where_the_answer_is_one_of_the_values_that_holds_for_any_decimal(
        numbers in prop::collection::vec(decimal(), 0..5).prop_map(|mut numbers| {
            numbers.extend(numbers.clone());
            numbers.push(Decimal::ONE);
            numbers
        }),
        place in any::<prop::sample::Index>(),
        to in decimal(),
    ) {
        let mut raised = numbers.clone();
        let raised_number = &mut raised[place.index(numbers.len())];
        *raised_number = to.max(*raised_number);
        for strategy in [Aggregation::Median, Aggregation::WeightedMedian, Aggregation::Min, Aggregation::Max] {
            prop_assert!(of_numbers(strategy, &numbers) <= of_numbers(strategy, &raised), "{strategy}");
        }
    }

    #[test]
    fn the_majority_is_a_value_that_no_other_outnumbers(sent in prop::collection::vec(sent(), 1..12)) {
        let rule = Rule { strategy: Aggregation::Majority, ..Rule::default() };
        let aggregate = run(&rule, &sent).expect("every value counts");
        let rounded = |value: &Value| match value {
            Value::Number(number) => Value::Number(number.round_dp(2)),
            Value::Text(_) => value.clone(),
        };
        let votes = |of: &Value| sent.iter().filter(|sent| rounded(&sent.value) == *of).count();
        let winning = votes(&aggregate.value);
        prop_assert!(winning > 0);
        prop_assert_eq!(aggregate.agreeing, winning);
        prop_assert!(sent.iter().all(|sent| votes(&rounded(&sent.value)) <= winning));
        let is_rival = |value: Value| value != aggregate.value && votes(&value) == winning;
        let rival = sent.iter().map(|sent| rounded(&sent.value)).any(is_rival);
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
}
