//! No sequence of requests lowers the score of a worker that behaves as it always did.
//!
//! Such a worker has its name for itself, never fails by itself, repeats its answers, and is touched by no fault. It may be
//! slow, and have more to do than it can. Nobody lies or forges: values are judged by those of others.

use std::time::Duration;

use quorate_core::coordinator::{Coordinator, Score};
use quorate_core::id::WorkerId;

use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::{FaultKind, Scenario, Worker};

/// Messages that must fit every queue of the bus, so that none is lost.
const ROOMY: usize = 100;
/// How long answers must be remembered so that each is repeated, in milliseconds.
const LONG_MS: u64 = 10_000;
/// What scheduling may add to an answer.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Blame {
    steady: Vec<WorkerId>,
}

pub(crate) fn new(context: &Context<'_>) -> Blame {
    let scenario = context.scenario;
    let workers = if is_fair(scenario) { &scenario.cluster.workers[..] } else { &[] };
    Blame { steady: workers.iter().filter(|worker| is_steady(scenario, worker)).map(Worker::id).collect() }
}

/// Whether no message is lost, and nobody lies.
fn is_fair(scenario: &Scenario) -> bool {
    let bus = &scenario.cluster.bus;
    let is_roomy = bus.broker_queue.min(bus.publish_queue).min(bus.subscription_queue) >= ROOMY;
    // A coordinator that stands still for less than `max_lag` does not notice, and may not have looked at answers.
    let is_honest =
        |kind: &FaultKind| !matches!(kind, FaultKind::Lie(..) | FaultKind::Mischief(..) | FaultKind::Freeze(..));
    let is_reached = |kind: &FaultKind| !kind.hosts().contains(&Host::Broker);
    let mut kinds = scenario.faults.iter().map(|fault| &fault.kind);
    is_roomy && !scenario.cluster.adversary && kinds.all(|kind| is_honest(kind) && is_reached(kind))
}

fn is_steady(scenario: &Scenario, worker: &Worker) -> bool {
    let of_its_name = scenario.cluster.workers.iter().filter(|other| other.name == worker.name).count();
    let is_touched = scenario.faults.iter().any(|fault| fault.kind.hosts().contains(&Host::Worker(worker.number)));
    let repeats = worker.max_remembered >= ROOMY && worker.remember_ms >= LONG_MS;
    let is_sound = of_its_name == 1 && worker.fail_permille == 0 && repeats && worker.knobs.is_default();
    is_sound && !is_touched && is_regular(scenario, worker)
}

/// Whether its answers take about the same time, or always less than the operator allows. Of a worker whose times vary
/// more, so much is late that callers are not to blame.
fn is_regular(scenario: &Scenario, worker: &Worker) -> bool {
    let (least, most) = scenario.cluster.network.latency_us;
    let trip = |us: u64| Duration::from_micros(2 * us);
    let quickest = Duration::from_millis(worker.observe_ms.0) + trip(least);
    let slowest = Duration::from_millis(worker.observe_ms.1) + trip(most) + PAUSE;
    let config = scenario.cluster.settings.config();
    let timeouts = config.policies.iter().map(|it| it.policy.timeout).chain([config.policy.timeout]);
    slowest * 2 <= quickest * 3 || timeouts.min().is_some_and(|timeout| slowest <= timeout)
}

impl Blame {
    fn check(&self, machine: &Coordinator) -> Result<(), String> {
        for worker in &self.steady {
            let score = machine.worker(worker).map_or(Score::ONE, |known| known.reliability.score);
            if score < Score::ONE {
                return Err(format!("{worker} behaves as it always did, and has a score of {score}"));
            }
        }
        Ok(())
    }
}

impl Checker for Blame {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorSettled(_, machine) => self.check(machine),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Input;

    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::{answer, ask, live};
    use crate::checkers::testing::rig::Rig;
    use crate::scenario::Forgery;

    /// Worker 1 answers one request and stays silent in the next, which gives it as much time as the operator does.
    fn silent_in(scenario: &Scenario) -> Rig {
        let mut scenario = scenario.clone();
        scenario.cluster.settings.knobs.usual_samples = Some(1);
        let mut rig = Rig::at(&scenario, Depth::Machines, new);
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(0, &Input::Presence(live("w1")));
        rig.coordinator(1, &ask(1));
        rig.coordinator(2, &answer("w1", 1, None, 1));
        rig.coordinator(3, &ask(2));
        for at in [103, 503, 1_003] {
            rig.wake_coordinator(at);
        }
        rig
    }

    #[test]
    fn a_lower_score_of_a_worker_without_faults_is_found() {
        silent_in(&Scenario::quiet()).expect_violation("w1 behaves as it always did, and has a score of 0.9375");
    }

    #[test]
    fn a_worker_that_a_fault_touches_or_that_fails_may_lose_its_score() {
        let fault = |kind| crate::scenario::Fault { at_ms: 0, for_ms: 1_000, kind };
        let mut crashed = Scenario::quiet();
        crashed.faults.push(fault(FaultKind::Crash(Host::Worker(1))));
        let mut forged = Scenario::quiet();
        forged.cluster.adversary = true;
        forged.faults.push(fault(FaultKind::Forge(Forgery::Garbage, 1)));
        let mut failing = Scenario::quiet();
        failing.cluster.workers[0].fail_permille = 1;
        for scenario in [crashed, forged, failing] {
            silent_in(&scenario).expect_fine();
        }
    }
}
