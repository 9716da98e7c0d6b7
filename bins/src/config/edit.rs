//! Changes the configuration file, and keeps its comments.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, value};

use super::read::{ConfigError, check_name, hint};
use super::{Config, Settings, file};

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be used as it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The name is none.
    #[error("{0}")]
    Name(String),
    /// There is such a context already.
    #[error("there is a context {0} already; replace it with --replace")]
    Exists(String),
    /// The file cannot be written.
    #[error("cannot write the configuration file {file}: {reason}")]
    Unwritable {
        /// The file.
        file: String,
        /// The operating system's reason.
        reason: io::Error,
    },
}

/// Adds a context, or replaces the one with this name.
///
/// # Errors
/// [`EditError`]; the file is then as it was.
pub fn add(name: &str, settings: &Settings, replace: bool) -> Result<(), EditError> {
    check_name(name).map_err(EditError::Name)?;
    edit(|config, document| {
        if config.contexts.contains_key(name) && !replace {
            return Err(EditError::Exists(name.to_owned()));
        }
        let mut context = Table::new();
        let fields = [
            ("url", settings.url.as_ref().map(|url| url.as_str().trim_end_matches('/'))),
            ("output", settings.output.map(super::Output::name)),
            ("description", settings.description.as_deref()),
        ];
        for (key, text) in fields {
            if let Some(text) = text {
                context.insert(key, value(text));
            }
        }
        let contexts = document.entry("contexts").or_insert_with(|| {
            let mut contexts = Table::new();
            // Only its tables have headers.
            contexts.set_implicit(true);
            Item::Table(contexts)
        });
        contexts.as_table_like_mut().expect("it was checked").insert(name, Item::Table(context));
        Ok(())
    })
}

/// Selects a context; `None` selects none.
///
/// # Errors
/// [`EditError`]; the file is then as it was.
pub fn select(name: Option<&str>) -> Result<(), EditError> {
    edit(|config, document| {
        match name {
            None => drop(document.remove("context")),
            Some(name) if config.contexts.contains_key(name) => drop(document.insert("context", value(name))),
            Some(name) => return Err(unknown(config, name)),
        }
        Ok(())
    })
}

/// Removes a context. If it was selected, none is.
///
/// # Errors
/// [`EditError`]; the file is then as it was.
pub fn remove(name: &str) -> Result<(), EditError> {
    edit(|config, document| {
        let contexts = document.get_mut("contexts").and_then(Item::as_table_like_mut);
        if contexts.and_then(|contexts| contexts.remove(name)).is_none() {
            return Err(unknown(config, name));
        }
        if config.selected.as_deref() == Some(name) {
            document.remove("context");
        }
        Ok(())
    })
}

fn unknown(config: &Config, name: &str) -> EditError {
    let hint = hint(name, config.contexts.keys().map(String::as_str));
    ConfigError::UnknownContext { name: name.to_owned(), hint }.into()
}

fn edit(change: impl FnOnce(&Config, &mut DocumentMut) -> Result<(), EditError>) -> Result<(), EditError> {
    let path = file()?;
    let unwritable = |reason| EditError::Unwritable { file: path.display().to_string(), reason };
    // A link stays one: the file that it leads to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    let (config, text) = if path.exists() {
        (super::read::read(&path)?, fs::read_to_string(&path).map_err(unwritable)?)
    } else {
        (Config::default(), String::new())
    };
    let mut document: DocumentMut = text.parse().expect("it was read before");
    change(&config, &mut document)?;
    replace(&path, &document.to_string()).map_err(unwritable)
}

/// Replaces a file as a whole, so that nobody reads a half.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let written = fs::File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        // It may not have been created.
        let _ = fs::remove_file(&new);
    }
    written
}
