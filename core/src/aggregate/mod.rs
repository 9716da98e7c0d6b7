//! From many values to one: the outlier rule, the strategies, and what to say about the spread.

use rust_decimal::Decimal;

use crate::value::Value;

/// How the values that count become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// Exact sum over count, rounded half-even to 28 significant digits.
    #[default]
    Average,
    /// The middle value; of an even count, the exact mean of the two middle ones.
    Median,
    /// The most frequent value, numbers rounded to [`Rule::precision`] decimals, texts compared exactly.
    Majority,
}

/// How one request's values are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// How the values that count become one.
    pub strategy: Strategy,
    /// Decimals kept by [`Strategy::Majority`] when it compares numbers: 0 to 28.
    pub precision: u32,
    /// Values farther from the median than this fraction of the median's magnitude are excluded; `None` excludes
    /// nothing.
    pub max_deviation: Option<Decimal>,
}

/// Why a value was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// A text that is no number, where the strategy needs numbers.
    NotANumber,
    /// Farther from the median than [`Rule::max_deviation`] allows.
    Outlier,
    /// The worker's reliability is below the cordon.
    Cordoned,
}

/// Smallest and largest of the used values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The smallest used value.
    pub min: Decimal,
    /// The largest used value.
    pub max: Decimal,
}

/// One value out of many, with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The answer.
    pub value: Value,
    /// How many values it rests on.
    pub used: usize,
    /// Whether several values were equally frequent, so that a rule and not the workers chose among them.
    pub tie: bool,
    /// Indices of the values that were not used, in ascending order, and why.
    pub excluded: Vec<(usize, Exclusion)>,
    /// Smallest and largest used value, where the used values are numbers.
    pub spread: Option<Spread>,
    /// Whether the outlier rule would have excluded half or more of the values, and so excluded none.
    pub disputed: bool,
}

/// Why there is no aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// No value is left to aggregate.
    #[error("no value to aggregate")]
    NoValues,
    /// The result is beyond the range of a decimal.
    #[error("the result is beyond the range of a decimal")]
    Overflow,
}

/// Aggregates `values` by `rule`. The result does not depend on the order of `values`.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    let _ = (rule, values);
    todo!()
}
