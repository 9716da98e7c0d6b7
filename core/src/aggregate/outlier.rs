//! Values too far from the median to be believed.

use rust_decimal::Decimal;

use super::wide::{Wide, distance};

/// Whether each value is farther from `median` than the fraction `max_deviation` of the median's magnitude. Computed
/// exactly, for any decimals.
pub(super) fn is_outlier(value: Decimal, median: Decimal, max_deviation: Decimal) -> bool {
    // Both sides as integers scaled by ten to the 56th: the product has at most 28 + 28 decimals.
    let allowed = Wide::from(median.mantissa().unsigned_abs())
        .times_u128(max_deviation.mantissa().unsigned_abs())
        .times_ten_to(56 - median.scale() - max_deviation.scale());
    distance(value, median).times_ten_to(28) > allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_relative_to_the_median_and_exact() {
        let cases = [
            ("110", "100", "0.1", false),
            ("110.0000000000000000000000001", "100", "0.1", true),
            ("90", "100", "0.1", false),
            ("-110", "-100", "0.1", false),
            ("0", "0", "0.5", false),
            ("0.0000000000000000000000000001", "0", "0.5", true),
            ("-79228162514264337593543950335", "79228162514264337593543950335", "2", false),
            ("-79228162514264337593543950335", "79228162514264337593543950335", "1.9999999999999999999999999999", true),
            ("1", "79228162514264337593543950335", "79228162514264337593543950335", false),
            ("1", "0.0000000000000000000000000001", "0.0000000000000000000000000001", true),
        ];
        for (value, median, fraction, expected) in cases {
            let decimal = |text| Decimal::from_str_exact(text).expect("a decimal");
            assert_eq!(is_outlier(decimal(value), decimal(median), decimal(fraction)), expected, "{value} of {median}");
        }
    }
}
