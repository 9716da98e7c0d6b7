//! Decimals as whole multiples of a power of ten, so that sums and distances are exact for all scales.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::wide::Wide;

/// The most decimals that a decimal can have, 28.
pub(super) const FINEST_SCALE: u32 = Decimal::MAX_SCALE;

/// The powers of ten up to 10^28.
pub(super) const POW10: [u128; FINEST_SCALE as usize + 1] = {
    let mut powers = [1; FINEST_SCALE as usize + 1];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The order of two decimals. This is faster than [`Ord`] if both have the same number of decimals, as most values from
/// one kind of source do.
pub(super) fn order(a: &Decimal, b: &Decimal) -> Ordering {
    if a.scale() == b.scale() { a.mantissa().cmp(&b.mantissa()) } else { a.cmp(b) }
}

/// A power of ten of which some decimals are whole multiples. A coarser unit means smaller multiples and faster
/// arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// The unit is 10^-scale.
    pub(super) scale: u32,
}

impl Unit {
    /// The unit of every decimal.
    pub(super) const FINEST: Self = Self { scale: FINEST_SCALE };

    /// The unit of these decimals: the coarsest that suits all of them.
    pub(super) fn of(numbers: &[Decimal]) -> Self {
        Self { scale: numbers.iter().map(Decimal::scale).max().unwrap_or(0) }
    }

    /// The unit of these decimals and one more.
    pub(super) fn and(self, number: Decimal) -> Self {
        Self { scale: self.scale.max(number.scale()) }
    }

    /// `magnitude` · 10^-`scale` in this unit. The scale is at most this unit's, and 2^128 · 10^28 is below 2^222.
    #[inline]
    pub(super) fn units(self, magnitude: u128, scale: u32) -> Wide {
        if scale == self.scale {
            return Wide::from(magnitude);
        }
        Wide::product(magnitude, POW10[(self.scale - scale) as usize])
    }

    /// The exact distance between two decimals in this unit, of which both are whole multiples: below 2^191.
    #[inline]
    pub(super) fn distance(self, a: Decimal, b: Decimal) -> Wide {
        if a.scale() == b.scale() {
            return self.units((a.mantissa() - b.mantissa()).unsigned_abs(), a.scale());
        }
        let [a_units, b_units] = [a, b].map(|number| self.units(number.mantissa().unsigned_abs(), number.scale()));
        if a.is_sign_negative() == b.is_sign_negative() {
            a_units.abs_diff(b_units)
        } else {
            a_units.checked_add(b_units).expect("190 + 1 bits are less than 256")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_exact_across_signs_and_scales() {
        let one = Decimal::ONE;
        let least = Decimal::new(1, 28);
        let distance = |a: Decimal, b: Decimal| Unit::FINEST.distance(a, b);
        let most = Unit::FINEST.units((1 << 96) - 1, 0);
        assert_eq!(distance(least, Decimal::ZERO), Wide::from(1));
        assert_eq!(distance(-least, least), Wide::from(2));
        assert_eq!(distance(Decimal::new(-15, 1), Decimal::new(-150, 2)), Wide::ZERO);
        assert_eq!(distance(one, -one), Unit::FINEST.units(2, 0));
        assert_eq!(Some(distance(Decimal::MAX, Decimal::MIN)), most.checked_add(most));
        assert_eq!(distance(Decimal::MAX, least).checked_add(Wide::from(1)), Some(most));
    }

    #[test]
    fn the_order_is_that_of_the_numbers() {
        for (a, b) in
            [((15, 1), (2, 0)), ((-15, 1), (-14, 1)), ((150, 2), (15, 1)), ((0, 3), (-1, 28)), ((7, 0), (7, 0))]
        {
            let [a, b] = [a, b].map(|(mantissa, scale)| Decimal::new(mantissa, scale));
            assert_eq!((order(&a, &b), order(&b, &a)), (a.cmp(&b), b.cmp(&a)), "{a} {b}");
        }
    }

    #[test]
    fn a_unit_is_as_coarse_as_its_decimals_allow() {
        let (a, b) = (Decimal::new(15, 1), Decimal::new(-150, 3));
        assert_eq!(Unit::of(&[a, b]), Unit { scale: 3 });
        assert_eq!(Unit::of(&[]).and(a), Unit { scale: 1 });
        assert_eq!(Unit::of(&[a, b]).distance(a, b), Wide::from(1650));
        assert_eq!(Unit { scale: 5 }.distance(a, a + Decimal::ONE), Wide::from(100_000));
    }
}
