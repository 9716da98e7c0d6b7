//! When a client may be left without a response, because a fault touched its link to the coordinator or the coordinator
//! was away, and when a visit may be refused for its client's other connections.

use std::collections::BTreeMap;

use super::connections::is_one_too_many;
use crate::checkers::Context;
use crate::event::{Event, Read, What};
use crate::host::Host;

/// Before this time, in nanoseconds, a coordinator may not listen yet.
const BEGINNING: u64 = 10_000_000;
/// How long clients take to notice the end of a process, in nanoseconds, besides the latency of the network.
const NOTICED: u64 = 20_000_000;

/// What faults have touched so far.
#[derive(Debug)]
pub(crate) struct Touched {
    /// How long after a restart a client may still reach the previous process, in nanoseconds.
    slack: u64,
    /// The links that a fault has touched. A fault may break a pooled connection that is used only later.
    links: Vec<(Host, Host)>,
    /// Until when each coordinator was away or about to stop; `u64::MAX` until it starts again.
    down: BTreeMap<Host, u64>,
    /// When each coordinator was last killed.
    killed: BTreeMap<Host, u64>,
    /// The client, the coordinator and the start of each visit, by its place in the scenario.
    visits: BTreeMap<usize, (Host, Host, u64)>,
    /// Whether a client can reach the bound on its connections.
    is_bounded: bool,
}

impl Touched {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            slack: NOTICED + 4_000 * context.scenario.cluster.network.latency_us.1,
            links: Vec::new(),
            down: BTreeMap::new(),
            killed: BTreeMap::new(),
            visits: BTreeMap::new(),
            is_bounded: context.scenario.edges.connections_per_peer.is_some(),
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        match event.what {
            What::FaultBegan(_, fault) => self.links.extend(fault.kind.link()),
            What::Crashed => {
                self.down.insert(event.host, u64::MAX);
                self.killed.insert(event.host, event.at);
            }
            What::Stopping => drop(self.down.insert(event.host, u64::MAX)),
            What::Started { incarnation } if incarnation > 1 => drop(self.down.insert(event.host, event.at)),
            What::Visited(place, visit) => {
                self.visits.insert(place, (event.host, Host::Coordinator(visit.coordinator), event.at));
            }
            _ => {}
        }
    }

    /// Whether a visit was refused, as it may be, because its client had too many connections.
    pub(super) fn excuses_refusal(&self, read: &Read) -> bool {
        self.is_bounded && is_one_too_many(read.status, &read.body)
    }

    /// Whether a fault may cost a client the response that it has awaited since `since`.
    pub(super) fn excuses(&self, client: Host, coordinator: Host, since: u64) -> bool {
        let was_down = self.down.get(&coordinator).is_some_and(|until| until.saturating_add(self.slack) >= since);
        was_down || since < BEGINNING || self.has_touched(client, coordinator)
    }

    /// Whether a fault has touched the link between two hosts.
    fn has_touched(&self, one: Host, other: Host) -> bool {
        self.links.iter().any(|link| *link == (one, other) || *link == (other, one))
    }

    /// The same for a question. If the machine has received it (`is_taken`), a graceful stop is no excuse.
    pub(super) fn excuses_question(&self, client: Host, coordinator: Host, since: u64, is_taken: bool) -> bool {
        if is_taken && self.killed.get(&coordinator).is_none_or(|at| *at < since) {
            return self.has_touched(client, coordinator);
        }
        self.excuses(client, coordinator, since)
    }

    /// The coordinator and the start of a visit.
    pub(super) fn visit(&self, place: usize) -> Option<(Host, u64)> {
        self.visits.get(&place).map(|(_, coordinator, since)| (*coordinator, *since))
    }

    /// Checks that a visit without a response is excused.
    pub(super) fn check_lost(&self, place: usize) -> Result<(), String> {
        let Some((client, coordinator, since)) = self.visits.get(&place) else { return Ok(()) };
        if self.excuses(*client, *coordinator, *since) {
            return Ok(());
        }
        Err(format!("{coordinator} left visit {place} of {client} without a response, although no fault touches them"))
    }
}
