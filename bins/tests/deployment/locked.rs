//! The Makefile, the scripts, the workflows and the images build with the versions of `Cargo.lock`.

use crate::files::{listed, read};

/// The subcommands of cargo that would change a lock file that does not fit the manifests.
const RESOLVES: [&str; 10] =
    ["bench", "build", "check", "clippy", "doc", "fetch", "install", "metadata", "run", "test"];

/// The subcommand with which a line runs cargo, if it is one of these. In Python a command is a list of strings.
fn resolves(line: &str) -> Option<&'static str> {
    let line = line.replace("\", \"", " ").replace('"', " ");
    let (_, rest) = line.split_once("cargo ").filter(|(before, _)| !before.ends_with(['`', '-', '_']))?;
    let mut words = rest.split_whitespace().filter(|word| !word.starts_with('+'));
    let word = words.next()?;
    RESOLVES.into_iter().find(|subcommand| *subcommand == word)
}

#[test]
fn a_line_that_runs_cargo_is_told_from_one_that_names_it() {
    for (line, expected) in [
        ("\tcargo test --workspace", Some("test")),
        ("  cargo +nightly fetch --quiet", Some("fetch")),
        ("command = [\"cargo\", \"build\", *more]", Some("build")),
        ("cargo fmt --all --check", None),
        ("that `cargo test` chooses", None),
        ("have cargo-deny", None),
    ] {
        assert_eq!(resolves(line), expected, "{line}");
    }
}

#[test]
fn every_build_takes_the_versions_that_are_locked() {
    let mut files = vec!["Makefile".to_owned(), ".ci/run".to_owned(), "deploy/Dockerfile".to_owned()];
    for folder in ["scripts", ".github/workflows"] {
        let is_text = |file: &String| [".sh", ".py", ".yml"].iter().any(|end| file.ends_with(end));
        files.extend(listed(folder).into_iter().filter(is_text).map(|file| format!("{folder}/{file}")));
    }
    let mut builds = 0;
    for file in files {
        for line in read(&file).lines().filter(|line| resolves(line).is_some()) {
            builds += 1;
            assert!(line.contains("--locked"), "{file}: {line}");
        }
    }
    assert!(builds > 15, "{builds}");
}
