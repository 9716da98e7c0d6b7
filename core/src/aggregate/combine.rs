//! What each strategy implements, and what it is given.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::ranked::Ranked;
use super::{Millionths, NEAR, Rule};
use crate::value::Value;

/// One way to combine many values into one.
pub(super) trait Combine: Sync {
    /// The strategy's name in requests, configuration and answers.
    fn name(&self) -> &'static str;

    /// The combined value, and whether other values were as frequent; `None` if there are no values.
    fn combine(&self, votes: Votes<'_>, rule: &Rule) -> Option<(Value, bool)>;

    /// Whether the strategy uses texts as they are, and not only those that spell a number.
    fn takes_texts(&self) -> bool {
        false
    }

    /// Whether the strategy reads [`Votes::weighted`].
    fn uses_weights(&self) -> bool {
        false
    }

    /// A used number in the form in which it is compared with the result.
    fn compared(&self, number: Decimal, _rule: &Rule) -> Decimal {
        number
    }

    /// The tolerance if the rule sets none: how far a number may be from the result and still agree, as a fraction of
    /// the result's magnitude.
    fn default_tolerance(&self) -> Decimal {
        NEAR
    }
}

/// The values that a strategy combines. It may reorder them.
pub(super) struct Votes<'a> {
    pub(super) numbers: Ranked<'a>,
    /// The same numbers with their weights, if the strategy uses weights.
    pub(super) weighted: &'a mut [(Decimal, Millionths)],
    /// The texts, if the strategy uses texts as they are.
    pub(super) texts: &'a mut [Arc<str>],
}
