//! Known answers for the aggregation, from other implementations and from the design.

use std::collections::BTreeMap;

use quorate_core::aggregate::{AggregateError, Rule, Strategy, aggregate};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    strategy: String,
    values: Vec<String>,
    result: Option<String>,
    error: Option<String>,
    /// What an implementation that is not exact may answer with; this one is exact.
    #[serde(rename = "alternative_error")]
    _alternative_error: Option<String>,
    #[serde(default)]
    tie: bool,
    max_deviation: Option<String>,
    excluded: Option<Vec<usize>>,
    status: Option<String>,
    #[serde(rename = "weights")]
    _weights: Option<Vec<String>>,
    #[serde(rename = "share")]
    _share: Option<String>,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// The cases of strategies and rules that do not exist yet.
const NOT_BUILT: [&str; 6] = [
    "weighted median",
    "weighted median, exactly half",
    "equal inputs",
    "trimmed mean drops one of each side",
    "mad outlier",
    "mad of zero excludes only what differs",
];

fn cases() -> Vec<Case> {
    serde_json::from_str::<Vectors>(include_str!("vectors/aggregation.json"))
        .expect("the vectors are well-formed")
        .cases
}

/// The rule of a case, or `None` if there is none here.
fn rule(case: &Case) -> Option<Rule> {
    let strategy: Strategy = case.strategy.parse().ok()?;
    let max_deviation = match &case.max_deviation {
        None => None,
        Some(text) => Some(Decimal::from_str_exact(text).ok()?),
    };
    Some(Rule { strategy, precision: 2, max_deviation })
}

fn check(case: &Case, rule: &Rule) {
    let read = |text: &String| Value::number(text).unwrap_or_else(|_| Value::text(text).expect("a value"));
    let values: Vec<Value> = case.values.iter().map(read).collect();
    let name = &case.name;
    let answer = match aggregate(rule, &values.iter().collect::<Vec<_>>()) {
        Err(AggregateError::NoValues) => {
            assert_eq!((case.error.as_deref(), &case.result), (Some("no_values"), &None), "{name}");
            return;
        }
        Ok(answer) => answer,
    };
    assert_eq!(case.error, None, "{name}");
    assert_eq!(Some(answer.value.to_string()), case.result, "{name}");
    assert_eq!(answer.tie, case.tie, "{name}");
    let excluded: Vec<usize> = answer.excluded.iter().map(|(index, _)| *index).collect();
    assert_eq!(excluded, case.excluded.clone().unwrap_or_default(), "{name}");
    assert_eq!(answer.disputed, case.status.as_deref() == Some("disputed"), "{name}");
}

#[test]
fn every_known_answer_is_given_or_listed_as_not_built() {
    let mut ran: BTreeMap<&str, bool> = BTreeMap::new();
    let cases = cases();
    for case in &cases {
        let rule = rule(case);
        if let Some(rule) = &rule {
            check(case, rule);
        }
        assert!(ran.insert(&case.name, rule.is_some()).is_none(), "two cases are named {}", case.name);
    }
    for (name, ran) in &ran {
        assert_ne!(*ran, NOT_BUILT.contains(name), "{name}: either it runs or it is listed, and not both");
    }
    for name in NOT_BUILT {
        assert!(ran.contains_key(name), "{name} is no case");
    }
    assert_eq!(ran.values().filter(|ran| **ran).count(), 19);
}
