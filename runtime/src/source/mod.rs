//! Sources: where a worker gets its values, behind one trait.
//!
//! * `simulated.rs`, `http.rs` and `command.rs` are the sources; `any.rs` chooses one when a worker starts
//! * `config.rs` and `entry.rs` read the source file, with entries of the kinds in `kind.rs`; `configured.rs` joins the
//!   entries of a worker into one source; `config_error.rs` has what can be wrong
//! * `template.rs` fills queries into URLs; `json.rs` takes a value out of a JSON text, `age_from.rs` its age;
//!   `trace.rs` gives a source the trace it is queried for

mod age_from;
mod any;
mod command;
mod config;
mod config_error;
mod configured;
mod entry;
mod http;
mod json;
mod kind;
mod simulated;
mod template;
mod trace;

use std::future::Future;
use std::time::Duration;

use quorate_core::value::{Value, ValueError};

pub use age_from::AgeFrom;
pub use any::AnySource;
pub use command::{CommandConfig, CommandSource};
pub use config::SourceFile;
pub use config_error::ConfigError;
pub use configured::ConfiguredSource;
pub use http::{HttpClient, HttpConfig, HttpSource};
pub use json::{Pointer, ReadAs};
pub use kind::SourceKind;
pub use simulated::{SimulatedConfig, SimulatedSource, simulated_base};
pub use template::UrlTemplate;
pub use trace::trace_context;
pub(crate) use trace::within;

/// The longest error text a source reports, in characters; longer ones are cut.
const MAX_ERROR_CHARS: usize = 200;

/// What a source read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The value.
    pub value: Value,
    /// How old the value is; `None` if the source does not say.
    pub age: Option<Duration>,
}

impl From<Value> for Reading {
    /// A value of unknown age.
    fn from(value: Value) -> Self {
        Self { value, age: None }
    }
}

/// Where a worker's values come from. It is called for several queries at once, and each call is dropped when its
/// task's deadline passes. [`trace_context`] returns the trace that a call belongs to.
pub trait Source: Send + Sync + 'static {
    /// Observes the value of `query` within `time_left`.
    ///
    /// # Errors
    /// [`SourceError`]; its text becomes the `err` of the worker's result.
    fn observe(&self, query: &str, time_left: Duration) -> impl Future<Output = Result<Reading, SourceError>> + Send;
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

impl SourceError {
    /// A failure with a text that may quote external input: it is cut to 200 characters and loses its control
    /// characters.
    pub fn failed(text: impl AsRef<str>) -> Self {
        Self::Failed(excerpt(text.as_ref()))
    }

    /// No source is configured for `query`, which is quoted like any external text.
    pub fn unknown_query(query: &str) -> Self {
        Self::UnknownQuery(excerpt(query))
    }
}

impl From<ValueError> for SourceError {
    /// What was read is not a valid value.
    fn from(error: ValueError) -> Self {
        Self::Failed(format!("the value {error}"))
    }
}

/// The start of a text, on one line.
fn excerpt(text: &str) -> String {
    let mut kept: String = text.chars().filter(|c| !c.is_control()).take(MAX_ERROR_CHARS + 1).collect();
    if let Some((cut, _)) = kept.char_indices().nth(MAX_ERROR_CHARS) {
        kept.truncate(cut);
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_text_from_outside_is_short_and_on_one_line() {
        assert_eq!(SourceError::failed("a\n\u{1b}[31mb").to_string(), "a[31mb");
        assert_eq!(SourceError::failed("é".repeat(200)).to_string(), "é".repeat(200));
        assert_eq!(SourceError::failed("é".repeat(900)).to_string(), format!("{}…", "é".repeat(200)));
    }
}
