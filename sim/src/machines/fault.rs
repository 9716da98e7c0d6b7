//! Begins and ends the faults of the schedule.

use super::links::{Node, count};
use super::worker::understood;
use super::{BROKER, Next, Program, Stage, millis};
use crate::event::What;
use crate::host::Host;
use crate::mischief::Tampered;
use crate::scenario::{Fault, FaultKind, Forgery};
use std::sync::Arc;

impl Stage<'_> {
    pub(super) fn fault_begins(&mut self, place: usize) {
        let scenario = self.scenario;
        let fault = &scenario.faults[place];
        if self.healed || !fault.kind.is_possible(|host| self.node(host).is_some()) {
            return;
        }
        self.tell(BROKER, What::FaultBegan(place, fault));
        let end = (self.now + millis(fault.for_ms)).min(self.timing.healed);
        self.heap.plan(end, Next::FaultEnds(place));
        self.lasting.push(place);
        self.lasting.sort_unstable();
        self.apply(fault, true, end);
    }

    pub(super) fn fault_ends(&mut self, place: usize) {
        let fault = &self.scenario.faults[place];
        self.tell(BROKER, What::FaultEnded(place, fault));
        self.lasting.retain(|lasting| *lasting != place);
        self.apply(fault, false, self.now);
    }

    /// All faults have ended by themselves. Sources are healthy from now on.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.tell_workers_their_faults();
        self.tell(BROKER, What::Healed);
    }

    pub(super) fn stop_all(&mut self) {
        for node in 0..self.hosts.len() {
            self.stop(node);
        }
    }

    /// Applies the beginning or the end of a fault; `end` is when it ends.
    fn apply(&mut self, fault: &Fault, begins: bool, end: u64) {
        match &fault.kind {
            FaultKind::Partition(a, b) => {
                self.block(*a, *b, begins);
                self.block(*b, *a, begins);
            }
            FaultKind::PartitionOneWay(from, to) => self.block(*from, *to, begins),
            FaultKind::Hold(a, b) => {
                self.hold(*a, *b, begins);
                self.hold(*b, *a, begins);
            }
            FaultKind::Slow(a, b, slow) => {
                if let (Some(a), Some(b)) = (self.node(*a), self.node(*b)) {
                    self.links.slow(a, b, *slow, begins);
                    self.links.slow(b, a, *slow, begins);
                }
            }
            FaultKind::Loss(a, b, permille) => {
                if let (Some(a), Some(b)) = (self.node(*a), self.node(*b)) {
                    self.links.lose(a, b, *permille, begins);
                    self.links.lose(b, a, *permille, begins);
                }
            }
            FaultKind::Crash(host) => {
                let Some(node) = self.node(*host) else { return };
                match (begins, &self.programs[node]) {
                    (true, Program::Broker) => self.set_broker_running(false),
                    (true, Program::Coordinator(_)) => self.crash_coordinator(node),
                    (true, Program::Worker(_)) => self.crash_worker(node),
                    (true, Program::Client | Program::Adversary(_)) => {}
                    (false, Program::Broker) => self.set_broker_running(true),
                    (false, _) => self.start_if_down(node),
                }
            }
            FaultKind::Stop(host) => {
                let Some(node) = self.node(*host) else { return };
                if begins {
                    self.stop(node);
                } else {
                    self.start_if_down(node);
                }
            }
            FaultKind::Freeze(host) => self.freeze(*host, begins),
            FaultKind::ReconnectStorm(times) => {
                if begins {
                    self.spread(*times, end, || Next::Kick);
                }
            }
            FaultKind::Bridge(..) => self.set_bridge(),
            FaultKind::SlowSource(..)
            | FaultKind::FailSource(..)
            | FaultKind::PanicSource(..)
            | FaultKind::StaleSource(..)
            | FaultKind::Lie(..)
            | FaultKind::Mischief(..)
            | FaultKind::PresenceLost(_) => self.tell_workers_their_faults(),
            FaultKind::Forge(forgery, times) => {
                if begins {
                    self.spread(*times, end, || Next::Forge(*forgery));
                }
            }
        }
    }

    /// Plans something `times` times, spread evenly between now and `end`.
    fn spread(&mut self, times: u32, end: u64, next: impl Fn() -> Next) {
        let pause = (end - self.now) / u64::from(times.max(1));
        for n in 0..u64::from(times) {
            self.heap.plan(self.now + n * pause, next());
        }
    }

    fn tell_workers_their_faults(&mut self) {
        let faults = &self.scenario.faults;
        let lasting: Vec<_> = self.lasting.iter().map(|place| &faults[*place].kind).collect();
        for program in &mut self.programs {
            if let Program::Worker(worker) = program {
                worker.set_faults(&lasting, self.healed);
            }
        }
    }

    fn block(&mut self, from: Host, to: Host, begins: bool) {
        let (Some(from), Some(to)) = (self.node(from), self.node(to)) else { return };
        self.links.block(from, to, begins);
        if begins {
            self.direction_cut(from, to);
        }
    }

    fn hold(&mut self, from: Host, to: Host, begins: bool) {
        let (Some(from), Some(to)) = (self.node(from), self.node(to)) else { return };
        let is_free = self.links.hold(from, to, begins);
        if begins {
            self.direction_cut(from, to);
        } else if is_free {
            self.direction_released(from, to);
        }
    }

    fn freeze(&mut self, host: Host, begins: bool) {
        let Some(node) = self.node(host) else { return };
        match self.programs[node] {
            // A frozen coordinator sends no signs of life.
            Program::Coordinator(_) if begins => {
                let session = self.connections[node].session;
                let silence = millis(self.scenario.cluster.bus.keepalive_ms);
                self.heap.plan(self.now + silence, Next::BrokerLoses { node, session });
            }
            Program::Coordinator(_) | Program::Worker(_) => {}
            Program::Broker | Program::Client | Program::Adversary(_) => return,
        }
        count(&mut self.frozen[node].0, begins);
        if self.frozen[node].0 == 0 {
            for missed in std::mem::take(&mut self.frozen[node].1) {
                self.heap.plan(self.now, missed);
            }
        }
    }

    fn stop(&mut self, node: Node) {
        match &self.programs[node] {
            // A frozen coordinator receives the signal when it thaws.
            Program::Coordinator(_) if self.frozen[node].0 > 0 => {
                let incarnation = self.incarnation(node);
                self.frozen[node].1.push(Next::StopCoordinator { node, incarnation });
            }
            Program::Coordinator(_) => self.stop_coordinator(node),
            Program::Worker(_) => self.stop_worker(node),
            Program::Broker | Program::Client | Program::Adversary(_) => {}
        }
    }

    /// Stops a coordinator that was told to stop while it was frozen, unless another process has started meanwhile.
    pub(super) fn stop_late(&mut self, node: Node, incarnation: u32) {
        if self.incarnation(node) == incarnation {
            self.stop(node);
        }
    }

    /// Starts a process that was killed or has stopped. One that is still stopping restarts once it has stopped.
    fn start_if_down(&mut self, node: Node) {
        match &mut self.programs[node] {
            Program::Coordinator(coordinator) if coordinator.is_running() => {
                let is_to_stop = |next: &Next| matches!(next, Next::StopCoordinator { .. });
                coordinator.restart_once_stopped(self.frozen[node].1.iter().any(is_to_stop));
            }
            Program::Worker(worker) if worker.is_running() => worker.restart_once_stopped(),
            Program::Coordinator(_) | Program::Worker(_) => self.start(node),
            Program::Broker | Program::Client | Program::Adversary(_) => {}
        }
    }

    pub(super) fn forge(&mut self, forgery: Forgery) {
        let Some(node) = self.node(Host::Adversary) else { return };
        let Program::Adversary(adversary) = &mut self.programs[node] else { return };
        let forged = adversary.forge(forgery);
        self.publish_forged(node, forged);
    }

    pub(super) fn publish_forged(&mut self, node: Node, forged: Vec<Tampered>) {
        for forged in forged {
            // A forgery that cannot be sent is dropped.
            let _ = self.publish(node, &Arc::new(understood(forged)));
        }
    }
}
