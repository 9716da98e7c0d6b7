//! Ranges of seeds on the command line.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The seeds from A up to but excluding B, written `A..B`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(pub(super) Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected two seeds as A..B, such as 0..1000".to_owned();
        let (first, end) = text.split_once("..").ok_or_else(expected)?;
        let first: u64 = first.parse().map_err(|_| expected())?;
        let end: u64 = end.parse().map_err(|_| expected())?;
        if first >= end {
            return Err(format!("{text} contains no seeds: the second number must be greater than the first"));
        }
        Ok(Self(first..end))
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start, self.0.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_two_ends_in_order() {
        assert_eq!("3..10".parse(), Ok(Seeds(3..10)));
        assert_eq!("0..18446744073709551615".parse(), Ok(Seeds(0..u64::MAX)));
        for text in ["", "3", "3..", "..3", "3..=4", "4..3", "3..3", "a..b", "-1..3", "0..18446744073709551616"] {
            assert!(text.parse::<Seeds>().is_err(), "{text}");
        }
    }
}
