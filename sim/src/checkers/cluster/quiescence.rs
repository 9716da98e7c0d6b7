//! When a run is over, nothing is in flight, queued or running, and every process that was told to stop has stopped.
//!
//! A machine reports that it is drained exactly once, at the first moment at which it has nothing left to do.

use std::collections::BTreeMap;

use quorate_core::{coordinator, worker};

use crate::checkers::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;

/// The state of one process.
#[derive(Debug, Default)]
struct Process {
    lifecycle: Lifecycle,
    /// What its machine had left to do when it last settled: requests in flight, or jobs running and waiting.
    left_to_do: (usize, usize),
    /// Whether the machine accepts nothing more, because it drains.
    closed: bool,
    drained: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lifecycle {
    #[default]
    Running,
    Stopping,
    Gone,
}

#[derive(Debug, Default)]
pub(crate) struct Quiescence(BTreeMap<Host, Process>);

pub(crate) fn new(_context: &Context<'_>) -> Quiescence {
    Quiescence::default()
}

impl Quiescence {
    fn process(&mut self, host: Host) -> &mut Process {
        self.0.entry(host).or_default()
    }

    fn settled(&mut self, host: Host, left_to_do: (usize, usize)) -> Result<(), String> {
        let process = self.process(host);
        process.left_to_do = left_to_do;
        let is_idle = left_to_do == (0, 0);
        if process.closed && is_idle && !process.drained {
            return Err(format!("{host} accepts nothing more and is idle, but did not report that it is drained"));
        }
        if process.drained && !is_idle {
            return Err(format!("{host} reported that it is drained, but has {left_to_do:?} left to do"));
        }
        Ok(())
    }

    fn drained(&mut self, host: Host) -> Result<(), String> {
        let process = self.process(host);
        if !process.closed {
            return Err(format!("{host} reported that it is drained, but it still accepts work"));
        }
        if std::mem::replace(&mut process.drained, true) {
            return Err(format!("{host} reported twice that it is drained"));
        }
        Ok(())
    }

    fn stopped(&mut self, host: Host) -> Result<(), String> {
        let process = self.process(host);
        if process.lifecycle != Lifecycle::Stopping {
            return Err(format!("{host} stopped, but it was not told to"));
        }
        if matches!(host, Host::Coordinator(_) | Host::Worker(_)) && !process.drained {
            return Err(format!("{host} stopped before it was drained"));
        }
        process.lifecycle = Lifecycle::Gone;
        Ok(())
    }

    fn ended(&self) -> Result<(), String> {
        for (host, process) in &self.0 {
            match process.lifecycle {
                Lifecycle::Gone => {}
                Lifecycle::Stopping => return Err(format!("{host} was told to stop, but has not")),
                Lifecycle::Running if process.left_to_do == (0, 0) => {}
                Lifecycle::Running => {
                    return Err(format!("the run is over, but {host} has {:?} left to do", process.left_to_do));
                }
            }
        }
        Ok(())
    }
}

impl Checker for Quiescence {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let host = event.host;
        match event.what {
            What::CoordinatorSettled(_, machine) => self.settled(host, (machine.in_flight(), 0)),
            What::WorkerSettled(_, machine) => self.settled(host, machine.load()),
            What::CoordinatorInput(_, coordinator::Input::Drain)
            | What::WorkerOutput(_, worker::Output::CloseIntake) => {
                self.process(host).closed = true;
                Ok(())
            }
            What::CoordinatorOutput(_, coordinator::Output::Drained)
            | What::WorkerOutput(_, worker::Output::Drained) => self.drained(host),
            What::Started { .. } => {
                self.0.insert(host, Process::default());
                Ok(())
            }
            What::Crashed => {
                self.process(host).lifecycle = Lifecycle::Gone;
                Ok(())
            }
            What::Stopping => {
                self.process(host).lifecycle = Lifecycle::Stopping;
                Ok(())
            }
            What::Stopped => self.stopped(host),
            What::Ended => self.ended(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Input, Output};
    use quorate_core::time::Timestamp;
    use quorate_core::worker::{Config, Worker};

    use super::*;
    use crate::checkers::testing::inputs::{number, submit, task};
    use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};

    fn run() -> Rig {
        let mut run = Rig::new(new);
        run.begin(&[1]);
        run
    }

