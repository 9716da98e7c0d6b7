//! The entries of a source file for one worker, as one source.

use std::time::Duration;

use quorate_core::pattern::Pattern;

use super::{CommandSource, HttpSource, Reading, Source, SourceError};

/// The entries of a source file for one worker, in the file's order. The first one that covers a query answers it.
#[derive(Debug)]
pub struct ConfiguredSource {
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
