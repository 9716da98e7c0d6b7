//! The manifests for Kubernetes.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::dockerfile::Stage;
use crate::files::{documents, fields, tested_nats, text, texts};
use crate::program::{check_taken, coordinator_port, longest_stop};
use crate::routes::Coordinator;

const QUORATE: &str = "deploy/kubernetes/quorate.yaml";
const NATS: &str = "deploy/kubernetes/nats.yaml";

/// All objects of both files.
fn objects() -> Vec<Json> {
    [documents(QUORATE), documents(NATS)].concat()
}

/// The objects of a kind.
fn of_kind(kind: &str) -> Vec<Json> {
    objects().into_iter().filter(|object| object["kind"] == kind).collect()
}

/// The objects that run pods.
fn workloads() -> Vec<Json> {
    let workloads = [of_kind("Deployment"), of_kind("StatefulSet")].concat();
    assert_eq!(workloads.len(), 3, "NATS, coordinator, workers");
    workloads
}

/// The one container of each pod.
fn container(workload: &Json) -> &Json {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().expect("a list");
    let [container] = &containers[..] else { panic!("one container a pod") };
    container
}

/// The image of a container, if it is ours.
fn stage(container: &Json) -> Option<Stage> {
    let image = text(&container["image"]);
    image.starts_with("quorate/").then(|| Stage::of_image(image))
}

/// Our workloads, with the stage that their image is built from.
fn ours() -> Vec<(Json, Stage)> {
    let ours: Vec<_> =
        workloads().into_iter().filter_map(|workload| Some((stage(container(&workload))?, workload))).collect();
    assert_eq!(ours.len(), 2);
    ours.into_iter().map(|(stage, workload)| (workload, stage)).collect()
}

#[test]
fn every_program_takes_its_settings() {
    let maps = of_kind("ConfigMap");
    for (workload, stage) in ours() {
        let container = container(&workload);
        let mut variables = Vec::new();
        for source in container["envFrom"].as_array().expect("a list") {
            let named = maps.iter().find(|map| map["metadata"]["name"] == source["configMapRef"]["name"]);
            let map = named.unwrap_or_else(|| panic!("there is no such map: {source}"));
            variables.extend(fields(&map["data"]).map(|(name, value)| (name, text(value))));
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            // The name of a pod is known only once it runs.
            let value = variable["value"].as_str().unwrap_or("quorate-worker-0");
            variables.push((text(&variable["name"]), value));
        }
        assert!(variables.iter().any(|(name, _)| *name == "NATS_URL"), "{variables:?}");
        check_taken(&stage.program(), &texts(&container["args"]), &variables);
        assert!(container.get("command").is_none(), "the image knows its program");
    }
}

#[test]
fn a_worker_is_named_after_its_pod_and_no_two_pods_share_a_name() {
    let [workers] = &of_kind("StatefulSet")[..] else { panic!("workers are one") };
    let id = json!([{"name": "QUORATE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    assert_eq!(container(workers)["env"], id);
}

#[test]
fn images_are_of_this_version_and_nats_is_the_one_of_the_tests() {
    for (workload, stage) in ours() {
        let image = format!("quorate/{}:{}", stage.name(), env!("CARGO_PKG_VERSION"));
        assert_eq!(container(&workload)["image"], image);
    }
    let nats = of_kind("Deployment").into_iter().find(|workload| workload["metadata"]["name"] == "nats");
    assert_eq!(container(&nats.expect("there is one"))["image"], format!("nats:{}-alpine", tested_nats()));
}

/// The container's port of this name.
fn port(container: &Json, name: &Json) -> u64 {
    let ports = container["ports"].as_array().into_iter().flatten();
    let port = ports.into_iter().find(|port| port["name"] == *name);
    port.and_then(|port| port["containerPort"].as_u64()).unwrap_or_else(|| panic!("no port is called {name}"))
}

#[test]
fn probed_and_scraped_paths_are_routes_of_the_coordinator() {
    let coordinator = Coordinator::start();
    for (workload, stage) in ours() {
        let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
        let container = container(&workload);
        if stage.name() == "worker" {
            // It listens on no port.
            assert!(probes.iter().chain(&["ports"]).all(|field| container.get(*field).is_none()));
            continue;
        }
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

/// Whether all labels of a selector are among those of a pod.
fn selects(selector: &Json, pod: &Json) -> bool {
    assert!(fields(selector).next().is_some(), "an empty selector selects everything");
    fields(selector).all(|(name, value)| pod[name] == *value)
}

#[test]
fn every_selector_selects_the_pods_it_is_for() {
    let workloads = workloads();
    let labels = |workload: &Json| workload["spec"]["template"]["metadata"]["labels"].clone();
    let mut selectors = Vec::new();
    for workload in &workloads {
        let selector = &workload["spec"]["selector"]["matchLabels"];
        assert!(selects(selector, &labels(workload)), "{selector}");
        selectors.push(selector.clone());
        for spread in workload["spec"]["template"]["spec"]["topologySpreadConstraints"].as_array().into_iter().flatten()
        {
            selectors.push(spread["labelSelector"]["matchLabels"].clone());
        }
    }
    for (kind, place) in [
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        let objects = of_kind(kind);
        assert!(!objects.is_empty(), "{kind}");
        selectors.extend(objects.iter().map(|object| object.pointer(place).expect("it selects").clone()));
    }
    for selector in selectors {
        let chosen = workloads.iter().filter(|workload| selects(&selector, &labels(workload))).count();
        assert_eq!(chosen, 1, "{selector}");
    }
    for service in of_kind("Service") {
        let workload = workloads.iter().find(|workload| selects(&service["spec"]["selector"], &labels(workload)));
        let container = container(workload.expect("it selects one"));
        for listed in service["spec"]["ports"].as_array().expect("a list") {
            assert_eq!(listed["port"], port(container, &listed["targetPort"]), "{listed}");
        }
    }
}

#[test]
fn nats_is_where_the_programs_look_for_it() {
    let [config] = &of_kind("ConfigMap")[..] else { panic!("one map") };
    let service = of_kind("Service").into_iter().find(|service| service["metadata"]["name"] == "nats");
    let port = &service.expect("there is one")["spec"]["ports"][0]["port"];
    assert_eq!(config["data"]["NATS_URL"], format!("nats://nats:{port}"));
}

#[test]
fn no_container_has_more_rights_than_it_needs() {
    for workload in workloads() {
        let pod = &workload["spec"]["template"]["spec"];
        let container = container(&workload);
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
}

#[test]
fn a_stop_is_given_the_time_it_takes() {
    for (workload, stage) in ours() {
        let pause = &container(&workload)["lifecycle"]["preStop"]["sleep"]["seconds"];
        let pause = Duration::from_secs(pause.as_u64().unwrap_or(0));
        let given = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
        assert!(given.map(Duration::from_secs) >= Some(pause + longest_stop()), "{}", stage.name());
    }
}
