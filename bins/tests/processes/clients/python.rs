//! The client in Python.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use quorate_test_support::workspace;
use tempfile::TempDir;

use super::Suite;
use crate::packages::{pip_install, requirements};

/// The client as pip installs it from its wheel.
struct Installed {
    site: TempDir,
    packages: PathBuf,
}

impl Installed {
    async fn new() -> Self {
        let packages = requirements(&workspace("clients/python/tests/requirements.txt"), "to test clients/python");
        let site = tempfile::tempdir().expect("a folder");
        let wheels = tempfile::tempdir().expect("a folder");
        let client = workspace("clients/python");
        let pip = ["-m", "pip", "--quiet", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"];
        let arguments = pip.map(OsString::from).into_iter().chain([wheels.path().into(), client.into()]);
        Suite::of("python3", arguments).with("PYTHONPATH", &packages).passes().await;
        let wheel = fs::read_dir(wheels.path()).expect("it can be read").next().expect("there is a wheel");
        let wheel = wheel.expect("it can be read").path().display().to_string();
        pip_install(site.path(), &["--no-deps", &wheel]).unwrap_or_else(|why| panic!("{wheel}: {why}"));
        Self { site, packages }
    }

    /// Runs a module of Python in the folder of the client.
    fn run(&self, arguments: &[&str]) -> Suite {
        let path = std::env::join_paths([self.site.path(), &self.packages]).expect("no folder has a colon");
        let suite = Suite::of("python3", ["-m"].iter().chain(arguments)).within(&workspace("clients/python"));
        suite.with("PYTHONPATH", path).with("PYTHONDONTWRITEBYTECODE", "1").with_programs()
    }
}

#[tokio::test]
async fn the_client_in_python_passes_its_tests() {
    let installed = Installed::new().await;
    let written = installed.run(&["pytest", "--quiet", "-p", "no:cacheprovider", "tests"]).passes().await;
    assert!(written.contains(" passed") && !written.contains("skipped"), "{written}");
}

#[tokio::test]
async fn the_client_in_python_is_typed_and_in_style() {
    let installed = Installed::new().await;
    // Without the option, mypy would read the sources beside the tests.
    let cache = installed.site.path().join("cache").display().to_string();
    installed.run(&["mypy", "--cache-dir", &cache, "tests"]).passes().await;
    installed.run(&["mypy", "--cache-dir", &cache, "src"]).passes().await;
    installed.run(&["ruff", "check", "--no-cache", "."]).passes().await;
    installed.run(&["ruff", "format", "--no-cache", "--check", "."]).passes().await;
}
