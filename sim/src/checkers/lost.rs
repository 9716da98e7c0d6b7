//! A client is left without a response only where a fault touches it or the coordinator that it asks.

use std::collections::BTreeMap;

use super::{Checker, Context};
use crate::Depth;
use crate::event::{Event, Reply, What};
use crate::host::Host;
use crate::scenario::FaultKind;

/// Before this time, in nanoseconds, a coordinator may not listen yet.
const BEGINNING: u64 = 10_000_000;
/// How long the end of a process takes to be noticed, beside what the network takes.
const NOTICED: u64 = 20_000_000;

#[derive(Debug)]
pub(super) struct Lost {
    is_judged: bool,
    /// How long after a coordinator has begun again a client may meet the one before.
    slack: u64,
    /// The links between clients and coordinators that a fault has touched. A connection that is kept for later may have
    /// been broken by it.
    touched: Vec<(Host, Host)>,
    /// Until when each coordinator was not there.
    down: BTreeMap<Host, u64>,
    /// Who asks whom, and since when.
    open: BTreeMap<u32, (Host, Host, u64)>,
}

pub(super) fn new(context: &Context<'_>) -> Lost {
    Lost {
        is_judged: context.depth == Depth::Network,
        slack: NOTICED + 4_000 * context.scenario.cluster.network.latency_us.1,
        touched: Vec::new(),
        down: BTreeMap::new(),
        open: BTreeMap::new(),
    }
}

impl Lost {
    fn check(&self, number: u32, client: Host, coordinator: Host, asked: u64) -> Result<(), String> {
        let is_touched = |(a, b): &(Host, Host)| [(a, b), (b, a)].contains(&(&client, &coordinator));
        let was_down = self.down.get(&coordinator).is_some_and(|until| until.saturating_add(self.slack) >= asked);
        if was_down || asked < BEGINNING || self.touched.iter().any(is_touched) {
            return Ok(());
        }
        Err(format!("question {number} of {client} is left without a response by {coordinator}, and no fault touches them"))
    }
}

impl Checker for Lost {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if !self.is_judged {
            return Ok(());
        }
        match event.what {
            What::FaultBegan(_, fault) => match fault.kind {
                FaultKind::Partition(a, b)
                | FaultKind::PartitionOneWay(a, b)
                | FaultKind::Hold(a, b)
                | FaultKind::Slow(a, b, _)
                | FaultKind::Loss(a, b, _) => self.touched.push((a, b)),
                _ => {}
            },
            What::Stopping | What::Crashed => drop(self.down.insert(event.host, u64::MAX)),
            What::Started { incarnation } if incarnation > 1 => drop(self.down.insert(event.host, event.at)),
            What::Asked(asked) => {
                self.open.insert(asked.number, (event.host, asked.coordinator, event.at));
            }
            What::Vanished(number) => drop(self.open.remove(&number)),
            What::Replied(number, reply) => {
                if let (Some((client, coordinator, asked)), Reply::Lost) = (self.open.remove(&number), reply) {
                    return self.check(number, client, coordinator, asked);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::{COORDINATOR, Run, request, scenario};
    use super::*;
    use crate::scenario::Fault;

    const CLIENT: Host = Host::Client(1);

    fn lost_after(what: What<'_>, host: Host) -> Run {
        let mut run = Run::new(&scenario(), Depth::Network, new);
        run.pass(100);
        run.at(host, what);
        run.pass(10);
        run.asked(1, Some(0), request());
        run.pass(1000);
        run.replied(1, &Reply::Lost);
        run
    }

    #[test]
    fn what_a_fault_on_the_link_or_the_coordinator_takes_is_lost() {
        let fault = Fault { at_ms: 1, for_ms: 9, kind: FaultKind::Hold(COORDINATOR, CLIENT) };
        lost_after(What::FaultBegan(0, &fault), Host::Broker).finds_nothing();
        lost_after(What::Stopping, COORDINATOR).finds_nothing();
        lost_after(What::Started { incarnation: 2 }, COORDINATOR).finds_nothing();
    }

    #[test]
    fn a_response_that_nothing_took_is_found() {
        let fault = Fault { at_ms: 1, for_ms: 9, kind: FaultKind::Hold(COORDINATOR, Host::Broker) };
        lost_after(What::FaultBegan(0, &fault), Host::Broker).objects("without a response");
        lost_after(What::Crashed, Host::Worker(1)).objects("without a response");
    }
}
