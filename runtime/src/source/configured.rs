//! The entries of a source file for one worker, as one source.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;

use super::{CommandSource, ConfigError, HttpSource, Reading, Source, SourceError};

/// The entries of a source file for one worker, in the file's order. The first one that covers a query answers it.
#[derive(Debug)]
pub struct ConfiguredSource {
    /// The file's path.
    pub(super) file: String,
    pub(super) routes: Vec<Route>,
}

/// One entry: its queries, and its source.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) pattern: Pattern,
    pub(super) asked: Backend,
}

/// The source of an entry.
#[derive(Debug)]
pub(super) enum Backend {
    Http(HttpSource),
    Command(CommandSource),
}

impl ConfiguredSource {
    /// The queries that it answers: those of its entries.
    ///
    /// # Errors
    /// [`ConfigError::Offer`] if they are too many, or one of them is no valid query.
    pub fn offer(&self) -> Result<Offer, ConfigError> {
        let patterns: BTreeSet<_> = self.routes.iter().map(|route| route.pattern.as_str()).collect();
        if patterns.contains("*") {
            return Ok(Offer::default());
        }
        Offer::new(patterns).map_err(|error| ConfigError::Offer { file: self.file.clone(), error })
    }
}

impl Source for ConfiguredSource {
    async fn observe(&self, query: &str, time_left: Duration) -> Result<Reading, SourceError> {
        let Some(route) = self.routes.iter().find(|route| route.pattern.matches(query)) else {
            return Err(SourceError::unknown_query(query));
        };
        match &route.asked {
            Backend::Http(source) => source.observe(query, time_left).await,
            Backend::Command(source) => source.observe(query, time_left).await,
        }
    }
}
