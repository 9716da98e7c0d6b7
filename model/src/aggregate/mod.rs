//! How many values must become one, computed naively: everything is sorted, counted and compared one by one.

mod assessment;
mod dispersion;
mod strategies;
mod whole;

use std::collections::BTreeMap;

use quorate_core::aggregate::{Aggregate, AggregateError, Candidate, Exclusion, OutlierRule, Rule, Strategy};
use quorate_core::value::Value;
use rust_decimal::Decimal;

pub use self::assessment::assess;

/// The expected aggregate of these values by this rule, all fresh and of the same weight.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
pub fn aggregate(rule: &Rule, values: &[&Value]) -> Result<Aggregate, AggregateError> {
    let candidates: Vec<Candidate<'_>> = values.iter().map(|value| Candidate::from(*value)).collect();
    aggregate_candidates(rule, &candidates)
}

/// The expected aggregate of these candidates by this rule.
///
/// # Errors
/// [`AggregateError::NoValues`] if nothing is left to aggregate.
///
/// # Panics
/// If the model does not know the strategy.
pub fn aggregate_candidates(rule: &Rule, candidates: &[Candidate<'_>]) -> Result<Aggregate, AggregateError> {
    let majority = rule.strategy == Strategy::Majority;
    let mut numbers: BTreeMap<usize, Decimal> = BTreeMap::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut excluded: BTreeMap<usize, Exclusion> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let stale = matches!((candidate.age, rule.max_age), (Some(age), Some(most)) if age > most);
        match (candidate.value, candidate.value.as_number()) {
            _ if stale => drop(excluded.insert(index, Exclusion::Stale)),
            (Value::Text(text), _) if majority => texts.push(text),
            (_, Some(number)) => drop(numbers.insert(index, number)),
            (_, None) => drop(excluded.insert(index, Exclusion::NotANumber)),
        }
    }

    let mut disputed = false;
    if rule.max_deviation != OutlierRule::None {
        let mut ascending: Vec<Decimal> = numbers.values().copied().collect();
        ascending.sort_unstable();
        let outliers = dispersion::outliers(rule.max_deviation, &ascending, &ascending);
        if outliers.len() * 2 < numbers.len() {
            let far: Vec<usize> =
                numbers.iter().filter(|(_, number)| outliers.contains(number)).map(|(index, _)| *index).collect();
            numbers.retain(|index, _| !far.contains(index));
            excluded.extend(far.into_iter().map(|index| (index, Exclusion::Outlier)));
        } else {
            disputed = !outliers.is_empty();
        }
    }

    let mut used: Vec<strategies::Weighted> =
        numbers.iter().map(|(index, number)| (*number, candidates[*index].weight.get())).collect();
    used.sort_unstable();
    let ascending: Vec<Decimal> = used.iter().map(|(number, _)| *number).collect();
    let excluded = excluded.into_iter().collect();
    // A mean of values of which none can be called an outlier could be anywhere, so the median takes its place.
    let strategy = if disputed && rule.strategy == Strategy::Average { Strategy::Median } else { rule.strategy };
    let Some((value, tie)) = strategies::combine(&Rule { strategy, ..*rule }, &used, &texts) else {
        return Err(AggregateError::NoValues { excluded });
    };
    let spread = if texts.is_empty() { dispersion::spread(&ascending) } else { None };
    let agreeing = agreeing(rule, &value, &ascending, &texts);
    let used = ascending.len() + texts.len();
    if let Some(least) = rule.min_agreement {
        disputed |= (agreeing as u128) * 1_000_000 < (used as u128) * u128::from(least.get());
    }
    Ok(Aggregate { value, used, agreeing, tie, excluded, spread, disputed })
}

/// The number of used values that are the answer, or within the tolerance of it.
fn agreeing(rule: &Rule, answer: &Value, numbers: &[Decimal], texts: &[&str]) -> usize {
    let majority = rule.strategy == Strategy::Majority;
    match answer {
        Value::Text(answer) => texts.iter().filter(|text| **text == answer.as_ref()).count(),
        Value::Number(answer) => {
            // A vote is for the rounded number. By default, one for another number does not agree.
            let usual = if majority { Decimal::ZERO } else { Decimal::new(6, 2) };
            let tolerance = rule.tolerance.unwrap_or(usual);
            let meant = |number: Decimal| if majority { strategies::shortened(number, rule.precision) } else { number };
            numbers.iter().filter(|number| dispersion::is_within(tolerance, *answer, meant(**number))).count()
        }
    }
}
