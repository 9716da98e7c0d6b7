//! The smallest number.

use super::Rule;
use super::combine::{Combine, Votes};
use crate::value::Value;

/// The smallest number, without trailing zeros.
pub(super) struct Min;

impl Combine for Min {
    fn name(&self) -> &'static str {
        "min"
    }

    fn combine(&self, votes: Votes<'_>, _rule: &Rule) -> Option<(Value, bool)> {
        let min = votes.numbers.smallest()?;
        Some((Value::Number(min.normalize()), false))
    }
}
