//! Decimals as whole multiples of 10^-28, where sums and distances are exact whatever the scales.

use rust_decimal::Decimal;

use super::wide::Wide;

/// Decimals of the finest decimal, 28.
pub(super) const FINEST_SCALE: u32 = Decimal::MAX_SCALE;

/// `magnitude` · 10^-`scale` in units of 10^-28. The scale is at most 28, and 2^128 · 10^28 is below 2^222.
pub(super) fn units(magnitude: u128, scale: u32) -> Wide {
    Wide::product(magnitude, POW10[(FINEST_SCALE - scale) as usize])
}

/// The powers of ten up to 10^28.
const POW10: [u128; FINEST_SCALE as usize + 1] = {
    let mut powers = [1; FINEST_SCALE as usize + 1];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The exact distance of two decimals in units of 10^-28, below 2^191.
pub(super) fn distance(a: Decimal, b: Decimal) -> Wide {
    if a.scale() == b.scale() {
        // As most do that come from one kind of source.
        return units((a.mantissa() - b.mantissa()).unsigned_abs(), a.scale());
    }
    let [a_units, b_units] = [a, b].map(|number| units(number.mantissa().unsigned_abs(), number.scale()));
    if a.is_sign_negative() == b.is_sign_negative() {
        a_units.abs_diff(b_units)
    } else {
        a_units.checked_add(b_units).expect("190 + 1 bits are less than 256")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_exact_across_signs_and_scales() {
        let one = Decimal::ONE;
        let least = Decimal::new(1, 28);
        assert_eq!(distance(least, Decimal::ZERO), Wide::from(1));
        assert_eq!(distance(-least, least), Wide::from(2));
        assert_eq!(distance(Decimal::new(-15, 1), Decimal::new(-150, 2)), Wide::ZERO);
        assert_eq!(distance(one, -one), units(2, 0));
        assert_eq!(distance(Decimal::MAX, Decimal::MIN), units(2 * ((1 << 96) - 1), 0));
        assert_eq!(distance(Decimal::MAX, least).checked_add(Wide::from(1)), Some(units((1 << 96) - 1, 0)));
    }
}
