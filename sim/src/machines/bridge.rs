//! A bridge between clusters that reconnects repeatedly: some of what passes the broker comes once more, later.

use std::sync::Arc;

use super::{Next, Stage, millis};
use crate::event::Message;
use crate::random::{Random, Stream};
use crate::scenario::FaultKind;

/// What the bridge does while its faults last.
#[derive(Debug)]
pub(super) struct Bridge {
    random: Random,
    /// How many of a thousand messages it repeats; 0 while there is no such fault.
    again_permille: u32,
    latest_ms: u64,
}

impl Bridge {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, Stream::Bridge, 0), again_permille: 0, latest_ms: 0 }
    }
}

impl Stage<'_> {
    /// Makes it do what the faults that last say; of two the one that repeats more.
    pub(super) fn set_bridge(&mut self) {
        let kinds = self.lasting.iter().map(|place| &self.scenario.faults[*place].kind);
        let bridges = kinds.filter_map(|kind| match kind {
            FaultKind::Bridge(permille, millis) => Some((*permille, *millis)),
            _ => None,
        });
        (self.bridge.again_permille, self.bridge.latest_ms) = bridges.max().unwrap_or_default();
    }

    /// A message has passed the broker, and may do so again.
    pub(super) fn bridge(&mut self, message: &Arc<Message>) {
        let crosses = [&self.subjects.tasks, &self.subjects.presence].contains(&&message.subject);
        if self.bridge.again_permille > 0 && crosses && self.bridge.random.chance(self.bridge.again_permille) {
            let wait = self.bridge.random.below(millis(self.bridge.latest_ms).max(1));
            self.heap.plan(self.now + wait, Next::Again(Arc::clone(message)));
        }
    }

    /// A message that has passed the broker comes again. If nobody listens any more, no notice is sent.
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
