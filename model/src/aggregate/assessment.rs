//! What a value says about its worker, compared with the values that decide the answer.

use quorate_core::aggregate::{Aggregate, Assessment, Candidate, OutlierRule, Rule, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::dispersion::{is_within, outliers};
use super::strategies::{median, shortened};

/// What each of `values` says about its worker, if these candidates gave this answer by this rule. `operators` is the
/// outlier rule of the operator's policy, which may differ from the request's.
pub fn assess(
    rule: &Rule,
    operators: OutlierRule,
    candidates: &[Candidate<'_>],
    answer: &Aggregate,
    values: &[Candidate<'_>],
) -> Vec<Assessment> {
    let numbers = ascending(rule, candidates);
    values.iter().map(|value| of_one((rule, operators), candidates, &numbers, answer, value)).collect()
}

fn six_percent() -> Decimal {
    Decimal::new(6, 2)
}

fn is_stale(rule: &Rule, candidate: &Candidate<'_>) -> bool {
    rule.max_age.zip(candidate.age).is_some_and(|(most, age)| age > most)
}

/// A value as a number; `None` for a text that spells none. A majority takes texts as they are.
fn number(rule: &Rule, value: &Value) -> Option<Decimal> {
    match value {
        Value::Text(_) if rule.strategy == Strategy::Majority => None,
        value => value.as_number(),
    }
}

/// The numbers that can be used, in ascending order.
fn ascending(rule: &Rule, candidates: &[Candidate<'_>]) -> Vec<Decimal> {
    let fresh = candidates.iter().filter(|candidate| !is_stale(rule, candidate));
    let mut numbers: Vec<Decimal> = fresh.filter_map(|candidate| number(rule, candidate.value)).collect();
    numbers.sort_unstable();
    numbers
}

fn of_one(
    (rule, operators): (&Rule, OutlierRule),
    candidates: &[Candidate<'_>],
    numbers: &[Decimal],
    answer: &Aggregate,
    value: &Candidate<'_>,
) -> Assessment {
    if is_stale(rule, value) {
        return Assessment::Neutral;
    }
    match (&answer.value, number(rule, value.value)) {
        (Value::Number(_), Some(number)) => {
            let fits = |candidate: &&Candidate<'_>| {
                !is_stale(rule, candidate)
                    && (rule.strategy == Strategy::Majority || candidate.value.as_number().is_some())
            };
            let all = candidates.iter().filter(fits).count();
            of_number((rule.max_deviation, operators), (numbers, all), number)
        }
        (_, None) if rule.strategy != Strategy::Majority => Assessment::Neutral,
        (answer, _) if answer == value.value => Assessment::Good,
        (decided, _) => {
            let near =
                |a: Option<Decimal>, b: Option<Decimal>| a.zip(b).is_some_and(|(a, b)| is_within(six_percent(), a, b));
            let votes = candidates.iter().filter(|vote| !is_stale(rule, vote) && is_vote(rule, decided, vote.value));
            let most = 2 * votes.count() > answer.used;
            if most && !near(decided.as_number(), value.value.as_number()) {
                Assessment::Bad
            } else {
                Assessment::Neutral
            }
        }
    }
}

fn is_vote(rule: &Rule, answer: &Value, value: &Value) -> bool {
    match (answer, value) {
        (Value::Number(answer), Value::Number(number)) => shortened(*number, rule.precision) == *answer,
        (answer, value) => answer == value,
    }
}

/// A number within the fence is good, and one beyond it is bad unless it is within 6 % of the median. If some are
/// beyond it and those within are no more than half of all values, none is good or bad. Under a caller's rule, a number
/// more than 6 % from the median is not good, and one that the operator's rule may accept is not bad.
fn of_number(
    (asked, operators): (OutlierRule, OutlierRule),
    (numbers, all): (&[Decimal], usize),
    number: Decimal,
) -> Assessment {
    let fence = if asked == OutlierRule::None { OutlierRule::Relative(six_percent()) } else { asked };
    let beyond = outliers(fence, numbers, numbers).len();
    let Some(median) = median(numbers) else { return Assessment::Neutral };
    let is_near = is_within(six_percent(), median, number);
    let may_pass = asked != operators
        && match operators {
            OutlierRule::None => false,
            OutlierRule::Relative(fraction) => is_within(fraction, median, number),
            OutlierRule::Mad(_) | OutlierRule::Iqr(_) => true,
        };
    match outliers(fence, numbers, &[number]).is_empty() {
        _ if beyond > 0 && (numbers.len() - beyond) * 2 <= all => Assessment::Neutral,
        true if asked == operators || is_near => Assessment::Good,
        false if !is_near && !may_pass => Assessment::Bad,
        _ => Assessment::Neutral,
    }
}
