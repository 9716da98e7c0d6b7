//! A driver keeps an entry for each waiting caller and each running job, and nothing else.
//!
//! The number of its entries is compared with the inputs and outputs of its machine whenever it has carried out all
//! outputs. An entry that outlives that is never removed.

use std::collections::BTreeSet;

use quorate_core::coordinator::{Input, Output};
use quorate_core::id::Ticket;
use quorate_core::worker::{self, JobId};
use quorate_runtime::driver::Held;

use crate::checkers::Context;
use crate::checkers::hosts::{PerHost, ProcessChecker};
use crate::edge::Edge;
use crate::event::{Event, What};
use crate::host::Host;

/// The callers that wait at one host, and the jobs that run there.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    waiting: BTreeSet<Ticket>,
    running: BTreeSet<JobId>,
}

pub(crate) fn new(_: &Context<'_>) -> PerHost<Kept> {
    PerHost::new()
}

impl Kept {
    fn told(&mut self, input: &Input) {
        match input {
            Input::Submit(submit) => drop(self.waiting.insert(submit.ticket)),
            Input::Cancel(ticket) => drop(self.waiting.remove(ticket)),
            _ => {}
        }
    }

    fn check(&self, host: Host, held: Held) -> Result<(), String> {
        let (waiting, running) = (self.waiting.len(), self.running.len());
        if held.waiting != waiting {
            return Err(format!("{host} keeps entries for {} callers, but {waiting} wait", held.waiting));
        }
        if held.trails > waiting {
            return Err(format!("{host} follows {} trails, but only {waiting} callers wait", held.trails));
        }
        if held.running != running {
            return Err(format!("{host} keeps entries for {} jobs, but {running} run", held.running));
        }
        Ok(())
    }
}

impl ProcessChecker for Kept {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorInput(_, input) => self.told(input),
            What::CoordinatorOutput(_, Output::Answer { ticket, .. }) => drop(self.waiting.remove(ticket)),
            What::WorkerOutput(_, worker::Output::Start { job, .. }) => drop(self.running.insert(*job)),
            What::WorkerOutput(_, worker::Output::Abort(job))
            | What::WorkerInput(_, worker::Input::Done { job, .. }) => drop(self.running.remove(job)),
            What::Edge(Edge::PassEnded(held)) => return self.check(event.host, held),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator;

    use super::*;
    use crate::checkers::testing::inputs::{ask, task};
    use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};

    fn held(waiting: usize, running: usize) -> What<'static> {
        What::Edge(Edge::PassEnded(Held { waiting, running, ..Held::default() }))
    }

    #[test]
    fn a_caller_that_went_away_or_was_answered_is_not_kept() {
        let mut rig = Rig::new(new);
        rig.coordinator(1, &coordinator::Input::BusUp);
        rig.coordinator(2, &ask(1));
        rig.coordinator(3, &ask(2));
        rig.tell(COORDINATOR, held(2, 0));
        rig.coordinator(4, &coordinator::Input::Cancel(Ticket(1)));
        rig.tell(COORDINATOR, held(1, 0));
        rig.tell(WORKER, held(0, 0));
        rig.worker(5, &worker::Input::BusUp);
        rig.worker(6, &task(1, 1000));
        rig.tell(WORKER, held(0, 1));
        rig.expect_fine();
    }

    #[test]
    fn a_caller_that_is_kept_too_long_is_found_and_so_is_a_job_that_does_not_run() {
        let mut rig = Rig::new(new);
        rig.coordinator(1, &coordinator::Input::BusUp);
        rig.coordinator(2, &ask(1));
        rig.coordinator(3, &coordinator::Input::Cancel(Ticket(1)));
        rig.tell(COORDINATOR, held(1, 0));
        rig.expect_violation("keeps entries for 1 callers, but 0 wait");
        let mut rig = Rig::new(new);
        rig.tell(WORKER, held(0, 1));
        rig.expect_violation("keeps entries for 1 jobs, but 0 run");
    }
}
