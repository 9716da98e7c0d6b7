//! How far ascending numbers lie apart, and which of them lie too far.

use std::cmp::Ordering;

use quorate_core::aggregate::{OutlierRule, Spread};
use rust_decimal::Decimal;

use super::strategies::median;
use super::whole::{Whole, distance, finest};

/// Four times the first and the third quartile of one or more ascending numbers, in units of 10^-`scale`.
///
/// A quartile is interpolated between the two numbers nearest its place: method 7 of Hyndman and Fan, 1996.
fn fourfold_quartiles(ascending: &[Decimal], scale: u32) -> [Whole; 2] {
    [1, 3].map(|quarters| {
        let place = (ascending.len() - 1) * quarters;
        let (below, above) = (ascending[place / 4], ascending[place.div_ceil(4)]);
        let share_of_above = (place % 4) as u64;
        let times = |number, share: u64| Whole::at(number, scale).times(&Whole::from(share));
        times(below, 4 - share_of_above).plus(&times(above, share_of_above))
    })
}

/// Twice the median distance of one or more numbers from `center`, in units of 10^-`scale`.
fn twofold_deviation(numbers: &[Decimal], center: Decimal, scale: u32) -> Whole {
    let mut distances: Vec<Whole> = numbers.iter().map(|number| distance(*number, center, scale)).collect();
    distances.sort_by(Whole::compare);
    distances[(distances.len() - 1) / 2].plus(&distances[distances.len() / 2])
}

/// The spread of ascending numbers; `None` if there are none.
pub(super) fn spread(ascending: &[Decimal]) -> Option<Spread> {
    let (min, max, median) = (ascending.first()?, ascending.last()?, median(ascending)?);
    let scale = finest(ascending).max(median.scale());
    let [first, third] = fourfold_quartiles(ascending, scale);
    let deviation = twofold_deviation(ascending, median, scale);
    Some(Spread {
        min: min.normalize(),
        max: max.normalize(),
        interquartile: third.minus(&first).over(4, scale),
        mad: deviation.over(2, scale).expect("a median deviation is at most half of the range"),
    })
}

/// Which of `those` are outliers by the rule among the ascending numbers. They need not be among these.
pub(super) fn outliers(rule: OutlierRule, ascending: &[Decimal], those: &[Decimal]) -> Vec<Decimal> {
    let Some(median) = median(ascending) else { return vec![] };
    let scale = finest(ascending).max(finest(those)).max(median.scale());
    let mut outliers = those.to_vec();
    match rule {
        OutlierRule::None => outliers.clear(),
        OutlierRule::Relative(fraction) => outliers.retain(|number| !is_within(fraction, median, *number)),
        OutlierRule::Mad(times) => {
            // The limit is 1.4826 · K · deviation. K comes in millionths, and the deviation doubled.
            let deviation = twofold_deviation(ascending, median, scale);
            let limit = deviation.times(&Whole::from(times.get())).times(&Whole::from(14_826));
            let parts = Whole::from(2 * 1_000_000 * 10_000);
            outliers.retain(|number| distance(*number, median, scale).times(&parts).exceeds(&limit));
        }
        OutlierRule::Iqr(times) => {
            let [first, third] = fourfold_quartiles(ascending, scale);
            let million = Whole::from(1_000_000);
            let reach = third.minus(&first).times(&Whole::from(times.get()));
            let (low, high) = (first.times(&million).minus(&reach), third.times(&million).plus(&reach));
            outliers.retain(|number| {
                let number = Whole::at(*number, scale).times(&Whole::from(4_000_000));
                number.compare(&low) == Ordering::Less || number.exceeds(&high)
            });
        }
    }
    outliers
}

/// Whether |`number` - `center`| ≤ `fraction` · |`center`|, where a negative fraction counts as 0.
pub(super) fn is_within(fraction: Decimal, center: Decimal, number: Decimal) -> bool {
    let scale = finest(&[number, center]);
    let fraction = fraction.max(Decimal::ZERO);
    let distance = distance(number, center, scale).times(&Whole::pow10(fraction.scale()));
    let limit = Whole::at(center, scale).magnitude().times(&Whole::at(fraction, fraction.scale()));
    !distance.exceeds(&limit)
}
