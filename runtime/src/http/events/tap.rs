//! The driver's part in the events, which is kept small.

use quorate_core::Coordinator;
use quorate_core::coordinator::{self, Input, Output, ResultFate};

use super::Events;
use super::event::Event;
use super::history::Blamed;
use crate::driver::{Held, Step, Tap, WorkerView};
use crate::wire::EncodedOutcome;

/// Puts events into the ring.
#[derive(Debug)]
pub struct EventsTap {
    events: Events,
    /// The outcomes of this pass of the driver.
    outcomes: Vec<Event>,
    /// The workers that changed in this pass.
    workers: Vec<Event>,
}

impl Events {
    /// A tap for the driver of a coordinator. When it is dropped, the streams end.
    pub fn tap(&self) -> EventsTap {
        EventsTap { events: self.clone(), outcomes: Vec::new(), workers: Vec::new() }
    }
}

impl Tap<Coordinator> for EventsTap {
    fn step(&mut self, step: &Step<'_, Coordinator>) {
        if let Some(Input::Drain) = step.input {
            self.events.close();
        }
        for output in step.outputs {
            let Output::Event(event) = output else { continue };
            match (event, step.input) {
                (coordinator::Event::Worker { worker: id, .. }, _) => {
                    if let Some(worker) = step.machine.worker(id) {
                        let view = WorkerView::of(step.machine, step.now, id, worker);
                        self.workers.push(Event::Worker(Box::new(view)));
                    }
                }
                (coordinator::Event::Result { fate: ResultFate::Accepted, .. }, Some(Input::Result(result))) => {
                    self.events.0.watches.note(result);
                    if let Err(text) = &result.observed {
                        self.events.0.histories.failed(step, result, text);
                    }
                }
                (coordinator::Event::Blamed { request, worker, blame, before, after }, _) => {
                    let blamed = Blamed {
                        at: step.now,
                        request: request.clone(),
                        blame: *blame,
                        before: *before,
                        after: *after,
                    };
                    self.events.0.histories.blamed(step, worker, blamed);
                }
                _ => {}
            }
        }
    }

    fn ended(&mut self, outcome: &EncodedOutcome) {
        self.outcomes.push(Event::ended(outcome));
    }

    fn pass_ended(&mut self, _held: Held) {
        if !self.outcomes.is_empty() || !self.workers.is_empty() {
            self.events.0.tell(self.outcomes.drain(..).chain(self.workers.drain(..)));
        }
    }
}

impl Drop for EventsTap {
    fn drop(&mut self) {
        self.events.close();
    }
}
