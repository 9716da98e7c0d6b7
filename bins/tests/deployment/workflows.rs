//! The workflows of GitHub Actions.

use std::collections::BTreeSet;

use quorate_test_support::workspace;
use serde_json::Value as Json;

use crate::dockerfile::{Stage, compiler};
use crate::files::{fields, listed, read, text, yaml};

/// Each workflow, by its file.
fn workflows() -> Vec<(String, Json)> {
    let files = listed(".github/workflows");
    assert_eq!(files, ["ci.yml", "images.yml", "nightly.yml"]);
    files.into_iter().map(|file| (file.clone(), yaml(&format!(".github/workflows/{file}")))).collect()
}

/// All steps of a workflow.
fn steps(workflow: &Json) -> Vec<&Json> {
    fields(&workflow["jobs"]).flat_map(|(_, job)| job["steps"].as_array().expect("a list")).collect()
}

/// The lines that its steps run.
fn lines(workflow: &Json) -> Vec<&str> {
    steps(workflow).into_iter().filter_map(|step| step["run"].as_str()).flat_map(str::lines).collect()
}

#[test]
fn a_change_goes_through_what_ci_runs_elsewhere_with_the_compiler_of_the_images() {
    let ci = yaml(".github/workflows/ci.yml");
    let version = compiler();
    let install = format!("rustup toolchain install {version} --profile minimal --component clippy,rustfmt");
    assert_eq!(lines(&ci), [format!("{install} && rustup default {version}").as_str(), ".ci/run"]);
    assert!(workspace(".ci/run").is_file());
    assert!(ci["on"].get("pull_request").is_some() && ci["on"].get("push").is_some());
}

#[test]
fn what_make_is_asked_for_is_in_the_makefile() {
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
    assert_eq!(made, BTreeSet::from(["fuzz".to_owned(), "sim".to_owned()]));
}

#[test]
fn what_is_kept_is_where_it_is_written() {
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
    let built: Vec<_> = lines(&images).into_iter().filter(|line| line.starts_with("docker build ")).collect();
    let expected = Stage::images().into_iter().map(|stage| {
        let name = stage.name();
        format!("docker build --file deploy/Dockerfile --target {name} --tag quorate/{name} .")
    });
    assert_eq!(built, expected.collect::<Vec<_>>());
    let compose = yaml(file);
    for (name, _) in lines(&images).iter().filter_map(|line| line.split_once("--no-TTY ")?.1.split_once(' ')) {
        assert!(compose["services"].get(name).is_some(), "compose has no {name}");
    }
}

#[test]
fn every_job_ends_and_fails_where_a_part_of_a_pipe_does() {
    for (file, workflow) in workflows() {
        assert_eq!(workflow["defaults"]["run"]["shell"], "bash", "{file}: only so there is pipefail");
        for (name, job) in fields(&workflow["jobs"]) {
            assert!(job["timeout-minutes"].is_u64(), "{file}: {name}");
        }
    }
}
