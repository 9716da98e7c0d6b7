//! Unsigned integers of 384 bits: as wide as the exact sums, differences and products of decimals get.

use std::cmp::Ordering;

use rust_decimal::Decimal;

const LIMBS: usize = 6;

/// An unsigned 384-bit integer, least significant limb first. No operation here can overflow for what decimals make:
/// the widest is a difference (96 + 93 bits) brought to 28 more decimals (93 bits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide([u64; LIMBS]);

impl Wide {
    pub(super) const ZERO: Self = Self([0; LIMBS]);

    pub(super) fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    pub(super) fn is_odd(self) -> bool {
        self.0[0] & 1 == 1
    }

    pub(super) fn plus(mut self, other: Self) -> Self {
        let mut carry = 0;
        for (limb, addend) in self.0.iter_mut().zip(other.0) {
            let sum = u128::from(*limb) + u128::from(addend) + carry;
            *limb = sum as u64;
            carry = sum >> 64;
        }
        assert_eq!(carry, 0, "a sum of decimals fits 384 bits");
        self
    }

    /// The absolute difference.
    pub(super) fn distance(self, other: Self) -> Self {
        let (mut larger, smaller) = if self >= other { (self, other) } else { (other, self) };
        let mut borrow = false;
        for (limb, subtrahend) in larger.0.iter_mut().zip(smaller.0) {
            let (difference, first) = limb.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = first || second;
        }
        larger
    }

    pub(super) fn times(mut self, factor: u64) -> Self {
        let mut carry = 0;
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        assert_eq!(carry, 0, "a product of decimals fits 384 bits");
        self
    }

    pub(super) fn times_u128(self, factor: u128) -> Self {
        let mut high = self.times((factor >> 64) as u64);
        assert_eq!(high.0[LIMBS - 1], 0, "a product of decimals fits 384 bits");
        high.0.rotate_right(1);
        self.times(factor as u64).plus(high)
    }

    /// Times ten to the `power`, which is at most 56.
    pub(super) fn times_ten_to(self, power: u32) -> Self {
        let steps = power / 19;
        let mut product = self;
        for _ in 0..steps {
            product = product.times(10_u64.pow(19));
        }
        product.times(10_u64.pow(power % 19))
    }

    /// Quotient and remainder.
    pub(super) fn divided_by(mut self, divisor: u64) -> (Self, u64) {
        let mut remainder = 0;
        for limb in self.0.iter_mut().rev() {
            let dividend = (remainder << 64) | u128::from(*limb);
            *limb = (dividend / u128::from(divisor)) as u64;
            remainder = dividend % u128::from(divisor);
        }
        (self, remainder as u64)
    }

    /// How many decimal digits the integer has; zero has none.
    pub(super) fn decimal_digits(self) -> u32 {
        let mut digits = 0;
        let mut rest = self;
        while !rest.is_zero() {
            rest = rest.divided_by(10).0;
            digits += 1;
        }
        digits
    }

    /// The integer, if it fits 96 bits.
    pub(super) fn to_u96(self) -> Option<u128> {
        let low = (u128::from(self.0[1]) << 64) | u128::from(self.0[0]);
        (self.0[2..].iter().all(|limb| *limb == 0) && low >> 96 == 0).then_some(low)
    }
}

impl From<u128> for Wide {
    fn from(value: u128) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[0] = value as u64;
        limbs[1] = (value >> 64) as u64;
        Self(limbs)
    }
}

impl PartialOrd for Wide {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wide {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

/// |a - b| as an integer scaled by ten to the 28th.
pub(super) fn distance(a: Decimal, b: Decimal) -> Wide {
    let scaled = |value: Decimal| Wide::from(value.mantissa().unsigned_abs()).times_ten_to(28 - value.scale());
    let (a_wide, b_wide) = (scaled(a), scaled(b));
    if a.is_sign_negative() == b.is_sign_negative() { a_wide.distance(b_wide) } else { a_wide.plus(b_wide) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_agrees_with_u128_where_that_suffices() {
        let pairs = [(0, 1), (1, 1), (u128::from(u64::MAX), 2), (1 << 96, 10), (u128::MAX / 11, 10), (99, 100)];
        for (a, b) in pairs {
            let factor = b as u64;
            assert_eq!(Wide::from(a).plus(Wide::from(b)), Wide::from(a + b));
            assert_eq!(Wide::from(a).times(factor), Wide::from(a * b));
            assert_eq!(Wide::from(a).times_u128(b), Wide::from(a * b));
            assert_eq!(Wide::from(a).divided_by(factor), (Wide::from(a / b), (a % b) as u64));
            assert_eq!(Wide::from(a).distance(Wide::from(b)), Wide::from(a.abs_diff(b)));
            assert_eq!(Wide::from(a).cmp(&Wide::from(b)), a.cmp(&b));
            assert_eq!(Wide::from(a).decimal_digits(), a.checked_ilog10().map_or(0, |log| log + 1));
        }
    }

    #[test]
    fn carries_cross_every_limb() {
        let large = Wide::from(u128::MAX).times_u128(u128::MAX);
        assert_eq!(
            large.plus(Wide::from(u128::MAX)).plus(Wide::from(u128::MAX)).plus(Wide::from(1)).0,
            [0, 0, 0, 0, 1, 0]
        );
        assert_eq!(large.times_ten_to(28).divided_by(10_u64.pow(14)).0.divided_by(10_u64.pow(14)), (large, 0));
        assert_eq!(large.to_u96(), None);
    }

    #[test]
    fn the_widest_distance_of_decimals_fits() {
        let tiny = Decimal::new(1, 28);
        let widest = distance(Decimal::MAX, Decimal::MIN).times_ten_to(28);
        assert!(widest > distance(Decimal::MAX, tiny));
    }
}
