//! What a source file says for one worker, as one source.

use std::time::Duration;

use quorate_core::pattern::Pattern;

use super::{CommandSource, HttpSource, Reading, Source, SourceError};

/// The entries of a source file that are one worker's, in the file's order: the first whose query fits is asked.
#[derive(Debug)]
pub struct ConfiguredSource {
    pub(super) routes: Vec<Route>,
}

/// One entry: which queries, and what is asked.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) pattern: Pattern,
    pub(super) asked: Backend,
}

/// What an entry asks.
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
