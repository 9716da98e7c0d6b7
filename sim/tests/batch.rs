//! A bounded batch of seeds at each depth, the scenarios of fixed bugs, and the same run in two processes.
//!
//! `make sim` plays many more seeds. The seeds here are fixed, so that a failure is due to the change under test.

use std::path::Path;
use std::process::Command;

/// Runs the program, which must succeed. If it does not, its output says which seed failed and how to replay it.
fn well(line: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate-sim"))
        .args(line.split(' '))
        .output()
        .expect("the program is built before its tests");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "quorate-sim {line}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn clusters_over_the_network_keep_every_invariant_and_reach_everything() {
    well("sweep --depth network --seeds 0..300 --require-coverage --shrink-seconds 0");
}

#[test]
fn machines_keep_every_invariant_and_reach_everything() {
    well("sweep --depth machines --seeds 0..10000 --require-coverage --shrink-seconds 0");
}

#[test]
fn feeds_and_durable_requests_over_a_store_keep_every_invariant_and_reach_everything() {
    well("sweep --depth store --seeds 0..300 --require-coverage --shrink-seconds 0");
}

#[test]
fn a_seed_is_the_same_run_in_another_process() {
    well("verify --depth network --seed 1 --random 4");
    well("verify --depth machines --seed 1 --random 10");
    well("verify --depth store --seed 1 --random 10");
}

#[test]
fn fixed_bugs_stay_fixed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .expect("the regressions are there")
        .map(|entry| entry.expect("a directory that can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        for depth in ["network", "machines", "store"] {
            well(&format!("run --depth {depth} --scenario {}", file.display()));
        }
    }
}
