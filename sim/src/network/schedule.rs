//! The schedule of faults as a list of moments at which the stage has to act.

use std::collections::VecDeque;
use std::time::Duration;

use crate::host::Host;
use crate::scenario::{Fault, FaultKind, Scenario};

/// What the stage does at a moment; at the same time, in the order of the variants. Each names a fault by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// The fault ends.
    End(usize),
    /// The fault begins.
    Begin(usize),
    /// The fault performs its repeated action.
    Again(usize),
}

/// The remaining moments of a scenario.
#[derive(Debug)]
pub(super) struct Schedule(VecDeque<(Duration, Moment)>);

impl Schedule {
    /// The moments until the faults heal. A fault on a host that does not exist is ignored; one that would last beyond
    /// the healing ends with it.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let heal = Duration::from_millis(scenario.heal_ms);
        let hosts: Vec<Host> = scenario.hosts().collect();
        let mut moments = Vec::new();
        for (place, fault) in scenario.faults.iter().enumerate() {
            let begin = Duration::from_millis(fault.at_ms);
            if begin >= heal || !fault.kind.is_possible(|host| hosts.contains(&host)) {
                continue;
            }
            let lasts = Duration::from_millis(fault.for_ms.max(1));
            moments.push((begin, Moment::Begin(place)));
            moments.push((heal.min(begin + lasts), Moment::End(place)));
            let times = times(fault);
            let again = (0..times).map(|time| (begin + lasts * time / times, Moment::Again(place)));
            moments.extend(again.filter(|(at, _)| *at < heal));
        }
        moments.sort_unstable();
        Self(moments.into())
    }

    /// Takes the next moment, if it is due.
    pub(super) fn next(&mut self, now: Duration) -> Option<Moment> {
        let (at, _) = self.0.front()?;
        if *at <= now { self.0.pop_front().map(|(_, moment)| moment) } else { None }
    }
}

/// How often a fault performs its repeated action.
fn times(fault: &Fault) -> u32 {
    match fault.kind {
        FaultKind::ReconnectStorm(times) | FaultKind::Forge(_, times) => times,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(faults: Vec<Fault>) -> Scenario {
        let mut scenario = Scenario { faults, heal_ms: 100, ..Scenario::quiet() };
        scenario.cluster.workers.clear();
        scenario.cluster.clients = vec![1, 2];
        scenario
    }

    #[test]
    fn faults_end_with_the_healing_and_those_on_no_host_never_begin() {
        let fault = |at_ms, for_ms, kind| Fault { at_ms, for_ms, kind };
        let (one, two) = (Host::Client(1), Host::Client(2));
        let mut schedule = Schedule::new(&scenario(vec![
            fault(10, 20, FaultKind::Hold(one, two)),
            fault(20, 500, FaultKind::ReconnectStorm(4)),
            fault(30, 10, FaultKind::Crash(Host::Worker(1))),
            fault(30, 10, FaultKind::Partition(one, one)),
            fault(30, 10, FaultKind::Forge(crate::scenario::Forgery::Task, 3)),
            fault(100, 10, FaultKind::Hold(one, two)),
        ]));
        assert_eq!(schedule.next(Duration::from_millis(9)), None);
        let mut moments = Vec::new();
        while let Some(moment) = schedule.next(Duration::from_millis(100)) {
            moments.push(moment);
        }
        let (begin, end, again) = (Moment::Begin, Moment::End, Moment::Again);
        assert_eq!(moments, [begin(0), begin(1), again(1), end(0), end(1)]);
    }
}
