//! How many liars it takes to move an answer out of the range of the honest values: the breakdown point of each
//! strategy, as the documentation states it. Each law is also tested with one liar too many.

use proptest::prelude::*;
use quorate_core::aggregate::{Aggregate, Millionths, Rule, Strategy as Aggregation};
use quorate_core::policy::Policy;
use quorate_core::value::Value;
use rust_decimal::Decimal;

use crate::support::{Sent, decimal, of_numbers, of_numbers_by, run};

fn is_honest(answer: Decimal, honest: &[Decimal]) -> bool {
    honest.iter().min() <= Some(&answer) && Some(&answer) <= honest.iter().max()
}

fn weighing(numbers: &[Decimal], weights: &[u64]) -> Vec<Sent> {
    let sent = |(number, weight): (&Decimal, &u64)| Sent {
        value: Value::Number(*number),
        weight: Millionths::new(*weight),
        age: None,
    };
    numbers.iter().zip(weights).map(sent).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn fewer_than_half_leave_the_median_honest(
        honest in prop::collection::vec(decimal(), 1..10),
        lies in prop::collection::vec(decimal(), 0..10),
    ) {
        let lies = &lies[..lies.len().min(honest.len() - 1)];
        for strategy in [Aggregation::Median, Aggregation::WeightedMedian] {
            prop_assert!(is_honest(of_numbers(strategy, &[&honest, lies].concat()), &honest));
        }
    }

    #[test]
    fn less_than_half_of_the_weight_leaves_the_weighted_median_honest(
        honest in prop::collection::vec((decimal(), 1_u64..1000), 1..10),
        lies in prop::collection::vec((decimal(), 0_u64..1000), 0..10),
    ) {
        let honest_weight: u64 = honest.iter().map(|(_, weight)| weight).sum();
        let mut lying_weight = 0;
        let lies = lies.into_iter().take_while(|(_, weight)| {
            lying_weight += weight;
            lying_weight < honest_weight
        });
        let (numbers, weights): (Vec<_>, Vec<_>) = honest.iter().copied().chain(lies).unzip();
        let rule = Rule { strategy: Aggregation::WeightedMedian, ..Rule::default() };
        let answer = run(&rule, &weighing(&numbers, &weights)).expect("numbers").value.as_number().expect("a number");
        prop_assert!(is_honest(answer, &numbers[..honest.len()]), "{answer} of {numbers:?} by {weights:?}");
    }

    #[test]
    fn as_many_liars_as_are_trimmed_at_each_end_leave_the_trimmed_mean_honest(
        honest in prop::collection::vec(decimal(), 1..10),
        lies in prop::collection::vec(decimal(), 0..10),
        share in 0_u64..500_000,
    ) {
        let trimmed = |lies: usize| (honest.len() + lies) as u64 * share / 1_000_000;
        let most = (0..=lies.len()).rev().find(|lies| *lies as u64 <= trimmed(*lies)).expect("none at all is few enough");
        let trim_share = Millionths::new(share);
        let rule = Rule { strategy: Aggregation::TrimmedMean, trim_share, ..Rule::default() };
        let answer = of_numbers_by(&rule, &[&honest, &lies[..most]].concat()).value.as_number().expect("a number");
        prop_assert!(is_honest(answer, &honest), "{answer} with {most} lies");
    }

    #[test]
    fn the_majority_is_the_truth_while_those_who_agree_outnumber_the_liars(
        truth in -99_i64..=99,
        agreeing in 1_usize..10,
        lies in prop::collection::vec(-99_i64..=99, 0..10),
    ) {
        let lies = lies.iter().take(agreeing - 1).copied().map(Decimal::from);
        let numbers: Vec<Decimal> = std::iter::repeat_n(truth.into(), agreeing).chain(lies).collect();
        prop_assert_eq!(of_numbers(Aggregation::Majority, &numbers), Decimal::from(truth));
    }

    #[test]
    fn a_single_liar_moves_the_average_and_the_extremes_out(honest in prop::collection::vec(-1000_i64..=1000, 1..10)) {
        let honest: Vec<Decimal> = honest.into_iter().map(Decimal::from).collect();
        for (strategy, lie) in [
            (Aggregation::Average, Decimal::MAX),
            (Aggregation::Average, Decimal::MIN),
            (Aggregation::Max, Decimal::MAX),
            (Aggregation::Min, Decimal::MIN),
        ] {
            let numbers = [honest.as_slice(), &[lie]].concat();
            prop_assert!(!is_honest(of_numbers(strategy, &numbers), &honest), "{strategy} with {lie}");
        }
        for (strategy, lie) in [(Aggregation::Max, Decimal::MIN), (Aggregation::Min, Decimal::MAX)] {
            let numbers = [honest.as_slice(), &[lie]].concat();
            prop_assert!(is_honest(of_numbers(strategy, &numbers), &honest), "{strategy} with {lie}");
        }
    }

    #[test]
    fn half_of_all_or_one_more_than_is_trimmed_are_too_many(honest in prop::collection::vec(-1000_i64..=1000, 1..10)) {
        let honest: Vec<Decimal> = honest.into_iter().map(Decimal::from).collect();
        let with = |lies: usize| [honest.as_slice(), &vec![Decimal::from(1_000_000); lies]].concat();
        for strategy in [Aggregation::Median, Aggregation::WeightedMedian] {
            prop_assert!(!is_honest(of_numbers(strategy, &with(honest.len())), &honest), "{strategy}");
        }
        let rule = Rule { strategy: Aggregation::TrimmedMean, ..Rule::default() };
        let trimmed = |lies: usize| (honest.len() + lies) / 4;
        let too_many = (0..100).find(|lies| *lies > trimmed(*lies)).expect("a quarter of them is fewer");
        let answer = of_numbers_by(&rule, &with(too_many)).value.as_number().expect("a number");
        prop_assert!(!is_honest(answer, &honest), "{answer} with {too_many} lies");
        let majority = of_numbers(Aggregation::Majority, &with(honest.len() + 1));
        prop_assert!(!is_honest(majority, &honest));
    }
}

