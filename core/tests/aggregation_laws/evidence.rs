//! The evidence about the used values, recomputed in the simplest way: with integers, in sixths and quarters.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::aggregate::{Exclusion, Millionths, OutlierRule, Rule, Strategy as Aggregation};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::support::{of_numbers_by, rule, run, sent};

/// Four times a quartile of sorted numbers, interpolated linearly.
fn fourfold_quartile(sorted: &[i64], quarters: usize) -> i64 {
    let position = quarters * (sorted.len() - 1);
    let (below, rest) = (position / 4, [0, 1, 2, 3][position % 4]);
    let above = sorted.get(below + 1).unwrap_or(&sorted[below]);
    sorted[below] * (4 - rest) + above * rest
}

fn twice_the_median(numbers: &[i64]) -> i64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_spread_is_that_of_a_plain_computation(mut numbers in prop::collection::vec(-1000_i64..=1000, 1..20)) {
        let decimals: Vec<Decimal> = numbers.iter().map(|number| Decimal::new(*number, 1)).collect();
        let spread = of_numbers_by(&Rule::default(), &decimals).spread.expect("numbers have a spread");
        numbers.sort_unstable();
        prop_assert_eq!(spread.min, Decimal::new(numbers[0], 1));
        prop_assert_eq!(spread.max, Decimal::new(numbers[numbers.len() - 1], 1));
        let fourfold = fourfold_quartile(&numbers, 3) - fourfold_quartile(&numbers, 1);
        prop_assert_eq!(spread.interquartile, Some(Decimal::new(fourfold * 25, 3)));
        let median = twice_the_median(&numbers);
        let deviations: Vec<i64> = numbers.iter().map(|number| (2 * number - median).abs()).collect();
        prop_assert_eq!(spread.mad, Decimal::new(twice_the_median(&deviations) * 25, 3));
    }

    #[test]
    fn agreement_is_that_of_a_plain_computation(
        numbers in prop::collection::vec(-50_i64..=50, 1..20),
        percent in 0_i64..=100,
        least in 0_u64..=100,
    ) {
        let decimals: Vec<Decimal> = numbers.iter().map(|number| Decimal::from(*number)).collect();
        let tolerance = Some(Decimal::new(percent, 2));
        let min_agreement = Some(Millionths::new(least * 10_000));
        for (strategy, twice_the_answer) in [
            (Aggregation::Median, twice_the_median(&numbers)),
            (Aggregation::Min, 2 * numbers.iter().min().expect("there are numbers")),
            (Aggregation::Max, 2 * numbers.iter().max().expect("there are numbers")),
        ] {
            let rule = Rule { strategy, tolerance, min_agreement, ..Rule::default() };
            let aggregate = of_numbers_by(&rule, &decimals);
            let is_near = |number: &&i64| (2 * **number - twice_the_answer).abs() * 100 <= percent * twice_the_answer.abs();
            let near = numbers.iter().filter(is_near).count();
            prop_assert_eq!(aggregate.agreeing, near);
            prop_assert_eq!(aggregate.disputed, near * 100 < numbers.len() * least as usize);
        }
    }

    #[test]
    fn every_unused_value_is_excluded_once_and_for_a_true_reason(
        sent in prop::collection::vec(sent(), 0..12),
        rule in rule(),
    ) {
        let outcome = run(&rule, &sent);
        let (used, excluded) = match &outcome {
            Ok(aggregate) => (aggregate.used, &aggregate.excluded),
            Err(quorate_core::aggregate::AggregateError::NoValues { excluded }) => (0, excluded),
        };
        prop_assert_eq!(used + excluded.len(), sent.len());
        prop_assert!(excluded.is_sorted_by(|(one, _), (other, _)| one < other));
        for (index, why) in excluded {
            let sent = &sent[*index];
            let is_stale = sent.age.is_some_and(|age: Duration| rule.max_age.is_some_and(|most| age > most));
            let is_text = matches!(sent.value, Value::Text(_));
            let is_useless = rule.strategy != Aggregation::Majority && sent.value.as_number().is_none();
            let is_true = match why {
                Exclusion::Stale => is_stale,
                Exclusion::NotANumber => is_useless && !is_stale,
                Exclusion::Outlier => rule.max_deviation != OutlierRule::None && !is_stale && !is_useless,
                Exclusion::Quarantined | Exclusion::Newcomer => false,
            };
            prop_assert!(is_true, "{:?} of {:?}, a text: {}", why, sent, is_text);
        }
    }
}
