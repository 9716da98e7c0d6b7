//! From many values to one: the outlier rule, the strategies, and what to say about the spread.

mod majority;
mod mean;
mod median;
mod outlier;
#[cfg(test)]
mod tests;
mod wide;

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use crate::value::Value;
use majority::majority;
use mean::mean;
use median::median;
use outlier::is_outlier;

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

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 3] = [Self::Average, Self::Median, Self::Majority];

    /// The strategy's name in requests, configuration and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Median => "median",
            Self::Majority => "majority",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("strategy must be one of average, median, majority")]
pub struct UnknownStrategy;

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name).ok_or(UnknownStrategy)
    }
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

impl Exclusion {
    /// The reason's name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::Outlier => "outlier",
            Self::Cordoned => "cordoned",
        }
    }
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
}

/// Aggregates `values` by `rule`. The result does not depend on the order of `values`.
///
/// # Errors
/// [`AggregateError::NoValues`] if there is no value, or none of the kind that the strategy needs.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    let mut excluded = Vec::new();
    let mut numbers: Vec<(usize, Decimal)> = Vec::with_capacity(values.len());
    let mut texts = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match (rule.strategy, value) {
            (_, Value::Number(number)) => numbers.push((index, with_unsigned_zero(*number))),
            (Strategy::Majority, Value::Text(_)) => texts.push(*value),
            (Strategy::Average | Strategy::Median, Value::Text(_)) => match value.as_number() {
                Some(number) => numbers.push((index, number)),
                None => excluded.push((index, Exclusion::NotANumber)),
            },
        }
    }
    let disputed = match rule.max_deviation {
        Some(max_deviation) => !exclude_outliers(&mut numbers, &mut excluded, max_deviation),
        None => false,
    };
    let mut used: Vec<Decimal> = numbers.into_iter().map(|(_, number)| number).collect();
    let spread = match (used.iter().min(), used.iter().max()) {
        (Some(min), Some(max)) => Some(Spread { min: min.normalize(), max: max.normalize() }),
        _ => None,
    };
    let count = used.len() + texts.len();
    let (value, tie) = match rule.strategy {
        _ if count == 0 => return Err(AggregateError::NoValues),
        Strategy::Average => (mean(&used).into(), false),
        Strategy::Median => (median(&mut used).into(), false),
        Strategy::Majority => majority(&used, &texts, rule.precision).ok_or(AggregateError::NoValues)?,
    };
    excluded.sort_unstable_by_key(|(index, _)| *index);
    Ok(Aggregate { value, used: count, tie, excluded, spread, disputed })
}

/// The number itself, but zero for minus zero: the two are equal, so a sign on it would show the order of the values.
fn with_unsigned_zero(number: Decimal) -> Decimal {
    if number.is_zero() { number.abs() } else { number }
}

/// Moves the numbers that are too far from their median to `excluded`, and returns true. If those were half of the
/// numbers or more, nobody can say which half is right: all are kept, and the result is false.
fn exclude_outliers(
    numbers: &mut Vec<(usize, Decimal)>,
    excluded: &mut Vec<(usize, Exclusion)>,
    max_deviation: Decimal,
) -> bool {
    if numbers.is_empty() {
        return true;
    }
    let center = median(&mut numbers.iter().map(|(_, number)| *number).collect::<Vec<_>>());
    let is_far = |number: Decimal| is_outlier(number, center, max_deviation);
    let far = numbers.iter().filter(|(_, number)| is_far(*number)).count();
    if far * 2 >= numbers.len() {
        return false;
    }
    numbers.retain(|(index, number)| {
        let keep = !is_far(*number);
        if !keep {
            excluded.push((*index, Exclusion::Outlier));
        }
        keep
    });
    true
}
