//! What every pod has: settings that its program accepts, selectors, rights, and time to stop.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{container, ours, pod_labels, port, selects, stage, variables};
use crate::files::texts;
use crate::kustomize::{OVERLAYS, production};
use crate::program::{check_taken, longest_stop};

#[test]
fn every_program_takes_its_settings() {
    for overlay in OVERLAYS.iter() {
        for (workload, stage) in ours(overlay) {
            let container = container(workload);
            let variables = variables(overlay, container);
            let over_nats = stage.name() != "quorate";
            assert_eq!(variables.iter().any(|(name, _)| *name == "NATS_URL"), over_nats, "{variables:?}");
            check_taken(&stage.program(), &texts(&container["args"]), &variables);
            assert!(container.get("command").is_none(), "the image knows its program");
        }
    }
}

#[test]
fn every_selector_selects_the_pods_it_is_for() {
    for overlay in OVERLAYS.iter() {
        let workloads = overlay.of_kind("Deployment");
        let chosen = |selector: &Json| -> Vec<&Json> {
            workloads.iter().copied().filter(|workload| selects(selector, pod_labels(workload))).collect()
        };
        for workload in &workloads {
            let selector = &workload["spec"]["selector"]["matchLabels"];
            assert_eq!(chosen(selector), [*workload], "{selector}");
        }
        for service in overlay.of_kind("Service") {
            let [workload] = chosen(&service["spec"]["selector"])[..] else { panic!("{service}") };
            for listed in service["spec"]["ports"].as_array().expect("a list") {
                assert_eq!(listed["port"], port(container(workload), &listed["targetPort"]), "{listed}");
            }
        }
        // These are for all workers together, or for all coordinators.
        for (kind, place) in
            [("PodDisruptionBudget", "/spec/selector/matchLabels"), ("NetworkPolicy", "/spec/podSelector/matchLabels")]
        {
            for object in overlay.of_kind(kind) {
                let component = &object["metadata"]["labels"]["app.kubernetes.io/component"];
                let chosen = chosen(object.pointer(place).expect("it selects"));
                assert!(!chosen.is_empty(), "{object}");
                assert!(chosen.iter().all(|pod| pod_labels(pod)["app.kubernetes.io/component"] == *component));
                let expected = if component == "worker" { 3 } else { 1 };
                assert_eq!(chosen.len(), expected, "{kind} {component}");
            }
        }
        let spreads = workloads.iter().flat_map(|workload| {
            let pod = &workload["spec"]["template"]["spec"];
            pod["topologySpreadConstraints"].as_array().into_iter().flatten()
        });
        let spreads: Vec<_> = spreads.map(|spread| chosen(&spread["labelSelector"]["matchLabels"]).len()).collect();
        assert_eq!(spreads.iter().filter(|chosen| **chosen == 3).count(), 3, "the workers of all ids");
    }
}

#[test]
fn no_container_has_more_rights_than_it_needs() {
    for workload in OVERLAYS.iter().flat_map(|overlay| overlay.of_kind("Deployment")) {
        let pod = &workload["spec"]["template"]["spec"];
        let container = container(workload);
        let user = stage(container).map_or_else(|| "65532:65532".to_owned(), |stage| stage.user());
        let (user, group) = user.split_once(':').expect("a user and a group");
        let expected = json!({
            "runAsNonRoot": true,
            "runAsUser": user.parse::<u64>().expect("a number"),
            "runAsGroup": group.parse::<u64>().expect("a number"),
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        assert_eq!(pod["securityContext"], expected);
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], expected);
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert!(container["resources"]["limits"]["memory"].is_string(), "{container}");
        for gained in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(gained).is_none(), "{gained}");
        }
    }
    let [namespace] = production().of_kind("Namespace")[..] else { panic!("one namespace") };
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}

#[test]
fn a_stop_is_given_the_time_it_takes() {
    for overlay in OVERLAYS.iter() {
        for (workload, stage) in ours(overlay).into_iter().filter(|(_, stage)| stage.name() != "quorate") {
            let pause = &container(workload)["lifecycle"]["preStop"]["sleep"]["seconds"];
            let pause = Duration::from_secs(pause.as_u64().unwrap_or(0));
            let given = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
            assert!(given.map(Duration::from_secs) >= Some(pause + longest_stop()), "{}", stage.name());
        }
    }
}
