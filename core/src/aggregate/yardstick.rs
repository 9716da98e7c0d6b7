//! The yardstick by which each value of an answer is judged: can it be believed?

use rust_decimal::Decimal;

use super::outlier::{Fence, fraction_of};
use super::scaled::Unit;
use super::{Candidate, NEAR, OutlierRule, Rule};
use crate::value::Value;

/// The fence of a request without an outlier rule.
pub(super) const USUAL: OutlierRule = OutlierRule::Relative(NEAR);

/// What a value says about its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assessment {
    /// It can be believed.
    Good,
    /// It cannot be believed.
    Bad,
    /// It says nothing about its worker.
    Neutral,
}

/// The yardstick for all values of one answer, used or not.
///
/// The fence is computed from the usable numbers, before outliers are excluded: by the request's outlier rule, or
/// [`NEAR`] around their median without one. A number within the fence is good; one beyond it is bad, unless it is near
/// the median. If a caller set the outlier rule, a number that is not near the median is not good, and a number that the
/// operator's rule may accept is not bad. If some numbers are beyond the fence, and those within it are no more than half
/// of all values, no number is good or bad.
///
/// If the strategy counts texts, a value that is the answer is good. A value of another kind than the answer, or
/// another text, is bad if the answer has more than half of the votes. A value that is too old, or a text where numbers
/// are needed, is neutral: the caller chose the age and the strategy.
#[derive(Debug)]
pub struct Yardstick {
    pub(super) answer: Value,
    /// Whether more than half of the votes are for the answer.
    pub(super) by_majority: bool,
    pub(super) takes_texts: bool,
    pub(super) rule: Rule,
    pub(super) usual: Usual,
    pub(super) numbers: Numbers,
    /// The number of used texts.
    pub(super) texts: usize,
    pub(super) all_used_are_good: bool,
}

/// The yardstick for numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    pub(super) rule: OutlierRule,
    pub(super) fence: Fence,
    /// The median; `None` if there are no numbers.
    pub(super) median: Option<Decimal>,
    /// The number of numbers.
    pub(super) count: usize,
    /// The number of these beyond the fence.
    pub(super) beyond: usize,
}

impl Yardstick {
    /// Whether every used value is good, and none was excluded as an outlier.
    pub fn finds_all_good(&self) -> bool {
        self.all_used_are_good
    }

    /// What a value, used or not, says about its worker.
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
            (Value::Number(_), Some(_)) if self.numbers.are_disputed(self.texts) => Assessment::Neutral,
            (Value::Number(_), Some(number)) => self.numbers.assess(number, self.usual),
            _ if *value == self.answer => Assessment::Good,
            _ if self.by_majority && !self.is_near_the_answer(value) => Assessment::Bad,
            _ => Assessment::Neutral,
        }
    }

    /// Whether a value and the answer spell numbers that are close to each other: a small difference is not a lie.
    fn is_near_the_answer(&self, value: &Value) -> bool {
        let (number, answer) = (value.as_number(), self.answer.as_number());
        number.zip(answer).is_some_and(|(number, answer)| is_within(NEAR, answer, number))
    }
}

impl Numbers {
    /// Whether some numbers are beyond the fence, and those within it are no more than half of all values: the numbers
    /// and so many texts.
    pub(super) fn are_disputed(&self, texts: usize) -> bool {
        self.beyond > 0 && (self.count - self.beyond) * 2 <= self.count + texts
    }

    fn assess(&self, number: Decimal, usual: Usual) -> Assessment {
        let Some(median) = self.median else { return Assessment::Neutral };
        let is_near = |most: Decimal| is_within(most, median, number);
        if !self.is_beyond(number, median) {
            // A caller's wide fence must not make a value good.
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
            OutlierRule::None | OutlierRule::Mad(_) | OutlierRule::Iqr(_) => self.fence.excludes_any(number),
        }
    }
}

/// How the outlier rule of a request compares with the operator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// It is the operator's.
    Same,
    /// It is a caller's. This is the operator's rule.
    Other(OutlierRule),
}

impl Usual {
    /// Whether the operator's rule may accept a value that the caller's rejects. Only the fence of a relative rule is
    /// known here.
    fn allows(self, is_near: impl Fn(Decimal) -> bool) -> bool {
        match self {
            Self::Same | Self::Other(OutlierRule::None) => false,
            Self::Other(OutlierRule::Relative(fraction)) => is_near(fraction),
            Self::Other(OutlierRule::Mad(_) | OutlierRule::Iqr(_)) => true,
        }
    }
}

/// Whether a number is no farther from a center than this fraction of the center's magnitude.
fn is_within(fraction: Decimal, center: Decimal, number: Decimal) -> bool {
    let unit = Unit::of(&[center, number]);
    fraction_of(center, fraction, unit).is_none_or(|limit| unit.distance(number, center) <= limit)
}
