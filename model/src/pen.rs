//! Arithmetic with pen and paper, digit by digit: slow, and exact whatever the numbers.

use std::cmp::Ordering;

use rust_decimal::Decimal;

/// The most decimals that a [`Decimal`] has.
pub const FINEST: usize = 28;

/// A natural number as decimal digits, the least significant first, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digits(Vec<u8>);

impl Digits {
    fn trimmed(mut digits: Vec<u8>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self(digits)
    }

    /// Reads digits as they are written, the most significant first.
    pub fn written(text: &str) -> Self {
        Self::trimmed(text.bytes().rev().map(|byte| byte - b'0').collect())
    }

    /// Appends zeros.
    pub fn times_pow10(&self, zeros: usize) -> Self {
        Self::trimmed([vec![0; zeros], self.0.clone()].concat())
    }

    /// Whether the last `zeros` digits are zeros.
    pub fn ends_in_zeros(&self, zeros: usize) -> bool {
        self.0.iter().take(zeros).all(|digit| *digit == 0)
    }

    /// Whether the number is zero.
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn at(&self, position: usize) -> u8 {
        self.0.get(position).copied().unwrap_or(0)
    }

    /// The order of two numbers.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// The sum, column by column.
    pub fn plus(&self, other: &Self) -> Self {
        let mut carry = 0;
        let column = |position| {
            let sum = self.at(position) + other.at(position) + carry;
            carry = sum / 10;
            sum % 10
        };
        Self::trimmed((0..=self.0.len().max(other.0.len())).map(column).collect())
    }

    /// The larger number minus the smaller one.
    pub fn difference(&self, other: &Self) -> Self {
        if self.compare(other) == Ordering::Less {
            return other.difference(self);
        }
        let mut borrow = 0;
        let column = |position| {
            let upper = self.at(position) + 10 - other.at(position) - borrow;
            borrow = u8::from(upper < 10);
            upper % 10
        };
        Self::trimmed((0..self.0.len()).map(column).collect())
    }

    /// Long multiplication, one digit of the other factor at a time.
    pub fn times(&self, other: &Self) -> Self {
        let rows = other.0.iter().enumerate().flat_map(|(zeros, digit)| vec![self.times_pow10(zeros); (*digit).into()]);
        rows.fold(Self(vec![]), |sum, row| sum.plus(&row))
    }

    /// Long division: the quotient, and whether something remains.
    pub fn over(&self, divisor: usize) -> (Self, bool) {
        let mut remainder = 0;
        let mut quotient: Vec<u8> = vec![];
        for digit in self.0.iter().rev() {
            let dividend = remainder * 10 + usize::from(*digit);
            quotient.push(u8::try_from(dividend / divisor).expect("a remainder times ten, divided, is one digit"));
            remainder = dividend % divisor;
        }
        quotient.reverse();
        (Self::trimmed(quotient), remainder > 0)
    }

    /// The number without its last `dropped` digits, rounded half-even. `more`: a nonzero digit follows the last one.
    pub fn rounded(&self, dropped: usize, more: bool) -> Self {
        let kept = Self(self.0.iter().skip(dropped).copied().collect());
        let half = Self(vec![5]).times_pow10(dropped).0.get(1..).map_or(Self(vec![]), |half| Self(half.to_vec()));
        let rest = Self::trimmed(self.0.iter().take(dropped).copied().collect());
        let up = match rest.compare(&half) {
            Ordering::Less => false,
            Ordering::Equal => dropped > 0 && (more || kept.at(0) % 2 == 1),
            Ordering::Greater => true,
        };
        if up { kept.plus(&Self(vec![1])) } else { kept }
    }

    /// The decimal with this mantissa and scale; `None` if it is out of range.
    pub fn decimal(&self, negative: bool, scale: usize) -> Option<Decimal> {
        let mantissa =
            self.0.iter().rev().try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add((*digit).into()))?;
        Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, scale.try_into().ok()?).ok()
    }
}

/// A decimal in units of 10^-28: whether it is negative, and its magnitude.
pub fn units(number: Decimal) -> (bool, Digits) {
    let mantissa = Digits::written(&number.mantissa().unsigned_abs().to_string());
    (number.mantissa() < 0, mantissa.times_pow10(FINEST - number.scale() as usize))
}

/// The sum of signed magnitudes.
pub fn sum(numbers: impl Iterator<Item = (bool, Digits)>) -> (bool, Digits) {
    numbers.fold((false, Digits(vec![])), |(negative, sum), (other_negative, other)| match sum.compare(&other) {
        _ if negative == other_negative => (negative, sum.plus(&other)),
        Ordering::Less => (other_negative, sum.difference(&other)),
        _ => (negative, sum.difference(&other)),
    })
}

/// The mean of at least one number: exact where a decimal holds it, else rounded half-even to 28 significant digits.
///
/// # Panics
/// If there are no numbers.
pub fn mean(numbers: &[Decimal]) -> Decimal {
    let (negative, sum) = sum(numbers.iter().map(|number| units(*number)));
    let mean = quotient(negative, &sum, numbers.len()).expect("a mean is within the range of its numbers");
    let (min, max) = (numbers.iter().min().expect("numbers"), numbers.iter().max().expect("numbers"));
    mean.clamp(*min, *max)
}

/// Divides a number in units of 10^-28: exact where a decimal holds the result, else rounded half-even to 28
/// significant digits, but never in the integer digits. `None` if the result is out of range.
pub fn quotient(negative: bool, units: &Digits, divisor: usize) -> Option<Decimal> {
    let (quotient, inexact) = units.over(divisor);
    let exact = (0..=FINEST)
        .filter(|dropped| !inexact && quotient.ends_in_zeros(*dropped))
        .find_map(|dropped| quotient.rounded(dropped, false).decimal(negative, FINEST - dropped));
    let rounded = || {
        let dropped = quotient.0.len().saturating_sub(28).min(FINEST);
        // If no digit of the quotient is dropped, one more digit is needed to distinguish a half from less.
        let (finer, more) = units.times_pow10(1).over(divisor);
        finer.rounded(dropped + 1, more).decimal(negative, FINEST - dropped)
    };
    exact.or_else(rounded)
}

/// Whether |`number` - `median`| > `fraction` · |`median`|, where a negative fraction counts as 0.
pub fn is_outlier(number: Decimal, median: Decimal, fraction: Decimal) -> bool {
    let (median_negative, median) = units(median);
    let (_, distance) = sum([units(number), (!median_negative, median.clone())].into_iter());
    let (_, fraction) = units(fraction.max(Decimal::ZERO));
    distance.times_pow10(FINEST).compare(&fraction.times(&median)) == Ordering::Greater
}

/// The order of two decimals.
pub fn order(a: Decimal, b: Decimal) -> Ordering {
    let (b_negative, b_units) = units(b);
    match sum([units(a), (!b_negative, b_units)].into_iter()) {
        (_, difference) if difference.is_zero() => Ordering::Equal,
        (true, _) => Ordering::Less,
        (false, _) => Ordering::Greater,
    }
}
