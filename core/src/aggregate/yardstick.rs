//! What the values of an answer are compared with, to say of each whether it can be believed.

use rust_decimal::Decimal;

use super::outlier::{Fence, fraction_of};
use super::scaled::Unit;
use super::{Candidate, OutlierRule, Rule};
use crate::value::Value;

/// A number that is no farther from the median than this fraction of it is never bad: 5 %.
const NEAR: Decimal = Decimal::from_parts(5, 0, 0, false, 2);
/// The fence where a request has no outlier rule.
pub(super) const USUAL: OutlierRule = OutlierRule::Relative(NEAR);

/// What a value says of its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assessment {
    /// It can be believed.
    Good,
    /// It cannot be believed.
    Bad,
    /// It says nothing of its worker.
    Neutral,
}

/// What all values of one answer are compared with, whether they were used or not.
///
/// The fence is drawn through the numbers that might have been used, before outliers are excluded: by the request's
/// outlier rule, else 5 % around their median. A number within the fence is good; one beyond it is bad, unless it is
/// within 5 % of the median. Where the outlier rule is a caller's, a number that is farther from the median than 5 % is
/// not good, and one that the operator's rule may let pass is not bad. If some numbers are beyond the fence, and those
/// within it are no more than half of all values, no number is good or bad.
///
/// Where texts are counted, a value that is the answer is good. A value of another kind than the answer, or another
/// text, is bad if the answer has more than half of the votes. A value that is too old, or a text that is no number where
/// numbers are needed, is neutral: the caller has chosen the age and the strategy.
#[derive(Debug)]
pub struct Yardstick {
    pub(super) answer: Value,
    /// Whether the answer is a vote that more than half have given.
    pub(super) by_majority: bool,
    pub(super) takes_texts: bool,
    pub(super) rule: Rule,
    pub(super) usual: Usual,
    pub(super) numbers: Numbers,
    pub(super) all_used_are_good: bool,
}

/// What numbers are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) rule: OutlierRule,
    pub(super) fence: Fence,
    /// The median; `None` if there are no numbers.
    pub(super) median: Option<Decimal>,
    /// How many numbers there are.
    pub(super) count: usize,
    /// How many of them are beyond the fence.
    pub(super) beyond: usize,
    /// Whether the others are no more than half of all.
    pub(super) is_disputed: bool,
}

impl Yardstick {
    /// Whether every value that was used is good, and none was excluded for lying too far from the others.
    pub fn finds_all_good(&self) -> bool {
        self.all_used_are_good
    }

    /// What a value says of its worker; it may be one that was not used.
    pub fn assess(&self, candidate: &Candidate<'_>) -> Assessment {
        let Candidate { value, number, age, .. } = *candidate;
        if self.rule.is_stale(age) {
            return Assessment::Neutral;
        }
        let number = match value {
            Value::Number(number) => Some(*number),
            Value::Text(_) if self.takes_texts => None,
            Value::Text(_) if number.is_none() => return Assessment::Neutral,
            Value::Text(_) => number,
        };
        match (&self.answer, number) {
            (Value::Number(_), Some(number)) => self.numbers.assess(number, self.usual),
            _ if *value == self.answer => Assessment::Good,
            _ if self.by_majority && !self.is_near_the_answer(value) => Assessment::Bad,
            _ => Assessment::Neutral,
        }
    }

    /// Whether a value and the answer spell numbers that are near each other: nearly the same is no lie.
    fn is_near_the_answer(&self, value: &Value) -> bool {
        let (number, answer) = (value.as_number(), self.answer.as_number());
        number.zip(answer).is_some_and(|(number, answer)| is_within(NEAR, answer, number))
    }
}

impl Numbers {
    fn assess(&self, number: Decimal, usual: Usual) -> Assessment {
        let Some(median) = self.median else { return Assessment::Neutral };
        let is_near = |most: Decimal| is_within(most, median, number);
        if self.is_disputed {
            Assessment::Neutral
        } else if !self.is_beyond(number, median) {
            // A caller's wide fence makes nobody good.
            if usual == Usual::Same || is_near(NEAR) { Assessment::Good } else { Assessment::Neutral }
        } else if is_near(NEAR) || usual.allows(is_near) {
            Assessment::Neutral
        } else {
            Assessment::Bad
        }
    }

    fn is_beyond(&self, number: Decimal, median: Decimal) -> bool {
        match self.rule {
            OutlierRule::Relative(fraction) => !is_within(fraction, median, number),
            OutlierRule::Mad(_) | OutlierRule::Iqr(_) => self.fence.excludes_any(number),
        }
    }
}

/// How the outlier rule of a request compares with the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// It is the operator's.
    Same,
    /// It is a caller's. This is the operator's.
    Other(Option<OutlierRule>),
}

impl Usual {
    /// Whether the operator's rule may let pass what a caller's does not. Where its fence would be is known only of a
    /// relative one.
    fn allows(self, is_near: impl Fn(Decimal) -> bool) -> bool {
        match self {
            Self::Same | Self::Other(None) => false,
            Self::Other(Some(OutlierRule::Relative(fraction))) => is_near(fraction),
            Self::Other(Some(OutlierRule::Mad(_) | OutlierRule::Iqr(_))) => true,
        }
    }
}

/// Whether a number is no farther from a center than this fraction of the center's magnitude.
fn is_within(fraction: Decimal, center: Decimal, number: Decimal) -> bool {
    let unit = Unit::of(&[center, number]);
    fraction_of(center, fraction, unit).is_none_or(|limit| unit.distance(number, center) <= limit)
}
