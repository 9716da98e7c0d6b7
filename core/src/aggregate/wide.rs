//! An unsigned integer of 256 bits: room for exact sums and products of decimals.

/// An unsigned integer below 2^256, as 64-bit limbs with the most significant first, so that the derived order is the
/// numeric one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide([u64; 4]);

/// The largest power of ten below 2^64 is 10^19.
const POW10_STEP: u32 = 19;

impl From<u128> for Wide {
    fn from(value: u128) -> Self {
        Self([0, 0, (value >> 64) as u64, value as u64])
    }
}

impl Wide {
    /// Zero.
    pub(super) const ZERO: Self = Self([0; 4]);

    /// The product of two 128-bit integers, which always fits.
    #[inline]
    pub(super) fn product(a: u128, b: u128) -> Self {
        let halves = |n: u128| (n >> 64, n & u128::from(u64::MAX));
        let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
        // No sum here overflows: the product of two 64-bit integers leaves room for two more such integers.
        let low = a_low * b_low;
        let middle = a_high * b_low + (low >> 64);
        let other_middle = a_low * b_high + (middle & u128::from(u64::MAX));
        let high = a_high * b_high + (middle >> 64) + (other_middle >> 64);
        Self([(high >> 64) as u64, high as u64, other_middle as u64, low as u64])
    }

    /// The sum, or `None` from 2^256 on.
    #[inline]
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let mut limbs = [0; 4];
        let mut carry = 0;
        for ((limb, a), b) in limbs.iter_mut().zip(self.0).zip(other.0).rev() {
            let sum = u128::from(a) + u128::from(b) + carry;
            *limb = sum as u64;
            carry = sum >> 64;
        }
        (carry == 0).then_some(Self(limbs))
    }

    /// The larger less the smaller.
    #[inline]
    pub(super) fn abs_diff(self, other: Self) -> Self {
        let (larger, smaller) = if self < other { (other, self) } else { (self, other) };
        let mut limbs = [0; 4];
        let mut borrow = false;
        for ((limb, a), b) in limbs.iter_mut().zip(larger.0).zip(smaller.0).rev() {
            let (difference, below) = a.overflowing_sub(b);
            let (difference, below_borrow) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = below || below_borrow;
        }
        Self(limbs)
    }

    /// The product, or `None` from 2^256 on.
    #[inline]
    pub(super) fn checked_mul(self, factor: u64) -> Option<Self> {
        let mut limbs = [0; 4];
        let mut carry = 0;
        for (limb, a) in limbs.iter_mut().zip(self.0).rev() {
            let product = u128::from(a) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        (carry == 0).then_some(Self(limbs))
    }

    /// Times 10^`exponent`, or `None` from 2^256 on.
    pub(super) fn checked_mul_pow10(self, exponent: u32) -> Option<Self> {
        pow10_steps(exponent).try_fold(self, Self::checked_mul)
    }

    /// Quotient, rounded down, and remainder. The divisor is not zero.
    pub(super) fn div_rem(self, divisor: u64) -> (Self, u64) {
        let mut limbs = [0; 4];
        let mut remainder = 0;
        for (limb, a) in limbs.iter_mut().zip(self.0) {
            let dividend = (remainder << 64) | u128::from(a);
            *limb = (dividend / u128::from(divisor)) as u64;
            remainder = dividend % u128::from(divisor);
        }
        (Self(limbs), remainder as u64)
    }

    /// Divided by 10^`exponent`, rounded down.
    pub(super) fn div_pow10(self, exponent: u32) -> Self {
        pow10_steps(exponent).fold(self, |quotient, step| quotient.div_rem(step).0)
    }

    /// The value, if it is below 2^128.
    pub(super) fn to_u128(self) -> Option<u128> {
        let Self([0, 0, high, low]) = self else { return None };
        Some((u128::from(high) << 64) | u128::from(low))
    }
}

/// Factors of at most 64 bits whose product is 10^`exponent`.
fn pow10_steps(exponent: u32) -> impl Iterator<Item = u64> {
    let whole = exponent / POW10_STEP;
    (0..whole).map(|_| POW10_STEP).chain([exponent % POW10_STEP]).map(|step| 10_u64.pow(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Wide = Wide([u64::MAX; 4]);

    #[test]
    fn sums_and_products_beyond_256_bits_are_refused() {
        assert_eq!(MAX.checked_add(Wide::from(1)), None);
        assert_eq!(MAX.checked_mul(2), None);
        assert_eq!(MAX.checked_add(Wide::ZERO), Some(MAX));
        assert_eq!(Wide::from(1).checked_mul_pow10(78), None, "10^78 is above 2^256");
        assert!(Wide::from(1).checked_mul_pow10(77).is_some());
    }

    #[test]
    fn carries_and_borrows_cross_every_limb() {
        let below = Wide([0, u64::MAX, u64::MAX, u64::MAX]);
        let above = Wide([1, 0, 0, 0]);
        assert_eq!(below.checked_add(Wide::from(1)), Some(above));
        assert_eq!(above.abs_diff(Wide::from(1)), below);
        assert_eq!(Wide::from(1).abs_diff(above), below);
    }

    #[test]
    fn the_square_of_the_largest_128_bit_integer_fits() {
        assert_eq!(Wide::product(u128::MAX, u128::MAX), Wide([u64::MAX, u64::MAX - 1, 0, 1]));
        assert_eq!(Wide::product(3, 5).to_u128(), Some(15));
    }

    #[test]
    fn multiplying_undoes_dividing() {
        let (quotient, remainder) = MAX.div_rem(u64::MAX - 58);
        let product =
            quotient.checked_mul(u64::MAX - 58).and_then(|p| p.checked_add(Wide::from(u128::from(remainder))));
        assert_eq!(product, Some(MAX));
        for exponent in [0, 1, 19, 20, 38, 56] {
            let power = Wide::from(7).checked_mul_pow10(exponent).expect("7e56 is below 2^256");
            assert_eq!(power.div_pow10(exponent), Wide::from(7), "{exponent}");
        }
    }

    #[test]
    fn the_order_is_numeric() {
        assert!(Wide([1, 0, 0, 0]) > Wide([0, u64::MAX, u64::MAX, u64::MAX]));
        assert!(Wide::from(2) > Wide::from(1));
        assert_eq!(Wide([0, 1, 0, 0]).to_u128(), None);
    }
}
