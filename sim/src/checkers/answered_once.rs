//! Every accepted request is answered exactly once, and never after its deadline.
//!
//! Each ticket gets one answer unless it is taken back before: a refusal or a remembered outcome at once, and an outcome
//! no later than the timeout of the request that it waits for, in the time of the coordinator's own clock. One that was
//! frozen is late with its answers, and sends them at once when it goes on.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::outcome::{Cause, Outcome};
use quorate_core::time::Timestamp;

use super::hosts::PerHost;
use super::ledger::{Asking, Caller, Fact, Source, Told};
use super::terms::{Policies, slack};
use super::{Checker, Context};
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::FaultKind;

#[derive(Debug)]
pub(super) struct AnsweredOnce {
    policies: Policies,
    slack: Duration,
    /// Which hosts the faults of the schedule freeze.
    freezes: Vec<Option<Host>>,
    /// When each host last went on.
    thawed: PerHost<Option<u64>>,
    /// Whether the coordinator of the event at hand has only just gone on.
    thawing: bool,
}

pub(super) fn new(context: &Context<'_>) -> AnsweredOnce {
    let freezes = context.scenario.faults.iter().map(|fault| match fault.kind {
        FaultKind::Freeze(host) => Some(host),
        _ => None,
    });
    AnsweredOnce {
        policies: Policies::of_settings(&context.scenario.cluster.settings),
        slack: slack(context.depth),
        freezes: freezes.collect(),
        thawed: PerHost::new(),
        thawing: false,
    }
}

/// One answer, and when it was given.
struct Answer<'a> {
    now: Timestamp,
    policies: &'a Policies,
    slack: Duration,
    may_be_late: bool,
    outcome: &'a Arc<Outcome>,
}

impl Answer<'_> {
    fn check(&self, to: Option<&Caller>, source: &Source) -> Result<(), String> {
        let Outcome { request, .. } = self.outcome.as_ref();
        let Some(caller) = to else {
            return Err(format!(
                "{request} is answered to one who never asked, was answered before or went away before"
            ));
        };
        match source {
            Source::Nowhere => return Err(format!("{request} ends, but it is neither in flight nor remembered")),
            Source::Replayed(told) => {
                self.is_same(told)?;
                self.is_at_once(caller)?;
            }
            Source::Ended { asking, is_first, told, .. } => {
                self.is_in_time(asking)?;
                if !is_first {
                    self.is_same(told)?;
                }
            }
        }
        self.is_what_was_asked(caller)
    }

    fn is_same(&self, told: &Arc<Outcome>) -> Result<(), String> {
        if Arc::ptr_eq(told, self.outcome) || told == self.outcome {
            return Ok(());
        }
        Err(format!("{} ended as {told:?}, and another caller is told {:?}", told.request, self.outcome))
    }

    fn is_at_once(&self, caller: &Caller) -> Result<(), String> {
        if self.now.since(caller.submitted) <= self.slack {
            return Ok(());
        }
        Err(format!("what is remembered of {} was told late", self.outcome.request))
    }

    fn is_in_time(&self, asking: &Asking) -> Result<(), String> {
        let Outcome { request, elapsed, cause, .. } = self.outcome.as_ref();
        let timeout = self.policies.of(asking.query.as_str()).with(&asking.overrides).timeout;
        let took = self.now.since(asking.submitted);
        if took > timeout + self.slack && !self.may_be_late {
            return Err(format!("{request} is answered after {took:?}, and its timeout is {timeout:?}"));
        }
        if *elapsed > took || took > *elapsed + self.slack {
            return Err(format!("{request} is answered after {took:?}, and says that it took {elapsed:?}"));
        }
        if *cause == Cause::DeadlinePassed && *elapsed < timeout {
            return Err(format!("{request} ends by its deadline after {elapsed:?}, and its timeout is {timeout:?}"));
        }
        Ok(())
    }

    fn is_what_was_asked(&self, caller: &Caller) -> Result<(), String> {
        let Outcome { request, query, .. } = self.outcome.as_ref();
        if caller.query == *query && caller.id.as_ref().is_none_or(|id| id == request) {
            return Ok(());
        }
        Err(format!("one who asked {:?} as {:?} is told of {query:?} as {request}", caller.query, caller.id))
    }
}

impl Checker for AnsweredOnce {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::FaultEnded(place) => {
                if let Some(host) = self.freezes.get(place).copied().flatten()
                    && let Some(thawed) = self.thawed.get(host)
                {
                    *thawed = Some(event.at);
                }
            }
            What::CoordinatorOutput(..) => {
                let thawed = self.thawed.get(event.host).and_then(|thawed| *thawed);
                let slack = self.slack.as_nanos() as u64;
                self.thawing = thawed.is_some_and(|thawed| event.at <= thawed.saturating_add(slack));
            }
            _ => {}
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        let Fact { now, .. } = *fact;
        match fact.what {
            Told::Asked { .. } | Told::Joined(_) => Ok(()),
            Told::AskedByNobody(task) => {
                Err(format!("{} is asked of the workers, but nobody asked for it", task.request))
            }
            Told::TicketReused(ticket) => Err(format!("{ticket:?} is given to two at once")),
            Told::Overlooked(ticket) => {
                Err(format!("{ticket:?} was neither refused nor answered, and waits for no request"))
            }
            Told::Refused { to: Some(caller), at_once, .. } => {
                if at_once && now.since(caller.submitted) <= self.slack {
                    return Ok(());
                }
                Err(format!("{:?} is refused late", caller.query))
            }
            Told::Refused { to: None, .. } => {
                Err("one is refused who never asked, or was answered, or went away before".to_owned())
            }
            Told::Answered { to, source, outcome } => {
                let (slack, may_be_late) = (self.slack, self.thawing);
                Answer { now, policies: &self.policies, slack, may_be_late, outcome }.check(to, source)
            }
            Told::Unanswered { by, caller } => Err(format!(
                "{by} was asked {:?} ({:?}) at {:?} of its clock and never answered",
                caller.query, caller.id, caller.submitted
            )),
        }
    }
}

#[cfg(test)]
mod tests;
