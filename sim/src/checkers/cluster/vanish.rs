//! A coordinator stops working for a client that has gone away: it notices, and cancels the question.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::coordinator::{Input, Output};
use quorate_core::id::{RequestId, Ticket};

use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::FaultKind;

/// How long a coordinator may take to notice, in nanoseconds, besides the latency of the network.
const PATIENCE: u64 = 20_000_000;

/// A client that has gone away.
#[derive(Clone, Debug)]
struct Gone {
    coordinator: Host,
    id: RequestId,
    until: u64,
}

pub(crate) struct Vanish {
    /// Hosts that faults touch. They may not notice, and are not judged.
    touched: BTreeSet<Host>,
    /// The longest that noticing may take, in nanoseconds.
    patience: u64,
    /// The questions that carry an id, by number.
    asked: BTreeMap<u32, (Host, RequestId)>,
    /// The number of questions under each id.
    uses: BTreeMap<RequestId, u32>,
    /// The open questions of each coordinator.
    open: BTreeMap<(Host, Ticket), RequestId>,
    gone: Vec<Gone>,
}

pub(crate) fn new(context: &Context<'_>) -> Vanish {
    let mut touched = BTreeSet::new();
    for fault in &context.scenario.faults {
        let is_of_a_process = matches!(fault.kind, FaultKind::Crash(_) | FaultKind::Stop(_) | FaultKind::Freeze(_));
        if is_of_a_process || fault.kind.link().is_some() {
            touched.extend(fault.kind.hosts());
        }
    }
    Vanish {
        touched,
        patience: PATIENCE + 4_000 * context.scenario.cluster.network.latency_us.1,
        asked: BTreeMap::new(),
        uses: BTreeMap::new(),
        open: BTreeMap::new(),
        gone: Vec::new(),
    }
}

impl Vanish {
    fn overdue(&mut self, now: u64) -> Result<(), String> {
        while let Some(place) = self.gone.iter().position(|gone| gone.until < now) {
            let gone = self.gone.swap_remove(place);
            let is_open = self.open.iter().any(|((host, _), id)| *host == gone.coordinator && *id == gone.id);
            if is_open && self.uses.get(&gone.id) == Some(&1) {
                return Err(format!(
                    "the only client of {} has gone away, but {} has not cancelled it",
                    gone.id, gone.coordinator
                ));
            }
        }
        Ok(())
    }
}

impl Checker for Vanish {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Asked(asked) => {
                let Some(id) = asked.request.id_text().and_then(|id| RequestId::new(&id).ok()) else { return Ok(()) };
                *self.uses.entry(id.clone()).or_default() += 1;
                self.asked.insert(asked.number, (asked.coordinator, id));
            }
            What::Vanished(number) => {
                let Some((coordinator, id)) = self.asked.get(&number) else { return Ok(()) };
                if !self.touched.contains(coordinator) && !self.touched.contains(&event.host) {
                    let (coordinator, id) = (*coordinator, id.clone());
                    self.gone.push(Gone { coordinator, id, until: event.at + self.patience });
                }
            }
            What::CoordinatorInput(_, Input::Submit(submit)) => {
                if let Some(id) = &submit.id {
                    self.open.insert((event.host, submit.ticket), id.clone());
                }
            }
            What::CoordinatorInput(_, Input::Cancel(ticket))
            | What::CoordinatorOutput(_, Output::Answer { ticket, .. }) => {
                self.open.remove(&(event.host, *ticket));
            }
            What::CoordinatorSettled(..) | What::WorkerSettled(..) | What::Ended if !self.gone.is_empty() => {
                return self.overdue(event.at);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Submit;
    use quorate_core::policy::Overrides;
    use quorate_core::query::Query;
    use quorate_core::time::Timestamp;

    use super::*;
    use crate::Depth;
    use crate::event::Question;
    use crate::scenario::{Fault, Scenario};

    const COORDINATOR: Host = Host::Coordinator(1);
    const CLIENT: Host = Host::Client(1);

    /// The verdict if a client goes away at 10 ms and its coordinator cancels the question at `cancelled_ms`.
    fn found(faults: Vec<Fault>, cancelled_ms: Option<u64>) -> Result<(), String> {
        let mut scenario = Scenario { faults, ..Scenario::generate(1) };
        scenario.cluster.network.latency_us = (100, 1000);
        let mut vanish = new(&Context { scenario: &scenario, depth: Depth::Network });
        let mut request = scenario.requests[0].clone();
        request.id = Some(1);
        let asked = Question { number: 7, coordinator: COORDINATOR, place: Some(0), request };
        let submit = Input::Submit(Submit {
            ticket: Ticket(3),
            id: RequestId::new("request-1").ok(),
            query: Query::new("BTC/USD").expect("a query"),
            overrides: Overrides::default(),
            trace: None,
        });
        let cancel = Input::Cancel(Ticket(3));
        let at = |millis: u64, host, what| Event { at: millis * 1_000_000, host, what };
        vanish.event(&at(0, CLIENT, What::Asked(&asked)))?;
        vanish.event(&at(1, COORDINATOR, What::CoordinatorInput(Timestamp::ZERO, &submit)))?;
        vanish.event(&at(10, CLIENT, What::Vanished(7)))?;
        if let Some(millis) = cancelled_ms {
            vanish.event(&at(millis, COORDINATOR, What::CoordinatorInput(Timestamp::ZERO, &cancel)))?;
        }
        vanish.event(&at(100, Host::Broker, What::Ended))
    }

    #[test]
    fn a_question_whose_client_is_gone_is_cancelled_unless_a_fault_hides_that() {
        assert_eq!(found(Vec::new(), Some(12)), Ok(()));
        assert!(found(Vec::new(), None).is_err());
        let hold = Fault { at_ms: 1, for_ms: 50, kind: FaultKind::Hold(CLIENT, COORDINATOR) };
        assert_eq!(found(vec![hold], None), Ok(()));
    }
}
