//! The kinds of entries in a source file.

use std::fmt;

use serde::Deserialize;

/// What an entry queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A server, over HTTP.
    Http,
    /// A program.
    Command,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Command => "command",
        })
    }
}
