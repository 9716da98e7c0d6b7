//! What holds for every aggregation of any decimals, the extremes included.

use proptest::prelude::*;
use quorate_core::aggregate::{Aggregate, Exclusion, Rule, Strategy as Aggregation, aggregate};
use quorate_core::value::Value;
use rust_decimal::Decimal;

fn rule(strategy: Aggregation) -> Rule {
    Rule { strategy, precision: 2, max_deviation: None }
}

fn run(rule: &Rule, numbers: &[Decimal]) -> Aggregate {
    let values: Vec<Value> = numbers.iter().map(|number| Value::Number(*number)).collect();
    aggregate(rule, &values.iter().collect::<Vec<_>>()).expect("there are numbers")
}

fn number(aggregate: &Aggregate) -> Decimal {
    aggregate.value.as_number().expect("numbers make a number")
}

/// Any decimal: small prices, any mantissa at any scale, extremes, and zeros of both signs.
fn decimal() -> impl Strategy<Value = Decimal> {
    let any_scale = (any::<i128>(), 0_u32..=96, 0_u32..=28).prop_map(|(bits, width, scale)| {
        let magnitude = if width == 0 { 0 } else { (bits.unsigned_abs() >> (128 - width)).cast_signed() };
        let number = Decimal::from_i128_with_scale(magnitude, scale);
        if bits < 0 { -number } else { number }
    });
    let extremes = prop::sample::select(vec![
        Decimal::MAX,
        Decimal::MIN,
        Decimal::MAX - Decimal::ONE,
        Decimal::ZERO,
        -Decimal::ZERO,
        Decimal::new(1, 28),
        Decimal::new(-1, 28),
        Decimal::new(3, 28),
        Decimal::new(-1, 3),
        Decimal::new(1, 3),
        Decimal::new(-100, 2),
        Decimal::new(0, 5),
    ]);
    prop_oneof![3 => price(), 3 => any_scale, 2 => extremes, 1 => (-30_i64..30, 0_u32..5).prop_map(|(m, s)| Decimal::new(m, s))]
}

