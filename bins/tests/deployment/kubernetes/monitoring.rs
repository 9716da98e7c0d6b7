//! Probes, the scrape of Prometheus, and the autoscaler.

use super::{container, of_stage, port, selects, stage};
use crate::files::{text, yaml};
use crate::kustomize::{OVERLAYS, production};
use crate::program::coordinator_port;
use crate::routes::Coordinator;

#[test]
fn probed_and_scraped_paths_are_routes_of_the_coordinator() {
    let coordinator = Coordinator::start();
    for overlay in OVERLAYS.iter() {
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        for workload in of_stage(overlay, "worker") {
            // It listens on no port.
            assert!(probes.iter().chain(&["ports"]).all(|field| container(workload).get(*field).is_none()));
        }
        let [workload] = of_stage(overlay, "coordinator")[..] else { panic!("one workload") };
        let container = container(workload);
        for (probe, path) in probes.iter().zip(["/health", "/health", "/ready"]) {
            let get = &container[*probe]["httpGet"];
            assert_eq!(get["path"], path, "{probe}");
            assert!(coordinator.has(path), "{probe}: there is no {path}");
            assert_eq!(port(container, &get["port"]), u64::from(coordinator_port()), "{probe}");
        }
        let scrape = &workload["spec"]["template"]["metadata"]["annotations"];
        assert!(coordinator.has(text(&scrape["prometheus.io/path"])), "{scrape}");
        assert_eq!(scrape["prometheus.io/port"], coordinator_port().to_string());
    }
}

#[test]
fn prometheus_finds_the_coordinators_under_the_name_that_the_rules_expect() {
    let [monitor] = production().of_kind("ServiceMonitor")[..] else { panic!("one monitor") };
    let services = production().of_kind("Service").into_iter();
    let services: Vec<_> = services
        .filter(|service| selects(&monitor["spec"]["selector"]["matchLabels"], &service["metadata"]["labels"]))
        .collect();
    let [service] = services[..] else { panic!("it selects one service") };
    let [endpoint] = &monitor["spec"]["endpoints"].as_array().expect("a list")[..] else { panic!("one endpoint") };
    assert_eq!(endpoint["port"], service["spec"]["ports"][0]["name"]);
    assert!(Coordinator::start().has(text(&endpoint["path"])));
    // Without a label to take it from, the name of the job is that of the service.
    assert!(monitor["spec"].get("jobLabel").is_none());
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    assert_eq!(service["metadata"]["name"], prometheus["scrape_configs"][0]["job_name"]);
    assert_eq!(endpoint["interval"], prometheus["global"]["scrape_interval"]);
    assert_eq!(monitor["metadata"]["namespace"], service["metadata"]["namespace"]);
}

#[test]
fn the_autoscaler_scales_the_coordinators_and_nothing_else_sets_their_number() {
    for overlay in OVERLAYS.iter() {
        let [scaler] = overlay.of_kind("HorizontalPodAutoscaler")[..] else { panic!("one autoscaler") };
        let target = &scaler["spec"]["scaleTargetRef"];
        let workload = overlay.named(text(&target["kind"]), text(&target["name"]));
        assert_eq!(target["apiVersion"], workload["apiVersion"]);
        assert_eq!(stage(container(workload)).expect("it is ours").name(), "coordinator");
        assert!(workload["spec"].get("replicas").is_none());
        assert!(scaler["spec"]["minReplicas"].as_u64() >= Some(2));
        // A share of the request needs a request.
        assert!(container(workload)["resources"]["requests"]["cpu"].is_string());
    }
}
