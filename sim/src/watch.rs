//! Passes the events of a run to its watchers: the trace, the checkers, the coverage and an optional listener.

use std::hash::Hasher as _;

use crate::Depth;
use crate::checkers::{Checkers, Context, Violation};
use crate::coverage::{Coverage, Reached};
use crate::event::Event;
use crate::scenario::Scenario;
use crate::trace::TraceHash;

/// Sees every event of a run.
pub type Listener = Box<dyn FnMut(&Event<'_>) + Send>;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// A hash over every event: two runs with the same hash were the same.
    pub hash: u64,
    /// The number of events.
    pub events: u64,
    /// The number of steps of the stage: timed events, or ticks of the network's clock.
    pub steps: u64,
    /// The number of messages carried; on the bus, each counts once for its sender and once for each receiver.
    pub messages: u64,
    /// The bytes in these messages: bodies and, on the bus, subjects. 0 on the machines stage, which encodes nothing.
    pub bytes: u64,
    /// The coverage counters that the run reached.
    pub reached: Reached,
    /// The first broken invariant, which ended the run.
    pub violation: Option<Violation>,
}

/// Watches one run.
pub(crate) struct Watch {
    hash: TraceHash,
    events: u64,
    messages: u64,
    bytes: u64,
    steps: u64,
    checkers: Checkers,
    coverage: Coverage,
    listener: Option<Listener>,
    violation: Option<Violation>,
}

impl Watch {
    pub(crate) fn new(scenario: &Scenario, depth: Depth, listener: Option<Listener>) -> Self {
        let context = Context { scenario, depth };
        Self {
            hash: TraceHash::default(),
            events: 0,
            messages: 0,
            bytes: 0,
            steps: 0,
            checkers: Checkers::new(&context),
            coverage: Coverage::new(&context),
            listener,
            violation: None,
        }
    }

    /// Handles one event. Events after the first broken invariant are ignored.
    pub(crate) fn event(&mut self, event: &Event<'_>) {
        if self.violation.is_some() {
            return;
        }
        self.events += 1;
        self.hash.event(event);
        if let Some(listener) = &mut self.listener {
            listener(event);
        }
        self.coverage.event(event);
        self.violation = self.checkers.event(event).err();
    }

    /// Counts a message of `bytes` bytes.
    pub(crate) fn message(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    pub(crate) fn step(&mut self) {
        self.steps += 1;
    }

    /// Whether an invariant is broken, so that the run can end.
    pub(crate) fn is_over(&self) -> bool {
        self.violation.is_some()
    }

    pub(crate) fn report(self) -> Report {
        Report {
            hash: self.hash.finish(),
            events: self.events,
            steps: self.steps,
            messages: self.messages,
            bytes: self.bytes,
            reached: self.coverage.reached(),
            violation: self.violation,
        }
    }
}
