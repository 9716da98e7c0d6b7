//! The policy file: policies for the queries that the default does not fit, and the weights of workers.

pub(crate) mod entry;
pub(crate) mod fields;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Config, Policies, QueryPolicy};
use quorate_core::id::WorkerId;
use serde::Deserialize;
use toml::Spanned;

use self::entry::{Entry, Scalar};
use crate::config_file::{self, FileError, Text};

/// The most policies in a file. Each request searches them for the first one that covers its query.
pub const MAX_POLICIES: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    policy: Vec<Spanned<Entry>>,
    #[serde(default)]
    weights: BTreeMap<Spanned<String>, Spanned<Scalar>>,
}

/// Reads a policy file and checks it as a whole. What a policy in it does not set is taken from the default policy of
/// `config`. Every policy is within the limits.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, config: &Config) -> Result<Policies, FileError> {
    let (file, text) = config_file::read("policy", path)?;
    parse(&file, &text, config)
}

/// Checks the text of a policy file; `file` names it in errors. What a policy in it does not set is taken from the default
/// policy of `config`.
///
/// # Errors
/// [`FileError::Wrong`].
pub fn parse(file: &str, text: &str, config: &Config) -> Result<Policies, FileError> {
    let text = Text { file, text };
    let document: Document = text.parse()?;
    let mut policies = Vec::<Arc<QueryPolicy>>::new();
    for entry in &document.policy {
        if policies.len() == MAX_POLICIES {
            return Err(text.wrong((entry.span(), format!("a file has at most {MAX_POLICIES} policies"))));
        }
        let policy = entry::check(entry, text.text, config).map_err(|problem| text.wrong(problem))?;
        if policies.iter().any(|earlier| earlier.pattern == policy.pattern) {
            let problem = "an earlier policy is for the same queries: remove one of them".to_owned();
            return Err(text.wrong((entry.get_ref().query.span(), problem)));
        }
        policies.push(policy.into());
    }
    let weights = document.weights.iter().map(|(worker, weight)| weight_of(worker, weight, text));
    Ok(Policies { policies, weights: Arc::new(weights.collect::<Result<_, _>>()?) })
}

