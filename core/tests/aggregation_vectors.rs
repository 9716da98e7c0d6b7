//! The known answers in `vectors/aggregation.json`: every case is run.

use quorate_core::aggregate::{
    AggregateError, Aggregator, Candidate, Exclusion, Millionths, Rule, Strategy, UnknownStrategy,
};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

/// One case. Its other fields state where it comes from, and where this project deliberately answers differently.
#[derive(Deserialize)]
struct Case {
    name: String,
    strategy: String,
    values: Vec<String>,
    weights: Option<Vec<String>>,
    share: Option<String>,
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
    fn rule(&self) -> Result<Rule, UnknownStrategy> {
        let share = self.share.as_deref().map(factor);
        Ok(Rule {
            strategy: self.strategy.parse::<Strategy>()?,
            trim_share: share.unwrap_or(Rule::default().trim_share),
            max_deviation: self.max_deviation.as_deref().unwrap_or("none").parse().expect("an outlier rule"),
            ..Rule::default()
        })
    }

    fn check(&self) {
        let name = &self.name;
        let rule = self.rule().unwrap_or_else(|error| panic!("{name}: {error}"));
        let values: Vec<Value> = self.values.iter().map(|text| value(text)).collect();
        let weights = self.weights.as_ref().map(|weights| weights.iter().map(|text| factor(text)).collect::<Vec<_>>());
        let weights = weights.unwrap_or_else(|| vec![Millionths::ONE; values.len()]);
        let candidates =
            values.iter().zip(weights).map(|(value, weight)| Candidate { weight, ..Candidate::from(value) });
        let outcome = Aggregator::default().aggregate(&rule, candidates);
        if let Some(error) = &self.error {
            assert_eq!(error, "no_values", "{name}");
            assert_eq!(outcome, Err(AggregateError::NoValues { excluded: vec![] }), "{name}");
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

fn factor(text: &str) -> Millionths {
    let number: Decimal = text.parse().expect("a decimal");
    Millionths::from_decimal(number).expect("a small factor")
}

fn value(text: &str) -> Value {
    Value::number(text).or_else(|_| Value::text(text)).expect("the vectors hold numbers and short texts")
}

#[test]
fn every_known_answer_is_given() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/aggregation.json")).expect("valid vectors");
    assert!(vectors.cases.len() >= 20);
    for case in &vectors.cases {
        case.check();
    }
}