    #[test]
    fn a_run_may_end_when_everything_is_answered() {
        let mut run = run();
        run.drive(&submit(1, "a"));
        run.result(1, "a", Ok(number("1")));
        run.end();
        run.expect_fine();
    }

    #[test]
    fn a_request_must_not_outlive_the_run() {
        let mut run = run();
        run.drive(&submit(1, "a"));
        run.end();
        run.expect_violation("coordinator-1 has (1, 0) left to do");
    }

    #[test]
    fn a_request_of_a_process_that_was_killed_is_gone() {
        let mut run = run();
        run.drive(&submit(1, "a"));
        run.tell(COORDINATOR, What::Crashed);
        run.end();
        run.expect_fine();
    }

    #[test]
    fn a_coordinator_stops_when_it_is_drained() {
        let mut run = run();
        run.drive(&submit(1, "a"));
        run.tell(COORDINATOR, What::Stopping);
        run.drive(&Input::Drain);
        run.result(1, "a", Ok(number("1")));
        run.tell(COORDINATOR, What::Stopped);
        run.end();
        run.expect_fine();
    }

    #[test]
    fn a_coordinator_that_is_told_to_stop_must_stop() {
        let mut run = run();
        run.tell(COORDINATOR, What::Stopping);
        run.drive(&Input::Drain);
        run.end();
        run.expect_violation("told to stop, but has not");
    }

    #[test]
    fn a_coordinator_must_not_stop_unasked_or_undrained() {
        let mut unasked = run();
        unasked.tell(COORDINATOR, What::Stopped);
        unasked.expect_violation("not told to");
        let mut undrained = run();
        undrained.tell(COORDINATOR, What::Stopping);
        undrained.tell(COORDINATOR, What::Stopped);
        undrained.expect_violation("before it was drained");
    }

    #[test]
    fn drained_is_reported_once_and_only_when_it_is_true() {
        let mut silent = run();
        silent.tamper(|_| vec![]);
        silent.drive(&Input::Drain);
        silent.expect_violation("did not report that it is drained");

        let mut early = run();
        early.drive(&submit(1, "a"));
        early.input(&Input::Drain);
        early.output(&Output::Drained);
        early.settled_coordinator();
        early.expect_violation("(1, 0) left to do");

        let mut twice = run();
        twice.tamper(|output| vec![output.clone(), output]);
        twice.drive(&Input::Drain);
        twice.expect_violation("twice");

        let mut unasked = run();
        unasked.output(&Output::Drained);
        unasked.expect_violation("still accepts work");
    }

    fn busy_worker() -> Worker {
        let mut worker = Worker::new(Config::default());
        worker.handle_input(Timestamp::ZERO, &task(1, 1_000));
        worker
    }

    #[test]
    fn a_job_must_not_outlive_the_run() {
        let mut run = run();
        run.tell(WORKER, What::WorkerSettled(Timestamp::ZERO, &busy_worker()));
        run.end();
        run.expect_violation("worker-1 has (1, 0) left to do");
    }

    #[test]
    fn a_worker_is_drained_once_its_intake_is_closed_and_its_jobs_are_done() {
        let idle = Worker::new(Config::default());
        let mut fine = run();
        fine.tell(WORKER, What::Stopping);
        fine.tell(WORKER, What::WorkerOutput(Timestamp::ZERO, &worker::Output::CloseIntake));
        fine.tell(WORKER, What::WorkerSettled(Timestamp::ZERO, &busy_worker()));
        fine.tell(WORKER, What::WorkerOutput(Timestamp::ZERO, &worker::Output::Drained));
        fine.tell(WORKER, What::WorkerSettled(Timestamp::ZERO, &idle));
        fine.tell(WORKER, What::Stopped);
        fine.end();
        fine.expect_fine();

        let mut silent = run();
        silent.tell(WORKER, What::WorkerOutput(Timestamp::ZERO, &worker::Output::CloseIntake));
        silent.tell(WORKER, What::WorkerSettled(Timestamp::ZERO, &idle));
        silent.expect_violation("did not report that it is drained");

        let mut early = run();
        early.tell(WORKER, What::WorkerOutput(Timestamp::ZERO, &worker::Output::Drained));
        early.expect_violation("still accepts work");
    }
}
