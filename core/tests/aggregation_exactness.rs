//! Compares the arithmetic of the aggregation with arithmetic on written digits, and whole aggregations with the model.

use std::cmp::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use quorate_core::aggregate::{
    Aggregator, Candidate, Millionths, OutlierRule, Rule, Strategy as Aggregation, aggregate,
};
use quorate_core::value::{Value, ValueError};
use quorate_model as model;
use quorate_model::pen::{self, Digits, FINEST, sum, units};
use rust_decimal::Decimal;

/// Any decimal, with many near the ends of the range and many that share all but their last digits.
fn decimal() -> impl Strategy<Value = Decimal> {
    let max = (1_i128 << 96) - 1;
    let mantissas =
        prop_oneof![-max..=max, max - 9..=max, -max..=9 - max, -20_i128..=20, 10_i128.pow(28) - 9..=10_i128.pow(28)];
    (mantissas, prop_oneof![Just(0_u32), Just(28), 0_u32..=28])
        .prop_map(|(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale))
}

/// Similar decimals, of which an outlier rule excludes some.
fn alike() -> impl Strategy<Value = Vec<Decimal>> {
    let max = (1_i128 << 96) - 1;
    let around = prop_oneof![max - 60..=max, -max..=60 - max, 40_i128..=100, -100_i128..=-40];
    (around, 0_u32..=28, prop::collection::vec(-9_i128..=9, 1..12)).prop_map(move |(center, scale, steps)| {
        let mantissas = steps.into_iter().map(|step| (center + step).clamp(-max, max));
        mantissas.map(|mantissa| Decimal::from_i128_with_scale(mantissa, scale)).collect()
    })
}

/// Numbers with few digits, several of them equal, texts that spell numbers, and other texts.
fn mixed() -> impl Strategy<Value = Vec<Value>> {
    let number = (-40_i64..=40, 0_u32..=3).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale));
    let value = prop_oneof![
        4 => number.clone().prop_map(Value::Number),
        1 => decimal().prop_map(Value::Number),
        1 => number.prop_map(|number| Value::Text(number.to_string().into())),
        1 => "[ab]{1,2}".prop_map(|text| Value::Text(text.into())),
    ];
    prop::collection::vec(value, 0..12)
}

/// A factor from 0 to a million, often a small one.
fn factor() -> impl Strategy<Value = Millionths> {
    prop_oneof![0_u64..=4_000_000, (0_u64..4).prop_map(|whole| whole * 1_000_000), 0..=Millionths::MAX.get()]
        .prop_map(Millionths::new)
}

/// Any rule without a maximum age.
fn rule() -> impl Strategy<Value = Rule> {
    let fraction = || prop_oneof![(-5_i64..=40).prop_map(|percent| Decimal::new(percent, 2)), decimal()];
    let outliers = prop_oneof![
        fraction().prop_map(OutlierRule::Relative),
        factor().prop_map(OutlierRule::Mad),
        factor().prop_map(OutlierRule::Iqr),
    ];
    (
        prop::sample::select(Aggregation::ALL),
        0_u32..=28,
        factor(),
        prop_oneof![Just(OutlierRule::None), outliers],
        prop::option::of(fraction()),
        prop::option::of((0_u64..=1_000_000).prop_map(Millionths::new)),
    )
        .prop_map(|(strategy, precision, trim_share, max_deviation, tolerance, min_agreement)| Rule {
            strategy,
            precision,
            trim_share,
            max_deviation,
            tolerance,
            min_agreement,
            max_age: None,
        })
}

