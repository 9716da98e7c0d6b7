//! Nothing grows without bound: requests, answers that are remembered, workers, jobs, and what one input leads to.

use std::collections::VecDeque;
use std::time::Duration;

use quorate_core::coordinator::{self, Coordinator, Counters};
use quorate_core::time::Timestamp;
use quorate_core::worker::{self, Worker};

use super::hosts::{PerHost, entry};
use super::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

/// Each request is asked at most twice, its followers are told once how it ended, and each caller is answered once.
const OUTPUTS_PER_SUBMIT: u64 = 4;
/// Each task is started, aborted and answered at most once.
const OUTPUTS_PER_TASK: u64 = 3;
/// A drain is announced when it begins and when it ends, closes the intake, and is reported.
const OUTPUTS_PER_DRAIN: u64 = 4;

/// What is known of one process.
#[derive(Debug, Default)]
struct Process {
    /// How many outputs the inputs so far allow for.
    allowed: u64,
    /// The latest time the machine was told.
    seen: Timestamp,
    /// How much has ended in all, so that it may be remembered.
    ended: u64,
    /// What may still be remembered: when it ended at the latest, and how much at once.
    recent: VecDeque<(Timestamp, u64)>,
    /// How much that is.
    rememberable: u64,
}

/// The bounds of one worker.
#[derive(Clone, Copy, Debug, Default)]
struct WorkerBounds {
    max_concurrent: usize,
    max_queued: usize,
    max_remembered: usize,
    remember: Duration,
}

/// Watches the size of everything.
pub(super) struct Bounds {
    coordinator: coordinator::Config,
    workers: Vec<WorkerBounds>,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Bounds {
    let cluster = &context.scenario.cluster;
    let mut workers = Vec::new();
    for worker in &cluster.workers {
        let config = worker.config();
        *entry(&mut workers, worker.number) = WorkerBounds {
            max_concurrent: config.max_concurrent,
            max_queued: config.max_queued,
            max_remembered: config.max_remembered,
            remember: config.remember,
        };
    }
    Bounds { coordinator: cluster.settings.config(), workers, processes: PerHost::new() }
}

fn at_most(host: Host, what: &str, found: usize, most: usize) -> Result<(), String> {
    if found > most { Err(format!("{host} has {found} {what}, of at most {most}")) } else { Ok(()) }
}

/// How many requests have ended.
fn ended(counters: &Counters) -> u64 {
    counters.answered_complete
        + counters.answered_partial
        + counters.answered_low_reliability
        + counters.answered_disputed
        + counters.failed_insufficient_responses
        + counters.failed_disputed
        + counters.failed_deadline_exceeded
        + counters.failed_no_workers
        + counters.failed_bus_down
        + counters.failed_overloaded
        + counters.cancelled
}

impl Process {
    fn told(&mut self, now: Timestamp, outputs: u64) {
        self.seen = self.seen.max(now);
        self.allowed += outputs;
    }

    fn output(&mut self, host: Host) -> Result<(), String> {
        match self.allowed.checked_sub(1) {
            Some(left) => {
                self.allowed = left;
                Ok(())
            }
            None => Err(format!("{host} wants more done than its inputs account for")),
        }
    }

    /// Notes how much has ended in all, and holds what is remembered against what has ended lately.
    fn remembers(&mut self, host: Host, ended: u64, found: usize, keep: Duration) -> Result<(), String> {
        let more = ended.saturating_sub(self.ended);
        if more > 0 {
            self.ended = ended;
            self.recent.push_back((self.seen, more));
            self.rememberable += more;
        }
        while let Some((at, count)) = self.recent.front()
            && at.after(keep) <= self.seen
        {
            self.rememberable -= count;
            self.recent.pop_front();
        }
        if found as u64 > self.rememberable {
            return Err(format!(
                "{host} remembers {found} answers, of which only {} are younger than {keep:?}",
                self.rememberable
            ));
        }
        Ok(())
    }
}

impl Bounds {
    fn coordinator(&mut self, host: Host, machine: &Coordinator) -> Result<(), String> {
        let config = &self.coordinator;
        at_most(host, "requests in flight", machine.in_flight(), config.max_in_flight)?;
        at_most(host, "answers remembered", machine.remembered(), config.max_remembered)?;
        let (workers, _) = machine.workers().size_hint();
        at_most(host, "workers", workers, config.limits.max_workers as usize)?;
        let Some(process) = self.processes.get(host) else { return Ok(()) };
        process.remembers(host, ended(machine.counters()), machine.remembered(), config.remember)
    }

