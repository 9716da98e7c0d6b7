//! Replays what the fuzzers start with and what they have found, on every change and without a fuzzer.

use std::fs;

use quorate_test_support::fuzz::TARGETS;
use quorate_test_support::workspace;

#[test]
fn every_target_accepts_its_corpus() {
    for (name, target) in TARGETS {
        let mut played = 0;
        for directory in ["corpus", "regressions"] {
            let directory = workspace("fuzz").join(directory).join(name);
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            let mut files: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
            files.sort();
            for file in files {
                println!("{}", file.display());
                target(&fs::read(&file).expect("a readable file"));
                played += 1;
            }
        }
        assert!(played >= 5, "{name} has {played} files");
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let manifest = fs::read_to_string(workspace("fuzz/Cargo.toml")).expect("the fuzzers' manifest");
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let fuzzer = fs::read_to_string(workspace(&format!("fuzz/fuzz_targets/{name}.rs"))).expect("a fuzzer");
        assert!(fuzzer.contains(&format!("quorate_test_support::fuzz::{name}(data)")), "{name}");
    }
}
