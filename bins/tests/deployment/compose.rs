//! The compose file.

use std::time::Duration;

use quorate_test_support::workspace;
use serde_json::{Value as Json, json};

use crate::dockerfile::Stage;
use crate::files::{fields, read, tested_nats, text, texts, yaml};
use crate::program::{check_taken, coordinator_port, longest_stop};

const COMPOSE: &str = "deploy/compose.yaml";

/// A service of the file.
struct Service<'a> {
    name: &'a str,
    body: &'a Json,
}

fn services(compose: &Json) -> Vec<Service<'_>> {
    let services: Vec<_> = fields(&compose["services"]).map(|(name, body)| Service { name, body }).collect();
    assert!(services.len() >= 8, "NATS, coordinator, three workers, demo, Prometheus, Grafana");
    services
}

impl Service<'_> {
    /// The stage of the Dockerfile that its image is built from, if the image is ours.
    fn stage(&self) -> Option<Stage> {
        let build = self.body.get("build")?;
        let folder = workspace("deploy").join(text(&build["context"]));
        assert!(folder.join(text(&build["dockerfile"])).is_file(), "{build}");
        let stage = Stage::of_image(text(&self.body["image"]));
        assert_eq!(build["target"], stage.name());
        Some(stage)
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        fields(&self.body["environment"]).map(|(name, value)| (name, text(value))).collect()
    }

    /// Whether other services can wait until it is healthy.
    fn has_health_check(&self) -> bool {
        self.body.get("healthcheck").is_some() || self.stage().is_some_and(|stage| stage.health_check().is_some())
    }

    /// The port on which other containers reach it.
    fn port(&self) -> u16 {
        if self.stage().is_some_and(|stage| stage.name() == "coordinator") {
            assert!(!self.variables().iter().any(|(name, _)| *name == "QUORATE_LISTEN"));
            return coordinator_port();
        }
        let entrypoint = texts(&self.body["entrypoint"]);
        let flag = entrypoint.iter().position(|word| *word == "--port").map(|at| entrypoint[at + 1]);
        let published = || texts(&self.body["ports"]).first().and_then(|ports| ports.rsplit(':').next());
        let port = flag.or_else(published).unwrap_or_else(|| panic!("{} does not listen on any port", self.name));
        port.parse().expect("a port")
    }
}

#[test]
fn every_program_takes_its_settings() {
    let compose = yaml(COMPOSE);
    let mut ours = Vec::new();
    for service in services(&compose) {
        let Some(stage) = service.stage() else { continue };
        check_taken(&stage.program(), &texts(&service.body["command"]), &service.variables());
        ours.push((service.name.to_owned(), stage.program()));
    }
    let workers = ours.iter().filter(|(_, program)| program == "worker").count();
    assert_eq!((ours.len(), workers), (5, 3), "{ours:?}");
}

#[test]
fn every_worker_has_an_id_of_its_own() {
    let compose = yaml(COMPOSE);
    for service in services(&compose).iter().filter(|service| service.name.starts_with("worker-")) {
        assert_eq!(service.body["environment"]["QUORATE_ID"], service.name);
    }
}

#[test]
fn every_address_is_that_of_a_service() {
    let compose = yaml(COMPOSE);
    let services = services(&compose);
    let mut addresses = Vec::new();
    for service in &services {
        let urls = service.variables().into_iter().filter(|(name, _)| name.ends_with("_URL"));
        addresses.extend(urls.map(|(_, url)| url.split_once("://").expect("a URL").1.to_owned()));
    }
    let prometheus = yaml("deploy/prometheus/prometheus.yml");
    for job in prometheus["scrape_configs"].as_array().expect("a list") {
        for group in job["static_configs"].as_array().expect("a list") {
            addresses.extend(texts(&group["targets"]).into_iter().map(str::to_owned));
        }
    }
    let sources = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    addresses.push(text(&sources["datasources"][0]["url"]).trim_start_matches("http://").to_owned());
    assert!(addresses.len() >= 7, "{addresses:?}");
    for address in addresses {
        let (host, port) = address.split_once(':').unwrap_or_else(|| panic!("{address} has no port"));
        let service = services.iter().find(|service| service.name == host);
        let service = service.unwrap_or_else(|| panic!("there is no service {host}"));
        assert_eq!(service.port().to_string(), port, "{address}");
    }
}

#[test]
fn every_program_that_uses_nats_has_its_address() {
    let compose = yaml(COMPOSE);
    for service in services(&compose) {
        let over_nats = service.stage().is_some_and(|stage| stage.name() != "quorate");
        assert_eq!(service.body["environment"]["NATS_URL"].is_string(), over_nats, "{}", service.name);
    }
}

