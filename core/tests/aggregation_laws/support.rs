//! Arbitrary values and rules, and what an aggregation makes of them.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::aggregate::{
    Aggregate, AggregateError, Aggregator, Candidate, Millionths, OutlierRule, Rule, Strategy as Aggregation, aggregate,
};
use quorate_core::value::Value;
use rust_decimal::Decimal;

const MAX_MANTISSA: i128 = (1 << 96) - 1;

/// Every strategy that makes a number of numbers without rounding them first.
pub(crate) fn numeric() -> impl Iterator<Item = Aggregation> {
    Aggregation::ALL.iter().copied().filter(|strategy| *strategy != Aggregation::Majority)
}

/// Any decimal: extreme, of any scale, or small enough that several are equal.
pub(crate) fn decimal() -> impl Strategy<Value = Decimal> {
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
pub(crate) fn moderate() -> impl Strategy<Value = Decimal> {
    (-10_i64.pow(15)..10_i64.pow(15), 0_u32..=4).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

/// Any value: a number, a text that is one, or another text.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => decimal().prop_map(Value::Number),
        1 => decimal().prop_map(|number| Value::Text(number.to_string().into())),
        1 => "[ab]{1,2}".prop_map(|text| Value::Text(text.into())),
    ]
}

/// A factor from 0 to a million.
fn factor() -> impl Strategy<Value = Millionths> {
    prop_oneof![0_u64..=5_000_000, 0..=Millionths::MAX.get(), Just(Millionths::MAX.get())].prop_map(Millionths::new)
}

/// Any rule for outliers.
pub(crate) fn outlier_rule() -> impl Strategy<Value = OutlierRule> {
    prop_oneof![
        (0_i64..=100).prop_map(|percent| OutlierRule::Relative(Decimal::new(percent, 2))),
        decimal().prop_map(OutlierRule::Relative),
        factor().prop_map(OutlierRule::Mad),
        factor().prop_map(OutlierRule::Iqr),
    ]
}

/// Any rule.
pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    let seconds = (0_u64..5).prop_map(Duration::from_secs);
    (
        prop::sample::select(Aggregation::ALL),
        0_u32..=28,
        factor(),
        prop::option::of(outlier_rule()),
        prop::option::of(decimal()),
        prop::option::of((0_u64..=1_000_000).prop_map(Millionths::new)),
        prop::option::of(seconds),
    )
        .prop_map(|(strategy, precision, trim_share, max_deviation, tolerance, min_agreement, max_age)| Rule {
            strategy,
            precision,
            trim_share,
            max_deviation,
            tolerance,
            min_agreement,
            max_age,
        })
}

/// A value with its weight and its age.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) value: Value,
    pub(crate) weight: Millionths,
    pub(crate) age: Option<Duration>,
}

impl Sent {
    /// How it is shown, in which 1.0 is 1.
    fn shown(&self) -> String {
        match &self.value {
            Value::Number(number) => format!("{} {} {:?}", number.normalize(), self.weight, self.age),
            Value::Text(text) => format!("{text:?} {} {:?}", self.weight, self.age),
        }
    }
}

/// Any value that a worker may send.
pub(crate) fn sent() -> impl Strategy<Value = Sent> {
    let age = prop::option::of((0_u64..6).prop_map(Duration::from_secs));
    (value(), factor(), age).prop_map(|(value, weight, age)| Sent { value, weight, age })
}

/// Aggregates what was sent.
pub(crate) fn run(rule: &Rule, sent: &[Sent]) -> Result<Aggregate, AggregateError> {
    let candidates = sent.iter().map(|Sent { value, weight, age }| Candidate { value, weight: *weight, age: *age });
    Aggregator::default().aggregate(rule, candidates)
}

/// Aggregates numbers by a strategy and nothing else.
pub(crate) fn of_numbers(strategy: Aggregation, numbers: &[Decimal]) -> Decimal {
    of_numbers_by(&Rule { strategy, ..Rule::default() }, numbers).value.as_number().expect("numbers become a number")
}

/// Aggregates numbers, of which there are some that are used.
pub(crate) fn of_numbers_by(rule: &Rule, numbers: &[Decimal]) -> Aggregate {
    let values: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
    aggregate(rule, &values.iter().collect::<Vec<_>>()).expect("there are numbers")
}

/// All that is said, as it is written, so that 1.0 differs from 1.00; of the values that are excluded what they are
/// instead of where.
pub(crate) fn shown(outcome: &Result<Aggregate, AggregateError>, sent: &[Sent]) -> String {
    let (said, excluded) = match outcome {
        Ok(aggregate) => {
            let Aggregate { value, used, agreeing, tie, excluded, spread, disputed } = aggregate;
            (format!("{value} {used} {agreeing} {tie} {spread:?} {disputed}"), excluded)
        }
        Err(AggregateError::NoValues { excluded }) => (String::new(), excluded),
    };
    let mut excluded: Vec<_> =
        excluded.iter().map(|(index, why)| format!("{} {}", sent[*index].shown(), why.name())).collect();
    excluded.sort();
    format!("{said} {excluded:?}")
}
