//! Turns the state of the bus into inputs for a machine.

use tokio::sync::watch;
use tracing::{info, warn};

use crate::bus::BusStatus;

/// What a change of the bus's status means to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BusChange {
    Up,
    Down,
}

/// Follows the status of a bus.
#[derive(Debug)]
pub(super) struct BusWatch {
    status: watch::Receiver<BusStatus>,
    seen: BusStatus,
}

impl BusWatch {
    pub(super) fn new(status: watch::Receiver<BusStatus>) -> Self {
        Self { status, seen: BusStatus::default() }
    }

    /// Waits until the status may have changed. Returns false once the bus is closed for good. Cancel safe.
    pub(super) async fn changed(&mut self) -> bool {
        let open = self.status.changed().await.is_ok();
        if !open {
            warn!("the bus is closed");
        }
        open
    }

    /// The status as of the last call of [`BusWatch::changes`].
    pub(super) fn status(&self) -> BusStatus {
        self.seen
    }

    /// What has changed since the last call.
    pub(super) fn changes(&mut self) -> Vec<BusChange> {
        let now = *self.status.borrow_and_update();
        let changes = changes(std::mem::replace(&mut self.seen, now), now);
        for change in &changes {
            match change {
                BusChange::Up => info!(connections = now.connections, "the bus is connected"),
                BusChange::Down => warn!("the bus is disconnected"),
            }
        }
        changes
    }
}

/// The changes that lead from one status to another. An outage too short to be seen shows as another connection.
fn changes(before: BusStatus, after: BusStatus) -> Vec<BusChange> {
    match (before.connected, after.connected) {
        (false, true) => vec![BusChange::Up],
        (true, false) => vec![BusChange::Down],
        (true, true) if before.connections != after.connections => vec![BusChange::Down, BusChange::Up],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_too_short_to_be_seen_is_told() {
        let (sender, receiver) = watch::channel(BusStatus { connected: true, connections: 1 });
        let mut watch = BusWatch::new(receiver);
        assert_eq!(watch.changes(), [BusChange::Up]);
        assert_eq!(watch.changes(), []);
        sender.send_replace(BusStatus { connected: true, connections: 2 });
        assert_eq!(watch.changes(), [BusChange::Down, BusChange::Up]);
        sender.send_replace(BusStatus { connected: false, connections: 2 });
        assert_eq!(watch.changes(), [BusChange::Down]);
        assert!(!watch.status().connected);
    }
}
