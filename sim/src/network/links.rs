//! The links between the hosts: their latency, and the effects of the active faults on them.
//!
//! A link has one state at a time: that of the worst active fault on it. A fault that ends therefore never heals what
//! another one still breaks.
//!
//! turmoil's own random latency and loss are not used. They draw a number for each message in the order of sending, and
//! when a host crashes, tokio drops its tasks in an order that depends on how many tasks there have been in the whole
//! process. Here a link has the same latency for all messages, and changes it at random times.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use turmoil::Sim;

use crate::host::Host;
use crate::random::{Random, Stream};
use crate::scenario::{FaultKind, Network};

/// The longest time for which a link keeps its latency, in milliseconds.
const MAX_STEADY_MS: u64 = 40;

/// Two hosts, the smaller first.
type Pair = (Host, Host);

/// The combined effect of the active faults on one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Condition {
    traffic: Traffic,
    /// The minimum latency that faults impose on every message.
    latency: Duration,
    /// The share of messages that are lost while traffic flows, in thousandths.
    loss_permille: u32,
}

/// Whether messages get through, worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Traffic {
    #[default]
    Flows,
    /// Messages are lost from the smaller host (the first flag), from the greater (the second), or from both.
    Cut(bool, bool),
    Held,
    Partitioned,
}

impl Traffic {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Partitioned, _) | (_, Self::Partitioned) => Self::Partitioned,
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Cut(from, to), Self::Cut(also_from, also_to)) => Self::Cut(from || also_from, to || also_to),
            (Self::Flows, other) | (other, Self::Flows) => other,
        }
    }
}

/// Controls the links of a simulation.
#[derive(Debug)]
pub(super) struct Links {
    network: Network,
    links: BTreeMap<Pair, Link>,
}

#[derive(Debug)]
struct Link {
    ends: (IpAddr, IpAddr),
    random: Random,
    /// When the latency changes.
    steady_until: Duration,
    latency: Duration,
    condition: Condition,
}

impl Links {
    /// Intact links between the hosts that talk to each other. `sim` must already have the hosts.
    pub(super) fn new(seed: u64, network: Network, hosts: &[Host], sim: &Sim<'_>) -> Self {
        let mut links = BTreeMap::new();
        for a in hosts {
            for b in hosts.iter().filter(|b| a < *b && talk(*a, **b)) {
                let random = Random::new(seed, Stream::Network, (lane(*a) << 16) | lane(*b));
                let ends = (sim.lookup(a.to_string()), sim.lookup(b.to_string()));
                let latency = Duration::from_micros(network.latency_us.0);
                let condition = Condition::default();
                links.insert((*a, *b), Link { ends, random, steady_until: Duration::ZERO, latency, condition });
            }
        }
        Self { network, links }
    }

    /// Draws new latencies for the links that are due, and loses messages on lossy links. Called before each step.
    pub(super) fn weather(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        let (low, high) = self.network.latency_us;
        for link in self.links.values_mut() {
            if link.steady_until <= now {
                link.steady_until = now + Duration::from_millis(link.random.within(1..=MAX_STEADY_MS));
                link.latency = Duration::from_micros(link.random.within(low..=high));
                link.set_latency(sim);
            }
            if link.condition.loses() > 0 {
                link.lose(sim);
            }
        }
    }

    /// Changes the links to what the active faults require.
    pub(super) fn apply<'a>(&mut self, sim: &mut Sim<'_>, lasting: impl IntoIterator<Item = &'a FaultKind>) {
        let wanted = conditions(lasting);
        for (pair, link) in &mut self.links {
            let before = std::mem::replace(&mut link.condition, wanted.get(pair).copied().unwrap_or_default());
            if before.traffic != link.condition.traffic {
                link.turn(sim, before.traffic);
            }
            if before.latency != link.condition.latency {
                link.set_latency(sim);
            }
        }
    }
}

impl Condition {
    /// The share of messages to lose at random, in thousandths.
    fn loses(self) -> u32 {
        if self.traffic == Traffic::Flows { self.loss_permille } else { 0 }
    }
}

impl Link {
    fn latency(&self) -> Duration {
        self.latency.max(self.condition.latency)
    }

    fn set_latency(&self, sim: &mut Sim<'_>) {
        sim.set_link_latency(self.ends.0, self.ends.1, self.latency());
    }

