//! Why there is no source to start with.

use super::SourceKind;
use crate::config_file::FileError;

/// What is wrong with a source file, or with how a source is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The source file cannot be read, or is wrong.
    #[error(transparent)]
    File(#[from] FileError),
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
