//! How others reach the driver of feeds.

use std::sync::Arc;

use quorate_core::feed::Definition;
use tokio::sync::mpsc;

use super::Board;

/// What the driver is told.
#[derive(Debug)]
pub(super) enum Command {
    Definitions(Vec<Arc<Definition>>),
    Drain,
}

/// A handle to the feeds of one coordinator. Clones lead to the same ones.
#[derive(Clone, Debug)]
pub struct FeedsHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) board: Board,
}

impl FeedsHandle {
    /// What readers see.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Replaces the feeds.
    pub async fn define(&self, definitions: Vec<Arc<Definition>>) {
        // Sending fails if the driver has stopped, and then there are no feeds.
        let _ = self.commands.send(Command::Definitions(definitions)).await;
    }

    /// Lets no further round begin. The driver stops when those in progress have ended and its leases are released.
    pub async fn drain(&self) {
        // Sending fails if the driver has stopped, and then it is drained.
        let _ = self.commands.send(Command::Drain).await;
    }
}
