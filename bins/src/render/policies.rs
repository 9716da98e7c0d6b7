//! The policies in force, in the form of a policy file, so that a part of them can be pasted into one.

use quorate_client::body::{Policies, Policy};
use toml_edit::Value;

use super::clean;

/// Each policy, and the weights of workers if the operator has set any.
pub fn policies(shown: &Policies) -> String {
    let mut text: Vec<String> = shown.policies.iter().map(policy).collect();
    if !shown.weights.is_empty() {
        let weights = shown.weights.iter().map(|(worker, weight)| format!("{} = {weight}\n", quoted(worker)));
        text.push(format!("[weights]\n{}", weights.collect::<String>()));
    }
    text.join("\n")
}

/// One policy, without the fields that are not set, and without those that another strategy would use.
fn policy(policy: &Policy) -> String {
    let strategy = policy.strategy.as_str();
    let number = |number: Option<String>, of: &str| number.filter(|_| strategy == of);
    let expect = policy.expect.iter().map(|worker| quoted(worker)).collect::<Vec<_>>().join(", ");
    let fields = [
        ("query", Some(quoted(&policy.query))),
        ("strategy", Some(quoted(strategy))),
        ("precision", number(policy.precision.map(|it| it.to_string()), "majority")),
        ("trim_share", number(policy.trim_share.map(|it| it.to_string()), "trimmed_mean")),
        ("max_deviation", policy.max_deviation.as_deref().map(quoted)),
        ("tolerance", policy.tolerance.map(|it| it.to_string())),
        ("min_agreement", policy.min_agreement.map(|it| it.to_string())),
        ("max_age_ms", policy.max_age_ms.map(|it| it.to_string())),
        ("on_dispute", Some(quoted(&policy.on_dispute))),
        ("decimals", policy.decimals.map(|it| it.to_string())),
        ("min_responses", Some(policy.min_responses.to_string())),
        ("quorum", policy.quorum.map(|it| it.to_string())),
        ("timeout_ms", policy.timeout_ms.map(|it| it.to_string())),
        ("expect", (!expect.is_empty()).then(|| format!("[{expect}]"))),
        ("min_expected", (policy.min_expected > 0).then(|| policy.min_expected.to_string())),
    ];
    let lines = fields.into_iter().filter_map(|(name, value)| Some(format!("{name} = {}\n", value?)));
    format!("[[policy]]\n{}", lines.collect::<String>())
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    clean(&Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;
    use quorate_core::coordinator::Config;

    use super::*;

    const BODY: &str = r#"{
        "policies": [
            {"query": "BTC/*", "strategy": "majority", "precision": 4, "trim_share": 0.25, "max_deviation": "mad:3.5",
             "tolerance": 0, "min_agreement": 0.75, "max_age_ms": 60000, "on_dispute": "reject", "min_responses": 2,
             "quorum": 3, "timeout_ms": 2500, "decimals": 2, "expect": ["kraken", "say \"hi\""], "min_expected": 3},
            {"query": "*", "strategy": "average", "precision": 2, "trim_share": 0.25, "max_deviation": "0.06",
             "tolerance": 0.06, "min_agreement": null, "max_age_ms": null, "on_dispute": "answer", "min_responses": 1,
             "quorum": null, "timeout_ms": 5000, "decimals": null, "expect": [], "min_expected": 0}
        ],
        "weights": {"kraken": 2.5}
    }"#;

    #[test]
    fn the_policies_are_shown_as_a_policy_file_with_the_same_meaning() {
        let shown = policies(&Policies::read(BODY).expect("policies"));
        let read = quorate_runtime::policies::parse("shown", &shown, &Config::default()).expect(&shown);
        let [first, rest] = &read.policies[..] else { panic!("two policies: {shown}") };
        assert_eq!((first.policy.decimals, first.policy.quorum, first.policy.rule.precision), (Some(2), Some(3), 4));
        assert_eq!((first.expected.workers.len(), first.expected.least), (2, 3));
        assert_eq!((rest.pattern.as_str(), rest.policy.timeout.as_secs()), ("*", 5));
        assert_eq!(read.weights.len(), 1);
        assert!(!shown.contains("trim_share") && shown.contains("[weights]\n\"kraken\" = 2.5\n"), "{shown}");
    }
}
