//! Tests of whole aggregations.

use super::*;

#[test]
fn every_exclusion_has_a_name() {
    assert_eq!(Exclusion::ALL.map(Exclusion::name), ["not_a_number", "outlier", "stale", "quarantined", "newcomer"]);
}

/// The decimal that `text` spells.
pub(super) fn number(text: &str) -> Decimal {
    Value::number(text).ok().and_then(|value| value.as_number()).expect("a decimal number")
}

/// The decimals that `text` spells, separated by spaces.
pub(super) fn decimals(text: &str) -> Vec<Decimal> {
    text.split_whitespace().map(number).collect()
}

fn text(text: &str) -> Value {
    Value::text(text).expect("short")
}

fn spread(min: &str, max: &str, interquartile: &str, mad: &str) -> Spread {
    let [min, max, interquartile, mad] = [min, max, interquartile, mad].map(number);
    Spread { min, max, interquartile: Some(interquartile), mad }
}

fn run(strategy: Strategy, max_deviation: Option<&str>, values: &[Value]) -> Result<Aggregate, AggregateError> {
    let rule =
        Rule { strategy, max_deviation: max_deviation.unwrap_or("none").parse().expect("a rule"), ..Rule::default() };
    aggregate(&rule, &values.iter().collect::<Vec<_>>())
}

#[test]
fn numeric_strategies_read_numeric_texts_and_exclude_the_others() {
    let values = [text("1.50"), text("n/a"), Value::Number(number("2.5")), text("0x10"), text("")];
    for strategy in [Strategy::Average, Strategy::Median] {
        let aggregate = run(strategy, None, &values).expect("two numbers");
        assert_eq!(aggregate.value, Value::Number(number("2")));
        assert_eq!(aggregate.used, 2);
        assert_eq!(aggregate.excluded, [1, 3, 4].map(|index| (index, Exclusion::NotANumber)));
        assert_eq!(aggregate.spread, Some(spread("1.5", "2.5", "0.5", "0.5")));
    }
}

#[test]
fn indices_of_all_kinds_of_exclusion_ascend() {
    let mut values = vec![text("a")];
    values.extend(decimals("900 10 10 -900 10").into_iter().map(Value::Number));
    values.push(text("b"));
    let aggregate = run(Strategy::Average, Some("0.5"), &values).expect("numbers");
    let expected = [Exclusion::NotANumber, Exclusion::Outlier, Exclusion::Outlier, Exclusion::NotANumber];
    assert_eq!(aggregate.excluded, [0, 1, 4, 6].into_iter().zip(expected).collect::<Vec<_>>());
    assert_eq!(aggregate.spread, Some(spread("10", "10", "0", "0")));
}

#[test]
fn majority_applies_the_outlier_rule_to_numbers_only() {
    let mut values: Vec<Value> = decimals("10 10 99").into_iter().map(Value::Number).collect();
    values.extend([text("99"), text("99"), text("99")]);
    let aggregate = run(Strategy::Majority, Some("0.1"), &values).expect("values");
    assert_eq!(aggregate.excluded, [(2, Exclusion::Outlier)]);
    assert_eq!((aggregate.value, aggregate.used, aggregate.spread), (text("99"), 5, None));
}

#[test]
fn a_dispute_excludes_nothing_and_is_reported() {
    let values: Vec<Value> = decimals("1 1 100 100").into_iter().map(Value::Number).collect();
    let aggregate = run(Strategy::Median, Some("0.1"), &values).expect("numbers");
    assert!(aggregate.disputed);
    assert_eq!((aggregate.used, aggregate.excluded), (4, vec![]));
    assert!(!run(Strategy::Majority, Some("0.1"), &[text("a")]).expect("a text").disputed);
}

