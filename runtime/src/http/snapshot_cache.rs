//! The bodies of responses that show a snapshot: each is encoded once, however many clients read it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::driver::{CoordinatorHandle, Snapshot, SnapshotError};

/// The latest snapshot that a client has read.
#[derive(Debug, Default)]
pub(super) struct SnapshotCache {
    latest: Mutex<Option<Arc<CachedSnapshot>>>,
}

/// A snapshot, and the bodies that have been encoded from it so far.
#[derive(Debug)]
pub(super) struct CachedSnapshot {
    snapshot: Arc<Snapshot>,
    workers: OnceLock<Bytes>,
    queries: OnceLock<Bytes>,
    policies: OnceLock<Bytes>,
    metrics: OnceLock<Bytes>,
}

impl SnapshotCache {
    /// The current snapshot of the coordinator.
    pub(super) async fn latest(&self, coordinator: &CoordinatorHandle) -> Result<Arc<CachedSnapshot>, SnapshotError> {
        let snapshot = coordinator.snapshot().await?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(cached) if Arc::ptr_eq(&cached.snapshot, &snapshot) => Ok(Arc::clone(cached)),
            _ => {
                let [workers, queries, policies, metrics] = [const { OnceLock::new() }; 4];
                let cached = Arc::new(CachedSnapshot { snapshot, workers, queries, policies, metrics });
                *latest = Some(Arc::clone(&cached));
                Ok(cached)
            }
        }
    }
}

impl CachedSnapshot {
    /// The body of `GET /workers`, which `write` encodes for the first reader.
    pub(super) fn workers(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.workers.get_or_init(|| write(&self.snapshot)).clone()
    }

    /// The body of `GET /queries`, which `write` encodes for the first reader.
    pub(super) fn queries(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.queries.get_or_init(|| write(&self.snapshot)).clone()
    }

    /// The body of `GET /policies`, which `write` encodes for the first reader.
    pub(super) fn policies(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.policies.get_or_init(|| write(&self.snapshot)).clone()
    }

    /// The snapshot itself.
    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The body of `GET /metrics`, which `write` encodes for the first reader.
    pub(super) fn metrics(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.metrics.get_or_init(|| write(&self.snapshot)).clone()
    }
}
