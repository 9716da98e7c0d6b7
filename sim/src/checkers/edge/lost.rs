//! A client is left without a response only if a fault touches it or the coordinator that it asks.

use std::collections::BTreeMap;

use quorate_core::coordinator::{Input, Submit};

use super::touched::Touched;
use crate::checkers::{Checker, Context};
use crate::edge::trace_of;
use crate::event::{Event, Reply, What};
use crate::host::Host;

/// A question that waits for its answer.
#[derive(Debug)]
struct Open {
    client: Host,
    coordinator: Host,
    asked: u64,
    /// Whether the coordinator's machine has received it, so that even a stop must not lose its answer.
    is_taken: bool,
}

#[derive(Debug)]
pub(crate) struct Lost {
    /// Whether a coordinator that stops may close a slow connection.
    is_hurried: bool,
    touched: Touched,
    open: BTreeMap<u32, Open>,
}

pub(crate) fn new(context: &Context<'_>) -> Lost {
    Lost { is_hurried: context.scenario.edges.stop_ms.is_some(), touched: Touched::new(context), open: BTreeMap::new() }
}

impl Checker for Lost {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.touched.event(event);
        match event.what {
            What::Asked(asked) => {
                let (client, coordinator) = (event.host, asked.coordinator);
                self.open.insert(asked.number, Open { client, coordinator, asked: event.at, is_taken: false });
            }
            What::CoordinatorInput(_, Input::Submit(Submit { trace: Some(trace), .. })) => {
                let open = self.open.iter_mut().find(|(number, _)| trace_of(**number) == Some(*trace));
                if let Some((_, open)) = open {
                    open.is_taken = !self.is_hurried;
                }
            }
            What::Vanished(number) => drop(self.open.remove(&number)),
            What::Replied(number, reply) => {
                let Some(Open { client, coordinator, asked, is_taken }) = self.open.remove(&number) else {
                    return Ok(());
                };
                if matches!(reply, Reply::Lost) && !self.touched.excuses_question(client, coordinator, asked, is_taken)
                {
                    return Err(format!(
                        "{coordinator} left question {number} of {client} without a response, although no fault \
                         touches them"
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::inputs::request;
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::scenario::{Fault, FaultKind};

    const CLIENT: Host = Host::Client(1);

    fn lost_after(what: What<'_>, host: Host) -> Rig {
        let mut run = Rig::new(new);
        run.pass(100);
        run.tell(host, what);
        run.pass(10);
        run.asked(1, Some(0), request());
        run.pass(1000);
        run.replied(1, &Reply::Lost);
        run
    }

    #[test]
    fn a_response_may_be_lost_to_a_fault_on_the_link_or_the_coordinator() {
        let fault = Fault { at_ms: 1, for_ms: 9, kind: FaultKind::Hold(COORDINATOR, CLIENT) };
        lost_after(What::FaultBegan(0, &fault), Host::Broker).expect_fine();
        lost_after(What::Stopping, COORDINATOR).expect_fine();
        lost_after(What::Started { incarnation: 2 }, COORDINATOR).expect_fine();
    }

    #[test]
    fn a_response_lost_without_a_fault_is_found() {
        let fault = Fault { at_ms: 1, for_ms: 9, kind: FaultKind::Hold(COORDINATOR, Host::Broker) };
        lost_after(What::FaultBegan(0, &fault), Host::Broker).expect_violation("without a response");
        lost_after(What::Crashed, Host::Worker(1)).expect_violation("without a response");
    }
}
