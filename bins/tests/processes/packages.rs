//! Python packages that tests use, installed from PyPI into `target/`.

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, id};

use quorate_test_support::workspace;

/// A package with its version.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Whether its dependencies are needed, too.
    pub(crate) dependencies: bool,
    /// What a test needs it for.
    pub(crate) purpose: &'static str,
}

impl Package {
    /// A folder that contains it, for `PYTHONPATH`. Installs it if it is missing.
    pub(crate) fn folder(&self) -> PathBuf {
        let Self { name, version, dependencies, purpose } = self;
        let requirement = format!("{name}=={version}");
        let arguments = if *dependencies { vec![requirement.as_str()] } else { vec!["--no-deps", &requirement] };
        installed(&format!("{name}-{version}"), &arguments, purpose)
    }
}

/// A folder that contains the packages of a requirements file and their dependencies. Installs them if they are missing.
/// Each content of the file has a folder of its own.
pub(crate) fn requirements(file: &Path, purpose: &str) -> PathBuf {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    let folder = format!("requirements-{:016x}", hash.finish());
    installed(&folder, &["--requirement", &file.display().to_string()], purpose)
}

/// Installs what pip is told into a folder with this name, unless the folder is there.
fn installed(name: &str, arguments: &[&str], purpose: &str) -> PathBuf {
    let folder = workspace(&format!("target/python/{name}"));
    if folder.is_dir() {
        return folder;
    }
    let new = workspace(&format!("target/python/{name}.new-{}", id()));
    if let Err(why) = pip_install(&new, arguments) {
        let what = arguments.join(" ");
        panic!(
            "{why}this test needs {what} {purpose}, and could not get it: that takes python3 with pip (Debian: apt-get \
             install python3 python3-pip) and PyPI. Or get it yourself: python3 -m pip install --target {} {what}",
            folder.display()
        );
    }
    // The folder is complete or absent, even if several tests install it at once.
    if fs::rename(&new, &folder).is_err() {
        assert!(folder.is_dir(), "{} cannot be moved to {}", new.display(), folder.display());
        let _ = fs::remove_dir_all(&new);
    }
    folder
}

/// Installs into a folder.
///
/// # Errors
/// What pip says.
pub(crate) fn pip_install(target: &Path, arguments: &[&str]) -> Result<(), String> {
    let install = |further: &[&str]| {
        let pip = ["install", "--target"].map(OsStr::new);
        run_pip(pip.into_iter().chain([target.as_os_str()]).chain(further.iter().chain(arguments).map(OsStr::new)))
    };
    // With --target, pip leaves the system's packages alone. Where the distribution manages these, an old pip refuses
    // nevertheless without --break-system-packages.
    install(&[]).or_else(|why| install(&["--break-system-packages"]).map_err(|_| why))
}

fn run_pip<'a>(arguments: impl Iterator<Item = &'a OsStr>) -> Result<(), String> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).args(arguments);
    match pip.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("python3 cannot be started: {error}\n")),
    }
}
