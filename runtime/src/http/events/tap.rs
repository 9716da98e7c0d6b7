//! What the driver does for the events: as little as possible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::coordinator::{Input, Output, PresenceState, WorkerState};
use quorate_core::id::WorkerId;
use quorate_core::time::Timestamp;

use super::Events;
use super::event::Event;
use crate::driver::{Tap, WorkerView};

/// How often the workers are looked at for changes that no message announces, such as a cordon.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sees what happens, and puts it into the ring.
#[derive(Debug)]
pub struct EventsTap {
    events: Events,
    /// What happened in this pass of the driver.
    new: Vec<Event>,
    /// The workers that were told of, with their state and whether they are cordoned.
    known: BTreeMap<WorkerId, (WorkerState, bool)>,
    /// Whether something came that may have changed a worker's state.
    look: bool,
    /// When the workers are looked at whatever came.
    look_at: Timestamp,
    /// How long a worker counts as live after it was last heard.
    presence: Duration,
}

impl Events {
    /// For the driver of a coordinator for which workers count as live for `presence` after they were last heard. When it
    /// is dropped the streams end.
    pub fn tap(&self, presence: Duration) -> EventsTap {
        EventsTap {
            events: self.clone(),
            new: Vec::new(),
            known: BTreeMap::new(),
            look: false,
            look_at: Timestamp::ZERO,
            presence,
        }
    }
}

impl EventsTap {
    fn is_live(&self, worker: &WorkerId) -> bool {
        self.known.get(worker).is_some_and(|(state, _)| *state == WorkerState::Live)
    }

    /// Tells which workers are not as they were told of last.
    fn look(&mut self, now: Timestamp, machine: &Coordinator) {
        let mut count = 0;
        self.look_at = now.after(LOOK_EVERY);
        for (id, worker) in machine.workers() {
            count += 1;
            let state = (worker.state, machine.is_cordoned(id));
            if self.known.get(id) != Some(&state) {
                self.known.insert(id.clone(), state);
                self.new.push(Event::Worker(Box::new(WorkerView::of(machine, now, id, worker))));
            }
            if worker.state != WorkerState::Expired {
                // Not later than it expires: nothing announces that.
                self.look_at = self.look_at.min(worker.last_heard.after(self.presence));
            }
        }
        if self.known.len() > count {
            let there: Vec<_> = machine.workers().map(|(id, _)| id).collect();
            self.known.retain(|id, _| there.binary_search(&id).is_ok());
        }
    }
}

impl Tap<Coordinator> for EventsTap {
    fn input(&mut self, _now: Timestamp, input: &Input) {
        match input {
            Input::Result(result) => {
                self.events.0.watches.note(result);
                self.look = self.look || !self.is_live(&result.worker);
            }
            Input::Presence(presence) => {
                let changes = presence.state != PresenceState::Live || !self.is_live(&presence.worker);
                self.look = self.look || changes;
            }
            Input::Drain => self.events.close(),
            Input::Submit(_) | Input::Cancel(_) | Input::Undelivered(_) | Input::BusUp | Input::BusDown => {}
        }
    }

    fn woken(&mut self, _now: Timestamp) {}

    fn output(&mut self, _now: Timestamp, output: &Output) {
        if let Output::Ended(outcome) = output {
            self.new.push(Event::Outcome(Arc::clone(outcome)));
        }
    }

    fn settled(&mut self, now: Timestamp, machine: &Coordinator) {
        if std::mem::take(&mut self.look) || self.look_at <= now {
            self.look(now, machine);
        }
        if !self.new.is_empty() {
            self.events.0.tell(self.new.drain(..));
        }
    }
}

impl Drop for EventsTap {
    fn drop(&mut self) {
        self.events.close();
    }
}
