//! Arbitrary values and rules, and how their aggregation is compared.

use proptest::prelude::*;
use quorate_core::aggregate::{Aggregate, AggregateError, Rule, Strategy as Aggregation, aggregate};
use quorate_core::value::Value;
pub(crate) use quorate_model::arbitrary::aggregation::{Sent, decimal, outlier_rule, rule, run, sent};
use rust_decimal::Decimal;

/// Every strategy that combines numbers without rounding them first.
pub(crate) fn numeric() -> impl Iterator<Item = Aggregation> {
    Aggregation::ALL.iter().copied().filter(|strategy| *strategy != Aggregation::Majority)
}

/// A decimal with at most 15 digits, 4 of them after the point: sums and small multiples of these are exact.
pub(crate) fn moderate() -> impl Strategy<Value = Decimal> {
    (-10_i64.pow(15)..10_i64.pow(15), 0_u32..=4).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

/// Aggregates numbers by a strategy and nothing else.
pub(crate) fn of_numbers(strategy: Aggregation, numbers: &[Decimal]) -> Decimal {
    of_numbers_by(&Rule { strategy, ..Rule::default() }, numbers).value.as_number().expect("numbers become a number")
}

/// Aggregates numbers, at least one of which is used.
pub(crate) fn of_numbers_by(rule: &Rule, numbers: &[Decimal]) -> Aggregate {
    let values: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
    aggregate(rule, &values.iter().collect::<Vec<_>>()).expect("there are numbers")
}

/// The whole result as text, so that 1.0 differs from 1.00. Excluded values are shown by value instead of by index.
pub(crate) fn shown(outcome: &Result<Aggregate, AggregateError>, sent: &[Sent]) -> String {
    let (said, excluded) = match outcome {
        Ok(aggregate) => {
            let Aggregate { value, used, agreeing, tie, excluded, spread, disputed } = aggregate;
            (format!("{value} {used} {agreeing} {tie} {spread:?} {disputed}"), excluded)
        }
        Err(AggregateError::NoValues { excluded }) => (String::new(), excluded),
    };
    let mut excluded: Vec<_> =
        excluded.iter().map(|(index, why)| format!("{} {}", shown_value(&sent[*index]), why.name())).collect();
    excluded.sort();
    format!("{said} {excluded:?}")
}

/// A value as text, in which 1.0 and 1 are the same.
fn shown_value(Sent { value, weight, age }: &Sent) -> String {
    match value {
        Value::Number(number) => format!("{} {weight} {age:?}", number.normalize()),
        Value::Text(text) => format!("{text:?} {weight} {age:?}"),
    }
}
