//! Counters add up: what a machine has counted is what went into it and came out of it.

use quorate_core::coordinator::{self, Coordinator, Input, Output, Refusal};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Cause, Failure, Outcome, Status};
use quorate_core::time::Timestamp;
use quorate_core::worker::{self, Worker};

use super::hosts::PerHost;
use super::ledger::Map;
use super::{Checker, Context};
use crate::event::{Event, What};

/// What went into one coordinator and came out of it.
#[derive(Debug, Default)]
struct Seen {
    submits: u64,
    cancels: u64,
    results: u64,
    announcements: u64,
    /// Results and announcements of workers that the settings do not admit.
    not_admitted: u64,
    undelivered: u64,
    first_askings: u64,
    second_askings: u64,
    refused_conflict: u64,
    refused_policy: u64,
    refused_overloaded: u64,
    refused_draining: u64,
    refused_bus_down: u64,
    answered_complete: u64,
    answered_partial: u64,
    answered_low_reliability: u64,
    answered_disputed: u64,
    failed_insufficient_responses: u64,
    failed_disputed: u64,
    failed_deadline_exceeded: u64,
    failed_no_workers: u64,
    failed_bus_down: u64,
    failed_overloaded: u64,
    quorum_early: u64,
    ended_undelivered: u64,
    /// Requests that were asked and not answered yet, with their deadlines; of those given up, some are still here.
    asked: Map<RequestId, Timestamp>,
    /// When to look for requests that were given up: at this many.
    sweep_at: usize,
}

/// What went into one worker and came out of it.
#[derive(Debug, Default)]
struct WorkerSeen {
    tasks: u64,
    done_well: u64,
    done_badly: u64,
    answers: u64,
}

#[derive(Debug, Default)]
struct Process {
    coordinator: Seen,
    worker: WorkerSeen,
}

/// Watches the counters.
pub(super) struct Counters {
    config: coordinator::Config,
    processes: PerHost<Process>,
}

pub(super) fn new(context: &Context<'_>) -> Counters {
    Counters { config: context.scenario.cluster.settings.config(), processes: PerHost::new() }
}

/// The counter of how a request ended.
fn ending<'a>(seen: &'a mut Seen, outcome: &Outcome) -> &'a mut u64 {
    match &outcome.verdict {
        Ok(answer) => match answer.status {
            Status::Complete => &mut seen.answered_complete,
            Status::Partial => &mut seen.answered_partial,
            Status::LowReliability => &mut seen.answered_low_reliability,
            Status::Disputed => &mut seen.answered_disputed,
        },
        Err(failure) => match failure {
            Failure::InsufficientResponses { .. } => &mut seen.failed_insufficient_responses,
            Failure::Disputed { .. } => &mut seen.failed_disputed,
            Failure::DeadlineExceeded => &mut seen.failed_deadline_exceeded,
            Failure::NoWorkers => &mut seen.failed_no_workers,
            Failure::BusDown => &mut seen.failed_bus_down,
            Failure::Overloaded => &mut seen.failed_overloaded,
        },
    }
}

impl Seen {
    fn input(&mut self, input: &Input, admits: impl Fn(&WorkerId) -> bool) {
        match input {
            Input::Submit(_) => self.submits += 1,
            Input::Cancel(_) => self.cancels += 1,
            Input::Result(result) => {
                self.results += 1;
                self.not_admitted += u64::from(!admits(&result.worker));
            }
            Input::Presence(presence) => {
                self.announcements += 1;
                self.not_admitted += u64::from(!admits(&presence.worker));
            }
            Input::Undelivered(_) => self.undelivered += 1,
            Input::BusUp | Input::BusDown | Input::Drain => {}
        }
    }

    fn output(&mut self, now: Timestamp, output: &Output) {
        match output {
            Output::Publish(task) if task.attempt == 1 => {
                self.first_askings += 1;
                if self.asked.len() >= self.sweep_at {
                    self.asked.retain(|_, deadline| *deadline >= now);
                    self.sweep_at = self.asked.len() * 2 + 64;
                }
                self.asked.insert(task.request.clone(), now.after(task.ttl));
            }
            Output::Publish(_) => self.second_askings += 1,
            Output::Answer { reply: Ok(outcome), .. } => {
                // The first of the callers; whoever else gets the same answer waited, too, or asked later.
                if self.asked.remove(&outcome.request).is_some() {
                    *ending(self, outcome) += 1;
                    self.quorum_early += u64::from(outcome.cause == Cause::QuorumMet);
                    self.ended_undelivered += u64::from(outcome.cause == Cause::Undelivered);
                }
            }
            Output::Answer { reply: Err(refusal), .. } => {
                let counter = match refusal {
                    Refusal::Policy(_) => &mut self.refused_policy,
                    Refusal::Conflict => &mut self.refused_conflict,
                    Refusal::Overloaded => &mut self.refused_overloaded,
                    Refusal::Draining => &mut self.refused_draining,
                    Refusal::BusDown => &mut self.refused_bus_down,
                };
                *counter += 1;
            }
            Output::CallWorkers | Output::Ended(_) | Output::Drained => {}
        }
    }