proptest! {
    /// By default, one of three or more values that is grossly wrong leaves the answer where the others are, however far
    /// these lie apart.
    #[test]
    fn by_default_one_gross_liar_does_not_move_the_answer(
        honest in prop::collection::vec(1_i64..1_000_000, 2..8),
        lie in prop_oneof![Just(0_i64), Just(-5), 2_i64..1_000_000],
        is_large in any::<bool>(),
    ) {
        let (least, most) = (*honest.iter().min().expect("some"), *honest.iter().max().expect("some"));
        let lie = if is_large { most * (lie.abs() + 2) } else { -lie.abs() - least };
        let values: Vec<Decimal> = honest.iter().chain([&lie]).map(|value| Decimal::from(*value)).collect();
        let answer = of_numbers_by(&Policy::default().rule, &values).value.as_number().expect("a number");
        prop_assert!((Decimal::from(least)..=Decimal::from(most)).contains(&answer), "{answer} of {values:?}");
    }

    /// By default, values within 5 % of each other are all used, and agree.
    #[test]
    fn by_default_values_within_five_percent_of_each_other_agree(
        largest in 1_000_000_i64..100_000_000,
        below in prop::collection::vec(0_i64..=50_000, 0..8),
    ) {
        let smaller = below.iter().map(|millionths| largest - largest / 1_000_000 * millionths);
        let values: Vec<Decimal> = smaller.chain([largest]).map(Decimal::from).collect();
        let aggregate = of_numbers_by(&Policy::default().rule, &values);
        prop_assert_eq!((aggregate.used, aggregate.agreeing, aggregate.disputed), (values.len(), values.len(), false));
    }
}

#[test]
fn by_default_the_examples_of_the_adr_read_as_it_says() {
    let by_default = |numbers: &[&str]| {
        let numbers: Vec<Decimal> = numbers.iter().map(|number| number.parse().expect("a number")).collect();
        let Aggregate { value, used, agreeing, disputed, .. } = of_numbers_by(&Policy::default().rule, &numbers);
        (value.as_number().expect("a number").to_string(), used, agreeing, disputed)
    };
    assert_eq!(by_default(&["91005", "91010", "91015", "42000.5"]), ("91010".to_owned(), 3, 3, false));
    // Without a majority, the median.
    assert_eq!(by_default(&["100", "108", "42"]), ("100".to_owned(), 3, 1, true));
    assert_eq!(by_default(&["100", "120"]), ("110".to_owned(), 2, 0, true));
}
