//! What the driver does for the events: as little as possible.

use std::sync::Arc;

use quorate_core::Coordinator;
use quorate_core::coordinator::{self, Input, Output, ResultFate};

use super::Events;
use super::event::Event;
use crate::driver::{Held, Step, Tap, WorkerView};

/// Puts what happens into the ring.
#[derive(Debug)]
pub struct EventsTap {
    events: Events,
    /// What happened in this pass of the driver.
    new: Vec<Event>,
}

impl Events {
    /// For the driver of a coordinator that tells its events. When it is dropped the streams end.
    pub fn tap(&self) -> EventsTap {
        EventsTap { events: self.clone(), new: Vec::new() }
    }
}

impl Tap<Coordinator> for EventsTap {
    fn step(&mut self, step: &Step<'_, Coordinator>) {
        if let Some(Input::Drain) = step.input {
            self.events.close();
        }
        for output in step.outputs {
            match output {
                Output::Ended(outcome) => self.new.push(Event::Outcome(Arc::clone(outcome))),
                Output::Event(coordinator::Event::Worker { worker: id, .. }) => {
                    if let Some(worker) = step.machine.worker(id) {
                        let view = WorkerView::of(step.machine, step.now, id, worker);
                        self.new.push(Event::Worker(Box::new(view)));
                    }
                }
                Output::Event(coordinator::Event::Result { fate: ResultFate::Accepted, .. }) => {
                    if let Some(Input::Result(result)) = step.input {
                        self.events.0.watches.note(result);
                    }
                }
                _ => {}
            }
        }
    }

    fn pass_ended(&mut self, _held: Held) {
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
