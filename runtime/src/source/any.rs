//! The source that a worker was told to use, chosen when it starts.

use std::path::Path;
use std::time::Duration;

use quorate_core::offer::Offer;

use super::{
    ConfigError, ConfiguredSource, Reading, SimulatedConfig, SimulatedSource, Source, SourceError, SourceFile,
    SourceKind,
};
use crate::clock::Clock;

/// Any of the sources.
#[derive(Debug)]
pub enum AnySource {
    /// Draws values from a seed.
    Simulated(Box<SimulatedSource>),
    /// Queries what a source file configures.
    Configured(ConfiguredSource),
}

impl AnySource {
    /// A simulated source.
    ///
    /// # Errors
    /// [`ConfigError::Simulated`], which says what is out of range.
    pub fn simulated(config: &SimulatedConfig, seed: u64) -> Result<Self, ConfigError> {
        SimulatedSource::new(config, seed).map(|source| Self::Simulated(Box::new(source)))
    }

    /// The source that the file at `path` configures for the worker `worker_id`, from its entries of this kind. `clock`
    /// turns the times of observations into ages.
    ///
    /// # Errors
    /// [`ConfigError`], which says where the file is wrong and what to do.
    pub fn from_config(path: &Path, worker_id: &str, kind: SourceKind, clock: Clock) -> Result<Self, ConfigError> {
        SourceFile::read(path)?.source_for(worker_id, kind, clock).map(Self::Configured)
    }

    /// The queries that it answers: all of them, or those of its entries in the source file.
    ///
    /// # Errors
    /// [`ConfigError::Offer`] if a worker cannot offer those of its entries.
    pub fn offer(&self) -> Result<Offer, ConfigError> {
        match self {
            Self::Simulated(_) => Ok(Offer::default()),
            Self::Configured(source) => source.offer(),
        }
    }
}

impl Source for AnySource {
    async fn observe(&self, query: &str, time_left: Duration) -> Result<Reading, SourceError> {
        match self {
            Self::Simulated(source) => source.observe(query, time_left).await,
            Self::Configured(source) => source.observe(query, time_left).await,
        }
    }
}
