//! From many values to one: the outlier rule, the strategies, and what to say about the spread.

mod average;
mod majority;
mod median;
mod outlier;
mod scaled;
mod wide;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rust_decimal::Decimal;

use self::outlier::Verdict;
use crate::value::Value;

/// How the values that count become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// Exact sum over count; where no decimal holds that, rounded half-even to 28 significant digits.
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
    /// Numbers farther from the median than this fraction of the median's magnitude are excluded; `None` excludes
    /// nothing. 0 or more: a negative fraction counts as 0.
    pub max_deviation: Option<Decimal>,
}

/// Why a value was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Smallest and largest of the used values, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// The smallest used value.
    pub min: Decimal,
    /// The largest used value.
    pub max: Decimal,
}

/// One value out of many, with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The answer; a number has no trailing zeros, however the values were written.
    pub value: Value,
    /// How many values were not excluded.
    pub used: usize,
    /// Whether several values were equally frequent, so that a rule and not the workers chose among them.
    pub tie: bool,
    /// Indices of the values that were not used, in ascending order, and why.
    pub excluded: Vec<(usize, Exclusion)>,
    /// Smallest and largest used value, where all used values are numbers.
    pub spread: Option<Spread>,
    /// Whether the outlier rule would have excluded half or more of the numbers, and so excluded none.
    pub disputed: bool,
}

/// Why there is no aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// No value is left to aggregate.
    #[error("no value to aggregate")]
    NoValues,
}

/// The values that may be used, as the strategy sees them.
#[derive(Default)]
struct Candidates<'a> {
    /// Numbers with their indices, in no particular order.
    numbers: Vec<(usize, Decimal)>,
    /// Texts that stay texts.
    texts: Vec<&'a Arc<str>>,
    excluded: Vec<(usize, Exclusion)>,
}

/// Aggregates `values` by `rule`. The result does not depend on the order of `values`, nor on how equal numbers are
/// written.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    let mut candidates = Candidates::of(values, rule.strategy);
    let disputed = rule.max_deviation.is_some_and(|fraction| candidates.exclude_outliers(fraction));
    let Candidates { numbers, texts, excluded } = candidates;
    let mut numbers: Vec<Decimal> = numbers.into_iter().map(|(_, number)| number).collect();

    let spread = if texts.is_empty() { spread(&numbers) } else { None };
    let used = numbers.len() + texts.len();
    let (value, tie) = match rule.strategy {
        Strategy::Average => average::mean(&numbers).map(|mean| (Value::Number(mean), false)),
        Strategy::Median => median::median(&mut numbers).map(|median| (Value::Number(median), false)),
        Strategy::Majority => majority::majority(&numbers, &texts, rule.precision),
    }
    .ok_or(AggregateError::NoValues)?;
    Ok(Aggregate { value, used, tie, excluded, spread, disputed })
}

impl<'a> Candidates<'a> {
    /// Sorts values into numbers, texts and those the strategy has no use for.
    fn of(values: &[&'a Value], strategy: Strategy) -> Self {
        let mut candidates = Self::default();
        for (index, &value) in values.iter().enumerate() {
            match (strategy, value) {
                (Strategy::Majority, Value::Text(text)) => candidates.texts.push(text),
                _ => match value.as_number() {
                    Some(number) => candidates.numbers.push((index, number)),
                    None => candidates.excluded.push((index, Exclusion::NotANumber)),
                },
            }
        }
        candidates
    }

    /// Excludes outlying numbers. Returns whether that is disputed, so that none was excluded.
    fn exclude_outliers(&mut self, fraction: Decimal) -> bool {
        let numbers: Vec<Decimal> = self.numbers.iter().map(|(_, number)| *number).collect();
        let Verdict::Exclude(outliers) = outlier::judge(&numbers, fraction) else { return true };
        // From the last on, so that what takes an outlier's place is none of the outliers to come.
        for position in outliers.into_iter().rev() {
            let (index, _) = self.numbers.swap_remove(position);
            self.excluded.push((index, Exclusion::Outlier));
        }
        self.excluded.sort_unstable_by_key(|(index, _)| *index);
        false
    }
}

/// Smallest and largest number; `None` of nothing.
fn spread(numbers: &[Decimal]) -> Option<Spread> {
    Some(Spread { min: numbers.iter().min()?.normalize(), max: numbers.iter().max()?.normalize() })
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn run(strategy: Strategy, max_deviation: Option<&str>, values: &[Value]) -> Result<Aggregate, AggregateError> {
        let rule = Rule { strategy, precision: 2, max_deviation: max_deviation.map(number) };
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
            assert_eq!(aggregate.spread, Some(Spread { min: number("1.5"), max: number("2.5") }));
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
        assert_eq!(aggregate.spread, Some(Spread { min: number("10"), max: number("10") }));
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
    fn a_dispute_excludes_nothing_and_is_said() {
        let values: Vec<Value> = decimals("1 1 100 100").into_iter().map(Value::Number).collect();
        let aggregate = run(Strategy::Median, Some("0.1"), &values).expect("numbers");
        assert!(aggregate.disputed);
        assert_eq!((aggregate.used, aggregate.excluded), (4, vec![]));
        assert!(!run(Strategy::Majority, Some("0.1"), &[text("a")]).expect("a text").disputed);
    }

    #[test]
    fn strategies_have_names_that_read_back() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.name().parse(), Ok(strategy));
        }
        assert_eq!("mode".parse::<Strategy>(), Err(UnknownStrategy));
    }

    #[test]
    fn nothing_usable_is_an_error() {
        for strategy in [Strategy::Average, Strategy::Median, Strategy::Majority] {
            assert_eq!(run(strategy, Some("0.1"), &[]), Err(AggregateError::NoValues));
        }
        assert_eq!(run(Strategy::Average, None, &[text("a")]), Err(AggregateError::NoValues));
    }
}
