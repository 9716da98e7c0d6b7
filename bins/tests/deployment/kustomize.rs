//! The objects that an overlay for Kubernetes makes, as `kubectl kustomize` builds them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use quorate_test_support::workspace;
use serde_json::Value as Json;

/// The folder of the manifests.
const MANIFESTS: &str = "deploy/kubernetes";

/// An overlay and its objects.
pub(crate) struct Overlay {
    pub(crate) name: &'static str,
    objects: Vec<Json>,
}

/// All overlays, built once.
pub(crate) static OVERLAYS: LazyLock<[Overlay; 2]> =
    LazyLock::new(|| ["trial", "production"].map(|name| Overlay { name, objects: build(name, |_| {}) }));

/// The overlay to try things with, which has everything that the programs need.
pub(crate) fn trial() -> &'static Overlay {
    &OVERLAYS[0]
}

/// The overlay that is to be changed for a cluster.
pub(crate) fn production() -> &'static Overlay {
    &OVERLAYS[1]
}

impl Overlay {
    /// An overlay, from a copy that `change` has changed.
    pub(crate) fn changed(name: &'static str, change: impl FnOnce(&Path)) -> Self {
        Self { name, objects: build(name, change) }
    }

    /// The objects of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Json> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only object of a kind with this name.
    pub(crate) fn named(&self, kind: &str, name: &str) -> &Json {
        let found: Vec<_> =
            self.of_kind(kind).into_iter().filter(|object| object["metadata"]["name"] == name).collect();
        let [object] = found[..] else { panic!("{}: {} objects {kind}/{name}", self.name, found.len()) };
        object
    }
}

/// Builds an overlay, from a copy that `change` may have changed.
pub(crate) fn build(overlay: &str, change: impl FnOnce(&Path)) -> Vec<Json> {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&workspace(MANIFESTS), folder.path());
    let production = folder.path().join("overlays/production");
    // What a reader does first.
    fs::copy(production.join("secret.example.env"), production.join("secret.env")).expect("there is an example");
    change(folder.path());
    let mut kubectl = Command::new(KUBECTL.as_str());
    kubectl.arg("kustomize").arg(folder.path().join("overlays").join(overlay));
    let output = kubectl.output().expect("kubectl runs");
    assert!(output.status.success(), "{overlay}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("YAML is text");
    let objects: Vec<Json> = serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{overlay}: {error}"));
    assert!(objects.len() > 10, "{overlay}: {text}");
    objects
}

static KUBECTL: LazyLock<String> = LazyLock::new(|| {
    let found = Command::new(workspace("scripts/kubectl.sh")).stderr(Stdio::inherit()).output().expect("bash");
    assert!(found.status.success(), "scripts/kubectl.sh has printed what to do");
    String::from_utf8(found.stdout).expect("a path").trim().to_owned()
});

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("it can be read") {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).expect("it can be read");
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("it can be copied");
        }
    }
}
