//! Arbitrary values and rules.

use std::time::Duration;

use proptest::prelude::*;
use quorate_core::aggregate::{
    Aggregate, AggregateError, Aggregator, Candidate, Millionths, OutlierRule, Rule, Strategy as Aggregation,
};
use quorate_core::value::Value;
use rust_decimal::Decimal;

pub(super) const MAX_MANTISSA: i128 = (1 << 96) - 1;

/// Any decimal: extreme, of any scale, or small enough that several are equal.
pub fn decimal() -> impl Strategy<Value = Decimal> {
    let of = |(mantissa, scale)| Decimal::from_i128_with_scale(mantissa, scale);
    let extremes = vec![Decimal::MAX, Decimal::MIN, Decimal::new(1, 28), -Decimal::new(1, 28), -Decimal::ZERO];
    prop_oneof![
        (-MAX_MANTISSA..=MAX_MANTISSA, 0_u32..=28).prop_map(of),
        (MAX_MANTISSA - 3..=MAX_MANTISSA, 0_u32..=28).prop_map(of),
        (-30_i128..=30, 0_u32..=2).prop_map(of),
        prop::sample::select(extremes),
    ]
}

/// Any value: a number, a text that spells one, or another text.
pub fn value() -> impl Strategy<Value = Value> {
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
pub fn outlier_rule() -> impl Strategy<Value = OutlierRule> {
    prop_oneof![
        Just(OutlierRule::None),
        (0_i64..=100).prop_map(|percent| OutlierRule::Relative(Decimal::new(percent, 2))),
        decimal().prop_map(OutlierRule::Relative),
        factor().prop_map(OutlierRule::Mad),
        factor().prop_map(OutlierRule::Iqr),
    ]
}

/// Any rule.
pub fn rule() -> impl Strategy<Value = Rule> {
    let seconds = (0_u64..5).prop_map(Duration::from_secs);
    (
        prop::sample::select(Aggregation::ALL),
        0_u32..=28,
        factor(),
        outlier_rule(),
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
pub struct Sent {
    /// The value.
    pub value: Value,
    /// The weight of its worker.
    pub weight: Millionths,
    /// Its age, if stated.
    pub age: Option<Duration>,
}

impl Sent {
    /// The candidate that is aggregated.
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate { weight: self.weight, age: self.age, ..Candidate::from(&self.value) }
    }
}

/// Any value that a worker may send.
pub fn sent() -> impl Strategy<Value = Sent> {
    let age = prop::option::of((0_u64..6).prop_map(Duration::from_secs));
    (value(), factor(), age).prop_map(|(value, weight, age)| Sent { value, weight, age })
}

/// Aggregates the values with core.
///
/// # Errors
/// As [`Aggregator::aggregate`].
pub fn run(rule: &Rule, sent: &[Sent]) -> Result<Aggregate, AggregateError> {
    Aggregator::default().aggregate(rule, sent.iter().map(Sent::candidate))
}
