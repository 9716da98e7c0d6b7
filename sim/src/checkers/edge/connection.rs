//! A machine learns of every connection and every outage of its bus within 5 ms, and of no others.

use quorate_core::{coordinator, worker};

use crate::checkers::Context;
use crate::checkers::hosts::{PerHost, ProcessChecker};
use crate::edge::Edge;
use crate::event::{Event, What};
use crate::host::Host;

/// The time within which a machine learns of a change, in nanoseconds. A change wakes the driver.
const MAX_DELAY_NS: u64 = 5_000_000;

/// The state of one host's bus, and what its machine was told of it.
#[derive(Debug, Default)]
pub(crate) struct Link {
    connected: bool,
    connections: u64,
    changed: u64,
    /// Whether the machine was last told that the bus is up.
    told: bool,
    /// The number of connections when the machine was last told of one.
    told_of: u64,
}

pub(crate) fn new(_: &Context<'_>) -> PerHost<Link> {
    PerHost::new()
}

impl Link {
    fn up(&mut self, host: Host) -> Result<(), String> {
        if self.connections == self.told_of {
            return Err(format!(
                "{host}'s machine was told of a new connection, but connection {} is still the latest",
                self.connections
            ));
        }
        (self.told, self.told_of) = (true, self.connections);
        Ok(())
    }

    fn down(&mut self, host: Host) -> Result<(), String> {
        if self.told && self.connected && self.connections == self.told_of {
            return Err(format!("{host}'s machine was told that its bus is down, but it is connected"));
        }
        self.told = false;
        Ok(())
    }

    fn check(&self, host: Host, now: u64) -> Result<(), String> {
        let is_right = self.told == self.connected && (!self.connected || self.told_of == self.connections);
        if is_right || now < self.changed + MAX_DELAY_NS {
            return Ok(());
        }
        let Self { connected, connections, told, told_of, .. } = self;
        Err(format!(
            "{host}'s machine was last told: connected {told}, connection {told_of}; its bus shows: \
             connected {connected}, connection {connections}"
        ))
    }
}

impl ProcessChecker for Link {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::Edge(Edge::Bus { connected, connections }) => {
                (self.connected, self.connections, self.changed) = (connected, connections, event.at);
            }
            What::CoordinatorInput(_, coordinator::Input::BusUp) | What::WorkerInput(_, worker::Input::BusUp) => {
                return self.up(host);
            }
            What::CoordinatorInput(_, coordinator::Input::BusDown) | What::WorkerInput(_, worker::Input::BusDown) => {
                return self.down(host);
            }
            What::CoordinatorSettled(..) | What::WorkerSettled(..) => return self.check(host, event.at),
            What::Crashed | What::Stopped => *self = Self::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Input;

    use super::*;
    use crate::checkers::testing::rig::{COORDINATOR, Rig};

    fn bus(rig: &mut Rig, connected: bool, connections: u64) {
        rig.tell(COORDINATOR, What::Edge(Edge::Bus { connected, connections }));
    }

    /// A coordinator that has been told of its first connection.
    fn connected() -> Rig {
        let mut rig = Rig::new(new);
        rig.at_ms(1);
        bus(&mut rig, true, 1);
        rig.coordinator(1, &Input::BusUp);
        rig
    }

    #[test]
    fn every_connection_and_outage_is_reported_even_the_shortest() {
        let mut rig = connected();
        bus(&mut rig, false, 1);
        bus(&mut rig, true, 2);
        rig.begin_coordinator(&Input::BusDown);
        rig.coordinator(2, &Input::BusUp);
        bus(&mut rig, false, 2);
        rig.coordinator(3, &Input::BusDown);
        rig.wake_coordinator(100);
        rig.expect_fine();
    }

    #[test]
    fn an_outage_that_is_not_reported_is_found() {
        let mut rig = connected();
        bus(&mut rig, false, 1);
        bus(&mut rig, true, 2);
        rig.wake_coordinator(100);
        rig.expect_violation("connection 1; its bus shows: connected true, connection 2");
    }

    #[test]
    fn an_outage_that_did_not_happen_is_found() {
        let mut rig = connected();
        rig.coordinator(2, &Input::BusDown);
        rig.expect_violation("was told that its bus is down, but it is connected");
    }
}
