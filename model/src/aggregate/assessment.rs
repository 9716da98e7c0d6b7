//! What a value says of its worker, compared with the values that decide the answer.

use quorate_core::aggregate::{Aggregate, Assessment, Candidate, OutlierRule, Rule, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::dispersion::{is_within, outliers};
use super::strategies::{median, shortened};

/// What each of `values` says of its worker, where these candidates came to this answer by this rule.
pub fn assess(
    rule: &Rule,
    candidates: &[Candidate<'_>],
    answer: &Aggregate,
    values: &[Candidate<'_>],
) -> Vec<Assessment> {
    let numbers = ascending(rule, candidates);
    values.iter().map(|value| of_one(rule, candidates, &numbers, answer, value)).collect()
}

/// Five of a hundred.
fn five_percent() -> Decimal {
    Decimal::new(5, 2)
}

fn is_stale(rule: &Rule, candidate: &Candidate<'_>) -> bool {
    rule.max_age.zip(candidate.age).is_some_and(|(most, age)| age > most)
}

/// What a candidate counts as a number; a majority takes texts as they are.
fn number(rule: &Rule, value: &Value) -> Option<Decimal> {
    match value {
        Value::Text(_) if rule.strategy == Strategy::Majority => None,
        value => value.as_number(),
    }
}

/// The numbers that might be used.
fn ascending(rule: &Rule, candidates: &[Candidate<'_>]) -> Vec<Decimal> {
    let fresh = candidates.iter().filter(|candidate| !is_stale(rule, candidate));
    let mut numbers: Vec<Decimal> = fresh.filter_map(|candidate| number(rule, candidate.value)).collect();
    numbers.sort_unstable();
    numbers
}

fn of_one(
    rule: &Rule,
    candidates: &[Candidate<'_>],
    numbers: &[Decimal],
    answer: &Aggregate,
    value: &Candidate<'_>,
) -> Assessment {
    if is_stale(rule, value) {
        return Assessment::Neutral;
    }
    match (&answer.value, number(rule, value.value)) {
        (Value::Number(_), Some(number)) => of_number(rule, numbers, number),
        (_, None) if rule.strategy != Strategy::Majority => Assessment::Neutral,
        (answer, _) if answer == value.value => Assessment::Good,
        (decided, _) => {
            let near =
                |a: Option<Decimal>, b: Option<Decimal>| a.zip(b).is_some_and(|(a, b)| is_within(five_percent(), a, b));
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

/// Beyond the fence is bad, unless it is near the median, or the fence leaves out half or more.
fn of_number(rule: &Rule, numbers: &[Decimal], number: Decimal) -> Assessment {
    let fence = rule.max_deviation.unwrap_or(OutlierRule::Relative(five_percent()));
    let beyond = outliers(fence, numbers, numbers).len();
    let Some(median) = median(numbers) else { return Assessment::Neutral };
    if beyond > 0 && beyond * 2 >= numbers.len() {
        Assessment::Neutral
    } else if outliers(fence, numbers, &[number]).is_empty() {
        Assessment::Good
    } else if is_within(five_percent(), median, number) {
        Assessment::Neutral
    } else {
        Assessment::Bad
    }
}
