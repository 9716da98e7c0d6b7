//! Whether a number has moved by a fraction of what it was.

use rust_decimal::Decimal;

use super::scaled::Unit;
use super::wide::Wide;

/// Whether |`new` - `old`| / |`old`| is `fraction` or more, exactly. From zero, every other number deviates, and zero
/// does not.
pub(crate) fn deviates(old: Decimal, new: Decimal, fraction: Decimal) -> bool {
    let unit = Unit::of(&[old, new]);
    let distance = unit.distance(new, old);
    if old.is_zero() {
        return distance != Wide::ZERO;
    }
    let least = Wide::product(fraction.mantissa().unsigned_abs(), old.mantissa().unsigned_abs());
    // What does not fit is greater than what it is compared with.
    match fraction.scale() + old.scale() {
        scale if scale <= unit.scale => {
            least.checked_mul_pow10(unit.scale - scale).is_some_and(|least| distance >= least)
        }
        scale => distance.checked_mul_pow10(scale - unit.scale).is_none_or(|distance| distance >= least),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn number(text: &str) -> Decimal {
        Value::number(text).expect("a number").as_number().expect("a number")
    }

    #[test]
    fn a_number_deviates_if_it_has_moved_by_the_fraction_or_more() {
        let most = "79228162514264337593543950335";
        for (old, new, fraction, deviates_by_it) in [
            ("100", "100.5", "0.005", true),
            ("100", "99.5", "0.005", true),
            ("100", "100.4999999999999999999999999", "0.005", false),
            ("-100", "-100.5", "0.005", true),
            ("-100", "100", "2", true),
            ("-100", "100", "2.0000000000000000000000000001", false),
            ("0", "0", "0.005", false),
            ("0", "0.00", "0", false),
            ("0", "0.0000000000000000000000000001", "1000000", true),
            ("1", "0", "1", true),
            ("1", "0", "1.1", false),
            ("3", "3", "0", true),
            // A third of it has no end, and nothing is rounded.
            (
                "0.3333333333333333333333333333",
                "0.3333333333333333333333333334",
                "0.0000000000000000000000000003",
                true,
            ),
            (
                "0.3333333333333333333333333333",
                "0.3333333333333333333333333334",
                "0.0000000000000000000000000004",
                false,
            ),
            ("0.0000000000000000000000000001", most, "79228162514264337593543950335", true),
            (most, "0.0000000000000000000000000001", "1", false),
            (most, most, "0.0000000000000000000000000001", false),
            (most, "-79228162514264337593543950335", "2", true),
            (most, "-79228162514264337593543950335", "79228162514264337593543950335", false),
        ] {
            assert_eq!(deviates(number(old), number(new), number(fraction)), deviates_by_it, "{old} {new} {fraction}");
        }
    }
}
