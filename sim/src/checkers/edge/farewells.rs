//! A coordinator's machine receives a worker's answer before its farewell, if they arrived in that order.
//!
//! The two come on different subjects, and no request waits for a worker that has left.

use std::collections::BTreeMap;

use quorate_core::coordinator::{Input, PresenceState};
use quorate_core::id::WorkerId;

use crate::checkers::Context;
use crate::checkers::hosts::{PerHost, ProcessChecker};
use crate::edge::Edge;
use crate::event::{Body, Event, Message, What};

const PRESENCE: &str = "oracle.workers";

/// What one coordinator's driver has taken from its subscriptions and passed to its machine.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// The number of the message that it takes next, in order of arrival; 0 if unknown.
    next: u64,
    /// Farewells that were taken and not passed on yet, in order.
    held: Vec<(WorkerId, u64)>,
    /// Answers that were taken in this pass and not passed on yet, in order.
    answers: Vec<(WorkerId, u64)>,
    /// The last farewell of each worker that was passed on.
    told: BTreeMap<WorkerId, u64>,
}

impl Arrivals {
    /// The driver takes a message from a subscription.
    fn takes(&mut self, number: u64, message: &Message) -> Result<(), String> {
        match &message.body {
            Body::Presence(presence) if presence.state == PresenceState::Left && *message.subject == *PRESENCE => {
                self.held.push((presence.worker.clone(), number));
            }
            Body::Result(result) => {
                if let Some(farewell) = self.told.get(&result.worker).filter(|farewell| number < **farewell) {
                    return Err(overtaken(&result.worker, number, *farewell));
                }
                self.answers.push((result.worker.clone(), number));
            }
            _ => {}
        }
        Ok(())
    }

    /// The machine receives a farewell.
    fn told(&mut self, worker: &WorkerId) -> Result<(), String> {
        // A reply to a ping is not held back.
        let Some(place) = self.held.iter().position(|(of, _)| of == worker) else { return Ok(()) };
        let (_, farewell) = self.held.remove(place);
        self.told.insert(worker.clone(), farewell);
        match self.answers.iter().find(|(of, number)| of == worker && *number < farewell) {
            Some((_, number)) => Err(overtaken(worker, *number, farewell)),
            None => Ok(()),
        }
    }
}

fn overtaken(worker: &WorkerId, number: u64, farewell: u64) -> String {
    format!("the machine received the result of {worker} in message {number} after its farewell in message {farewell}")
}

pub(crate) fn new(_: &Context<'_>) -> PerHost<Arrivals> {
    PerHost::new()
}

impl ProcessChecker for Arrivals {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Edge(Edge::Arrived(number)) => self.next = number,
            What::Received(message) if self.next > 0 => {
                let number = std::mem::take(&mut self.next);
                return self.takes(number, message);
            }
            What::CoordinatorInput(_, Input::Result(result)) => {
                if let Some(place) = self.answers.iter().position(|(of, _)| *of == result.worker) {
                    self.answers.remove(place);
                }
            }
            What::CoordinatorInput(_, Input::Presence(presence)) if presence.state == PresenceState::Left => {
                return self.told(&presence.worker);
            }
            // All answers that were taken have been passed on. Announcements may wait.
            What::Edge(Edge::PassEnded(_)) => self.answers.clear(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::inputs::{announcement, answer, request_id};
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::event::WorkerResult;
    use crate::scenario::worker_name;

    fn takes(rig: &mut Rig, number: u64, subject: &str, body: Body) {
        rig.tell(COORDINATOR, What::Edge(Edge::Arrived(number)));
        rig.tell(COORDINATOR, What::Received(&Message { subject: subject.into(), reply: None, body }));
    }

    fn farewell() -> Body {
        Body::Presence(announcement("w1", PresenceState::Left))
    }

    fn is_told(rig: &mut Rig, input: &Input) {
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), input));
    }

    fn farewell_is_told(rig: &mut Rig) {
        is_told(rig, &Input::Presence(announcement("w1", PresenceState::Left)));
    }

    fn result(worker: u8) -> Body {
        Body::Result(WorkerResult::new(worker_name(worker), request_id(1), Err("no".into())))
    }

    #[test]
    fn an_answer_before_a_farewell_and_one_that_arrived_after_it_are_fine() {
        let mut rig = Rig::new(new);
        takes(&mut rig, 2, PRESENCE, farewell());
        takes(&mut rig, 1, "_INBOX.c1.1", result(1));
        is_told(&mut rig, &answer("w1", 1, None, 5));
        farewell_is_told(&mut rig);
        takes(&mut rig, 3, "oracle.results", result(1));
        rig.expect_fine();
    }

    #[test]
    fn a_farewell_that_overtakes_an_answer_of_its_pass_is_found() {
        let mut rig = Rig::new(new);
        takes(&mut rig, 5, PRESENCE, farewell());
        takes(&mut rig, 4, "_INBOX.c1.1", result(2));
        takes(&mut rig, 3, "_INBOX.c1.1", result(1));
        farewell_is_told(&mut rig);
        rig.expect_violation("in message 3 after its farewell in message 5");
    }

    #[test]
    fn a_farewell_that_overtakes_a_later_taken_answer_of_its_worker_is_found() {
        let mut rig = Rig::new(new);
        takes(&mut rig, 5, PRESENCE, farewell());
        farewell_is_told(&mut rig);
        takes(&mut rig, 4, "_INBOX.c1.1", result(2));
        takes(&mut rig, 3, "_INBOX.c1.1", result(1));
        rig.expect_violation("in message 3 after its farewell in message 5");
    }
}
