//! What every strategy does, and what it is given.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::ranked::Ranked;
use super::{Millionths, Rule};
use crate::value::Value;

/// One way to make one value of many.
pub(super) trait Combine: Sync {
    /// The strategy's name in requests, configuration and answers.
    fn name(&self) -> &'static str;

    /// The value, and whether others had as good a claim; `None` if there are none.
    fn combine(&self, votes: Votes<'_>, rule: &Rule) -> Option<(Value, bool)>;

    /// Whether texts count as they are, and not only those that spell a number.
    fn takes_texts(&self) -> bool {
        false
    }

    /// Whether [`Votes::weighted`] is wanted.
    fn uses_weights(&self) -> bool {
        false
    }

    /// A used number as it is compared with the result.
    fn compared(&self, number: Decimal, _rule: &Rule) -> Decimal {
        number
    }

    /// How far from the result, as a fraction of its magnitude, a number still agrees if the rule does not say.
    fn default_tolerance(&self) -> Decimal {
        Decimal::new(1, 2)
    }
}

/// What may be used. All of it may be reordered.
pub(super) struct Votes<'a> {
    pub(super) numbers: Ranked<'a>,
    /// The same numbers with their weights, where the strategy uses them.
    pub(super) weighted: &'a mut [(Decimal, Millionths)],
    /// What is not to be read as a number, where the strategy takes texts.
    pub(super) texts: &'a mut [Arc<str>],
}