    fn settled(&mut self, machine: &Coordinator) -> Result<(), String> {
        let counters = machine.counters();
        let refused = counters.refused_conflict
            + counters.refused_policy
            + counters.refused_overloaded
            + counters.refused_draining
            + counters.refused_bus_down;
        let answered = counters.answered_complete
            + counters.answered_partial
            + counters.answered_low_reliability
            + counters.answered_disputed;
        let failed = counters.failed_insufficient_responses
            + counters.failed_disputed
            + counters.failed_deadline_exceeded
            + counters.failed_no_workers
            + counters.failed_bus_down
            + counters.failed_overloaded;
        let submits = counters.requests_accepted + counters.requests_joined + counters.requests_replayed + refused;
        let ended = answered + failed + counters.cancelled;
        equal("submissions", submits, self.submits)?;
        equal("requests accepted", counters.requests_accepted, ended + machine.in_flight() as u64)?;
        equal("first askings", counters.requests_accepted, self.first_askings)?;
        equal("redispatched", counters.redispatched, self.second_askings)?;
        equal("refused_conflict", counters.refused_conflict, self.refused_conflict)?;
        equal("refused_policy", counters.refused_policy, self.refused_policy)?;
        equal("refused_overloaded", counters.refused_overloaded, self.refused_overloaded)?;
        equal("refused_draining", counters.refused_draining, self.refused_draining)?;
        equal("refused_bus_down", counters.refused_bus_down, self.refused_bus_down)?;
        equal("answered_complete", counters.answered_complete, self.answered_complete)?;
        equal("answered_partial", counters.answered_partial, self.answered_partial)?;
        equal("answered_low_reliability", counters.answered_low_reliability, self.answered_low_reliability)?;
        equal("answered_disputed", counters.answered_disputed, self.answered_disputed)?;
        let insufficient = counters.failed_insufficient_responses;
        equal("failed_insufficient_responses", insufficient, self.failed_insufficient_responses)?;
        equal("failed_disputed", counters.failed_disputed, self.failed_disputed)?;
        equal("failed_deadline_exceeded", counters.failed_deadline_exceeded, self.failed_deadline_exceeded)?;
        equal("failed_no_workers", counters.failed_no_workers, self.failed_no_workers)?;
        equal("failed_bus_down", counters.failed_bus_down, self.failed_bus_down)?;
        equal("failed_overloaded", counters.failed_overloaded, self.failed_overloaded)?;
        equal("quorum_early", counters.quorum_early, self.quorum_early)?;
        within("cancelled", counters.cancelled, 0, self.cancels)?;
        within("tasks_undelivered", counters.tasks_undelivered, self.ended_undelivered, self.undelivered)?;
        let rescuable = if self.second_askings == 0 { 0 } else { counters.results_accepted };
        within("redispatch_rescued", counters.redispatch_rescued, 0, rescuable)?;
        let results = counters.results_accepted
            + counters.results_late
            + counters.results_duplicate
            + counters.results_equivocal
            + counters.results_unknown
            + counters.results_misdirected
            + counters.results_no_room;
        // Where there is no room for another worker, or for another one without a record, its results and announcements
        // are counted as those of one that is not admitted, and an announcement that is taken is not counted at all.
        let unadmitted = counters.workers_not_admitted;
        within("workers_not_admitted", unadmitted, self.not_admitted, self.results + self.announcements)?;
        within("results", results + unadmitted, self.results, self.results + self.announcements)
    }
}

impl WorkerSeen {
    fn settled(&self, machine: &Worker) -> Result<(), String> {
        let counters = machine.counters();
        let (running, queued) = machine.load();
        let known = counters.tasks_repeated
            + counters.tasks_refused
            + counters.tasks_expired
            + counters.succeeded
            + counters.failed
            + (running + queued) as u64;
        equal("tasks_received", counters.tasks_received, self.tasks)?;
        equal("what became of the tasks", known, self.tasks)?;
        within("succeeded", counters.succeeded, 0, self.done_well)?;
        within("failed", counters.failed, 0, self.done_badly)?;
        // Every job that is done has somebody to answer.
        within("jobs done", counters.succeeded + counters.failed, 0, self.answers)
    }
}

