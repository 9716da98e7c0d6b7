//! The workflows of GitHub Actions.

use std::collections::BTreeSet;

use quorate_test_support::workspace;
use serde_json::Value as Json;

use crate::dockerfile::{Stage, compiler};
use crate::files::{fields, listed, read, text, yaml};

/// Each workflow, with the name of its file.
fn workflows() -> Vec<(String, Json)> {
    let files = listed(".github/workflows");
    assert_eq!(files, ["ci.yml", "images.yml", "nightly.yml", "release.yml"]);
    files.into_iter().map(|file| (file.clone(), yaml(&format!(".github/workflows/{file}")))).collect()
}

/// The lines that the steps of a job run.
fn lines_of(job: &Json) -> Vec<&str> {
    let steps = job["steps"].as_array().expect("a list").iter();
    steps.filter_map(|step| step["run"].as_str()).flat_map(str::lines).collect()
}

/// All steps of a workflow.
fn steps(workflow: &Json) -> Vec<&Json> {
    fields(&workflow["jobs"]).flat_map(|(_, job)| job["steps"].as_array().expect("a list")).collect()
}

/// The lines that its steps run.
fn lines(workflow: &Json) -> Vec<&str> {
    fields(&workflow["jobs"]).flat_map(|(_, job)| lines_of(job)).collect()
}

/// The targets that `.ci/run` makes.
fn made_elsewhere() -> BTreeSet<String> {
    let run = read(".ci/run");
    let list = run.lines().find_map(|line| line.strip_prefix("for step in ")?.strip_suffix("; do"));
    list.expect("it goes through its steps").split(' ').map(str::to_owned).collect()
}

#[test]
fn a_change_goes_through_what_ci_runs_elsewhere_and_the_oldest_compiler() {
    let ci = yaml(".github/workflows/ci.yml");
    let mut made = BTreeSet::new();
    for (job, fields) in fields(&ci["jobs"]) {
        let lines = lines_of(fields);
        let targets: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("make ")).collect();
        let [target] = targets[..] else { panic!("{job} makes {targets:?}") };
        made.insert(target.to_owned());
    }
    // GitHub has a network, so no check of the dependencies may be skipped.
    let mut expected: BTreeSet<_> = made_elsewhere();
    assert!(expected.remove("deny"), "{expected:?}");
    expected.extend(["deny ALL=1", "msrv"].map(str::to_owned));
    assert_eq!(made, expected);
    assert!(ci["on"].get("pull_request").is_some() && ci["on"].get("push").is_some());
}

#[test]
fn changes_are_built_with_the_compiler_of_the_images() {
    let ci = yaml(".github/workflows/ci.yml");
    let version = compiler();
    let install = format!("rustup toolchain install {version} --profile minimal --component clippy,rustfmt");
    let install = format!("{install} && rustup default {version}");
    for (job, fields) in fields(&ci["jobs"]) {
        // One has its own compiler, and the other one builds nothing.
        if !["msrv", "deny"].contains(&job) {
            assert_eq!(lines_of(fields)[0], install, "{job}");
        }
    }
}

#[test]
fn the_oldest_compiler_is_that_of_the_manifests() {
    let makefile = read("Makefile");
    assert!(makefile.contains(r#"sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml"#));
    let manifest = read("Cargo.toml");
    let versions: Vec<_> = manifest.lines().filter(|line| line.starts_with("rust-version = ")).collect();
    assert_eq!(versions, [concat!("rust-version = \"", env!("CARGO_PKG_RUST_VERSION"), "\"")]);
    for document in ["README.md", "CONTRIBUTING.md"] {
        let version = concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later");
        assert!(read(document).contains(version), "{document}");
    }
}

#[test]
fn the_makefile_has_the_targets_and_settings_that_workflows_use() {
    let makefile = read("Makefile");
    let mut made = BTreeSet::new();
    for (file, workflow) in workflows() {
        for line in lines(&workflow) {
            let Some(arguments) = line.trim().strip_prefix("make ") else { continue };
            let words = arguments.split(' ').take_while(|word| !["2>&1", "|"].contains(word));
            let (settings, targets): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
            for target in targets {
                assert!(makefile.lines().any(|rule| rule.starts_with(&format!("{target}:"))), "{file}: {line}");
                made.insert(target.to_owned());
            }
            for setting in settings.iter().filter_map(|word| word.split_once('=')).map(|(name, _)| name) {
                assert!(makefile.contains(&format!("$({setting})")), "{file}: make reads no {setting}");
            }
        }
    }
    let expected = ["deny", "fuzz", "images", "lint", "msrv", "sim", "sim-short", "test"];
    assert_eq!(made, expected.map(str::to_owned).into());
}

#[test]
fn kept_files_are_where_they_are_written() {
    let written = [
        ("target/dashboard", "bins/tests/processes/chromium.rs"),
        ("target/fuzz-artifacts", "scripts/fuzz.sh"),
        ("target/sim", "sim/src/cli/sweep.rs"),
    ];
    let mut kept = BTreeSet::new();
    for (_, workflow) in workflows() {
        for step in steps(&workflow) {
            if step["uses"].as_str().is_some_and(|action| action.starts_with("actions/upload-artifact@")) {
                kept.insert(text(&step["with"]["path"]).to_owned());
            }
        }
    }
    assert_eq!(kept, written.iter().map(|(path, _)| (*path).to_owned()).collect());
    for (path, file) in written {
        assert!(read(file).contains(path), "{file} does not write to {path}");
    }
}

#[test]
fn every_image_is_built_under_the_name_that_compose_runs() {
    let images = yaml(".github/workflows/images.yml");
    let file = text(&images["jobs"]["images"]["env"]["COMPOSE_FILE"]);
    assert!(workspace(file).is_file(), "{file}");
    assert!(lines(&images).contains(&"make images"));
    assert!(read("Makefile").contains("\nimages:\n\tscripts/images.py\n"));
    let script = read("scripts/images.py");
    let targets: Vec<_> = Stage::images().iter().map(|stage| format!("\"{}\"", stage.name())).collect();
    assert!(script.contains(&format!("\nTARGETS = [{}]\n", targets.join(", "))));
    assert!(script.contains("return f\"quorate/{target}:{VERSION}\""));
    let compose = yaml(file);
    for stage in Stage::images() {
        let image = format!("quorate/{}:{}", stage.name(), env!("CARGO_PKG_VERSION"));
        assert!(fields(&compose["services"]).any(|(_, service)| service["image"] == image), "compose runs no {image}");
        for document in ["deploy/Dockerfile", "docs/operations.md"] {
            let text = read(document);
            let words = text.split([' ', '=', '\n']).filter(|word| word.split(':').next() == image.split(':').next());
            for word in words {
                assert_eq!(word, image, "{document} names the tag of the build");
            }
        }
    }
    for (name, _) in lines(&images).iter().filter_map(|line| line.split_once("--no-TTY ")?.1.split_once(' ')) {
        assert!(compose["services"].get(name).is_some(), "compose has no {name}");
    }
}

#[test]
fn every_job_has_a_time_limit_and_fails_if_a_part_of_a_pipe_does() {
    for (file, workflow) in workflows() {
        assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "{file}: only an explicit bash has pipefail");
        for (name, job) in fields(&workflow["jobs"]) {
            assert!(job["timeout-minutes"].is_u64(), "{file}: {name}");
        }
    }
}
