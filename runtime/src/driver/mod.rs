//! The drivers: one task owns one machine, feeds it what the bus and the callers bring, and does what it says.
//!
//! No lock is held around a machine. A driver wakes for the first thing that is ready, takes all that is ready with
//! it, up to a bound, and then carries out what the machine wants done.

mod coordinator;
mod handle;
mod service;
mod worker;

pub use coordinator::CoordinatorDriver;
pub use handle::{AskError, CoordinatorHandle, Snapshot, Status, WorkerView};
pub use worker::{WorkerDriver, WorkerIdentity, WorkerSettings};

use tokio::time::Sleep;

use crate::bus::{BusStatus, Message, Subscription};

/// The most messages taken from one subscription, or commands from the callers, before the machine's outputs are
/// carried out.
const BATCH: usize = 256;

/// Moves what waits in a subscription to `messages`, up to [`BATCH`] messages. Returns whether that was all.
fn take_ready<S: Subscription>(subscription: &mut S, messages: &mut Vec<Message>) -> bool {
    for _ in 0..BATCH {
        match subscription.try_recv() {
            Some(message) => messages.push(message),
            None => return true,
        }
    }
    false
}

/// What a change of the bus's status means to a machine.
enum BusChange {
    Up,
    Down,
}

/// The changes that lead from one status to another. An outage too short to be seen shows as another connection.
fn bus_changes(before: BusStatus, after: BusStatus) -> Vec<BusChange> {
    match (before.connected, after.connected) {
        (false, true) => vec![BusChange::Up],
        (true, false) => vec![BusChange::Down],
        (true, true) if before.connections != after.connections => vec![BusChange::Down, BusChange::Up],
        _ => Vec::new(),
    }
}

/// Waits for a timer that may not be armed.
async fn sleep_if(armed: bool, sleep: std::pin::Pin<&mut Sleep>) {
    if armed {
        sleep.await;
    } else {
        std::future::pending::<()>().await;
    }
}
