//! Checks that every bug of `make planted-bugs` can still be planted after the code has changed.

use std::fs;

use quorate_test_support::workspace;
use serde::Deserialize;

#[derive(Deserialize)]
struct Bugs {
    bug: Vec<Bug>,
}

/// A bug in `sim/planted/bugs.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    file: String,
    find: String,
    replace: String,
    #[serde(default)]
    more: Vec<(String, String)>,
    /// The depth of the simulation that finds it.
    depth: Option<String>,
    /// The seeds to play, if 1,000 are not enough.
    seeds: Option<String>,
    /// The arguments of `cargo test` that run the test that finds it.
    test: Option<String>,
}

#[test]
fn the_text_that_a_planted_bug_replaces_occurs_exactly_once_in_its_file() {
    let bugs = fs::read_to_string(workspace("sim/planted/bugs.toml")).expect("the bugs can be read");
    let Bugs { bug: bugs } = toml::from_str(&bugs).expect("the bugs are TOML");
    assert!(bugs.len() > 40, "{}", bugs.len());
    for Bug { name, file, find, replace, more, depth, seeds, test } in bugs {
        match (depth.as_deref(), test.as_deref()) {
            (Some("machines" | "network" | "store"), None) => {}
            (None, Some(test)) => assert!(test.starts_with("-p "), "{name}: {test}"),
            _ => panic!("{name}: either a depth or a test finds it"),
        }
        assert!(seeds.is_none() || depth.is_some(), "{name}: only a depth plays seeds");
        let mut text = fs::read_to_string(workspace(&file)).unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
        for (find, replace) in [(find, replace)].into_iter().chain(more) {
            assert_eq!(text.matches(&find).count(), 1, "{name}: in {file}: {find}");
            text = text.replace(&find, &replace);
        }
    }
}
