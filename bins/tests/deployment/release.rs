//! Releases: the changelog has the form from which release notes are taken, and the script takes them.

use std::fs;
use std::process::{Command, Output};

use quorate_test_support::workspace;

use crate::files::{read, yaml};

const CHANGELOG: &str = "\
# Changelog

About it.

## [Unreleased]

## [0.3.0] - 2026-03-01

### Fixed

- A [link](docs/a.md#b), [another](https://example.org/a), [a third](#top).
- A version: [0.2.0].

## [0.2.0] - 2026-01-31

- The first.

[Unreleased]: https://example.org/compare/v0.3.0...main
[0.3.0]: https://example.org/compare/v0.2.0...v0.3.0
";

fn notes(arguments: &[&str]) -> Output {
    Command::new(workspace("scripts/release-notes.sh")).args(arguments).output().expect("the script starts")
}

#[test]
fn the_notes_of_a_release_are_its_section_of_the_changelog() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), CHANGELOG).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    let link = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/v0.3.0/docs/a.md#b");
    let third = format!(
        "### Fixed\n\n- A [link]({link}), [another](https://example.org/a), [a third](#top).\n- A version: [0.2.0].\n"
    );
    for (version, expected) in [("v0.3.0", third.as_str()), ("0.3.0", &third), ("v0.2.0", "- The first.\n")] {
        let output = notes(&[version, path]);
        assert!(output.status.success(), "{version}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{version}");
    }
    for (version, code) in [("v0.1.0", 1), ("v0.3", 1), ("Unreleased", 1)] {
        let output = notes(&[version, path]);
        assert_eq!(output.status.code(), Some(code), "{version}");
        let said = format!("{path} says nothing of {}\n", version.trim_start_matches('v'));
        assert!(String::from_utf8_lossy(&output.stderr).ends_with(&said), "{version}");
    }
    assert_eq!(notes(&[]).status.code(), Some(2));
}

#[test]
fn the_changelog_is_one_to_take_notes_from() {
    let changelog = read("CHANGELOG.md");
    let mut lines = changelog.lines();
    assert_eq!(lines.next(), Some("# Changelog"));
    let (mut versions, mut kinds) = (Vec::new(), 0);
    for line in lines {
        if let Some(heading) = line.strip_prefix("## ") {
            let version = heading.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let (version, date) = version.unwrap_or_else(|| panic!("{heading} has no version in brackets"));
            assert_eq!(date.is_empty(), version == "Unreleased", "{heading}: a release has a date");
            assert!(changelog.contains(&format!("\n[{version}]: https://")), "{version} has no link");
            versions.push(version);
        } else if let Some(kind) = line.strip_prefix("### ") {
            kinds += 1;
            assert!(["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"].contains(&kind), "{kind}");
        }
    }
    assert_eq!(versions.first(), Some(&"Unreleased"));
    assert!(kinds > 0);
}

#[test]
fn a_tag_makes_a_release_with_these_notes() {
    let release = yaml(".github/workflows/release.yml");
    assert_eq!(release["on"]["push"]["tags"], serde_json::json!(["v*"]));
    let text = read(".github/workflows/release.yml");
    for part in [
        r#"scripts/release-notes.sh "$GITHUB_REF_NAME" | tee notes.md"#,
        r#"gh release create "$GITHUB_REF_NAME" --verify-tag --title "$GITHUB_REF_NAME" --notes-file notes.md"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(read("Cargo.toml").contains(concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\"\n")));
}
