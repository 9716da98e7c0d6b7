//! What a worker asks: the sources behind one trait.

use std::future::Future;
use std::time::Duration;

use quorate_core::value::Value;

/// One answer's origin. Called with several queries at once; each call is dropped when the task's deadline passes.
pub trait Source: Send + Sync + 'static {
    /// Observes the value of `query` within `time_left`.
    ///
    /// # Errors
    /// [`SourceError`]; its text becomes the `err` of the worker's result.
    fn observe(&self, query: &str, time_left: Duration) -> impl Future<Output = Result<Value, SourceError>> + Send;
}

/// Why a source has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The source is not configured for this query.
    #[error("no source for query {0:?}")]
    UnknownQuery(String),
    /// The source failed; the text says how.
    #[error("{0}")]
    Failed(String),
}
