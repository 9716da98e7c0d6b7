//! The manifests for Kubernetes, as each overlay makes them.

mod changes;
mod feeds;
mod monitoring;
mod network;
mod pods;
mod trial;
mod workers;

use serde_json::Value as Json;

use crate::dockerfile::Stage;
use crate::files::{fields, text};
use crate::kustomize::Overlay;

/// The one container of each pod.
fn container(workload: &Json) -> &Json {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().expect("a list");
    let [container] = &containers[..] else { panic!("one container a pod") };
    container
}

fn pod_labels(workload: &Json) -> &Json {
    &workload["spec"]["template"]["metadata"]["labels"]
}

/// The image of a container, if it is ours, from whatever registry.
fn stage(container: &Json) -> Option<Stage> {
    let image = text(&container["image"]);
    image.find("quorate/").map(|at| Stage::of_image(&image[at..]))
}

/// The workloads that run our images, with the stage that their image is built from.
fn ours(overlay: &Overlay) -> Vec<(&Json, Stage)> {
    let workloads = overlay.of_kind("Deployment").into_iter();
    let ours: Vec<_> = workloads.filter_map(|workload| Some((workload, stage(container(workload))?))).collect();
    assert!(ours.len() >= 4, "{}: a coordinator and three workers", overlay.name);
    ours
}

/// Our workloads of one stage.
fn of_stage<'a>(overlay: &'a Overlay, name: &str) -> Vec<&'a Json> {
    ours(overlay).into_iter().filter(|(_, stage)| stage.name() == name).map(|(workload, _)| workload).collect()
}

/// A map that something refers to.
fn config_map<'a>(overlay: &'a Overlay, name: &Json) -> &'a Json {
    &overlay.named("ConfigMap", text(name))["data"]
}

/// The variables of a container, and those of its maps.
fn variables<'a>(overlay: &'a Overlay, container: &'a Json) -> Vec<(&'a str, &'a str)> {
    let mut variables = Vec::new();
    for source in container["envFrom"].as_array().into_iter().flatten() {
        if let Some(map) = source.get("configMapRef") {
            variables.extend(fields(config_map(overlay, &map["name"])).map(|(name, value)| (name, text(value))));
        }
    }
    for variable in container["env"].as_array().into_iter().flatten() {
        variables.push((text(&variable["name"]), text(&variable["value"])));
    }
    variables
}

fn variable<'a>(variables: &[(&str, &'a str)], name: &str) -> &'a str {
    let found = variables.iter().find(|(variable, _)| *variable == name);
    found.unwrap_or_else(|| panic!("there is no {name}")).1
}

/// The container's port of this name.
fn port(container: &Json, name: &Json) -> u64 {
    let ports = container["ports"].as_array().into_iter().flatten();
    let port = ports.into_iter().find(|port| port["name"] == *name);
    port.and_then(|port| port["containerPort"].as_u64()).unwrap_or_else(|| panic!("no port is called {name}"))
}

/// Whether all labels of a selector are among those of a pod.
fn selects(selector: &Json, pod: &Json) -> bool {
    assert!(fields(selector).next().is_some(), "an empty selector selects everything");
    fields(selector).all(|(name, value)| pod[name] == *value)
}
