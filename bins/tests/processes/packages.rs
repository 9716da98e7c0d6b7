//! Python packages that tests use, installed from PyPI into `target/`.

use std::fs;
use std::path::PathBuf;
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
        let folder = workspace(&format!("target/python/{name}-{version}"));
        if folder.is_dir() {
            return folder;
        }
        let requirement = format!("{name}=={version}");
        let new = workspace(&format!("target/python/{name}.new-{}", id()));
        let install = |further: &[&str]| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(&new);
            pip.args(if *dependencies { &[][..] } else { &["--no-deps"] });
            match pip.args(further).arg(&requirement).output() {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Err(format!("python3 cannot be started: {error}\n")),
            }
        };
        // With --target, pip leaves the system's packages alone. Where the distribution manages these, an old pip
        // refuses nevertheless without --break-system-packages.
        if let Err(why) = install(&[]).or_else(|why| install(&["--break-system-packages"]).map_err(|_| why)) {
            panic!(
                "{why}this test needs {requirement} {purpose}, and could not get it: that takes python3 with pip (Debian: \
                 apt-get install python3 python3-pip) and PyPI. Or get it yourself: python3 -m pip install --target {} \
                 {requirement}",
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
}