#[test]
fn a_worker_and_a_follower_on_the_host_reach_nats_and_the_tools_the_coordinator() {
    let compose = yaml(COMPOSE);
    for (name, url, documents) in [
        ("nats", "nats://localhost:4222", ["README.md", "docs/tutorial.md", "examples/worker.py"]),
        ("coordinator", "localhost:8080", ["README.md", "docs/tutorial.md", "docs/operations.md"]),
    ] {
        for document in documents {
            assert!(read(document).contains(url), "{document} uses {url}");
        }
        let port = url.rsplit(':').next().expect("a port");
        let published = texts(&compose["services"][name]["ports"]);
        assert_eq!(published, [format!("127.0.0.1:{port}:{port}")], "{name}");
    }
}

#[test]
fn no_container_has_more_rights_than_it_needs() {
    let compose = yaml(COMPOSE);
    for Service { name, body } in services(&compose) {
        assert_eq!(body["read_only"], true, "{name}");
        assert_eq!(body["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(body["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(body["mem_limit"].is_string() && body["pids_limit"].is_u64(), "{name}");
        for gained in ["privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"] {
            assert!(body.get(gained).is_none(), "{name} has {gained}");
        }
        for port in texts(&body["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is published on {port}");
        }
        assert_ne!(body["user"], "root", "{name}");
        assert_ne!(body["user"].as_str().and_then(|user| user.split(':').next()), Some("0"), "{name}");
    }
}

#[test]
fn other_images_are_pinned_and_nats_is_the_one_of_the_tests() {
    let compose = yaml(COMPOSE);
    for service in services(&compose).iter().filter(|service| service.body.get("build").is_none()) {
        let image = text(&service.body["image"]);
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} is not pinned"));
        assert!(tag.trim_start_matches('v').split('.').count() == 3, "{image} is not pinned to a version");
    }
    assert_eq!(compose["services"]["nats"]["image"], format!("nats:{}-alpine", tested_nats()));
}

#[test]
fn mounted_files_exist_and_are_where_they_are_read() {
    let compose = yaml(COMPOSE);
    let mounts = |name: &str| -> Vec<(String, String)> {
        let mounts = texts(&compose["services"][name]["volumes"]).into_iter();
        mounts
            .map(|mount| mount.split_once(':').expect("a source"))
            .map(|(from, to)| (from.into(), to.into()))
            .collect()
    };
    for service in services(&compose) {
        for (from, to) in mounts(service.name) {
            if from.starts_with('.') {
                assert!(workspace("deploy").join(&from).exists(), "{from}");
                assert!(to.ends_with(":ro"), "{from} can be written to");
            } else {
                assert!(compose["volumes"].get(&from).is_some(), "{from} is not a volume");
            }
        }
    }
    let config = texts(&compose["services"]["prometheus"]["command"])[0];
    let folder = config.strip_prefix("--config.file=").and_then(|file| file.strip_suffix("/prometheus.yml"));
    let read_only = |folder: &str| format!("{folder}:ro");
    let expected = ("./prometheus".to_owned(), read_only(folder.expect("it is named first")));
    assert!(mounts("prometheus").contains(&expected));
    let provider = yaml("deploy/grafana/provisioning/dashboards/quorate.yml");
    let dashboards = text(&provider["providers"][0]["options"]["path"]);
    assert!(mounts("grafana").contains(&("./grafana/dashboards".to_owned(), read_only(dashboards))));
    let home = &compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
    let home = text(home).strip_prefix(dashboards).expect("it is one of them");
    assert!(workspace("deploy/grafana/dashboards").join(home.trim_start_matches('/')).is_file(), "{home}");
}

#[test]
fn services_wait_for_health_only_where_there_is_a_health_check() {
    let compose = yaml(COMPOSE);
    let services = services(&compose);
    let mut awaited = 0;
    for service in &services {
        for (name, dependency) in fields(&service.body["depends_on"]) {
            let other = services.iter().find(|other| other.name == name);
            let other = other.unwrap_or_else(|| panic!("there is no service {name}"));
            let healthy = dependency["condition"] == "service_healthy";
            assert_eq!(healthy, other.has_health_check(), "{} waits for {name}", service.name);
            awaited += usize::from(healthy);
        }
    }
    assert!(awaited >= 6, "{awaited}");
}

#[test]
fn a_stop_is_given_the_time_it_takes() {
    let compose = yaml(COMPOSE);
    for service in services(&compose) {
        if service.stage().is_some_and(|stage| stage.name() != "quorate") {
            let given = text(&service.body["stop_grace_period"]).strip_suffix('s').and_then(|s| s.parse().ok());
            assert!(given.map(Duration::from_secs) >= Some(longest_stop()), "{}", service.name);
        }
    }
}
