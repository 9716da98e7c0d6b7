//! The bodies of responses that show a snapshot: each is encoded once, however many clients read it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;

use crate::driver::{CoordinatorHandle, Snapshot, SnapshotError};

/// The latest snapshot that a client has read.
#[derive(Debug, Default)]
pub(super) struct Looks {
    latest: Mutex<Option<Arc<Look>>>,
}

/// A snapshot, and the bodies that have been encoded from it so far.
#[derive(Debug)]
pub(super) struct Look {
    snapshot: Arc<Snapshot>,
    workers: OnceLock<Bytes>,
    metrics: OnceLock<Bytes>,
}

impl Looks {
    /// The current snapshot of the coordinator.
    pub(super) async fn look(&self, coordinator: &CoordinatorHandle) -> Result<Arc<Look>, SnapshotError> {
        let snapshot = coordinator.snapshot().await?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(look) if Arc::ptr_eq(&look.snapshot, &snapshot) => Ok(Arc::clone(look)),
            _ => {
                let look = Arc::new(Look { snapshot, workers: OnceLock::new(), metrics: OnceLock::new() });
                *latest = Some(Arc::clone(&look));
                Ok(look)
            }
        }
    }
}

impl Look {
    /// The body of `GET /workers`, which `write` encodes for the first reader.
    pub(super) fn workers(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.workers.get_or_init(|| write(&self.snapshot)).clone()
    }

    /// The body of `GET /metrics`, which `write` encodes for the first reader.
    pub(super) fn metrics(&self, write: impl FnOnce(&Snapshot) -> Bytes) -> Bytes {
        self.metrics.get_or_init(|| write(&self.snapshot)).clone()
    }
}
