//! The source file: which worker asks whom for which query.

use std::path::Path;

use quorate_core::pattern::Pattern;
use serde::Deserialize;
use toml::Spanned;

use super::any::{Asked, ConfiguredSource, Route};
use super::entry::{self, Ask, Checked, Entry, Problem};
use super::{CommandSource, HttpClient, HttpSource};

/// Why there is no source to start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read: give another path, or its rights.
    #[error("cannot read the source file {file}: {reason}")]
    Unreadable {
        /// The file's path.
        file: String,
        /// The operating system's reason.
        reason: String,
    },
    /// The file is wrong at one place: correct it there.
    #[error("{file}:{line}:{column}: {problem}")]
    Wrong {
        /// The file's path.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The file has nothing for this worker: give it another identifier, or the file an entry.
    #[error(
        "{file} has no entry with kind = \"{kind}\" for worker {worker:?}; it has entries for: {known}. Start the worker \
         with one of these as --id, or add a [[source]] with worker = {worker:?}"
    )]
    NoEntry {
        /// The file's path.
        file: String,
        /// The kind asked for.
        kind: SourceKind,
        /// The worker's identifier.
        worker: String,
        /// The workers the file names for this kind.
        known: String,
    },
    /// The simulated source is configured out of range.
    #[error("{0}")]
    Simulated(&'static str),
    /// There is no way to check certificates.
    #[error("cannot prepare TLS: {0}; install your system's CA certificates or set SSL_CERT_FILE")]
    Tls(String),
}

/// What an entry asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A server, over HTTP.
    Http,
    /// A program.
    Command,
}

impl std::fmt::Display for SourceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Command => "command",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    source: Vec<Spanned<Entry>>,
}

/// A source file that was read and found right as a whole, also in the entries of other workers.
#[derive(Debug)]
pub struct SourceFile {
    file: String,
    entries: Vec<Checked>,
}

impl SourceFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], [`ConfigError::Wrong`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => Err(ConfigError::Unreadable { file, reason: error.to_string() }),
        }
    }

    /// Checks a text; `file` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`].
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let wrong = |(span, problem): Problem| {
            let before = text.get(..span.start).unwrap_or(text);
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let (line, column) = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1);
            ConfigError::Wrong { file: file.to_owned(), line, column, problem }
        };
        let document: Document = toml::from_str(text)
            .map_err(|error| wrong((error.span().unwrap_or(0..0), error.message().replace('\n', ", "))))?;
        let mut entries = Vec::<Checked>::new();
        for entry in document.source {
            let query = entry.get_ref().query.span();
            let checked = entry::check(&entry).map_err(wrong)?;
            if entries.iter().any(|earlier| {
                (&earlier.worker, &earlier.query, earlier.ask.kind())
                    == (&checked.worker, &checked.query, checked.ask.kind())
            }) {
                return Err(wrong((query, "an earlier entry answers the same query: remove one of them".into())));
            }
            entries.push(checked);
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// The source of one worker: the entries of this kind that name it, and those that name no worker.
    ///
    /// # Errors
    /// [`ConfigError::NoEntry`], [`ConfigError::Tls`].
    pub fn source_for(&self, worker_id: &str, kind: SourceKind) -> Result<ConfiguredSource, ConfigError> {
        let of_kind = || self.entries.iter().filter(|entry| entry.ask.kind() == kind);
        let own = || of_kind().filter(|entry| entry.worker.as_deref().is_none_or(|worker| worker == worker_id));
        if own().next().is_none() {
            let mut known: Vec<_> = of_kind().filter_map(|entry| entry.worker.as_deref()).collect();
            known.sort_unstable();
            known.dedup();
            let known = if known.is_empty() { "no worker".to_owned() } else { known.join(", ") };
            return Err(ConfigError::NoEntry { file: self.file.clone(), kind, worker: worker_id.to_owned(), known });
        }
        let https = own().any(|entry| matches!(&entry.ask, Ask::Http(config) if config.url.is_https()));
        let client = if https { HttpClient::new()? } else { HttpClient::plain()? };
        let routes = own().map(|entry| {
            let asked = match entry.ask.clone() {
                Ask::Http(config) => Asked::Http(HttpSource::new(&client, config)),
                Ask::Command(config) => Asked::Command(CommandSource::new(config)),
            };
            Route { pattern: Pattern::new(&entry.query), asked }
        });
        Ok(ConfiguredSource { routes: routes.collect() })
    }
}
