//! Combines many values into one: some are excluded, a strategy combines the rest, and the result says how far they
//! agree.
//!
//! * `strategy.rs` registers the strategies; `combine.rs` is what each implements and is given; each has a file of its
//!   own, `average.rs` to `weighted_median.rs`
//! * `outlier.rs` has the outlier rules; `yardstick.rs` decides for each value whether it can be believed
//! * `spread.rs` measures how far the used values lie apart
//! * `ranked.rs`, `scaled.rs`, `wide.rs`, `millionths.rs` are the exact arithmetic: order statistics, integers of a
//!   common scale, 256-bit integers, shares and weights

mod average;
mod combine;
mod deviation;
mod majority;
mod max;
mod median;
mod millionths;
mod min;
mod outlier;
mod ranked;
mod scaled;
mod spread;
mod strategy;
mod trimmed_mean;
mod weighted_median;
mod wide;
mod yardstick;

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

pub use self::average::mean;
use self::combine::Votes;
pub(crate) use self::deviation::deviates;
pub use self::median::median;
pub use self::millionths::Millionths;
use self::outlier::Fence;
pub use self::outlier::{InvalidOutlierRule, OutlierRule};
use self::ranked::Ranked;
use self::scaled::Unit;
pub use self::spread::Spread;
pub use self::strategy::{Strategy, UnknownStrategy};
use self::wide::Wide;
pub use self::yardstick::{Assessment, Usual, Yardstick};
use self::yardstick::{Numbers, USUAL};
use crate::value::Value;

/// How one request's values are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// How the values are combined.
    pub strategy: Strategy,
    /// Decimals kept by [`Strategy::Majority`] when it compares numbers: 0 to 28.
    pub precision: u32,
    /// The share of the numbers that [`Strategy::TrimmedMean`] drops at each end, rounded down to whole numbers: below
    /// a half.
    pub trim_share: Millionths,
    /// Which numbers are excluded because they are too far from the others.
    pub max_deviation: OutlierRule,
    /// A number agrees with the result if it is no farther from it than this fraction of the result's magnitude; `None`
    /// is [`NEAR`], or zero for [`Strategy::Majority`], which rounds the number first. A negative one counts as 0. A
    /// text agrees if it equals the result.
    pub tolerance: Option<Decimal>,
    /// If fewer than this share of the used values agree with the result, it is disputed; `None` sets no minimum.
    pub min_agreement: Option<Millionths>,
    /// Values known to be older are excluded; `None` accepts values of any age.
    pub max_age: Option<Duration>,
}

/// The default distance, as a fraction, within which numbers belong together: 6 %. Two numbers of which the smaller is 5 %
/// below the larger are 5.27 % of the smaller apart, so values within 5 % of each other belong together either way.
pub const NEAR: Decimal = Decimal::from_parts(6, 0, 0, false, 2);

/// Averages all values, whatever they are.
impl Default for Rule {
    fn default() -> Self {
        Self {
            strategy: Strategy::Average,
            precision: 2,
            trim_share: Millionths::new(250_000),
            max_deviation: OutlierRule::None,
            tolerance: None,
            min_agreement: None,
            max_age: None,
        }
    }
}

impl Rule {
    /// The tolerance in force: [`Rule::tolerance`], or the default of the strategy.
    pub fn effective_tolerance(&self) -> Decimal {
        self.tolerance.unwrap_or_else(|| self.strategy.implementation().default_tolerance())
    }

    /// Whether a value of this age is too old to be used.
    pub(crate) fn is_stale(&self, age: Option<Duration>) -> bool {
        age.is_some_and(|age| self.max_age.is_some_and(|most| age > most))
    }
}

/// One value that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The value.
    pub value: &'a Value,
    /// The value as the number that it is or spells: [`Value::as_number`], which is slow for a long text. Not needed if
    /// the strategy uses texts as they are: see [`Strategy::takes_texts`].
    pub number: Option<Decimal>,
    /// Its weight, if the strategy uses weights.
    pub weight: Millionths,
    /// Its age; `None` if it is unknown, which counts as fresh.
    pub age: Option<Duration>,
}

impl<'a> From<&'a Value> for Candidate<'a> {
    /// A fresh value with the weight 1.
    fn from(value: &'a Value) -> Self {
        Self { value, number: value.as_number(), weight: Millionths::ONE, age: None }
    }
}

/// Why a value was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// A text that is not a number, where the strategy needs numbers.
    NotANumber,
    /// Too far from the others by [`Rule::max_deviation`].
    Outlier,
    /// Older than [`Rule::max_age`].
    Stale,
    /// The worker is quarantined: its score is below the coordinator's threshold.
    Quarantined,
    /// The worker has no record, and a worker with a record sent a value or is still awaited.
    Newcomer,
}

