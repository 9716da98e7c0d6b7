//! A coordinator's machine is told of a worker's answer before its farewell, if they arrived in that order.
//!
//! The two come on different subjects, and a worker that has left is not waited for.

use std::collections::BTreeMap;

use quorate_core::coordinator::PresenceState;
use quorate_core::id::WorkerId;

use super::hosts::PerHost;
use super::{Checker, Context};
use crate::edge::Edge;
use crate::event::{Body, Event, What};

const PRESENCE: &str = "oracle.workers";

/// What one coordinator has taken.
#[derive(Debug, Default)]
struct Taken {
    /// The number of the message that it takes next.
    next: u64,
    /// The last farewell of each worker.
    farewells: BTreeMap<WorkerId, u64>,
}

#[derive(Debug)]
pub(super) struct Farewells(PerHost<Taken>);

pub(super) fn new(_: &Context<'_>) -> Farewells {
    Farewells(PerHost::new())
}

impl Checker for Farewells {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::Edge(Edge::Arrived(number)) => {
                if let Some(taken) = self.0.get(host) {
                    taken.next = number;
                }
            }
            What::Received(message) => {
                let Some(taken) = self.0.get(host).filter(|taken| taken.next > 0) else { return Ok(()) };
                let number = std::mem::take(&mut taken.next);
                match &message.body {
                    Body::Presence(presence)
                        if presence.state == PresenceState::Left && *message.subject == *PRESENCE =>
                    {
                        taken.farewells.insert(presence.worker.clone(), number);
                    }
                    Body::Result(result) => {
                        if let Some(farewell) = taken.farewells.get(&result.worker)
                            && number < *farewell
                        {
                            return Err(format!(
                                "{host} takes a result of {} that was message {number} after its farewell, which was \
                                 message {farewell}",
                                result.worker
                            ));
                        }
                    }
                    _ => {}
                }
            }
            What::Started { .. } => {
                if let Some(taken) = self.0.get(host) {
                    *taken = Taken::default();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::rig::{COORDINATOR, Rig, presence, request};
    use super::*;
    use crate::event::{Message, WorkerResult};
    use crate::scenario::worker_name;

    fn takes(rig: &mut Rig, number: u64, subject: &str, body: Body) {
        rig.tell(COORDINATOR, What::Edge(Edge::Arrived(number)));
        rig.tell(COORDINATOR, What::Received(&Message { subject: subject.into(), reply: None, body }));
    }

    fn farewell() -> Body {
        Body::Presence(presence("w1", PresenceState::Left))
    }

    fn result(worker: u8) -> Body {
        Body::Result(WorkerResult {
            worker: worker_name(worker),
            request: request(1),
            observed: Err("no".into()),
            response_time: std::time::Duration::ZERO,
            age: None,
        })
    }

    #[test]
    fn an_answer_before_a_farewell_and_one_that_arrived_after_it_are_well() {
        let mut rig = Rig::new(new);
        takes(&mut rig, 1, "_INBOX.c1.1", result(1));
        takes(&mut rig, 2, PRESENCE, farewell());
        takes(&mut rig, 3, "oracle.results", result(1));
        rig.expect_fine();
    }

    #[test]
    fn a_farewell_that_overtakes_an_answer_is_found_and_that_of_another_worker_is_none() {
        let mut rig = Rig::new(new);
        takes(&mut rig, 5, PRESENCE, farewell());
        takes(&mut rig, 4, "_INBOX.c1.1", result(2));
        takes(&mut rig, 3, "_INBOX.c1.1", result(1));
        rig.expect_violation("message 3 after its farewell, which was message 5");
    }
}
