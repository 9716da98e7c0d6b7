//! Small exact factors: shares, weights, and the reach of outlier rules.

use std::fmt;

use rust_decimal::Decimal;

/// Decimals of a [`Millionths`].
const DECIMALS: u32 = 6;

/// A factor from 0 to a million, with at most 6 decimals, so that products with it are exact and bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millionths(u64);

impl Millionths {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1_000_000);
    /// The largest: a million, below 2^40 millionths.
    pub const MAX: Self = Self(1_000_000_000_000);

    /// `millionths` millionths, at most [`Millionths::MAX`].
    pub const fn new(millionths: u64) -> Self {
        if millionths < Self::MAX.0 { Self(millionths) } else { Self::MAX }
    }

    /// The number of millionths.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same as a decimal; `None` if the decimal is negative, above a million, or has more than 6 decimals.
    pub fn from_decimal(number: Decimal) -> Option<Self> {
        let number = number.normalize();
        let missing_decimals = DECIMALS.checked_sub(number.scale())?;
        let millionths = u64::try_from(number.mantissa()).ok()?.checked_mul(10_u64.pow(missing_decimals))?;
        (millionths <= Self::MAX.0).then_some(Self(millionths))
    }

    /// The factor as a decimal, without trailing zeros.
    pub fn to_decimal(self) -> Decimal {
        Decimal::from_i128_with_scale(self.0.into(), DECIMALS).normalize()
    }
}

impl fmt::Display for Millionths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::number;
    use super::*;

    #[test]
    fn a_factor_is_a_decimal_within_its_bounds() {
        for (decimal, millionths) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("0.000001", Some(1)),
            ("1.4826", Some(1_482_600)),
            ("2.50000000000", Some(2_500_000)),
            ("1000000", Some(1_000_000_000_000)),
            ("1000000.000001", None),
            ("1000001", None),
            ("0.0000001", None),
            ("-0.000001", None),
            ("79228162514264337593543950335", None),
        ] {
            assert_eq!(Millionths::from_decimal(number(decimal)).map(Millionths::get), millionths, "{decimal}");
        }
        assert_eq!(Millionths::new(2_500_000).to_string(), "2.5");
        assert_eq!(Millionths::new(u64::MAX), Millionths::MAX);
    }
}