impl Exclusion {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::NotANumber, Self::Outlier, Self::Stale, Self::Quarantined, Self::Newcomer];

    /// The reason's name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not_a_number",
            Self::Outlier => "outlier",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
            Self::Newcomer => "newcomer",
        }
    }
}

/// One value out of many, and how far it can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// The answer; a number has no trailing zeros, however the values were written.
    pub value: Value,
    /// How many values were not excluded.
    pub used: usize,
    /// How many of the used values agree with the answer, by [`Rule::tolerance`].
    pub agreeing: usize,
    /// Whether several values were equally frequent, so that a rule chose among them, not the workers.
    pub tie: bool,
    /// Indices of the values that were not used, in ascending order, and why.
    pub excluded: Vec<(usize, Exclusion)>,
    /// How far the used values lie apart, if all of them are numbers.
    pub spread: Option<Spread>,
    /// Whether the values disagree: the outlier rule would have excluded half of the numbers or more, and so excluded
    /// none; or fewer than [`Rule::min_agreement`] agree with the answer.
    pub disputed: bool,
}

/// Why there is no aggregate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AggregateError {
    /// No value is left to aggregate.
    #[error("no value to aggregate")]
    NoValues {
        /// Indices of the values that were not used, all of them in ascending order, and why.
        excluded: Vec<(usize, Exclusion)>,
    },
}

/// Aggregates `values`, all of them fresh and of the same weight, by `rule`. The result does not depend on the order of
/// `values`, nor on how equal numbers are written.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    Aggregator::default().aggregate(rule, values.iter().map(|value| Candidate::from(*value)))
}

/// Aggregates, and reuses its buffers: once it has seen as many values, it allocates only the list of excluded ones.
#[derive(Debug, Default)]
pub struct Aggregator {
    numbers: Vec<UsedNumber>,
    texts: Vec<Arc<str>>,
    decimals: Vec<Decimal>,
    weighted: Vec<(Decimal, Millionths)>,
    distances: Vec<Wide>,
    /// How the last outlier rule divided the numbers, if there was one.
    drawn: Option<Numbers>,
}

/// A value that is used as a number.
#[derive(Clone, Copy, Debug)]
struct UsedNumber {
    index: usize,
    number: Decimal,
    weight: Millionths,
}

