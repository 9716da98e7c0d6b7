//! Integers of any size and their quotients: within 128 bits where they fit, else with [`pen`] and paper.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::pen::{self, Digits, FINEST};

/// An integer.
#[derive(Clone, Debug)]
pub(super) enum Whole {
    Short(i128),
    /// Whether it is negative, and its magnitude.
    Long(bool, Digits),
}

impl From<u64> for Whole {
    fn from(number: u64) -> Self {
        Self::Short(number.into())
    }
}

impl Whole {
    /// A decimal in units of 10^-`scale`. `scale` is at least the decimal's own.
    pub(super) fn at(number: Decimal, scale: u32) -> Self {
        let zeros = scale - number.scale();
        let short = 10_i128.checked_pow(zeros).and_then(|power| number.mantissa().checked_mul(power));
        short.map_or_else(
            || {
                let (negative, mantissa) = Self::Short(number.mantissa()).digits();
                Self::Long(negative, mantissa.times_pow10(zeros as usize))
            },
            Self::Short,
        )
    }

    /// Ten to this power.
    pub(super) fn pow10(power: u32) -> Self {
        match 10_i128.checked_pow(power) {
            Some(short) => Self::Short(short),
            None => Self::Long(false, Digits::written("1").times_pow10(power as usize)),
        }
    }

    fn digits(&self) -> (bool, Digits) {
        match self {
            Self::Short(number) => (*number < 0, Digits::written(&number.unsigned_abs().to_string())),
            Self::Long(negative, magnitude) => (*negative, magnitude.clone()),
        }
    }

    /// The number with the opposite sign.
    fn negated(&self) -> Self {
        match self {
            Self::Short(number) => Self::Short(-number),
            Self::Long(negative, magnitude) => Self::Long(!negative, magnitude.clone()),
        }
    }

    /// The absolute value.
    pub(super) fn magnitude(&self) -> Self {
        match self {
            Self::Short(number) => Self::Short(number.abs()),
            Self::Long(_, magnitude) => Self::Long(false, magnitude.clone()),
        }
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        if let (Self::Short(a), Self::Short(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Self::Short(sum);
        }
        let (negative, magnitude) = pen::sum([self.digits(), other.digits()].into_iter());
        Self::Long(negative, magnitude)
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        self.plus(&other.negated())
    }

    pub(super) fn times(&self, factor: &Self) -> Self {
        if let (Self::Short(a), Self::Short(b)) = (self, factor)
            && let Some(product) = a.checked_mul(*b)
        {
            return Self::Short(product);
        }
        let ((negative, magnitude), (factor_negative, factor)) = (self.digits(), factor.digits());
        Self::Long(negative != factor_negative, magnitude.times(&factor))
    }

    /// The order of two numbers.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if let (Self::Short(a), Self::Short(b)) = (self, other) {
            return a.cmp(b);
        }
        match self.minus(other).digits() {
            (_, difference) if difference.is_zero() => Ordering::Equal,
            (true, _) => Ordering::Less,
            (false, _) => Ordering::Greater,
        }
    }

    pub(super) fn exceeds(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Greater
    }

    /// Divides this number of units of 10^-`scale`: exact where a decimal holds the result, else rounded half-even to
    /// 28 significant digits, but to no more than 28 decimals and never in the integer digits. `None` if out of range.
    pub(super) fn over(&self, divisor: usize, scale: u32) -> Option<Decimal> {
        let short = match self {
            Self::Short(dividend) => short_quotient(*dividend, scale, divisor as u128),
            Self::Long(..) => None,
        };
        let long = || {
            let (negative, magnitude) = self.digits();
            pen::quotient(negative, &magnitude.times_pow10(FINEST - scale as usize), divisor)
        };
        short.or_else(long).map(|quotient| quotient.normalize())
    }
}

/// The quotient, if 128 bits suffice to compute it.
fn short_quotient(dividend: i128, scale: u32, divisor: u128) -> Option<Decimal> {
    let magnitude = dividend.unsigned_abs();
    let limit = 10_u128.pow(28).checked_mul(divisor)?;
    if magnitude >= limit {
        return None;
    }
    // As many decimals as 28 digits hold, and one more if the result is then exact and a decimal holds it.
    let decimals = (scale..=28).take_while(|decimals| magnitude < limit / 10_u128.pow(decimals - scale)).last()?;
    let quotient = |decimals: u32| {
        let dividend = magnitude.checked_mul(10_u128.pow(decimals - scale))?;
        Some((dividend / divisor, dividend % divisor))
    };
    let (floor, rest) = quotient(decimals)?;
    let signed = |magnitude: u128, decimals| {
        let mantissa = i128::try_from(magnitude).ok()?;
        Decimal::try_from_i128_with_scale(if dividend < 0 { -mantissa } else { mantissa }, decimals).ok()
    };
    if rest > 0
        && decimals < 28
        && let (exact, 0) = quotient(decimals + 1)?
        && let Some(quotient) = signed(exact, decimals + 1)
    {
        return Some(quotient);
    }
    signed(rounded(floor, rest, divisor), decimals)
}

/// `floor` + `rest` / `divisor`, rounded half-even.
pub(super) fn rounded(floor: u128, rest: u128, divisor: u128) -> u128 {
    match (rest * 2).cmp(&divisor) {
        Ordering::Less => floor,
        Ordering::Equal => floor + floor % 2,
        Ordering::Greater => floor + 1,
    }
}

/// The most decimals of any of these numbers.
pub(super) fn finest(numbers: &[Decimal]) -> u32 {
    numbers.iter().map(Decimal::scale).max().unwrap_or(0)
}

/// The distance between two numbers, in units of 10^-`scale`.
pub(super) fn distance(a: Decimal, b: Decimal, scale: u32) -> Whole {
    Whole::at(a, scale).minus(&Whole::at(b, scale)).magnitude()
}
