//! The source file: which source each worker uses for which query.

use std::path::Path;

use quorate_core::pattern::Pattern;
use serde::Deserialize;
use toml::Spanned;

use super::configured::{Backend, ConfiguredSource, Route};
use super::entry::{self, Ask, Checked, Entry};
use super::{CommandSource, ConfigError, HttpClient, HttpSource, SourceKind};
use crate::clock::Clock;
use crate::config_file::{self, FileError, Text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    source: Vec<Spanned<Entry>>,
}

/// A source file that has been read and checked as a whole, including the entries of other workers.
#[derive(Debug)]
pub struct SourceFile {
    file: String,
    entries: Vec<Checked>,
}

impl SourceFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let (file, text) = config_file::read("source", path)?;
        Self::parse(&file, &text)
    }

    /// Checks a text; `file` names it in errors.
    ///
    /// # Errors
    /// [`FileError::Wrong`].
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let text = Text { file, text };
        let document: Document = text.parse()?;
        let mut entries = Vec::<Checked>::new();
        for entry in document.source {
            let query = entry.get_ref().query.span();
            let checked = entry::check(&entry).map_err(|problem| text.wrong(problem))?;
            if entries.iter().any(|earlier| {
                (&earlier.worker, &earlier.query, earlier.ask.kind())
                    == (&checked.worker, &checked.query, checked.ask.kind())
            }) {
                return Err(text.wrong((query, "an earlier entry answers the same query: remove one of them".into())));
            }
            entries.push(checked);
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// The source of one worker: the entries of this kind that name it, and those that name no worker. `clock` turns
    /// the times of observations into ages.
    ///
    /// # Errors
    /// [`ConfigError::NoEntry`], [`ConfigError::Tls`].
    pub fn source_for(&self, worker_id: &str, kind: SourceKind, clock: Clock) -> Result<ConfiguredSource, ConfigError> {
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
                Ask::Http(config) => Backend::Http(HttpSource::new(&client, config, clock)),
                Ask::Command(config) => Backend::Command(CommandSource::new(config, clock)),
            };
            Route { pattern: Pattern::new(&entry.query), asked }
        });
        Ok(ConfiguredSource { file: self.file.clone(), routes: routes.collect() })
    }
}