impl Aggregator {
    /// Aggregates `candidates` by `rule`. The result does not depend on their order, nor on how equal numbers are
    /// written.
    ///
    /// # Errors
    /// [`AggregateError::NoValues`] if nothing is left to aggregate.
    pub fn aggregate<'a>(
        &mut self,
        rule: &Rule,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
    ) -> Result<Aggregate, AggregateError> {
        let mut excluded = Vec::new();
        self.drawn = None;
        self.sort(rule, candidates, &mut excluded);
        self.take_used();
        let has_no_majority =
            rule.max_deviation != OutlierRule::None && self.exclude(rule.max_deviation, &mut excluded);
        excluded.sort_unstable_by_key(|(index, _)| *index);

        // Without a majority nothing is excluded, and a single value could move the mean anywhere.
        let is_mean = rule.strategy == Strategy::Average;
        let strategy = if has_no_majority && is_mean { Strategy::Median } else { rule.strategy }.implementation();
        let mut numbers = Ranked::again(&mut self.decimals);
        let spread = if self.texts.is_empty() { Spread::of(&mut numbers, &mut self.distances) } else { None };
        if strategy.uses_weights() {
            self.weighted.clear();
            self.weighted.extend(self.numbers.iter().map(|used| (used.number, used.weight)));
        }
        let votes = Votes { numbers, weighted: &mut self.weighted, texts: &mut self.texts };
        let Some((value, tie)) = strategy.combine(votes, rule) else {
            return Err(AggregateError::NoValues { excluded });
        };

        let used = self.numbers.len() + self.texts.len();
        let agreeing = self.agreeing(rule, &value);
        self.texts.clear();
        let agrees = rule.min_agreement.is_none_or(|least| is_share(agreeing, used, least));
        Ok(Aggregate { value, used, agreeing, tie, excluded, spread, disputed: has_no_majority || !agrees })
    }

    /// Sorts candidates into numbers, texts and those that the rule excludes.
    fn sort<'a>(
        &mut self,
        rule: &Rule,
        candidates: impl IntoIterator<Item = Candidate<'a>>,
        excluded: &mut Vec<(usize, Exclusion)>,
    ) {
        self.numbers.clear();
        self.texts.clear();
        let takes_texts = rule.strategy.takes_texts();
        for (index, Candidate { value, number, weight, age }) in candidates.into_iter().enumerate() {
            if rule.is_stale(age) {
                excluded.push((index, Exclusion::Stale));
                continue;
            }
            match (value, number) {
                (Value::Text(text), _) if takes_texts => self.texts.push(Arc::clone(text)),
                (_, Some(number)) => self.numbers.push(UsedNumber { index, number, weight }),
                (_, None) => excluded.push((index, Exclusion::NotANumber)),
            }
        }
    }

    /// Excludes outlying numbers. Returns whether there are too many of them: then none is excluded, and the answer is
    /// disputed.
    fn exclude(&mut self, rule: OutlierRule, excluded: &mut Vec<(usize, Exclusion)>) -> bool {
        let drawn = self.draw(rule);
        self.drawn = Some(drawn);
        if drawn.beyond == 0 {
            return false;
        }
        if drawn.are_disputed(0) {
            return true;
        }
        self.numbers.retain(|number| {
            let is_outlier = drawn.fence.excludes(number.number);
            if is_outlier {
                excluded.push((number.index, Exclusion::Outlier));
            }
            !is_outlier
        });
        self.take_used();
        false
    }

    /// Computes the fence of a rule around the ranked numbers.
    fn draw(&mut self, rule: OutlierRule) -> Numbers {
        let mut ranked = Ranked::again(&mut self.decimals);
        let fence = Fence::of(rule, &mut ranked, &mut self.distances);
        let median = match fence {
            Fence::Around { center, .. } => Some(center),
            Fence::None | Fence::Between { .. } => median::middle(&mut ranked),
        };
        let beyond = self.numbers.iter().filter(|number| fence.excludes(number.number)).count();
        let count = self.numbers.len();
        Numbers { rule, fence, median, count, beyond }
    }

    /// The yardstick for the values of the last aggregation, which gave `aggregate` by `rule`.
    pub fn yardstick(&mut self, rule: &Rule, usual: Usual, aggregate: &Aggregate) -> Yardstick {
        let strategy = rule.strategy.implementation();
        let numbers = self.drawn.take().unwrap_or_else(|| {
            // A strategy may have changed the numbers that it ranked: a majority rounds them.
            if strategy.takes_texts() {
                self.take_used();
            }
            self.draw(USUAL)
        });
        let texts = aggregate.used - self.numbers.len();
        let by_majority = strategy.takes_texts() && {
            let votes = match &aggregate.value {
                Value::Text(_) => aggregate.agreeing,
                Value::Number(answer) => {
                    self.numbers.iter().filter(|used| strategy.compared(used.number, rule) == *answer).count()
                }
            };
            votes * 2 > aggregate.used
        };
        let are_numbers = aggregate.used == self.numbers.len() && matches!(aggregate.value, Value::Number(_));
        Yardstick {
            answer: aggregate.value.clone(),
            by_majority,
            takes_texts: strategy.takes_texts(),
            rule: *rule,
            usual,
            all_used_are_good: are_numbers && numbers.beyond == 0 && usual == Usual::Same,
            numbers,
            texts,
        }
    }

    /// Copies the used numbers to the buffer in which they are ranked.
    fn take_used(&mut self) {
        self.decimals.clear();
        self.decimals.extend(self.numbers.iter().map(|used| used.number));
        Ranked::of(&mut self.decimals);
    }

    /// How many of the used values agree with the answer.
    fn agreeing(&self, rule: &Rule, answer: &Value) -> usize {
        match answer {
            Value::Text(answer) => self.texts.iter().filter(|text| *text == answer).count(),
            Value::Number(answer) => {
                let strategy = rule.strategy.implementation();
                let tolerance = rule.effective_tolerance();
                let unit = Unit::of(&self.decimals).and(*answer);
                let limit = outlier::fraction_of(*answer, tolerance, unit);
                let Some(limit) = limit else { return self.numbers.len() };
                let agrees = |used: &&UsedNumber| unit.distance(strategy.compared(used.number, rule), *answer) <= limit;
                self.numbers.iter().filter(agrees).count()
            }
        }
    }
}

/// Whether `part` of `whole` is at least the share `least`.
fn is_share(part: usize, whole: usize, least: Millionths) -> bool {
    part as u128 * u128::from(Millionths::ONE.get()) >= whole as u128 * u128::from(least.get())
}

#[cfg(test)]
mod tests;
