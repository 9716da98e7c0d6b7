//! What holds for every outlier rule.

use proptest::prelude::*;
use quorate_core::aggregate::{Exclusion, Millionths, OutlierRule, Rule};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::support::{decimal, moderate, of_numbers_by, outlier_rule};

/// The positions of the outliers, and whether there are so many that they are disputed.
fn outliers(rule: OutlierRule, numbers: &[Decimal]) -> (Vec<usize>, bool) {
    let aggregate = of_numbers_by(&Rule { max_deviation: rule, ..Rule::default() }, numbers);
    let position = |(index, why): &(usize, Exclusion)| {
        assert_eq!(*why, Exclusion::Outlier);
        *index
    };
    (aggregate.excluded.iter().map(position).collect(), aggregate.disputed)
}

/// The middle numbers: one or, of an even count, two.
fn middle(numbers: &[Decimal]) -> Vec<Decimal> {
    let mut sorted = numbers.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) / 2..=sorted.len() / 2].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn neither_half_nor_the_median_is_ever_excluded(
        numbers in prop_oneof![
            prop::collection::vec(decimal(), 1..12),
            prop::collection::vec((-9_i64..=9).prop_map(Decimal::from), 1..12),
        ],
        rule in outlier_rule(),
    ) {
        let (outliers, disputed) = outliers(rule, &numbers);
        prop_assert!(outliers.len() * 2 < numbers.len());
        prop_assert!(outliers.is_empty() || !disputed);
        for middle in middle(&numbers) {
            prop_assert!(outliers.iter().all(|outlier| numbers[*outlier] != middle), "{middle} of {numbers:?}");
        }
    }

    #[test]
    fn a_number_farther_out_than_an_outlier_is_an_outlier(
        numbers in prop::collection::vec((-30_i64..=30).prop_map(Decimal::from), 1..12),
        rule in outlier_rule(),
    ) {
        let (outliers, disputed) = outliers(rule, &numbers);
        if disputed {
            return Ok(());
        }
        let median = middle(&numbers);
        let (low, high) = (median[0], median[median.len() - 1]);
        for outlier in outliers.iter().map(|outlier| numbers[*outlier]) {
            for (index, number) in numbers.iter().enumerate() {
                let farther = if outlier < low { *number <= outlier } else { outlier > high && *number >= outlier };
                prop_assert!(!farther || outliers.contains(&index), "{number} and {outlier} of {numbers:?}");
            }
        }
    }

    #[test]
    fn mad_and_iqr_do_not_depend_on_location_sign_or_unit(
        numbers in prop::collection::vec((-30_i64..=30).prop_map(Decimal::from), 1..12),
        times in 0_u64..4_000_000,
        constant in moderate(),
        factor in 1_i64..=1000,
    ) {
        for rule in [OutlierRule::Mad(Millionths::new(times)), OutlierRule::Iqr(Millionths::new(times))] {
            let expected = outliers(rule, &numbers);
            let changes: [&dyn Fn(&Decimal) -> Decimal; 3] =
                [&|number| number + constant, &|number| number * Decimal::from(factor), &|number| -number];
            for change in changes {
                let changed: Vec<Decimal> = numbers.iter().map(change).collect();
                prop_assert_eq!(&outliers(rule, &changed), &expected, "{:?} as {:?}", numbers, changed);
            }
        }
    }

    #[test]
    fn a_relative_rule_does_not_depend_on_the_unit(
        numbers in prop::collection::vec((-30_i64..=30).prop_map(Decimal::from), 1..12),
        percent in 0_i64..100,
        factor in 1_i64..=1000,
    ) {
        let rule = OutlierRule::Relative(Decimal::new(percent, 2));
        for factor in [factor, -factor].map(Decimal::from) {
            let scaled: Vec<Decimal> = numbers.iter().map(|number| number * factor).collect();
            prop_assert_eq!(outliers(rule, &scaled), outliers(rule, &numbers));
        }
    }

    #[test]
    fn a_wider_rule_excludes_no_more(
        numbers in prop::collection::vec((-30_i64..=30).prop_map(Decimal::from), 1..12),
        times in 0_u64..4_000_000,
        wider in 0_u64..4_000_000,
    ) {
        let [times, wider] = [times, times + wider].map(Millionths::new);
        let rules: [fn(Millionths) -> OutlierRule; 3] =
            [OutlierRule::Mad, OutlierRule::Iqr, |times| OutlierRule::Relative(times.to_decimal())];
        for rule in rules {
            let ((narrow, narrow_disputed), (wide, wide_disputed)) =
                (outliers(rule(times), &numbers), outliers(rule(wider), &numbers));
            prop_assert!(narrow_disputed || !wide_disputed);
            prop_assert!(narrow_disputed || wide.iter().all(|index| narrow.contains(index)));
        }
    }

    #[test]
    fn texts_are_never_outliers_and_cause_none(
        numbers in prop::collection::vec(decimal(), 1..8),
        texts in prop::collection::vec("[a-c]", 0..8),
        rule in outlier_rule(),
    ) {
        let majority = Rule {
            strategy: quorate_core::aggregate::Strategy::Majority,
            max_deviation: rule,
            ..Rule::default()
        };
        let values: Vec<Value> = numbers
            .iter()
            .map(|number| Value::Number(*number))
            .chain(texts.iter().map(|text| Value::Text(text.as_str().into())))
            .collect();
        let values: Vec<&Value> = values.iter().collect();
        let mixed = quorate_core::aggregate::aggregate(&majority, &values).expect("there are values");
        let excluded: Vec<usize> = mixed.excluded.iter().map(|(index, _)| *index).collect();
        prop_assert_eq!((excluded, mixed.disputed), outliers(rule, &numbers));
    }
}
