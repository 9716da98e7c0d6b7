//! Nothing that a machine keeps grows beyond its bound: requests, remembered answers, workers, jobs.

use quorate_core::coordinator::{self, Coordinator};
use quorate_core::worker::{self, Worker};

use crate::checkers::hosts::worker_configs;
use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

pub(crate) struct Bounds {
    coordinator: coordinator::Config,
    workers: Vec<Option<worker::Config>>,
}

pub(crate) fn new(context: &Context<'_>) -> Bounds {
    let cluster = &context.scenario.cluster;
    let workers = worker_configs(cluster);
    Bounds { coordinator: cluster.settings.config(), workers }
}

fn at_most(host: Host, what: &str, found: usize, most: usize) -> Result<(), String> {
    if found > most { Err(format!("{host} has {found} {what}, but may have at most {most}")) } else { Ok(()) }
}

impl Bounds {
    fn coordinator(&self, host: Host, machine: &Coordinator) -> Result<(), String> {
        let config = &self.coordinator;
        at_most(host, "requests in flight", machine.in_flight(), config.max_in_flight)?;
        at_most(host, "remembered answers", machine.remembered(), config.max_remembered)?;
        let (workers, _) = machine.workers().size_hint();
        at_most(host, "workers", workers, config.limits.max_workers as usize)
    }

    fn worker(&self, host: Host, number: u8, machine: &Worker) -> Result<(), String> {
        let Some(Some(config)) = self.workers.get(usize::from(number)) else { return Ok(()) };
        let (running, queued) = machine.load();
        at_most(host, "running jobs", running, config.max_concurrent)?;
        at_most(host, "waiting jobs", queued, config.max_queued)?;
        at_most(host, "remembered answers", machine.remembered(), config.max_remembered)
    }
}

impl Checker for Bounds {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match (event.what, event.host) {
            (What::CoordinatorSettled(_, machine), host) => self.coordinator(host, machine),
            (What::WorkerSettled(_, machine), Host::Worker(number)) => self.worker(event.host, number, machine),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Config, Coordinator, Input};
    use quorate_core::worker::{self, Worker};

    use crate::Depth;
    use crate::checkers::testing::inputs::{answer, ask, live, task};
    use crate::checkers::testing::rig::Rig;
    use crate::scenario::{Cluster, Scenario};

    /// A rig whose machines have small bounds.
    fn tight() -> Rig {
        let mut scenario = Scenario::quiet();
        let Cluster { settings, workers, .. } = &mut scenario.cluster;
        (settings.max_in_flight, settings.max_remembered) = (4, 4);
        (workers[0].max_concurrent, workers[0].max_queued) = (2, 1);
        Rig::at(&scenario, Depth::Machines, super::new)
    }

    #[test]
    fn machines_within_their_bounds_are_fine() {
        let mut rig = tight();
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(0, &Input::Presence(live("w1")));
        for number in 0..9 {
            rig.coordinator(1, &ask(number));
            rig.coordinator(2, &answer("w1", number, None, 5));
        }
        rig.worker(3_000, &worker::Input::BusUp);
        for number in 0..9 {
            rig.worker(3_000, &task(number, 500));
        }
        rig.expect_fine();
    }

    #[test]
    fn a_coordinator_with_too_many_requests_is_found() {
        let mut rig = tight();
        rig.coordinator = Coordinator::new(Config::default(), 1);
        rig.coordinator(0, &Input::BusUp);
        for number in 0..5 {
            rig.coordinator(1, &ask(number));
        }
        rig.expect_violation("5 requests in flight, but may have at most 4");
    }

    #[test]
    fn a_worker_with_too_many_jobs_is_found() {
        let mut rig = tight();
        rig.worker = Worker::new(worker::Config::default());
        for number in 0..3 {
            rig.worker(1, &task(number, 500));
        }
        rig.expect_violation("3 running jobs, but may have at most 2");
    }
}
