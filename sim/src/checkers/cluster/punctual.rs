//! A machine is woken when it asked to be, and its outputs are carried out in the pass in which it put them out.
//!
//! A machine asks for a time of its host's own clock. Every event of the machine shows how far that clock is from the
//! time of the run.

use std::time::Duration;

use quorate_core::coordinator;
use quorate_core::time::Timestamp;
use quorate_core::worker;

use crate::Depth;
use crate::checkers::hosts::PerHost;
use crate::checkers::{Checker, Context};
use crate::edge::Edge;
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::{Fault, FaultKind};

/// How late a wake may be over the network, where timers have a granularity of 1 ms and hosts run in turns of 1 ms.
const NETWORK_SLACK: Duration = Duration::from_millis(3);

/// The due time of a process that waits for nothing.
const NEVER: u64 = u64::MAX;

/// What one process waits for.
#[derive(Debug)]
struct Wait {
    /// When its machine must have been woken, or its pass must have ended: in nanoseconds since the run began.
    due: u64,
    /// When the machine must be woken once its pass has ended.
    wake: u64,
    /// Whether the machine has taken a step and the pass has not ended.
    in_pass: bool,
    /// The number of faults that freeze the process.
    frozen: u32,
    /// Whether the machine has drained, so that its process ends.
    drained: bool,
}

impl Default for Wait {
    fn default() -> Self {
        Self { due: NEVER, wake: NEVER, in_pass: false, frozen: 0, drained: false }
    }
}

pub(crate) struct Punctual {
    waits: PerHost<Wait>,
    /// No process is due before this time.
    earliest: u64,
    slack: u64,
}

pub(crate) fn new(context: &Context<'_>) -> Punctual {
    let slack = match context.depth {
        Depth::Network => NETWORK_SLACK,
        Depth::Machines | Depth::Store => Duration::ZERO,
    };
    Punctual { waits: PerHost::new(), earliest: NEVER, slack: slack.as_nanos() as u64 }
}

/// Converts `due`, a time of a machine's own clock, to the time of the run. That clock shows `now` at `at`.
fn in_run_time(due: Timestamp, now: Timestamp, at: u64) -> u64 {
    if due >= now {
        at.saturating_add(due.as_nanos() - now.as_nanos())
    } else {
        at.saturating_sub(now.as_nanos() - due.as_nanos())
    }
}

impl Punctual {
    /// A machine has handled an input or was woken, so its outputs must be carried out in the same pass.
    fn settled(&mut self, event: &Event<'_>, now: Timestamp, timeout: Option<Timestamp>) {
        if let Some(wait) = self.waits.get(event.host)
            && !wait.drained
        {
            wait.wake = timeout.map_or(NEVER, |due| in_run_time(due, now, event.at));
            (wait.due, wait.in_pass) = (event.at, true);
            self.earliest = self.earliest.min(event.at);
        }
    }

    fn pass_ended(&mut self, host: Host) {
        if let Some(wait) = self.waits.get(host)
            && !wait.drained
        {
            (wait.due, wait.in_pass) = (wait.wake, false);
            self.earliest = self.earliest.min(wait.due);
        }
    }

    fn drained(&mut self, host: Host) {
        if let Some(wait) = self.waits.get(host) {
            (wait.due, wait.in_pass, wait.drained) = (NEVER, false, true);
        }
    }

    /// Looks for a late process, now that there may be one.
    fn look(&mut self, at: u64) -> Result<(), String> {
        self.earliest = NEVER;
        for (host, wait) in self.waits.iter_mut() {
            if wait.frozen > 0 {
                continue;
            }
            if wait.due != NEVER && wait.due.saturating_add(self.slack) < at {
                let late = Duration::from_nanos(at - wait.due);
                return Err(if wait.in_pass {
                    format!("{host} handled an input {late:?} ago, but its pass has not ended")
                } else {
                    format!("{host} was due to be woken {late:?} ago, but was not")
                });
            }
            self.earliest = self.earliest.min(wait.due);
        }
        Ok(())
    }

    fn thaw(&mut self, host: Host, at: u64) {
        if let Some(wait) = self.waits.get(host) {
            wait.frozen = wait.frozen.saturating_sub(1);
            // It resumes where it was: what came due during the freeze is due now.
            if wait.due != NEVER {
                wait.due = wait.due.max(at);
            }
            self.earliest = self.earliest.min(wait.due);
        }
    }
}

impl Checker for Punctual {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorSettled(now, machine) => self.settled(event, now, machine.poll_timeout()),
            What::WorkerSettled(now, machine) => self.settled(event, now, machine.poll_timeout()),
            What::Edge(Edge::PassEnded(_)) => self.pass_ended(event.host),
            What::CoordinatorOutput(_, coordinator::Output::Drained)
            | What::WorkerOutput(_, worker::Output::Drained) => self.drained(event.host),
            What::Started { .. } | What::Crashed | What::Stopped => {
                if let Some(wait) = self.waits.get(event.host) {
                    *wait = Wait { frozen: wait.frozen, ..Wait::default() };
                }
            }
            What::FaultBegan(_, Fault { kind: FaultKind::Freeze(host), .. }) => {
                if let Some(wait) = self.waits.get(*host) {
                    wait.frozen += 1;
                }
            }
            What::FaultEnded(_, Fault { kind: FaultKind::Freeze(host), .. }) => self.thaw(*host, event.at),
            _ => {}
        }
        if event.at > self.earliest.saturating_add(self.slack) { self.look(event.at) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Input;

    use crate::checkers::testing::inputs::{ask, live};
    use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};
    use crate::event::What;
    use crate::scenario::FaultKind;

    #[test]
    fn a_machine_that_is_woken_in_time_is_fine_whatever_its_clock_shows() {
        let mut rig = Rig::new(super::new);
        rig.clock_offset_ms = 5_000;
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(0, &Input::Presence(live("w1")));
        rig.coordinator(1, &ask(1));
        for at in [101, 501, 1_001] {
            rig.wake_coordinator(at);
        }
        rig.at_ms(1_001);
        rig.tell(COORDINATOR, What::Ended);
        rig.expect_fine();
    }

    #[test]
    fn a_machine_that_is_not_woken_is_found() {
        let mut rig = Rig::new(super::new);
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(1, &ask(1));
        rig.at_ms(502);
        rig.tell(WORKER, What::Ended);
        rig.expect_violation("due to be woken");
    }

    #[test]
    fn a_machine_whose_outputs_are_not_carried_out_is_found() {
        let mut rig = Rig::new(super::new);
        rig.begin_coordinator(&Input::BusUp);
        rig.settled_coordinator();
        rig.at_ms(1);
        rig.tell(WORKER, What::Ended);
        rig.expect_violation("its pass has not ended");
    }

    #[test]
    fn a_crashed_or_frozen_process_is_not_late() {
        let mut rig = Rig::with_faults(super::new, vec![FaultKind::Freeze(COORDINATOR)]);
        rig.coordinator(0, &Input::BusUp);
        rig.coordinator(1, &ask(1));
        rig.fault_begins(0);
        rig.at_ms(700);
        rig.fault_ends(0);
        rig.wake_coordinator(700);
        rig.expect_fine();
        rig.tell(COORDINATOR, What::Crashed);
        rig.at_ms(9_000);
        rig.tell(WORKER, What::Ended);
        rig.expect_fine();
    }
}
