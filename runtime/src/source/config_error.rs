//! Why a source cannot be set up.

use quorate_core::offer::OfferError;

use super::SourceKind;
use crate::config_file::FileError;

/// What is wrong with a source file, or with how a source is set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The source file cannot be read, or is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file has no entry for this worker: start it under another identifier, or add an entry.
    #[error(
        "{file} has no entry with kind = \"{kind}\" for worker {worker:?}; it has entries for: {known}. Start the worker \
         with one of these as --id, or add a [[source]] with worker = {worker:?}"
    )]
    NoEntry {
        /// The file's path.
        file: String,
        /// The requested kind.
        kind: SourceKind,
        /// The worker's identifier.
        worker: String,
        /// The workers that the file names for this kind.
        known: String,
    },
    /// The worker cannot offer the queries of its entries: let it offer others instead.
    #[error(
        "a worker cannot offer the queries of its entries in {file}: {error}. Start the worker with --queries and a few \
         patterns that cover them, such as */USD"
    )]
    Offer {
        /// The file's path.
        file: String,
        /// The bound that they break.
        error: OfferError,
    },
    /// A setting of the simulated source is out of range.
    #[error("{0}")]
    Simulated(&'static str),
    /// Certificates cannot be checked.
    #[error("cannot prepare TLS: {0}; install your system's CA certificates or set SSL_CERT_FILE")]
    Tls(String),
}