fn equal(what: &str, counted: u64, seen: u64) -> Result<(), String> {
    if counted == seen { Ok(()) } else { Err(format!("{what}: {counted} counted, {seen} seen")) }
}

fn within(what: &str, counted: u64, least: u64, most: u64) -> Result<(), String> {
    if (least..=most).contains(&counted) {
        Ok(())
    } else {
        Err(format!("{what}: {counted} counted, {least} to {most} seen"))
    }
}

impl Checker for Counters {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(process) = self.processes.get(event.host) else { return Ok(()) };
        let admitted = &self.config.admitted;
        match event.what {
            What::CoordinatorInput(_, input) => {
                let admits = |worker: &WorkerId| admitted.as_ref().is_none_or(|admitted| admitted.contains(worker));
                process.coordinator.input(input, admits);
            }
            What::CoordinatorOutput(now, output) => process.coordinator.output(now, output),
            What::CoordinatorSettled(_, machine) => {
                let verdict = process.coordinator.settled(machine);
                return verdict.map_err(|text| format!("the counters of {} do not add up: {text}", event.host));
            }
            What::WorkerInput(_, worker::Input::Task(_)) => process.worker.tasks += 1,
            What::WorkerInput(_, worker::Input::Done { observed, .. }) => match observed {
                Ok(_) => process.worker.done_well += 1,
                Err(_) => process.worker.done_badly += 1,
            },
            What::WorkerOutput(_, worker::Output::Answer(_)) => process.worker.answers += 1,
            What::WorkerSettled(_, machine) => {
                let verdict = process.worker.settled(machine);
                return verdict.map_err(|text| format!("the counters of {} do not add up: {text}", event.host));
            }
            What::Started { .. } => *process = Process::default(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Input, Output};
    use quorate_core::id::{TaskId, Ticket};
    use quorate_core::value::Value;
    use quorate_core::worker;

    use crate::checkers::rig::{COORDINATOR, Rig, WORKER, live, query, request, result, submit, task};
    use crate::event::What;

    #[test]
    fn the_counters_of_the_machines_add_up() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, submit(1));
        rig.coordinator(0, Input::BusUp);
        rig.coordinator(0, Input::Presence(live("w1")));
        for number in 1..7 {
            rig.coordinator(1, submit(number));
        }
        rig.coordinator(2, result("w1", 1, None, 5));
        rig.coordinator(2, result("w1", 1, None, 5));
        rig.coordinator(2, result("w1", 2, Some(TaskId(0)), 5));
        rig.coordinator(2, submit(1));
        rig.coordinator(2, Input::Cancel(Ticket(2)));
        rig.coordinator(2, result("w1", 99, None, 5));
        rig.wake_coordinator(501);
        rig.coordinator(600, result("w1", 3, None, 5));
        rig.wake_coordinator(1_001);
        for number in 0..5 {
            rig.worker(1, task(number, 500));
            rig.worker(1, task(number, 500));
        }
        rig.worker(2, task(9, 0));
        for job in 0..2 {
            let observed = Ok(Value::text("x").expect("short"));
            rig.worker(3, worker::Input::Done { job: worker::JobId(job), observed, age: None, trace: None });
        }
        rig.wake_worker(501);
        rig.expect_fine();
    }

    #[test]
    fn a_submission_that_is_not_counted_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &submit(1)));
        rig.settled_coordinator();
        rig.expect_violation("submissions: 0 counted, 1 seen");
    }

    #[test]
    fn a_second_asking_that_is_not_counted_is_found() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, Input::BusUp);
        let second = quorate_core::coordinator::Task {
            id: TaskId(1),
            request: request(1),
            query: query(),
            ttl: std::time::Duration::ZERO,
            attempt: 2,
            trace: None,
        };
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(second)));
        rig.settled_coordinator();
        rig.expect_violation("redispatched: 0 counted, 1 seen");
    }

    #[test]
    fn a_result_that_is_not_counted_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &result("w1", 1, None, 5)));
        rig.settled_coordinator();
        rig.expect_violation("results: 0 counted");
    }

    #[test]
    fn a_task_that_is_not_counted_is_found() {
        let mut rig = Rig::new(super::new);
        rig.tell(WORKER, What::WorkerInput(rig.now(), &task(1, 500)));
        rig.settled_worker();
        rig.expect_violation("tasks_received: 0 counted, 1 seen");
    }
}
