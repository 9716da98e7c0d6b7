//! The workers: their ids, their sources, and their rollouts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use quorate_runtime::clock::Clock;
use quorate_runtime::source::{AnySource, SourceKind};
use serde_json::json;

use super::{config_map, container, of_stage, pod_labels, variable, variables};
use crate::files::{read, text};
use crate::kustomize::{OVERLAYS, trial};

#[test]
fn every_worker_finds_its_id_in_the_source_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for overlay in OVERLAYS.iter() {
        let mut ids = BTreeSet::new();
        for workload in of_stage(overlay, "worker") {
            let container = container(workload);
            let variables = variables(overlay, container);
            let id = variable(&variables, "QUORATE_ID");
            // The file is where the container has it: in a volume that is a map.
            let config = Path::new(variable(&variables, "QUORATE_CONFIG"));
            let [mount] = &container["volumeMounts"].as_array().expect("a list")[..] else { panic!("one mount") };
            assert_eq!(config.parent(), Some(Path::new(text(&mount["mountPath"]))));
            let [volume] = &workload["spec"]["template"]["spec"]["volumes"].as_array().expect("a list")[..] else {
                panic!("one volume")
            };
            assert_eq!(volume["name"], mount["name"]);
            let map = config_map(overlay, &volume["configMap"]["name"]);
            let name = config.file_name().and_then(|name| name.to_str()).expect("a name");
            let file = folder.path().join(name);
            fs::write(&file, text(&map[name])).expect("written");
            assert_eq!(variable(&variables, "QUORATE_SOURCE"), "http");
            let source = AnySource::from_config(&file, id, SourceKind::Http, Clock::new());
            let source = source.unwrap_or_else(|error| panic!("{}: {id} would exit: {error}", overlay.name));
            assert!(
                source.offer().expect("few queries").patterns().iter().any(|pattern| pattern.matches("BTC/USD")),
                "{}: {id}",
                overlay.name
            );
            assert_eq!(pod_labels(workload)["app.kubernetes.io/instance"], id);
            ids.insert(id);
        }
        assert_eq!(ids, ["bitstamp", "coinbase", "kraken"].into(), "{}", overlay.name);
    }
}

#[test]
fn the_source_files_are_the_examples() {
    assert_eq!(read("deploy/kubernetes/base/sources.toml"), read("examples/sources.toml"));
    let exchange = trial().named("Service", "quorate-exchange");
    let port = &exchange["spec"]["ports"][0]["port"];
    let example = read("examples/exchange.toml");
    let expected = example.replace("http://127.0.0.1:8090", &format!("http://quorate-exchange:{port}"));
    assert_ne!(expected, example);
    assert_eq!(read("deploy/kubernetes/overlays/trial/exchange.toml"), expected);
}

#[test]
fn a_rollout_never_leaves_an_id_without_a_process() {
    for overlay in OVERLAYS.iter() {
        for workload in of_stage(overlay, "worker") {
            let spec = &workload["spec"];
            assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 0}));
            assert!(spec["minReadySeconds"].as_u64() >= Some(2), "a worker has no probe");
            // Two processes answer the same task twice unless they share the tasks.
            assert_eq!(variable(&variables(overlay, container(workload)), "QUORATE_REPLICAS"), "true");
        }
    }
}
