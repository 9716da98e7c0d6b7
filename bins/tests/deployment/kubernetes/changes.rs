//! The settings, secrets and images that an overlay changes.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use super::{container, ours};
use crate::files::{fields, read, tested_nats, text};
use crate::kustomize::{OVERLAYS, build, production, trial};

/// The names of the maps and secrets of an overlay, and the templates of its pods.
fn generated(objects: &[Json]) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |kinds: &[&str], place: &str| {
        let objects = objects.iter().filter(|object| kinds.contains(&text(&object["kind"])));
        objects.map(|object| object.pointer(place).expect("it is there").to_string()).collect()
    };
    (of(&["ConfigMap", "Secret"], "/metadata/name"), of(&["Deployment"], "/spec/template"))
}

#[test]
fn a_change_of_a_setting_starts_new_pods() {
    for (overlay, file, pods) in [
        ("trial", "base/settings.env", 4),
        ("trial", "overlays/trial/exchange.toml", 3),
        ("production", "base/sources.toml", 3),
        ("production", "overlays/production/secret.env", 4),
    ] {
        let before = generated(&build(overlay, |_| {}));
        let after = generated(&build(overlay, |folder| {
            let file = folder.join(file);
            let comment = fs::read_to_string(&file).expect("it can be read") + "QUORATE_LOG=debug\n";
            fs::write(&file, comment).expect("written");
        }));
        assert_eq!(after.0.difference(&before.0).count(), 1, "{overlay}: {file}");
        assert_eq!(after.1.difference(&before.1).count(), pods, "{overlay}: {file}");
    }
}

#[test]
fn a_password_is_in_a_secret_and_nowhere_else() {
    for (workload, stage) in ours(production()) {
        let sources = container(workload)["envFrom"].as_array().expect("a list");
        let [map, secret] = &sources[..] else { panic!("a map, and then a secret, which takes precedence") };
        assert!(map.get("configMapRef").is_some() && stage.name() != "quorate");
        let secret = production().named("Secret", text(&secret["secretRef"]["name"]));
        let names: Vec<_> = fields(&secret["data"]).map(|(name, _)| name).collect();
        assert_eq!(names, ["NATS_URL"]);
    }
    let example = read("deploy/kubernetes/overlays/production/secret.example.env");
    assert!(example.contains("CHANGE-ME"), "{example}");
    let ignored = read("deploy/kubernetes/.gitignore");
    assert!(ignored.lines().any(|line| line == "secret.env"));
}

#[test]
fn images_are_of_this_version_and_nats_is_the_one_of_the_tests() {
    for (overlay, registry) in OVERLAYS.iter().zip(["", "registry.example.org/"]) {
        for (workload, stage) in ours(overlay) {
            let image = format!("{registry}quorate/{}:{}", stage.name(), env!("CARGO_PKG_VERSION"));
            assert_eq!(container(workload)["image"], image);
        }
    }
    assert_eq!(container(trial().named("Deployment", "nats"))["image"], format!("nats:{}-alpine", tested_nats()));
}
