//! Followers of all requests receive each outcome once, before the request's callers, and the same one.

use std::sync::Arc;

use quorate_core::coordinator::Output;
use quorate_core::id::RequestId;
use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;

use crate::checkers::Context;
use crate::checkers::hosts::{Map, PerHost, ProcessChecker};
use crate::event::{Event, What};

/// The requests of one coordinator.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The requests in flight, with their deadlines. A cancelled one stays until a sweep after its deadline.
    asked: Map<RequestId, Timestamp>,
    sweep_at: usize,
    /// The outcomes that followers were given in this step.
    told: Vec<Arc<Outcome>>,
}

pub(crate) fn new(_context: &Context<'_>) -> PerHost<Requests> {
    PerHost::new()
}

impl Requests {
    fn output(&mut self, now: Timestamp, output: &Output) -> Result<(), String> {
        match output {
            Output::Publish(task) => {
                if self.asked.len() >= self.sweep_at {
                    self.asked.retain(|_, deadline| *deadline >= now);
                    self.sweep_at = self.asked.len() * 2 + 64;
                }
                self.asked.insert(task.request.clone(), now.after(task.ttl));
                Ok(())
            }
            Output::Ended(outcome) => {
                self.told.push(Arc::clone(outcome));
                match self.asked.remove(&outcome.request) {
                    Some(_) => Ok(()),
                    None => Err(format!("followers were told that {} ended, but it is not in flight", outcome.request)),
                }
            }
            Output::Answer { reply: Ok(outcome), .. } => {
                if self.asked.contains_key(&outcome.request) {
                    return Err(format!("{} was answered before its followers were told", outcome.request));
                }
                match self.told.iter().find(|told| told.request == outcome.request) {
                    Some(told) if told != outcome => {
                        Err(format!("followers were told {told:?}, but a caller {outcome:?}"))
                    }
                    _ => Ok(()),
                }
            }
            Output::Answer { reply: Err(_), .. } | Output::CallWorkers | Output::Drained | Output::Event(_) => Ok(()),
        }
    }
}

impl ProcessChecker for Requests {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorOutput(now, output) => return self.output(now, output),
            What::CoordinatorSettled(..) => self.told.clear(),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkers::testing::inputs::{number, submit};
    use crate::checkers::testing::rig::Rig;

    /// Two callers ask, the only worker answers, and a third caller asks. Every output goes through `tamper`.
    fn run(tamper: impl FnMut(Output) -> Vec<Output> + 'static) -> Rig {
        let mut run = Rig::new(new);
        run.begin(&[1]);
        run.tamper(tamper);
        run.drive(&submit(1, "a"));
        run.drive(&submit(2, "a"));
        run.result(1, "a", Ok(number("1")));
        run.drive(&submit(3, "a"));
        run
    }

    #[test]
    fn untampered_outputs_are_fine() {
        run(|output| vec![output]).expect_fine();
    }

    #[test]
    fn an_outcome_that_followers_never_get_or_get_twice_or_changed_is_found() {
        run(|output| if matches!(output, Output::Ended(_)) { Vec::new() } else { vec![output] })
            .expect_violation("before its followers");
        run(|output| if matches!(output, Output::Ended(_)) { vec![output.clone(), output] } else { vec![output] })
            .expect_violation("not in flight");
        run(|mut output| {
            if let Output::Ended(outcome) = &mut output {
                Arc::make_mut(outcome).succeeded += 1;
            }
            vec![output]
        })
        .expect_violation("a caller");
    }
}
