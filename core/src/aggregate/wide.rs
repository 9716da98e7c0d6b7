//! An unsigned integer of 256 bits: room for exact sums and products of decimals.

/// An unsigned integer below 2^256, with the more significant half first, so that the derived order is the numeric one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wide {
    high: u128,
    low: u128,
}

/// The exponent of the largest power of ten below 2^64.
const POW10_STEP: u32 = 19;

impl From<u128> for Wide {
    #[inline]
    fn from(low: u128) -> Self {
        Self { high: 0, low }
    }
}

impl Wide {
    /// Zero.
    pub(super) const ZERO: Self = Self { high: 0, low: 0 };

    /// The product of two 128-bit integers, which always fits.
    #[inline]
    pub(super) fn product(a: u128, b: u128) -> Self {
        let ([a_high, a_low], [b_high, b_low]) = (halves(a), halves(b));
        // No sum here overflows: the product of two 64-bit integers leaves room for two more such integers.
        let [low_carry, low] = halves(a_low * b_low);
        let [middle_carry, middle] = halves(a_high * b_low + low_carry);
        let [other_carry, middle] = halves(a_low * b_high + middle);
        Self { high: a_high * b_high + middle_carry + other_carry, low: (middle << 64) | low }
    }

    /// The sum, or `None` from 2^256 on.
    #[inline]
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high.checked_add(other.high)?.checked_add(carry.into())?;
        Some(Self { high, low })
    }

    /// The larger less the smaller.
    #[inline]
    pub(super) fn abs_diff(self, other: Self) -> Self {
        let (larger, smaller) = if self < other { (other, self) } else { (self, other) };
        let (low, borrow) = larger.low.overflowing_sub(smaller.low);
        Self { high: larger.high - smaller.high - u128::from(borrow), low }
    }

    /// The product, or `None` from 2^256 on.
    #[inline]
    pub(super) fn checked_mul(self, factor: u64) -> Option<Self> {
        let low = Self::product(self.low, factor.into());
        let high = self.high.checked_mul(factor.into())?.checked_add(low.high)?;
        Some(Self { high, low: low.low })
    }

    /// Times 10^`exponent`, or `None` from 2^256 on.
    pub(super) fn checked_mul_pow10(self, exponent: u32) -> Option<Self> {
        pow10_steps(exponent).try_fold(self, Self::checked_mul)
    }

    /// Quotient, rounded down, and remainder. The divisor is not zero.
    pub(super) fn div_rem(self, divisor: u64) -> (Self, u64) {
        let divisor = u128::from(divisor);
        let mut rest = 0;
        let [high, low] = [self.high, self.low].map(|half| {
            let [first, second] = halves(half).map(|limb| {
                let dividend = (rest << 64) | limb;
                rest = dividend % divisor;
                dividend / divisor
            });
            (first << 64) | second
        });
        (Self { high, low }, rest as u64)
    }

    /// Divided by 10^`exponent`, rounded down.
    pub(super) fn div_pow10(self, exponent: u32) -> Self {
        pow10_steps(exponent).fold(self, |quotient, step| quotient.div_rem(step).0)
    }

    /// The value, if it is below 2^128.
    #[inline]
    pub(super) fn to_u128(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }
}

/// The upper and the lower 64 bits.
fn halves(n: u128) -> [u128; 2] {
    [n >> 64, n & u128::from(u64::MAX)]
}

/// Factors of at most 64 bits whose product is 10^`exponent`.
fn pow10_steps(exponent: u32) -> impl Iterator<Item = u64> {
    let whole = exponent / POW10_STEP;
    (0..whole).map(|_| POW10_STEP).chain([exponent % POW10_STEP]).map(|step| 10_u64.pow(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Wide = Wide { high: u128::MAX, low: u128::MAX };

    /// The integer of these 64-bit limbs, the most significant first.
    fn wide(limbs: [u64; 4]) -> Wide {
        let [a, b, c, d] = limbs.map(u128::from);
        Wide { high: (a << 64) | b, low: (c << 64) | d }
    }

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
        let below = wide([0, u64::MAX, u64::MAX, u64::MAX]);
        let above = wide([1, 0, 0, 0]);
        assert_eq!(below.checked_add(Wide::from(1)), Some(above));
        assert_eq!(above.abs_diff(Wide::from(1)), below);
        assert_eq!(Wide::from(1).abs_diff(above), below);
    }

    #[test]
    fn the_square_of_the_largest_128_bit_integer_fits() {
        assert_eq!(Wide::product(u128::MAX, u128::MAX), wide([u64::MAX, u64::MAX - 1, 0, 1]));
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
        assert!(wide([1, 0, 0, 0]) > wide([0, u64::MAX, u64::MAX, u64::MAX]));
        assert!(Wide::from(2) > Wide::from(1));
        assert_eq!(wide([0, 1, 0, 0]).to_u128(), None);
    }
}
