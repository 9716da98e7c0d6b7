//! Everybody who watches a run: the trace, the checkers, the coverage, and whoever else wants to see the events.

use std::hash::Hasher as _;

use crate::Depth;
use crate::checkers::{Checkers, Context, Violation};
use crate::coverage::{Coverage, Reached};
use crate::event::Event;
use crate::scenario::Scenario;
use crate::trace::TraceHash;

/// Sees every event of a run.
pub type Listener = Box<dyn FnMut(&Event<'_>) + Send>;

/// What is known of a run when it is over.
#[derive(Clone, Debug)]
pub struct Report {
    /// A hash over every event: two runs with the same hash were the same.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How many steps the stage made: timed events, or ticks of the network's clock.
    pub steps: u64,
    /// How many messages a network carried.
    pub messages: u64,
    /// How many bytes these had: bodies and, on the bus, subjects. None where messages are never bytes.
    pub bytes: u64,
    /// What was reached.
    pub reached: Reached,
    /// The first broken invariant; the run ended there.
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

    /// Takes one event. After the first broken invariant nothing is looked at any more.
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

    /// Counts a message of so many bytes that a network carried.
    pub(crate) fn message(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Counts a step of the stage.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
    }

    /// Whether the run need not go on.
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
