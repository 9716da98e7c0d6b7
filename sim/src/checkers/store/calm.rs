//! Since when nothing goes wrong.

use crate::event::{Event, StoreEvent, What};

/// Since when no fault lasts.
#[derive(Debug, Default)]
pub(super) struct Calm {
    lasting: u32,
    since: u64,
}

impl Calm {
    /// Call it with every event.
    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event.what {
            What::Store(StoreEvent::FaultBegan(..)) => self.lasting += 1,
            What::Store(StoreEvent::FaultEnded(..)) => {
                self.lasting -= 1;
                self.since = event.at;
            }
            // A process may still be stopping when the fault that stops it has ended.
            What::Started { .. } => self.since = event.at,
            _ => {}
        }
    }

    /// For how long nothing has gone wrong; `None` if a fault lasts.
    pub(super) fn lasts(&self, now: u64) -> Option<u64> {
        (self.lasting == 0).then(|| now - self.since)
    }
}