#[test]
fn values_that_are_known_to_be_too_old_are_excluded() {
    let rule = Rule { max_age: Some(Duration::from_secs(5)), ..Rule::default() };
    let values: Vec<Value> = decimals("1 2 4 8").into_iter().map(Value::Number).collect();
    let ages = [None, Some(5_000), Some(5_001), Some(0)].map(|age| age.map(Duration::from_millis));
    let candidates = || values.iter().zip(ages).map(|(value, age)| Candidate { age, ..Candidate::from(value) });
    let aggregate = Aggregator::default().aggregate(&rule, candidates()).expect("fresh values");
    assert_eq!(aggregate.excluded, [(2, Exclusion::Stale)]);
    assert_eq!(aggregate.used, 3);
    let any_age = Aggregator::default().aggregate(&Rule::default(), candidates()).expect("values");
    assert_eq!(any_age.excluded, []);
}

#[test]
fn agreement_is_the_share_of_the_used_values_near_the_answer() {
    for (strategy, tolerance, values, expected) in [
        (Strategy::Median, None, "100 106 106.01 94 93.9", 3),
        (Strategy::Median, Some("0"), "100 101 101.01 99 98.9", 1),
        (Strategy::Median, Some("-1"), "0 0.0 1", 2),
        (Strategy::Median, Some("79228162514264337593543950335"), "1e28 1 -1e28 1e28", 4),
        (Strategy::Average, Some("0.5"), "-1 -1 -4 -2", 3),
        (Strategy::Majority, None, "10.001 10.004 10.02 10.02 10.021", 3),
        (Strategy::Majority, Some("0.002"), "10.001 10.004 10.02 10.02 10.021", 5),
        (Strategy::Max, None, "1 2 3", 1),
    ] {
        let values: Vec<Value> = decimals(values).into_iter().map(Value::Number).collect();
        let rule = Rule { strategy, tolerance: tolerance.map(number), ..Rule::default() };
        let aggregate = aggregate(&rule, &values.iter().collect::<Vec<_>>()).expect("numbers");
        assert_eq!(aggregate.agreeing, expected, "{strategy} of {values:?} within {tolerance:?}");
    }
    let texts = [text("a"), text("b"), text("a"), Value::Number(Decimal::ONE)];
    assert_eq!(run(Strategy::Majority, None, &texts).expect("texts").agreeing, 2);
}

#[test]
fn too_little_agreement_is_a_dispute() {
    let values: Vec<Value> = decimals("10 10 20").into_iter().map(Value::Number).collect();
    for (least, disputed) in [(None, false), (Some(666_666), false), (Some(666_667), true), (Some(1_000_000), true)] {
        let min_agreement = least.map(Millionths::new);
        let rule = Rule { strategy: Strategy::Median, min_agreement, ..Rule::default() };
        let aggregate = aggregate(&rule, &values.iter().collect::<Vec<_>>()).expect("numbers");
        assert_eq!((aggregate.agreeing, aggregate.disputed), (2, disputed), "{least:?}");
    }
}

#[test]
fn weights_move_the_weighted_median_and_nothing_else() {
    let values: Vec<Value> = decimals("1 2 9").into_iter().map(Value::Number).collect();
    let candidates = |weights: [u64; 3]| {
        let weight = weights.map(|weight| Millionths::new(weight * 1_000_000));
        values.iter().zip(weight).map(|(value, weight)| Candidate { weight, ..Candidate::from(value) })
    };
    for strategy in Strategy::ALL.iter().copied() {
        let rule = Rule { strategy, ..Rule::default() };
        let mut aggregator = Aggregator::default();
        let [even, heavy] = [[1, 1, 1], [1, 1, 5]]
            .map(|weights| aggregator.aggregate(&rule, candidates(weights)).expect("numbers").value);
        assert_eq!(even != heavy, strategy.uses_weights(), "{strategy}");
    }
}

#[test]
fn nothing_usable_is_an_error_that_says_why() {
    for strategy in Strategy::ALL.iter().copied() {
        let nothing = Err(AggregateError::NoValues { excluded: vec![] });
        assert_eq!(run(strategy, Some("0.1"), &[]), nothing);
    }
    let excluded = vec![(0, Exclusion::NotANumber)];
    assert_eq!(run(Strategy::Average, None, &[text("a")]), Err(AggregateError::NoValues { excluded }));
}
