//! The outcomes that a coordinator's driver publishes, for everybody but their callers, who have their answers already.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;
use tracing::debug;

use crate::bus::Bus;
use crate::clock::Clock;
use crate::wire::{EncodedOutcome, Subjects};

/// How long an outcome may wait until it is published, while nothing is in flight.
const WITHIN: Duration = Duration::from_millis(2);

/// The outcomes that are not published yet.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// In the order in which their requests ended.
    waiting: Vec<EncodedOutcome>,
    /// When they will be published at the latest.
    due: Option<Timestamp>,
    /// The number of outcomes that the bus refused.
    pub(super) unpublished: u64,
}

impl Outcomes {
    /// Keeps an outcome for [`publish`](Self::publish).
    pub(super) fn push(&mut self, outcome: EncodedOutcome) {
        self.waiting.push(outcome);
    }

    /// Encodes an outcome, unless it is the last of those that wait, which are encoded.
    pub(super) fn encoded(&self, outcome: Arc<Outcome>) -> EncodedOutcome {
        match self.waiting.last() {
            Some(waiting) if Arc::ptr_eq(&waiting.outcome, &outcome) => waiting.clone(),
            // A remembered outcome, whose encoded form is not kept.
            _ => EncodedOutcome::new(outcome),
        }
    }

    /// When to call [`publish`](Self::publish) at the latest.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Publishes what waits, `at_once` or when it is due. While nothing is in flight, outcomes wait for the task of the
    /// next request, but not long: a write to the bus for them alone would wake the server between the requests of a
    /// single caller.
    pub(super) fn publish<B: Bus>(&mut self, bus: &B, subjects: &Subjects, clock: &Clock, at_once: bool) {
        if self.waiting.is_empty() {
            return;
        }
        let now = clock.now();
        let due = *self.due.get_or_insert_with(|| now.after(WITHIN));
        if !at_once && now < due {
            return;
        }
        self.due = None;
        for EncodedOutcome { outcome, body } in self.waiting.drain(..) {
            // Outcomes must not delay tasks or push them out of the queue.
            if let Err(error) = bus.publish_expendable(&subjects.outcome(&outcome.query), body) {
                self.unpublished += 1;
                debug!(%error, request = %outcome.request, "an outcome is not published");
            }
        }
    }
}
