//! A client never has more questions in flight at a coordinator than it may have connections.

use std::collections::BTreeMap;

use quorate_core::coordinator::{Input, Output};
use quorate_core::id::Ticket;
use quorate_core::trace::Trace;

use crate::checkers::{Checker, Context};
use crate::edge::trace_of;
use crate::event::{Event, What};
use crate::host::Host;

#[derive(Debug)]
pub(crate) struct Connections {
    /// The most connections that one client may have; `None` if it cannot reach the bound.
    most: Option<usize>,
    /// The client of each trace.
    asked: BTreeMap<[u8; 25], Host>,
    /// The client behind each ticket of a coordinator.
    in_flight: BTreeMap<(Host, Ticket), Host>,
}

pub(crate) fn new(context: &Context<'_>) -> Connections {
    Connections {
        // A trusted proxy holds connections for many clients.
        most: context
            .scenario
            .edges
            .connections_per_peer
            .filter(|_| context.scenario.edges.proxy != Some(crate::scenario::Proxy::Trusted)),
        asked: BTreeMap::new(),
        in_flight: BTreeMap::new(),
    }
}

impl Checker for Connections {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(most) = self.most else { return Ok(()) };
        let coordinator = event.host;
        match event.what {
            What::Asked(asked) => {
                if let Some(Trace(mark)) = trace_of(asked.number) {
                    self.asked.insert(mark, event.host);
                }
            }
            What::CoordinatorInput(_, Input::Submit(submit)) => {
                let client = submit.trace.and_then(|Trace(mark)| self.asked.get(&mark).copied());
                let Some(client) = client else { return Ok(()) };
                self.in_flight.insert((coordinator, submit.ticket), client);
                let here = self.in_flight.iter().filter(|((host, _), by)| *host == coordinator && **by == client);
                let count = here.count();
                if count > most {
                    return Err(format!(
                        "{client} has {count} questions in flight at {coordinator}, but may have at most {most}"
                    ));
                }
            }
            What::CoordinatorInput(_, Input::Cancel(ticket))
            | What::CoordinatorOutput(_, Output::Answer { ticket, .. }) => {
                self.in_flight.remove(&(coordinator, *ticket));
            }
            What::Started { .. } => self.in_flight.retain(|(host, _), _| *host != coordinator),
            _ => {}
        }
        Ok(())
    }
}

/// Whether a response refuses one connection too many.
pub(crate) fn is_one_too_many(status: u16, body: &str) -> bool {
    if status != 503 {
        return false;
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let is_about_connections = body["details"].as_str().is_some_and(|details| details.contains("connections"));
    body["error"] == "overloaded" && is_about_connections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::{request, submit};
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::scenario::Scenario;

    /// Three questions of one client. If `answers`, the first is over before the third.
    fn three(answers: bool) -> Rig {
        let mut scenario = Scenario::quiet();
        scenario.edges.connections_per_peer = Some(2);
        let mut run = Rig::at(&scenario, Depth::Network, new);
        for (number, ticket) in [(0, 1), (1, 2), (2, 3)] {
            if answers && ticket == 3 {
                run.tell(COORDINATOR, What::CoordinatorInput(run.now(), &Input::Cancel(Ticket(1))));
            }
            run.asked(number, None, request());
            let Input::Submit(mut told) = submit(ticket, "a") else {
                unreachable!("`submit` makes an `Input::Submit`")
            };
            told.trace = trace_of(number);
            run.input(&Input::Submit(told));
        }
        run
    }

    #[test]
    fn as_many_questions_as_connections_are_fine_and_one_more_is_found() {
        three(true).expect_fine();
        three(false).expect_violation("has 3 questions in flight");
    }
}
