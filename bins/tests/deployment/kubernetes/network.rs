//! Who may reach whom.

use serde_json::{Value as Json, json};

use super::{container, of_stage, ours, pod_labels, selects, variable, variables};
use crate::kustomize::{OVERLAYS, Overlay, trial};

/// The rules of a policy that let pods with `labels` through, in this direction.
fn admits(policy: &Json, direction: &str, labels: &Json) -> Vec<Json> {
    let peers = if direction == "ingress" { "from" } else { "to" };
    let rules = policy["spec"][direction].as_array().expect("a list").iter();
    let is_let_through = |peer: &Json| match peer.get("podSelector") {
        Some(selector) if *selector == json!({}) => true,
        Some(selector) => selects(&selector["matchLabels"], labels),
        None => false,
    };
    let rules = rules.filter(|rule| match rule.get(peers) {
        Some(peers) => peers.as_array().expect("a list").iter().any(is_let_through),
        None => true,
    });
    rules
        .flat_map(|rule| rule["ports"].as_array().expect("every rule names ports").clone())
        .map(|port| port["port"].clone())
        .collect()
}

/// The policy for a workload.
fn policy_of<'a>(overlay: &'a Overlay, workload: &Json) -> &'a Json {
    let policies = overlay.of_kind("NetworkPolicy").into_iter();
    let policies: Vec<_> = policies
        .filter(|policy| selects(&policy["spec"]["podSelector"]["matchLabels"], pod_labels(workload)))
        .collect();
    let [policy] = policies[..] else { panic!("{}: {} policies for {workload}", overlay.name, policies.len()) };
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    policy
}

#[test]
fn every_part_has_a_network_policy_that_lets_through_what_it_needs_and_no_more() {
    for overlay in OVERLAYS.iter() {
        for workload in overlay.of_kind("Deployment") {
            policy_of(overlay, workload);
        }
        let [coordinator] = of_stage(overlay, "coordinator")[..] else { panic!("one workload") };
        let policy = policy_of(overlay, coordinator);
        assert_eq!(admits(policy, "ingress", &json!({})), ["http"]);
        assert_eq!(admits(policy, "egress", &json!({})), [json!(53), json!(53), json!(4222)]);
        for worker in of_stage(overlay, "worker") {
            let policy = policy_of(overlay, worker);
            assert_eq!(admits(policy, "ingress", pod_labels(coordinator)), Vec::<Json>::new());
            let everywhere = admits(policy, "egress", &json!({}));
            let source = if overlay.name == "trial" { vec![] } else { vec![json!(443)] };
            assert_eq!(everywhere, [vec![json!(53), json!(53), json!(4222)], source].concat());
        }
    }
    let nats = policy_of(trial(), trial().named("Deployment", "nats"));
    let exchange = trial().named("Deployment", "quorate-exchange");
    for (workload, stage) in ours(trial()) {
        let from = pod_labels(workload);
        let client = if stage.name() == "quorate" { vec![] } else { vec![json!("client")] };
        assert_eq!(admits(nats, "ingress", from), client, "{}", stage.name());
        let asks = if stage.name() == "worker" { vec![json!("http")] } else { vec![] };
        assert_eq!(admits(policy_of(trial(), exchange), "ingress", from), asks, "{}", stage.name());
        if stage.name() == "worker" {
            let to = admits(policy_of(trial(), workload), "egress", pod_labels(exchange));
            assert!(to.contains(&json!("http")), "{to:?}");
        }
    }
}

#[test]
fn nats_is_where_the_programs_look_for_it() {
    let port = &trial().named("Service", "nats")["spec"]["ports"][0]["port"];
    for (workload, stage) in ours(trial()).into_iter().filter(|(_, stage)| stage.name() != "quorate") {
        let variables = variables(trial(), container(workload));
        assert_eq!(variable(&variables, "NATS_URL"), format!("nats://nats:{port}"), "{}", stage.name());
    }
}