    fn turn(&self, sim: &mut Sim<'_>, before: Traffic) {
        let (a, b) = self.ends;
        match (before, self.condition.traffic) {
            (_, Traffic::Partitioned) => sim.partition(a, b),
            (_, Traffic::Held) => sim.hold(a, b),
            (Traffic::Held, _) => sim.release(a, b),
            (_, _) => sim.repair(a, b),
        }
        if let Traffic::Cut(from, to) = self.condition.traffic {
            if from {
                sim.partition_oneway(a, b);
            }
            if to {
                sim.partition_oneway(b, a);
            }
        }
    }

    /// At random, loses everything in flight at once: nothing is retransmitted, so a connection that loses one segment
    /// never delivers those behind it anyway.
    fn lose(&mut self, sim: &mut Sim<'_>) {
        let (a, b) = self.ends;
        let mut on_their_way = 0;
        sim.links(|links| {
            let ours = links.filter(|link| link.pair() == (a.min(b), a.max(b)));
            on_their_way = ours.map(Iterator::count).sum::<usize>() as u64;
        });
        // A message is in flight for this many steps, and may be lost in each.
        let steps = self.latency().as_millis().max(1) as u64;
        if on_their_way > 0 && self.random.below(1000 * steps) < u64::from(self.condition.loses()) * on_their_way {
            sim.partition(a, b);
            sim.repair(a, b);
        }
    }
}

/// Whether the smaller host ever talks to the greater.
fn talk(a: Host, b: Host) -> bool {
    a == Host::Broker && !matches!(b, Host::Client(_)) || matches!((a, b), (Host::Coordinator(_), Host::Client(_)))
}

/// A number for each host, below 2^16, which separates their random streams.
pub(super) fn lane(host: Host) -> u32 {
    let (kind, number) = match host {
        Host::Broker => (0, 0),
        Host::Coordinator(number) => (1, number),
        Host::Worker(number) => (2, number),
        Host::Client(number) => (3, number),
        Host::Adversary => (4, 0),
    };
    (kind << 8) | u32::from(number)
}

/// The combined effect of the faults on each link.
fn conditions<'a>(lasting: impl IntoIterator<Item = &'a FaultKind>) -> BTreeMap<Pair, Condition> {
    let mut links: BTreeMap<Pair, Condition> = BTreeMap::new();
    for kind in lasting {
        let pair = match kind {
            FaultKind::Freeze(host) => Some((*host, Host::Broker)),
            _ => kind.link(),
        };
        let Some((a, b)) = pair else { continue };
        let link = links.entry((a.min(b), a.max(b))).or_default();
        match kind {
            FaultKind::Partition(..) => link.traffic = link.traffic.and(Traffic::Partitioned),
            FaultKind::PartitionOneWay(..) => link.traffic = link.traffic.and(Traffic::Cut(a < b, b < a)),
            FaultKind::Hold(..) | FaultKind::Freeze(_) => link.traffic = link.traffic.and(Traffic::Held),
            FaultKind::Slow(_, _, millis) => link.latency = link.latency.max(Duration::from_millis(*millis)),
            FaultKind::Loss(_, _, permille) => link.loss_permille = link.loss_permille.max((*permille).min(1000)),
            _ => {}
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_fault_on_a_link_shows() {
        let (a, b) = (Host::Coordinator(1), Host::Broker);
        let link = |faults: &[FaultKind]| conditions(faults)[&(b, a)];
        let one_way = FaultKind::PartitionOneWay(a, b);
        assert_eq!(link(std::slice::from_ref(&one_way)).traffic, Traffic::Cut(false, true));
        let other_way = FaultKind::PartitionOneWay(b, a);
        assert_eq!(link(&[one_way.clone(), other_way]).traffic, Traffic::Cut(true, true));
        assert_eq!(link(&[one_way.clone(), FaultKind::Hold(b, a)]).traffic, Traffic::Held);
        let all = [FaultKind::Partition(a, b), FaultKind::Hold(a, b), one_way, FaultKind::Slow(a, b, 5)];
        assert_eq!(link(&all).traffic, Traffic::Partitioned);
        assert_eq!(link(&[FaultKind::Slow(a, b, 5), FaultKind::Slow(b, a, 9)]).latency, Duration::from_millis(9));
        let frozen = conditions(&[FaultKind::Freeze(Host::Worker(1))]);
        assert_eq!(frozen[&(Host::Broker, Host::Worker(1))].traffic, Traffic::Held);
    }
}
