//! The largest number.

use super::Rule;
use super::combine::{Combine, Votes};
use crate::value::Value;

/// The largest number, without trailing zeros.
pub(super) struct Max;

impl Combine for Max {
    fn name(&self) -> &'static str {
        "max"
    }

    fn combine(&self, votes: Votes<'_>, _rule: &Rule) -> Option<(Value, bool)> {
        let max = votes.numbers.largest()?;
        Some((Value::Number(max.normalize()), false))
    }
}
