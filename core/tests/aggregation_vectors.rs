//! The known answers in `vectors/aggregation.json`: every case is either run or named here as not built yet.

use quorate_core::aggregate::{AggregateError, Exclusion, Rule, Strategy, aggregate};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Deserialize;

/// Cases of strategies and rules that do not exist yet.
const NOT_BUILT_YET: [&str; 6] = [
    "weighted median",
    "weighted median, exactly half",
    "equal inputs",
    "trimmed mean drops one of each side",
    "mad outlier",
    "mad of zero excludes only what differs",
];

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

/// One case. Its remaining fields say where it comes from or belong to strategies that do not exist yet.
#[derive(Deserialize)]
struct Case {
    name: String,
    strategy: String,
    values: Vec<String>,
    max_deviation: Option<String>,
    #[serde(default)]
    excluded: Vec<usize>,
    result: Option<String>,
    error: Option<String>,
    #[serde(default)]
    tie: bool,
    status: Option<String>,
}

impl Case {
    /// The rule to run the case by; `None` if its strategy or outlier rule does not exist.
    fn rule(&self) -> Option<Rule> {
        let strategy = match self.strategy.as_str() {
            "average" => Strategy::Average,
            "median" => Strategy::Median,
            "majority" => Strategy::Majority,
            _ => return None,
        };
        let max_deviation = match &self.max_deviation {
            Some(text) => Some(number(text)?),
            None => None,
        };
        Some(Rule { strategy, precision: 2, max_deviation })
    }

    fn check(&self, rule: &Rule) {
        let name = &self.name;
        let values: Vec<Value> = self.values.iter().map(|text| value(text)).collect();
        let outcome = aggregate(rule, &values.iter().collect::<Vec<_>>());
        if let Some(error) = &self.error {
            assert_eq!(error, "no_values", "{name}");
            assert_eq!(outcome, Err(AggregateError::NoValues), "{name}");
            return;
        }
        let aggregate = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = self.result.as_deref().map(value);
        assert_eq!(Some(aggregate.value), expected, "{name}");
        assert_eq!(aggregate.tie, self.tie, "{name}: tie");
        assert_eq!(aggregate.disputed, self.status.as_deref() == Some("disputed"), "{name}: disputed");
        assert_eq!(aggregate.used, self.values.len() - self.excluded.len(), "{name}: used");
        let excluded: Vec<_> = self.excluded.iter().map(|index| (*index, Exclusion::Outlier)).collect();
        assert_eq!(aggregate.excluded, excluded, "{name}: excluded");
    }
}

fn number(text: &str) -> Option<Decimal> {
    Value::number(text).ok()?.as_number()
}

fn value(text: &str) -> Value {
    Value::number(text).or_else(|_| Value::text(text)).expect("the vectors hold numbers and short texts")
}

#[test]
fn every_known_answer_is_given_or_named_as_not_built_yet() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/aggregation.json")).expect("valid vectors");
    let (built, not_built): (Vec<_>, Vec<_>) = vectors.cases.iter().partition(|case| case.rule().is_some());
    let not_built: Vec<&str> = not_built.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(not_built, NOT_BUILT_YET);
    for (case, rule) in built.iter().filter_map(|case| Some((case, case.rule()?))) {
        case.check(&rule);
    }
}
