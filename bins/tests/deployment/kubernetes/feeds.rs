//! The component with feeds and the store, in every overlay that names it.

use std::fs;
use std::path::Path;

use super::{container, of_stage, variable, variables};
use crate::feeds::check_feed_file;
use crate::files::{read, text};
use crate::kustomize::{Overlay, trial};
use crate::program::check_taken;

#[test]
fn an_overlay_that_names_the_component_gives_coordinators_the_feed_file_and_the_store() {
    for name in ["trial", "production"] {
        let overlay = Overlay::changed(name, |folder| {
            let file = folder.join("overlays").join(name).join("kustomization.yaml");
            let without = fs::read_to_string(&file).expect("it can be read");
            let with = without.replace("# components:", "components:");
            assert_ne!(with, without, "the line is there");
            fs::write(&file, with).expect("written");
        });
        let [workload] = of_stage(&overlay, "coordinator")[..] else { panic!("one coordinator") };
        let container = container(workload);
        let variables = variables(&overlay, container);
        check_taken("coordinator", &[], &variables);
        assert_eq!(variable(&variables, "QUORATE_STORE"), "jetstream");
        let path = Path::new(variable(&variables, "QUORATE_FEEDS"));
        assert_eq!(path.parent(), Some(Path::new(text(&container["volumeMounts"][0]["mountPath"]))));
        let volume = &workload["spec"]["template"]["spec"]["volumes"][0];
        assert_eq!(volume["name"], container["volumeMounts"][0]["name"]);
        let map = overlay.named("ConfigMap", text(&volume["configMap"]["name"]));
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        check_feed_file(text(&map["data"][name]));
    }
}

#[test]
fn the_feed_file_of_the_component_is_the_one_of_the_other_deployments() {
    assert_eq!(read("deploy/kubernetes/components/feeds/feeds.toml"), read("deploy/feeds.toml"));
}

#[test]
fn the_nats_server_of_the_trial_has_a_place_for_its_streams() {
    let nats = trial().named("Deployment", "nats");
    let container = container(nats);
    let command: Vec<_> = container["command"].as_array().expect("a list").iter().map(text).collect();
    let folder = command.iter().position(|word| *word == "--store_dir").map(|at| command[at + 1]);
    assert!(command.contains(&"--jetstream"));
    assert_eq!(folder, Some(text(&container["volumeMounts"][0]["mountPath"])));
}
