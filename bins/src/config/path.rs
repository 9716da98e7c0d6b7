//! Where the configuration file is.

use std::env;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::ConfigError;

/// The variable that names the file. Not `QUORATE_CONFIG`, which names the source file of a worker.
pub const VARIABLE: &str = "QUORATE_CLI_CONFIG";

/// The path of the file: that of the variable, or the usual place for configuration files; `None` if the environment
/// names neither.
pub fn path() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set(VARIABLE) {
        return Some(path);
    }
    let base =
        set("XDG_CONFIG_HOME").filter(|path| path.is_absolute()).or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(base.join("quorate/config.toml"))
}

/// The path of the file if there is one.
///
/// # Errors
/// The variable names a file that is not there.
pub(super) fn existing() -> Result<Option<PathBuf>, ConfigError> {
    let Some(path) = path() else { return Ok(None) };
    let is_named = env::var_os(VARIABLE).is_some_and(|value| !value.is_empty());
    match path.metadata() {
        Ok(_) => Ok(Some(path)),
        // Programs in containers often have a home that is not theirs.
        Err(error) if !is_named && is_absence(error.kind()) => Ok(None),
        Err(error) => Err(ConfigError::Unreadable { file: path.display().to_string(), reason: error.to_string() }),
    }
}

fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory)
}
