//! The network between the hosts: its latency, and the effects of faults.

use crate::random::Random;
use crate::scenario::Network;

/// A host's index among the hosts of a run.
pub(super) type Node = usize;

/// One direction between two hosts.
#[derive(Clone, Debug, Default)]
struct Link {
    /// The number of active faults that block it.
    blocked: u32,
    /// The number of active faults that hold messages back.
    held: u32,
    /// The latencies that faults impose, in milliseconds; the longest counts.
    slow_ms: Vec<u64>,
    /// The shares of messages that faults lose, in thousandths; the greatest counts.
    loss_permille: Vec<u32>,
    /// When the last message arrives, in nanoseconds of the run: later ones must not overtake it.
    last_arrival: u64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives at this time, in nanoseconds of the run.
    Arrives(u64),
    /// It is held back.
    Held,
    /// It is lost.
    Lost,
}

/// All links between the hosts.
#[derive(Debug)]
pub(super) struct Links {
    nodes: usize,
    all: Vec<Link>,
    latency_us: (u64, u64),
    random: Random,
}

impl Links {
    pub(super) fn new(nodes: usize, network: Network, random: Random) -> Self {
        Self { nodes, all: vec![Link::default(); nodes * nodes], latency_us: network.latency_us, random }
    }

    fn link(&mut self, from: Node, to: Node) -> &mut Link {
        &mut self.all[from * self.nodes + to]
    }

    /// Sends a message now.
    pub(super) fn send(&mut self, now: u64, from: Node, to: Node) -> Fate {
        let (low, high) = self.latency_us;
        let mut latency = self.random.within(low..=high) * 1000;
        let lost = self.random.below(1000) as u32;
        let link = self.link(from, to);
        if link.blocked > 0 || link.loss_permille.iter().any(|share| lost < *share) {
            return Fate::Lost;
        }
        if link.held > 0 {
            return Fate::Held;
        }
        if let Some(slow) = link.slow_ms.iter().max() {
            latency = latency.max(slow * 1_000_000);
        }
        let at = (now + latency).max(link.last_arrival + 1);
        link.last_arrival = at;
        Fate::Arrives(at)
    }

    /// Whether a message would get through now.
    pub(super) fn is_open(&self, from: Node, to: Node) -> bool {
        let link = &self.all[from * self.nodes + to];
        link.blocked == 0 && link.held == 0
    }

    pub(super) fn is_held(&self, from: Node, to: Node) -> bool {
        self.all[from * self.nodes + to].held > 0
    }

    pub(super) fn is_blocked(&self, from: Node, to: Node) -> bool {
        self.all[from * self.nodes + to].blocked > 0
    }

    pub(super) fn block(&mut self, from: Node, to: Node, begins: bool) {
        count(&mut self.link(from, to).blocked, begins);
    }

    /// Returns whether no fault holds messages back now.
    pub(super) fn hold(&mut self, from: Node, to: Node, begins: bool) -> bool {
        let held = &mut self.link(from, to).held;
        count(held, begins);
        *held == 0
    }

    pub(super) fn slow(&mut self, from: Node, to: Node, millis: u64, begins: bool) {
        add(&mut self.link(from, to).slow_ms, millis, begins);
    }

    pub(super) fn lose(&mut self, from: Node, to: Node, permille: u32, begins: bool) {
        add(&mut self.link(from, to).loss_permille, permille, begins);
    }
}

/// Adds what a fault imposes when it begins, and removes it when it ends.
fn add<T: PartialEq>(all: &mut Vec<T>, one: T, begins: bool) {
    if begins {
        all.push(one);
    } else if let Some(place) = all.iter().position(|other| *other == one) {
        all.swap_remove(place);
    }
}

/// Adds a fault that begins, or subtracts one that ends.
pub(super) fn count(faults: &mut u32, begins: bool) {
    *faults = if begins { *faults + 1 } else { *faults - 1 };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn links() -> Links {
        Links::new(2, Network { latency_us: (100, 900) }, Random::new(1, Stream::Network, 0))
    }

    #[test]
    fn messages_of_one_direction_arrive_in_order() {
        let mut links = links();
        let arrivals: Vec<Fate> = (0..100).map(|now| links.send(now, 0, 1)).collect();
        assert!(arrivals.is_sorted_by_key(|fate| match fate {
            Fate::Arrives(at) => *at,
            Fate::Held | Fate::Lost => panic!("nothing is wrong with the link"),
        }));
    }

    #[test]
    fn overlapping_faults_end_when_the_last_one_does() {
        let mut links = links();
        links.block(0, 1, true);
        links.block(0, 1, true);
        links.block(0, 1, false);
        assert_eq!(links.send(0, 0, 1), Fate::Lost);
        assert!(matches!(links.send(0, 1, 0), Fate::Arrives(_)), "the other direction is open");
        links.block(0, 1, false);
        links.hold(0, 1, true);
        assert_eq!(links.send(0, 0, 1), Fate::Held);
        assert!(links.hold(0, 1, false));
        assert!(links.is_open(0, 1));
        links.lose(0, 1, 1000, true);
        assert_eq!(links.send(0, 0, 1), Fate::Lost);
    }
}