fn price() -> impl Strategy<Value = Decimal> {
    (-5_000_000_i64..5_000_000, 0_u32..4).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

fn decimals() -> impl Strategy<Value = Vec<Decimal>> {
    prop::collection::vec(decimal(), 1..9)
}

fn shuffled() -> impl Strategy<Value = (Vec<Decimal>, Vec<Decimal>)> {
    decimals().prop_flat_map(|numbers| (Just(numbers.clone()), Just(numbers).prop_shuffle()))
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let fraction = prop::option::of((0_i64..300, 0_u32..4).prop_map(|(m, s)| Decimal::new(m, s)));
    (prop::sample::select(Aggregation::ALL.to_vec()), 0_u32..=28, fraction)
        .prop_map(|(strategy, precision, max_deviation)| Rule { strategy, precision, max_deviation })
}

/// A mean by schoolbook arithmetic on decimal digits, and nothing shared with what it checks.
mod naive {
    use rust_decimal::Decimal;

    /// Digits of the magnitude scaled by ten to the 28th, the least significant first.
    fn digits(number: Decimal) -> Vec<u8> {
        let mut digits = vec![0; 28 - number.scale() as usize];
        digits.extend(number.mantissa().unsigned_abs().to_string().bytes().rev().map(|digit| digit - b'0'));
        digits.resize(80, 0);
        digits
    }

    fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut carry = 0;
        let sum = a.iter().zip(b).map(|(a, b)| {
            let sum = a + b + carry;
            carry = sum / 10;
            sum % 10
        });
        sum.collect()
    }

    fn subtract(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut borrow = 0;
        let difference = a.iter().zip(b).map(|(a, b)| {
            let difference = 10 + a - b - borrow;
            borrow = u8::from(difference < 10);
            difference % 10
        });
        difference.collect()
    }

    fn is_less(a: &[u8], b: &[u8]) -> bool {
        a.iter().rev().lt(b.iter().rev())
    }

    fn decimal(text: &[u8]) -> Option<Decimal> {
        let (integer, fraction) = text.split_at(text.len() - 28);
        let text: String = integer.iter().map(|digit| char::from(digit + b'0')).collect();
        let fraction: String = fraction.iter().map(|digit| char::from(digit + b'0')).collect();
        let text = format!("{}.{}", text.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Decimal::from_str_exact(text.trim_end_matches('.'))
            .or_else(|_| Decimal::from_str_exact(&format!("0{text}")))
            .ok()
    }

    /// The exact mean if a decimal holds it, else half-even at 28 significant digits but never above the units.
    /// `None` if that is beyond the largest decimal.
    pub(super) fn mean(numbers: &[Decimal]) -> Option<Decimal> {
        let (mut plus, mut minus) = (vec![0; 80], vec![0; 80]);
        for number in numbers {
            let side = if number.is_sign_negative() { &mut minus } else { &mut plus };
            *side = add(side, &digits(*number));
        }
        let negative = is_less(&plus, &minus);
        let sum = if negative { subtract(&minus, &plus) } else { subtract(&plus, &minus) };

        // Long division, most significant digit first.
        let (mut quotient, mut rest) = (Vec::new(), 0);
        for digit in sum.iter().rev() {
            let dividend = rest * 10 + usize::from(*digit);
            quotient.push((dividend / numbers.len()) as u8);
            rest = dividend % numbers.len();
        }
        let exact = if rest == 0 { decimal(&quotient) } else { None };
        let magnitude = exact.or_else(|| {
            let first = quotient.iter().position(|digit| *digit != 0).unwrap_or(quotient.len());
            let keep = (first + 28).clamp(quotient.len() - 28, quotient.len());
            let dropped = &quotient[keep..];
            let half = match dropped.split_first() {
                None => (rest * 2).cmp(&numbers.len()),
                Some((first, others)) => {
                    let more = rest > 0 || others.iter().any(|digit| *digit != 0);
                    first.cmp(&5).then(if more { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Equal })
                }
            };
            let odd = keep > 0 && quotient[keep - 1] % 2 == 1;
            let up = half.is_gt() || (half.is_eq() && odd);
            let mut kept = quotient.clone();
            kept[keep..].fill(0);
            if up {
                let mut unit = vec![0; kept.len()];
                unit[keep - 1] = 1;
                kept.reverse();
                unit.reverse();
                kept = add(&kept, &unit);
                kept.reverse();
            }
            decimal(&kept)
        })?;
        Some(if negative { -magnitude } else { magnitude })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn the_order_of_the_values_cannot_be_seen(rule in any_rule(), (one, other) in shuffled()) {
        let (one, other) = (run(&rule, &one), run(&rule, &other));
        prop_assert_eq!(one.value.to_string(), other.value.to_string());
        prop_assert_eq!((one.used, one.tie, one.disputed), (other.used, other.tie, other.disputed));
        prop_assert_eq!(one.excluded.len(), other.excluded.len());
        let shown = |it: &Aggregate| it.spread.map(|spread| (spread.min.to_string(), spread.max.to_string()));
        prop_assert_eq!(shown(&one), shown(&other));
    }

    #[test]
    fn zero_has_no_sign(rule in any_rule(), numbers in decimals()) {
        let aggregate = run(&rule, &numbers);
        let spread = aggregate.spread.expect("numbers have a spread");
        for shown in [number(&aggregate), spread.min, spread.max] {
            prop_assert!(!shown.is_zero() || !shown.to_string().starts_with('-'), "{}", shown);
        }
    }

    #[test]
    fn the_result_lies_within_the_used_values(rule in any_rule(), numbers in decimals()) {
        let aggregate = run(&rule, &numbers);
        let spread = aggregate.spread.expect("numbers have a spread");
        let excluded: Vec<usize> = aggregate.excluded.iter().map(|(index, _)| *index).collect();
        let used: Vec<Decimal> =
            (0..numbers.len()).filter(|index| !excluded.contains(index)).map(|index| numbers[index]).collect();
        prop_assert_eq!(used.len(), aggregate.used);
        prop_assert_eq!((used.iter().min(), used.iter().max()), (Some(&spread.min), Some(&spread.max)));
        if rule.strategy == Aggregation::Majority {
            prop_assert!(used.iter().any(|used| used.round_dp(rule.precision) == number(&aggregate)));
        } else {
            prop_assert!((spread.min..=spread.max).contains(&number(&aggregate)));
        }
    }

    #[test]
    fn equal_inputs_give_that_input(value in decimal(), count in 1_usize..9, fraction in prop::option::of(price())) {
        for strategy in [Aggregation::Average, Aggregation::Median] {
            let rule = Rule { max_deviation: fraction.map(|fraction| fraction.abs()), ..rule(strategy) };
            let aggregate = run(&rule, &vec![value; count]);
            prop_assert_eq!(number(&aggregate), value);
            prop_assert!(aggregate.excluded.is_empty() && !aggregate.disputed);
        }
        let majority = Rule { precision: 28, ..rule(Aggregation::Majority) };
        prop_assert_eq!(number(&run(&majority, &vec![value; count])), value);
    }

    #[test]
    fn shifting_and_scaling_the_values_moves_the_result_the_same_way(
        numbers in prop::collection::vec(price(), 1..9), shift in price(), factor in -99_i64..99,
    ) {
        // A multiple of the count has an exact mean.
        let count = Decimal::from(numbers.len());
        let numbers: Vec<Decimal> = numbers.into_iter().map(|number| number * count).collect();
        let moved: Vec<Decimal> = numbers.iter().map(|number| number * Decimal::from(factor) + shift).collect();
        for strategy in [Aggregation::Average, Aggregation::Median] {
            let before = number(&run(&rule(strategy), &numbers));
            prop_assert_eq!(number(&run(&rule(strategy), &moved)), before * Decimal::from(factor) + shift);
        }
    }

    #[test]
    fn fewer_than_half_lying_leave_the_median_in_the_honest_range(
        honest in prop::collection::vec(decimal(), 1..6), lies in prop::collection::vec(decimal(), 0..6),
    ) {
        let lies = &lies[..lies.len().min(honest.len() - 1)];
        let (min, max) = (honest.iter().min().expect("some"), honest.iter().max().expect("some"));
        let median = number(&run(&rule(Aggregation::Median), &[&honest, lies].concat()));
        prop_assert!((*min..=*max).contains(&median));
    }

    #[test]
    fn the_outlier_rule_keeps_the_nearest_and_more_than_half_or_disputes(
        numbers in decimals(), fraction in (0_i64..300, 0_u32..4),
    ) {
        let fraction = Decimal::new(fraction.0, fraction.1);
        let aggregate = run(&Rule { max_deviation: Some(fraction), ..rule(Aggregation::Median) }, &numbers);
        let excluded: Vec<usize> = aggregate.excluded.iter().map(|(index, _)| *index).collect();
        prop_assert!(aggregate.excluded.iter().all(|(_, why)| *why == Exclusion::Outlier));
        if aggregate.disputed {
            prop_assert!(excluded.is_empty());
            return Ok(());
        }
        prop_assert!(aggregate.used * 2 > numbers.len());
        let center = number(&run(&rule(Aggregation::Median), &numbers));
        // Where distances can be formed without loss, whoever is kept is no farther than whoever is not.
        let distance = |index: usize| numbers[index].checked_sub(center).map(|distance| distance.abs());
        let farthest_kept = (0..numbers.len()).filter(|index| !excluded.contains(index)).filter_map(distance).max();
        let nearest_excluded = excluded.iter().filter_map(|index| distance(*index)).min();
        if let (Some(kept), Some(excluded)) = (farthest_kept, nearest_excluded) {
            prop_assert!(kept <= excluded);
        }
    }

    #[test]
    fn the_average_is_the_schoolbook_mean(numbers in decimals()) {
        let average = number(&run(&rule(Aggregation::Average), &numbers));
        let (min, max) = (numbers.iter().min().expect("some"), numbers.iter().max().expect("some"));
        match naive::mean(&numbers) {
            Some(mean) => prop_assert_eq!(average, mean.clamp(*min, *max)),
            None => prop_assert!(average == *min || average == *max),
        }
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted(mut numbers in decimals()) {
        let median = number(&run(&rule(Aggregation::Median), &numbers));
        numbers.sort();
        let middle = numbers.len() / 2;
        if numbers.len() % 2 == 1 {
            prop_assert_eq!(median, numbers[middle]);
        } else {
            prop_assert_eq!(median, number(&run(&rule(Aggregation::Average), &numbers[middle - 1..=middle])));
        }
    }

    #[test]
    fn a_number_that_is_written_reads_back(value in decimal()) {
        let read = Value::number(&value.to_string());
        prop_assert_eq!(&read, &Ok(Value::Number(value)));
        if !value.is_zero() {
            prop_assert_eq!(read.expect("just read").to_string(), value.to_string());
        }
    }

    #[test]
    fn any_text_is_a_number_or_refused(text in prop_oneof!["\\PC{0,20}", "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{0,25})?"]) {
        if let Ok(value) = Value::number(&text) {
            prop_assert_eq!(&Value::number(&value.to_string()), &Ok(value));
        }
    }
}
