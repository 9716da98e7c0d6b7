//! Packages for Node that tests use, installed from the npm registry into `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use quorate_test_support::workspace;

/// A folder under `target/node` with packages in its `node_modules`. If it is missing, it is made: filled by `prepare`,
/// and then by npm with these arguments. The folder is complete or absent, even if several tests make it at once.
pub(crate) fn installed(name: &str, prepare: impl FnOnce(&Path), arguments: &[&str], purpose: &str) -> PathBuf {
    let all = workspace("target/node");
    let folder = all.join(name);
    if folder.is_dir() {
        return folder;
    }
    fs::create_dir_all(&all).expect("the folder can be made");
    let new = tempfile::tempdir_in(&all).expect("a folder");
    prepare(new.path());
    let mut npm = Command::new("npm");
    npm.current_dir(&new).args(arguments).args(["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    let why = match npm.output() {
        Ok(output) if output.status.success() => {
            let moved = fs::rename(new.path(), &folder);
            assert!(folder.is_dir(), "{} cannot be made: {moved:?}", folder.display());
            return folder;
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("npm cannot be started: {error}\n"),
    };
    panic!(
        "{why}this test needs packages {purpose}, and could not get them. It needs Node and npm (make node) and the npm \
         registry. Or get them yourself: in {}, run npm {}",
        folder.display(),
        arguments.join(" ")
    );
}