/// The value, the indices of outliers, and whether they are disputed.
fn run(strategy: Aggregation, numbers: &[Decimal], max_deviation: Option<Decimal>) -> (Decimal, Vec<usize>, bool) {
    let values: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
    let rule = Rule {
        strategy,
        max_deviation: max_deviation.map_or(OutlierRule::None, OutlierRule::Relative),
        ..Rule::default()
    };
    let aggregate = aggregate(&rule, &values.iter().collect::<Vec<_>>()).expect("there are numbers");
    let excluded = aggregate.excluded.iter().map(|(index, _)| *index).collect();
    (aggregate.value.as_number().expect("numbers become a number"), excluded, aggregate.disputed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn the_average_is_the_reference_mean(numbers in prop_oneof![prop::collection::vec(decimal(), 1..9), alike()]) {
        prop_assert_eq!(run(Aggregation::Average, &numbers, None).0, pen::mean(&numbers));
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted_numbers(numbers in prop::collection::vec(decimal(), 1..9)) {
        let mut sorted = numbers.clone();
        sorted.sort();
        let middle = &sorted[(sorted.len() - 1) / 2..=sorted.len() / 2];
        prop_assert_eq!(run(Aggregation::Median, &numbers, None).0, pen::mean(middle));
    }

    #[test]
    fn the_spread_is_from_the_smallest_to_the_largest(a in decimal(), b in decimal()) {
        let (smaller, larger) = if pen::order(a, b) == Ordering::Greater { (b, a) } else { (a, b) };
        let rule = Rule::default();
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
        let rule = Rule { strategy: Aggregation::Majority, precision, ..Rule::default() };
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
            (0..numbers.len()).filter(|index| pen::is_outlier(numbers[*index], median, fraction)).collect();
        let disputed = outlying.len() * 2 >= numbers.len();
        let expected = if disputed { vec![] } else { outlying };
        let (_, excluded, said_disputed) = run(Aggregation::Average, &numbers, Some(fraction));
        prop_assert_eq!((&excluded, said_disputed), (&expected, disputed));

        let distance = |index: &usize| sum([units(numbers[*index]), units(-median)].into_iter()).1;
        let nearest = (0..numbers.len()).min_by(|a, b| distance(a).compare(&distance(b)));
        prop_assert!(nearest.is_some_and(|nearest| !excluded.contains(&nearest)));
    }

    #[test]
    fn an_aggregate_is_that_of_the_model(
        values in prop_oneof![mixed(), alike().prop_map(|numbers| numbers.into_iter().map(Value::Number).collect())],
        attributes in prop::collection::vec((factor(), prop::option::of(0_u64..6)), 12),
        (rule, max_age) in (rule(), prop::option::of(0_u64..5)),
    ) {
        let rule = Rule { max_age: max_age.map(Duration::from_secs), ..rule };
        let candidates: Vec<Candidate> = values
            .iter()
            .zip(attributes)
            .map(|(value, (weight, age))| Candidate { weight, age: age.map(Duration::from_secs), ..Candidate::from(value) })
            .collect();
        let said = Aggregator::default().aggregate(&rule, candidates.iter().copied());
        let expected = model::aggregate::aggregate_candidates(&rule, &candidates);
        // Compared as text, because equality does not tell 1.0 from 1.00, and no answer may have trailing zeros.
        prop_assert_eq!(format!("{:?}", said), format!("{:?}", expected));
    }

    #[test]
    fn a_number_is_read_exactly_or_refused(
        integer in "0|[1-9][0-9]{0,30}|[1-9]0{0,40}",
        fraction in "[0-9]{0,30}|[0-9]{0,3}0{0,60}",
        exponent in -40_i64..40,
    ) {
        let point = if fraction.is_empty() { "" } else { "." };
        let read = Value::number(&format!("{integer}{point}{fraction}e{exponent}"));
        // In units of 10^-200, of which the number is a whole multiple.
        let shift = usize::try_from(200 + exponent).expect("positive") - fraction.len();
        let whole = Digits::written(&format!("{integer}{fraction}")).times_pow10(shift);
        let exact = (0..=FINEST).find_map(|scale| {
            if whole.ends_in_zeros(200 - scale) { whole.rounded(200 - scale, false).decimal(false, scale) } else { None }
        });
        prop_assert_eq!(read, exact.map(Value::Number).ok_or(ValueError::OutOfRange));
    }
}
