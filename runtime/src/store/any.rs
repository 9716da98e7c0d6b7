//! The store that a program is told to use.

use super::jetstream::{JetStream, JetStreamWatch};
use super::memory::{MemoryStore, MemoryWatch};
use super::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable, Watch, Watched};

/// One of the stores of this crate.
#[derive(Clone, Debug)]
pub enum AnyStore {
    /// Within this process.
    Memory(MemoryStore),
    /// On JetStream.
    JetStream(JetStream),
}

/// A watch of an [`AnyStore`].
#[derive(Debug)]
pub enum AnyWatch {
    /// Of a store within this process.
    Memory(MemoryWatch),
    /// Of a store on JetStream.
    JetStream(JetStreamWatch),
}

impl Store for AnyStore {
    type Watch = AnyWatch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        match self {
            Self::Memory(store) => store.append(log, key, append).await,
            Self::JetStream(store) => store.append(log, key, append).await,
        }
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        match self {
            Self::Memory(store) => store.last(log, key).await,
            Self::JetStream(store) => store.last(log, key).await,
        }
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        match self {
            Self::Memory(store) => store.get(log, sequence).await,
            Self::JetStream(store) => store.get(log, sequence).await,
        }
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        match self {
            Self::Memory(store) => store.read(log, key, from, limit).await,
            Self::JetStream(store) => store.read(log, key, from, limit).await,
        }
    }

    async fn watch(&self, log: Log) -> Result<AnyWatch, Unavailable> {
        Ok(match self {
            Self::Memory(store) => AnyWatch::Memory(store.watch(log).await?),
            Self::JetStream(store) => AnyWatch::JetStream(store.watch(log).await?),
        })
    }
}

impl Watch for AnyWatch {
    async fn next(&mut self) -> Watched {
        match self {
            Self::Memory(watch) => watch.next().await,
            Self::JetStream(watch) => watch.next().await,
        }
    }
}
