//! Order statistics: numbers looked up by their rank.

use rust_decimal::Decimal;

use super::scaled::order;

/// Up to this count, numbers are sorted once, which is cheaper than selecting several ranks.
const FEW: usize = 32;

/// Numbers in the cheapest order: few are sorted; among many, each rank is selected on demand, in time proportional to
/// their count.
#[derive(Debug)]
pub(super) struct Ranked<'a> {
    numbers: &'a mut [Decimal],
    is_sorted: bool,
}

impl<'a> Ranked<'a> {
    /// Takes numbers in any order, and reorders them.
    pub(super) fn of(numbers: &'a mut [Decimal]) -> Self {
        if numbers.len() <= FEW {
            numbers.sort_unstable_by(order);
        }
        Self::again(numbers)
    }

    /// Takes numbers that were ranked before and not changed since.
    pub(super) fn again(numbers: &'a mut [Decimal]) -> Self {
        let is_sorted = numbers.len() <= FEW;
        Self { numbers, is_sorted }
    }

    /// All of them, in some order.
    pub(super) fn as_slice(&self) -> &[Decimal] {
        self.numbers
    }

    /// All of them, in some order, to be changed.
    pub(super) fn into_slice(self) -> &'a mut [Decimal] {
        self.numbers
    }

    /// The smallest; `None` if there are none.
    pub(super) fn smallest(&self) -> Option<Decimal> {
        if self.is_sorted { self.numbers.first().copied() } else { smallest(self.numbers) }
    }

    /// The largest; `None` if there are none.
    pub(super) fn largest(&self) -> Option<Decimal> {
        if self.is_sorted {
            self.numbers.last().copied()
        } else {
            self.numbers.iter().max_by(|a, b| order(a, b)).copied()
        }
    }

    /// The number at a rank, which is below their count.
    pub(super) fn at(&mut self, place: usize) -> Decimal {
        if self.is_sorted { self.numbers[place] } else { *self.numbers.select_nth_unstable_by(place, order).1 }
    }

    /// The number at a rank and the one after it; both ranks are below their count.
    pub(super) fn pair_at(&mut self, place: usize) -> [Decimal; 2] {
        if self.is_sorted {
            return [self.numbers[place], self.numbers[place + 1]];
        }
        let (_, &mut number, larger) = self.numbers.select_nth_unstable_by(place, order);
        [number, smallest(larger).expect("there is a next place")]
    }

    /// All but the `each` smallest and the `each` largest, in some order. There must be more than twice as many.
    pub(super) fn without_ends(&mut self, each: usize) -> &[Decimal] {
        let kept = each..self.numbers.len() - each;
        if !self.is_sorted && each > 0 {
            self.numbers.select_nth_unstable_by(kept.start, order);
            self.numbers[kept.start..].select_nth_unstable_by(kept.len() - 1, order);
        }
        &self.numbers[kept]
    }
}

fn smallest(numbers: &[Decimal]) -> Option<Decimal> {
    numbers.iter().min_by(|a, b| order(a, b)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_sorted_numbers_however_many_there_are() {
        for count in [1, 2, 7, FEW, FEW + 1, 101] {
            // Every number once: the step and the count have no common factor.
            let shuffled = (0..count).map(|place| Decimal::from(place * 67 % count)).collect::<Vec<_>>();
            for place in [0, 1, count / 2, count - 1] {
                let mut numbers = shuffled.clone();
                let mut ranked = Ranked::of(&mut numbers);
                let [last, expected, next] = [count - 1, place, place + 1].map(Decimal::from);
                assert_eq!((ranked.smallest(), ranked.largest()), (Some(Decimal::ZERO), Some(last)), "{count}");
                if place < count {
                    assert_eq!(ranked.at(place), expected, "{place} of {count}");
                }
                if place + 1 < count {
                    assert_eq!(ranked.pair_at(place), [expected, next], "{place} of {count}");
                }
                let ends = place.min((count - 1) / 2);
                let mut kept = ranked.without_ends(ends).to_vec();
                kept.sort_unstable();
                assert_eq!(kept, (ends..count - ends).map(Decimal::from).collect::<Vec<_>>(), "{ends} of {count}");
            }
        }
    }

    #[test]
    fn no_numbers_have_no_ends() {
        let ranked = Ranked::of(&mut []);
        assert_eq!((ranked.smallest(), ranked.largest(), ranked.as_slice().len()), (None, None, 0));
    }
}
