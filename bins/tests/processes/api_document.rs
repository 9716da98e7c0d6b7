//! The API against the document that it serves: schemathesis generates valid and invalid requests from it, and checks
//! every answer against it.

use std::time::Duration;

use quorate_test_support::workspace;

use crate::packages::Package;
use crate::support::{Cluster, Program, QUICK};

const SCHEMATHESIS: Package = Package {
    name: "schemathesis",
    version: "4.32.5",
    dependencies: true,
    purpose: "to make up requests from the API's document",
};

/// How long it may take: several times as long as on two cores.
const PATIENCE: Duration = Duration::from_mins(3);

#[tokio::test]
async fn every_answer_is_what_the_document_describes_whatever_is_asked() {
    let cluster = Cluster::start(3, &[], &QUICK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (home, packages) = (folder.path().display().to_string(), SCHEMATHESIS.folder().display().to_string());
    let file = |name: &str| workspace(&format!("bins/tests/processes/schemathesis/{name}")).display().to_string();
    let (config, document) = (file("schemathesis.toml"), format!("{}/openapi.json", cluster.api.url));
    let arguments = ["-m", "schemathesis.cli", "--config-file", &config, "run", &document];
    // What it remembers between runs would be kept in its home directory.
    let variables =
        [("HOME", &*home), ("PYTHONPATH", &packages), ("SCHEMATHESIS_HOOKS", &file("hooks.py")), ("LANG", "C.UTF-8")];
    let ended = Program::start_in("python3", &arguments, &variables).ended_within(PATIENCE).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
