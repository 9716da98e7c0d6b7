//! Every connected coordinator receives the farewell of a worker that stops, unless a fault may lose it.
//!
//! What a bus has not sent is lost with its process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_core::coordinator::{Input, PresenceState};

use crate::checkers::{Checker, Context};
use crate::event::{Body, Event, Message, What};
use crate::host::Host;
use crate::scenario::FaultKind;

/// The time within which every coordinator receives it, in nanoseconds, besides the latency of the network.
const MAX_DELAY_NS: u64 = 300_000_000;
/// A queue of this length never fills up in a run.
const LONG: usize = 1000;

#[derive(Debug)]
pub(crate) struct Parting {
    /// Whether nothing in the scenario can lose a farewell.
    is_quiet: bool,
    max_delay: u64,
    /// The instance named in the last farewell of each worker process.
    farewells: BTreeMap<Host, Arc<str>>,
    /// The coordinators that are connected.
    connected: BTreeSet<Host>,
    /// The instances whose farewell each coordinator has received.
    heard: BTreeSet<(Host, Arc<str>)>,
    /// The farewells that each coordinator has yet to receive, with their time limits.
    open: BTreeMap<(Host, Arc<str>), u64>,
}

pub(crate) fn new(context: &Context<'_>) -> Parting {
    let (cluster, faults) = (&context.scenario.cluster, &context.scenario.faults);
    let takes_messages = |kind: &FaultKind| {
        !matches!(
            kind,
            FaultKind::Stop(_)
                | FaultKind::Crash(Host::Worker(_) | Host::Coordinator(_))
                | FaultKind::SlowSource(..)
                | FaultKind::FailSource(..)
                | FaultKind::PanicSource(..)
                | FaultKind::StaleSource(..)
                | FaultKind::Lie(..)
        )
    };
    let is_roomy = cluster.bus.broker_queue >= LONG && cluster.bus.subscription_queue >= LONG;
    let is_quiet = is_roomy && !faults.iter().any(|fault| takes_messages(&fault.kind));
    Parting {
        is_quiet,
        max_delay: MAX_DELAY_NS + 8_000 * cluster.network.latency_us.1,
        farewells: BTreeMap::new(),
        connected: BTreeSet::new(),
        heard: BTreeSet::new(),
        open: BTreeMap::new(),
    }
}

/// The instance that says farewell in a message, if any.
fn departed_instance(message: &Message) -> Option<Arc<str>> {
    match &message.body {
        Body::Presence(presence) if presence.state == PresenceState::Left => Some(Arc::clone(&presence.instance)),
        _ => None,
    }
}

impl Checker for Parting {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if !self.is_quiet {
            return Ok(());
        }
        if let Some(((coordinator, instance), _)) = self.open.iter().find(|(_, until)| **until < event.at) {
            return Err(format!(
                "{coordinator} has not heard that {instance} has left, although no fault can have lost its farewell"
            ));
        }
        match (event.what, event.host) {
            (What::Sent(message), Host::Worker(_)) => {
                self.farewells.extend(departed_instance(message).map(|instance| (event.host, instance)));
            }
            (What::Stopped, Host::Worker(_)) => {
                let Some(instance) = self.farewells.remove(&event.host) else { return Ok(()) };
                let all = self.connected.iter().map(|coordinator| (*coordinator, Arc::clone(&instance)));
                let rest = all.filter(|awaited| !self.heard.contains(awaited));
                self.open.extend(rest.map(|awaited| (awaited, event.at + self.max_delay)));
            }
            (What::Received(message), Host::Coordinator(_)) => {
                if let Some(instance) = departed_instance(message) {
                    let heard = (event.host, instance);
                    self.open.remove(&heard);
                    self.heard.insert(heard);
                }
            }
            (What::CoordinatorInput(_, Input::BusUp), _) => drop(self.connected.insert(event.host)),
            (
                What::CoordinatorInput(_, Input::BusDown)
                | What::Crashed
                | What::Stopping
                | What::Stopped
                | What::Started { .. },
                Host::Coordinator(_),
            ) => {
                self.connected.remove(&event.host);
                self.open.retain(|(coordinator, _), _| *coordinator != event.host);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::announcement;
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::scenario::Scenario;

    /// A worker stops, and its farewell is heard or not.
    fn stopped(is_heard: bool) -> Rig {
        let mut scenario = Scenario::quiet();
        (scenario.cluster.bus.broker_queue, scenario.cluster.bus.subscription_queue) = (LONG, LONG);
        scenario.faults.clear();
        let mut run = Rig::at(&scenario, Depth::Network, new);
        run.tell(COORDINATOR, What::CoordinatorInput(run.now(), &Input::BusUp));
        let body = Body::Presence(announcement("w1", PresenceState::Left));
        let farewell = Message { subject: "oracle.workers".into(), reply: None, body };
        run.tell(Host::Worker(1), What::Sent(&farewell));
        run.tell(Host::Worker(1), What::Stopped);
        if is_heard {
            run.tell(COORDINATOR, What::Received(&farewell));
        }
        run.pass(10_000);
        run.tell(Host::Broker, What::Healed);
        run
    }

    #[test]
    fn a_farewell_that_is_heard_is_fine_and_one_that_is_lost_is_found() {
        stopped(true).expect_fine();
        stopped(false).expect_violation("has not heard that");
    }
}
