//! The configuration of the command line: contexts, which name coordinators, and defaults for the commands that ask one.
//!
//! * `path.rs` says where the file is; `read.rs` reads and checks it; `edit.rs` changes it and keeps its comments
//! * [`apply`] makes its values the defaults of flags, so that flags and variables take precedence

mod apply;
mod edit;
mod path;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use reqwest::Url;

pub use apply::apply;
pub use edit::{EditError, add, remove, select};
pub use path::{VARIABLE, path};
pub use read::ConfigError;

/// What the configuration file says. Without a file, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The context that counts if no flag or variable names another one.
    pub selected: Option<String>,
    /// What counts if the context does not say otherwise.
    pub defaults: Settings,
    /// The contexts by name.
    pub contexts: BTreeMap<String, Settings>,
}

/// The settings of a context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The coordinator to ask.
    pub url: Option<Url>,
    /// How answers and errors are printed.
    pub output: Option<Output>,
    /// What the context is for.
    pub description: Option<String>,
}

/// How answers and errors are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

impl Output {
    /// The word for it in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Config {
    /// Reads the configuration file, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong.
    pub fn load() -> Result<Self, ConfigError> {
        match path::existing()? {
            Some(path) => read::read(&path),
            None => Ok(Self::default()),
        }
    }

    /// The settings of the context with this name, or of the selected one, with the defaults for what it does not set.
    ///
    /// # Errors
    /// A context that there is not.
    pub fn settings(&self, context: Option<&str>) -> Result<Settings, ConfigError> {
        let Some(name) = context.or(self.selected.as_deref()) else { return Ok(self.defaults.clone()) };
        let own = self.contexts.get(name).ok_or_else(|| self.unknown(name))?;
        let Settings { url, output, description } = own.clone();
        let defaults = self.defaults.clone();
        Ok(Settings { url: url.or(defaults.url), output: output.or(defaults.output), description })
    }

    fn unknown(&self, name: &str) -> ConfigError {
        ConfigError::UnknownContext {
            name: name.to_owned(),
            hint: read::hint(name, self.contexts.keys().map(String::as_str)),
        }
    }
}

/// The file, or why there is nowhere to put it.
fn file() -> Result<PathBuf, ConfigError> {
    path().ok_or(ConfigError::NoPlace)
}