    fn worker(&mut self, host: Host, number: u8, machine: &Worker) -> Result<(), String> {
        let bounds = *entry(&mut self.workers, number);
        let (running, queued) = machine.load();
        at_most(host, "jobs running", running, bounds.max_concurrent)?;
        at_most(host, "jobs waiting", queued, bounds.max_queued)?;
        at_most(host, "answers remembered", machine.remembered(), bounds.max_remembered)?;
        let Some(process) = self.processes.get(host) else { return Ok(()) };
        let counters = machine.counters();
        let answered = counters.succeeded + counters.failed;
        process.remembers(host, answered, machine.remembered(), bounds.remember)
    }

    fn told(&mut self, host: Host, now: Timestamp, outputs: u64) {
        if let Some(process) = self.processes.get(host) {
            process.told(now, outputs);
        }
    }
}

impl Checker for Bounds {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::CoordinatorInput(now, input) => {
                let outputs = match input {
                    coordinator::Input::Submit(_) => OUTPUTS_PER_SUBMIT,
                    // The latter two have the workers called.
                    coordinator::Input::Drain | coordinator::Input::BusUp | coordinator::Input::Undelivered(_) => 1,
                    _ => 0,
                };
                self.told(host, now, outputs);
            }
            What::CoordinatorWoken(now) => self.told(host, now, 0),
            What::WorkerInput(now, input) => {
                // Whatever it is told, it may be time to announce itself.
                let outputs = match input {
                    worker::Input::Task(_) => OUTPUTS_PER_TASK,
                    worker::Input::Drain => OUTPUTS_PER_DRAIN,
                    worker::Input::BusUp => 1,
                    worker::Input::Done { .. } | worker::Input::BusDown => 0,
                };
                self.told(host, now, outputs + 1);
            }
            What::WorkerWoken(now) => self.told(host, now, 1),
            What::CoordinatorOutput(..) | What::WorkerOutput(..) => {
                if let Some(process) = self.processes.get(host) {
                    return process.output(host);
                }
            }
            What::CoordinatorSettled(_, machine) => return self.coordinator(host, machine),
            What::WorkerSettled(_, machine) => {
                if let Host::Worker(number) = host {
                    return self.worker(host, number, machine);
                }
            }
            What::Started { .. } => {
                if let Some(process) = self.processes.get(host) {
                    *process = Process::default();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Coordinator, Input, Output};
    use quorate_core::worker::{self, JobId, Worker};

    use crate::checkers::rig::{COORDINATOR, Rig, WORKER, live, result, submit, task};
    use crate::event::What;

    #[test]
    fn machines_within_their_bounds_are_fine() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        for number in 0..9 {
            rig.coordinator(1, submit(number));
            rig.coordinator(2, result("w1", number, None, 5));
        }
        rig.wake_coordinator(2_002);
        rig.worker(3_000, worker::Input::BusUp);
        for number in 0..9 {
            rig.worker(3_000, task(number, 500));
        }
        rig.wake_worker(3_500);
        rig.worker(3_501, worker::Input::Drain);
        rig.wake_worker(3_751);
        rig.expect_fine();
    }

    #[test]
    fn a_coordinator_with_too_many_requests_is_found() {
        let mut rig = Rig::new(super::new);
        rig.coordinator = Coordinator::new(quorate_core::coordinator::Config::default(), 1);
        rig.coordinator(0, Input::BusUp);
        for number in 0..5 {
            rig.coordinator(1, submit(number));
        }
        rig.expect_violation("5 requests in flight, of at most 4");
    }

    #[test]
    fn a_coordinator_that_does_not_forget_is_found() {
        let mut rig = Rig::new(super::new);
        rig.coordinator = Coordinator::new(quorate_core::coordinator::Config::default(), 1);
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        rig.coordinator(1, submit(1));
        rig.coordinator(2, result("w1", 1, None, 5));
        rig.wake_coordinator(2_001);
        rig.expect_fine();
        rig.wake_coordinator(2_002);
        rig.expect_violation("remembers 1 answers");
    }

    #[test]
    fn a_worker_with_too_many_jobs_is_found() {
        let mut rig = Rig::new(super::new);
        rig.worker = Worker::new(worker::Config::default());
        for number in 0..3 {
            rig.worker(1, task(number, 500));
        }
        rig.expect_violation("3 jobs running, of at most 2");
    }

    #[test]
    fn a_machine_that_wants_more_than_its_inputs_account_for_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::BusDown));
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Drained));
        rig.expect_violation("more done than its inputs");
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerWoken(rig.now()));
        rig.tell(WORKER, What::WorkerOutput(rig.now(), &worker::Output::Abort(JobId(1))));
        rig.tell(WORKER, What::WorkerOutput(rig.now(), &worker::Output::Abort(JobId(1))));
        rig.expect_violation("more done than its inputs");
    }
}