fn weight_of(
    worker: &Spanned<String>,
    weight: &Spanned<Scalar>,
    text: Text<'_>,
) -> Result<(WorkerId, Millionths), FileError> {
    let id = entry::worker_id(worker).map_err(|problem| text.wrong(problem))?;
    let factor = fields::millionths(&entry::written(weight, text.text)).ok_or_else(|| {
        text.wrong((weight.span(), "a weight must be between 0 and 1000000, with at most 6 decimals".to_owned()))
    })?;
    Ok((id, factor))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use quorate_core::aggregate::{OutlierRule, Rule, Strategy};
    use quorate_core::coordinator::Expected;
    use quorate_core::pattern::Pattern;
    use quorate_core::policy::{OnDispute, Policy};
    use rust_decimal::Decimal;

    use super::*;

    fn parsed(text: &str) -> Result<Policies, FileError> {
        let default = Policy { quorum: Some(3), ..Policy::default() };
        let expected = Expected { workers: BTreeSet::new(), least: 2 };
        parse("p.toml", text, &Config { policy: default, expected, ..Config::default() })
    }

    #[test]
    fn a_policy_sets_what_it_names_and_keeps_the_rest() {
        let text = r#"
            [[policy]]
            query = "*/USD"
            strategy = "trimmed_mean"
            precision = 4
            trim_share = 0.1
            max_deviation = "mad:3.5"
            tolerance = 0.0000000000000000000000000001
            min_agreement = "0.75"
            on_dispute = "reject"
            decimals = 2
            max_age_ms = 60000
            min_responses = 4
            quorum = 5
            timeout_ms = 1500
            expect = ["kraken", "coinbase"]
            min_expected = 3

            [[policy]]
            query = "*"
            max_deviation = "none"

            [weights]
            "worker-1" = 2.5
            kraken = 0
        "#;
        let Policies { policies, weights } = parsed(text).expect("a good file");
        let full = Policy {
            rule: Rule {
                strategy: Strategy::TrimmedMean,
                precision: 4,
                trim_share: Millionths::new(100_000),
                max_deviation: OutlierRule::Mad(Millionths::new(3_500_000)),
                tolerance: Some(Decimal::new(1, 28)),
                min_agreement: Some(Millionths::new(750_000)),
                max_age: Some(Duration::from_mins(1)),
            },
            min_responses: 4,
            quorum: Some(5),
            timeout: Duration::from_millis(1500),
            on_dispute: OnDispute::Reject,
            decimals: Some(2),
        };
        let rule = Rule { max_deviation: OutlierRule::None, ..Policy::default().rule };
        let rest = Policy { rule, quorum: Some(3), ..Policy::default() };
        let of = |pattern, policy, names: &[&str], least| QueryPolicy {
            pattern: Pattern::new(pattern),
            policy,
            expected: Expected {
                workers: names.iter().map(|name| WorkerId::new(name).expect("a name")).collect(),
                least,
            },
        };
        let policies: Vec<_> = policies.iter().map(|policy| policy.as_ref().clone()).collect();
        assert_eq!(policies, [of("*/USD", full, &["coinbase", "kraken"], 3), of("*", rest, &[], 2)]);
        let weights: Vec<_> = weights.iter().map(|(id, weight)| (id.as_str(), weight.get())).collect();
        assert_eq!(weights, [("kraken", 0), ("worker-1", 2_500_000)]);
        assert_eq!(parsed(""), Ok(Policies::default()));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place_and_what_would_be_right() {
        let head = "[[policy]]\nquery = \"*/USD\"\n";
        let with = |field: &str| format!("{head}{field}\n");
        for (text, line, column, says) in [
            ("policy = 1".to_owned(), 1, 10, "invalid type"),
            ("[[policies]]\n".to_owned(), 1, 3, "unknown field `policies`"),
            ("[[policy]\n".to_owned(), 1, 10, ""),
            ("[[policy]]\nstrategy = \"median\"\n".to_owned(), 1, 1, "missing field `query`"),
            ("[[policy]]\nquery = \"\"\n".to_owned(), 2, 9, "query is empty"),
            (with("stategy = \"median\""), 3, 1, "unknown field `stategy`"),
            (with("strategy = \"mode\""), 3, 12, "strategy must be one of average, median"),
            (with("expect = [\"kraken\", \"\"]"), 3, 21, "the name of a worker"),
            (with("min_expected = 1001"), 3, 16, "min_expected must be between 0 and 1000"),
            (with("precision = 29"), 3, 13, "precision must be between 0 and 28"),
            (with("precision = 2.5"), 3, 13, "invalid type"),
            (with("decimals = 29"), 3, 12, "decimals must be between 0 and 28"),
            (with("trim_share = 0.5"), 3, 14, "below 0.5"),
            (with("trim_share = -0.1"), 3, 14, "below 0.5"),
            (with("trim_share = 1_0"), 3, 14, "below 0.5"),
            (with("max_deviation = -0.1"), 3, 17, "max_deviation must not be negative"),
            (with("max_deviation = \"sd:3\""), 3, 17, "mad:K or iqr:K"),
            (with("max_deviation = true"), 3, 17, "a number or a string"),
            (with("tolerance = inf"), 3, 13, "tolerance must be a decimal fraction"),
            (with("tolerance = -1"), 3, 13, "tolerance must not be negative"),
            (with("min_agreement = 1.5"), 3, 17, "between 0 and 1"),
            (with("min_agreement = 0.1234567"), 3, 17, "at most 6 decimals"),
            (with("on_dispute = \"shrug\""), 3, 14, "answer or reject"),
            (with("max_age_ms = -1"), 3, 14, "invalid value"),
            (with("min_responses = 0"), 3, 17, "min_responses must be between 1 and 1000"),
            (with("quorum = 1001"), 3, 10, "quorum must be between"),
            (with("timeout_ms = 60001"), 3, 14, "timeout_ms must be between 1 and 60000"),
            // The quorum that is too small comes from the default.
            (with("precision = 1\nmin_responses = 4"), 4, 17, "min_responses (4)"),
            (with("min_responses = 4\nquorum = 2"), 4, 10, "min_responses (4)"),
            (format!("{head}{head}"), 4, 9, "an earlier policy"),
            (format!("{head}[weights]\nä = 1.5\n"), 4, 1, ""),
            ("[weights]\n\"\" = 1\n".to_owned(), 2, 1, "the name of a worker must not be empty"),
            ("[weights]\na = 1\n\"w 1\" = -2.5\n".to_owned(), 3, 9, "a weight must be between 0 and 1000000"),
            ("[weights]\na = 1\na = 2\n".to_owned(), 3, 1, "duplicate key"),
        ] {
            let shown = parsed(&text).expect_err(says).to_string();
            assert!(shown.starts_with(&format!("p.toml:{line}:{column}: ")) && shown.contains(says), "{shown}\n{text}");
            assert!(!shown.contains('\n'), "{shown}");
        }
    }

    #[test]
    fn a_file_has_a_bounded_number_of_policies() {
        let policies = |n: usize| (0..n).map(|n| format!("[[policy]]\nquery = \"{n}\"\n")).collect::<Vec<_>>().concat();
        assert_eq!(parsed(&policies(MAX_POLICIES)).map(|file| file.policies.len()), Ok(MAX_POLICIES));
        let error = parsed(&policies(MAX_POLICIES + 1)).expect_err("one too many").to_string();
        assert!(error.starts_with("p.toml:2001:1: a file has at most 1000 policies"), "{error}");
    }

    #[test]
    fn the_example_file_is_right() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/policies.toml");
        let file = read(Path::new(path), &Config::default()).expect("the example");
        assert!(file.policies.len() > 1 && !file.weights.is_empty());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let path = Path::new("/nowhere/policies.toml");
        let error = read(path, &Config::default()).expect_err("there is none");
        assert!(error.to_string().starts_with("cannot read the policy file /nowhere/policies.toml: "), "{error}");
    }
}
