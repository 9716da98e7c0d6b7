//! How far the used numbers lie apart.

use rust_decimal::Decimal;

use super::average::quotient;
use super::median::middle;
use super::ranked::Ranked;
use super::scaled::Unit;
use super::wide::Wide;

/// Offsets and distances are below 2^191.
const IN_RANGE: &str = "191 bits and a few are less than 256";

/// How far the used numbers lie apart. No number has trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spread {
    /// The smallest used value.
    pub min: Decimal,
    /// The largest used value.
    pub max: Decimal,
    /// The interquartile range. The quartiles are interpolated linearly between the two nearest values (method 7 of
    /// Hyndman and Fan, 1996, as in numpy). Rounded like a mean; `None` beyond the range of decimals.
    pub interquartile: Option<Decimal>,
    /// The median absolute deviation from the median, not scaled. Rounded like a mean.
    pub mad: Decimal,
}

impl Spread {
    /// The spread of `numbers`; `None` if there are none. `distances` is overwritten.
    pub(super) fn of(numbers: &mut Ranked<'_>, distances: &mut Vec<Wide>) -> Option<Self> {
        let max = numbers.largest()?;
        let Quartiles { origin: min, unit, first, third } = Quartiles::of(numbers)?;
        let median = middle(numbers)?;
        let with_median = unit.and(median);
        let mad = quotient(twice_the_mad(numbers.as_slice(), median, with_median, distances), 2, with_median);
        Some(Self {
            min: min.normalize(),
            max: max.normalize(),
            interquartile: quotient(third.abs_diff(first), 4, unit),
            mad: mad.expect("half of the numbers or more are within half of the range of their median"),
        })
    }
}

/// The first and the third quartile: four times their distance from the smallest number, which is a whole number of units
/// below 2^193.
pub(super) struct Quartiles {
    /// The smallest number.
    pub(super) origin: Decimal,
    pub(super) unit: Unit,
    pub(super) first: Wide,
    pub(super) third: Wide,
}

impl Quartiles {
    /// The quartiles of `numbers`; `None` if there are none.
    pub(super) fn of(numbers: &mut Ranked<'_>) -> Option<Self> {
        let origin = numbers.smallest()?;
        let unit = Unit::of(numbers.as_slice());
        let [first, third] = [1, 3].map(|quarters| fourfold_offset(numbers, origin, unit, quarters));
        Some(Self { origin, unit, first, third })
    }
}

/// Four times the distance of a quartile from `origin`, the smallest number. There is at least one number.
fn fourfold_offset(numbers: &mut Ranked<'_>, origin: Decimal, unit: Unit, quarters: usize) -> Wide {
    let position = quarters * (numbers.as_slice().len() - 1);
    let fourfold = |number| unit.distance(number, origin).checked_mul(4).expect(IN_RANGE);
    let rest = position as u64 % 4;
    if rest == 0 {
        return fourfold(numbers.at(position / 4));
    }
    let [below, above] = numbers.pair_at(position / 4);
    let part = unit.distance(above, below).checked_mul(rest);
    part.and_then(|part| part.checked_add(fourfold(below))).expect(IN_RANGE)
}

/// Twice the median of the distances from `center`, in units, below 2^192; 0 if there are none. `distances` is
/// overwritten.
pub(super) fn twice_the_mad(numbers: &[Decimal], center: Decimal, unit: Unit, distances: &mut Vec<Wide>) -> Wide {
    distances.clear();
    distances.extend(numbers.iter().map(|number| unit.distance(*number, center)));
    if distances.is_empty() {
        return Wide::ZERO;
    }
    let even = distances.len().is_multiple_of(2);
    let (lower, &mut upper_middle, _) = distances.select_nth_unstable(numbers.len() / 2);
    let lower_middle = if even { lower.iter().max().copied() } else { None }.unwrap_or(upper_middle);
    lower_middle.checked_add(upper_middle).expect(IN_RANGE)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{decimals, number};
    use super::*;

    #[test]
    fn a_spread_is_exact_and_never_overflows() {
        let max = "79228162514264337593543950335";
        for (numbers, expected) in [
            ("3 1 2 5 4", ("1", "5", Some("2"), "1")),
            ("1 2 3 4", ("1", "4", Some("1.5"), "1")),
            ("1 2", ("1", "2", Some("0.5"), "0.5")),
            ("1 2 4 8 16 32", ("1", "32", Some("11.5"), "4.5")),
            ("7.50", ("7.5", "7.5", Some("0"), "0")),
            ("-1 -2.0 -3", ("-3", "-1", Some("1"), "1")),
            ("0 0 0.0000000000000000000000000001", ("0", "0.0000000000000000000000000001", Some("0"), "0")),
            (&format!("{max} -{max}"), (&format!("-{max}"), max, Some(max), max)),
            (&format!("{max} {max} -{max} -{max}"), (&format!("-{max}"), max, None, max)),
        ] {
            let (min, largest, interquartile, mad) = expected;
            let expected = Spread {
                min: number(min),
                max: number(largest),
                interquartile: interquartile.map(number),
                mad: number(mad),
            };
            assert_eq!(
                Spread::of(&mut Ranked::of(&mut decimals(numbers)), &mut Vec::new()),
                Some(expected),
                "{numbers}"
            );
        }
        assert_eq!(Spread::of(&mut Ranked::of(&mut []), &mut Vec::new()), None);
    }
}
