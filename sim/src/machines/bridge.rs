//! A bridge to another cluster that reconnects repeatedly, and so delivers some messages a second time, later.

use std::sync::Arc;

use super::{Next, Stage, millis};
use crate::event::Message;
use crate::random::{Random, Stream};
use crate::scenario::FaultKind;

/// What the bridge does while its faults are active.
#[derive(Debug)]
pub(super) struct Bridge {
    random: Random,
    /// The share of messages it repeats, in thousandths; 0 while there is no such fault.
    again_permille: u32,
    latest_ms: u64,
}

impl Bridge {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, Stream::Bridge, 0), again_permille: 0, latest_ms: 0 }
    }
}

impl Stage<'_> {
    /// Sets the bridge to what the active faults say; if there are several, the one that repeats most counts.
    pub(super) fn set_bridge(&mut self) {
        let kinds = self.lasting.iter().map(|place| &self.scenario.faults[*place].kind);
        let bridges = kinds.filter_map(|kind| match kind {
            FaultKind::Bridge(permille, millis) => Some((*permille, *millis)),
            _ => None,
        });
        (self.bridge.again_permille, self.bridge.latest_ms) = bridges.max().unwrap_or_default();
    }

    /// A message has passed the broker, and may be repeated.
    pub(super) fn bridge(&mut self, message: &Arc<Message>) {
        let crosses = [&self.subjects.tasks, &self.subjects.presence].contains(&&message.subject);
        if self.bridge.again_permille > 0 && crosses && self.bridge.random.chance(self.bridge.again_permille) {
            let wait = self.bridge.random.below(millis(self.bridge.latest_ms).max(1));
            self.heap.plan(self.now + wait, Next::Again(Arc::clone(message)));
        }
    }

    /// Delivers a message a second time. If nobody is subscribed now, no notice is sent.
    pub(super) fn deliver_again(&mut self, message: &Arc<Message>) {
        if !self.broker.running {
            return;
        }
        for node in self.receivers(message) {
            self.watch.message(0);
            self.send_to_host(node, message);
        }
    }
}
