//! Every accepted request is answered exactly once, and never after its deadline.
//!
//! Each ticket gets one answer unless it is taken back before: a refusal or a remembered outcome at once, and an outcome
//! no later than the timeout of the request that it waits for, in the time of the coordinator's own clock.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::outcome::{Cause, Outcome};
use quorate_core::time::Timestamp;

use super::ledger::{Asking, Caller, Fact, Source, Told};
use super::terms::{Terms, slack};
use super::{Checker, Context};
use crate::event::Event;

#[derive(Debug)]
pub(super) struct AnsweredOnce {
    terms: Terms,
    slack: Duration,
}

pub(super) fn new(context: &Context<'_>) -> AnsweredOnce {
    AnsweredOnce {
        terms: Terms::of_settings(&context.scenario.cluster.settings),
        slack: slack(context.depth),
    }
}

/// One answer, and when it was given.
struct Answer<'a> {
    now: Timestamp,
    terms: Terms,
    slack: Duration,
    outcome: &'a Arc<Outcome>,
}

impl Answer<'_> {
    fn check(&self, to: Option<&Caller>, source: &Source) -> Result<(), String> {
        let Outcome { request, .. } = self.outcome.as_ref();
        let Some(caller) = to else {
            return Err(format!("{request} is answered to one who never asked, was answered before or went away before"));
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
        let timeout = self.terms.with(&asking.overrides).timeout;
        let took = self.now.since(asking.submitted);
        if took > timeout + self.slack {
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
    fn event(&mut self, _: &Event<'_>) -> Result<(), String> {
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
                Answer { now, terms: self.terms, slack: self.slack, outcome }.check(to, source)
            }
            Told::Unanswered { by, caller } => Err(format!(
                "{by} was asked {:?} ({:?}) at {:?} of its clock and never answered",
                caller.query, caller.id, caller.submitted
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::{Input, Output, Refusal};
    use quorate_core::id::Ticket;
    use quorate_core::policy::Overrides;

    use super::super::support::{COORDINATOR, Run, number, result, scenario, submit, submit_with};
    use super::*;
    use crate::Depth;
    use crate::event::What;

    fn run() -> Run {
        let mut run = Run::new(&scenario(), Depth::Machines, new);
        run.begin(&[1, 2]);
        run
    }

    fn answers_only(output: &Output) -> bool {
        matches!(output, Output::Answer { .. })
    }

    #[test]
    fn requests_that_are_answered_joined_replayed_refused_and_cancelled_are_fine() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.drive(submit(2, "a"));
        run.drive(submit_with(3, "a", "ETH/USD as text", Overrides::default()));
        run.pass(5);
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.drive(submit(4, "a"));
        run.drive(submit(5, "b"));
        run.drive(Input::Cancel(Ticket(5)));
        run.drive(submit(6, "b"));
        run.pass(1000);
        run.wake();
        run.end();
        run.finds_nothing();
    }

    #[test]
    fn several_things_told_at_once_are_fine() {
        let mut run = run();
        run.drive(submit(1, "a"));
        // Joins before and after the end, takes back before and after it, asks and takes back.
        run.put(submit(2, "a"));
        run.put(submit(3, "a"));
        run.put(Input::Cancel(Ticket(3)));
        run.put(Input::Result(result(1, "a", Ok(number("1")))));
        run.put(Input::Result(result(2, "a", Ok(number("1")))));
        run.put(Input::Cancel(Ticket(1)));
        run.put(submit(4, "a"));
        run.put(submit(5, "b"));
        run.put(submit(6, "b"));
        run.put(Input::Cancel(Ticket(5)));
        run.put(submit(7, "c"));
        run.put(Input::Cancel(Ticket(7)));
        run.put(submit(8, "c"));
        run.settle();
        run.pass(1000);
        run.wake();
        run.end();
        run.finds_nothing();
    }

    #[test]
    fn an_answer_must_come() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.end();
        run.objects("never answered");
    }

    #[test]
    fn a_process_that_was_killed_owes_nothing_and_one_that_stopped_does() {
        let mut killed = run();
        killed.drive(submit(1, "a"));
        killed.at(COORDINATOR, What::Crashed);
        killed.end();
        killed.finds_nothing();
        let mut stopped = run();
        stopped.drive(submit(1, "a"));
        stopped.at(COORDINATOR, What::Stopped);
        stopped.objects("never answered");
    }

    #[test]
    fn a_question_must_not_be_overlooked() {
        let mut run = run();
        run.tamper(|_| vec![]);
        run.drive(submit(1, "a"));
        run.objects("waits for no request");
    }

    #[test]
    fn an_answer_must_not_come_twice() {
        let mut run = run();
        run.tamper(|output| if answers_only(&output) { vec![output.clone(), output] } else { vec![output] });
        run.drive(submit(1, "a"));
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.objects("was answered before");
    }

    #[test]
    fn one_who_went_away_must_not_be_answered() {
        let mut run = run();
        run.tamper(|output| match output {
            Output::Answer { reply, .. } => vec![Output::Answer { ticket: Ticket(1), reply }],
            output => vec![output],
        });
        run.drive(submit(1, "a"));
        run.drive(submit(2, "a"));
        run.drive(Input::Cancel(Ticket(1)));
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.objects("went away before");
    }

    #[test]
    fn one_who_goes_away_first_must_not_be_answered_in_the_same_breath() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.drive(submit(2, "a"));
        run.put(Input::Cancel(Ticket(1)));
        run.tamper(|output| match output {
            Output::Answer { reply, .. } => vec![Output::Answer { ticket: Ticket(1), reply }],
            output => vec![output],
        });
        run.put(Input::Result(result(1, "a", Ok(number("1")))));
        run.drive(Input::Result(result(2, "a", Ok(number("1")))));
        run.objects("went away before");
    }

    #[test]
    fn an_answer_must_not_be_late() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.pass(1001);
        run.wake();
        run.objects("its timeout is 1s");
    }

    #[test]
    fn over_the_network_three_milliseconds_are_not_late() {
        for (late, is_fine) in [(3, true), (4, false)] {
            let mut run = Run::new(&scenario(), Depth::Network, new);
            run.begin(&[1]);
            run.drive(submit(1, "a"));
            run.pass(1000 + late);
            run.wake();
            if is_fine { run.finds_nothing() } else { run.objects("its timeout is 1s") }
        }
    }

    #[test]
    fn one_who_joins_gets_the_deadline_of_the_first() {
        let overrides = |ms| Overrides { timeout: Some(Duration::from_millis(ms)), ..Overrides::default() };
        let mut run = run();
        run.drive(submit_with(1, "a", "BTC/USD", overrides(300)));
        run.drive(submit_with(2, "a", "BTC/USD", overrides(100)));
        run.pass(300);
        run.wake();
        run.end();
        run.finds_nothing();
    }

    #[test]
    fn a_deadline_must_not_pass_early() {
        let mut run = run();
        run.tamper_outcome(|outcome| outcome.cause = Cause::DeadlinePassed);
        run.drive(submit(1, "a"));
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.objects("ends by its deadline after 0ns");
    }

    #[test]
    fn an_outcome_says_how_long_it_took() {
        for tampered in [Duration::from_millis(4), Duration::from_millis(6)] {
            let mut run = run();
            run.tamper_outcome(move |outcome| outcome.elapsed = tampered);
            run.drive(submit(1, "a"));
            run.pass(5);
            run.result(1, "a", Ok(number("1")));
            run.result(2, "a", Ok(number("1")));
            run.objects("says that it took");
        }
    }

    #[test]
    fn all_who_wait_get_the_same() {
        for ticket in [2, 3] {
            let mut run = run();
            run.tamper(move |mut output| {
                if let Output::Answer { ticket: Ticket(to), reply: Ok(outcome) } = &mut output
                    && *to == ticket
                {
                    Arc::make_mut(outcome).succeeded += 1;
                }
                vec![output]
            });
            run.drive(submit(1, "a"));
            run.drive(submit(2, "a"));
            run.result(1, "a", Ok(number("1")));
            run.result(2, "a", Ok(number("1")));
            run.drive(submit(3, "a"));
            run.objects("another caller is told");
        }
    }

    #[test]
    fn nobody_is_told_of_another_request() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.drive(submit(2, "b"));
        run.tamper(|output| match output {
            Output::Answer { reply, .. } => vec![Output::Answer { ticket: Ticket(2), reply }],
            output => vec![output],
        });
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.objects("is told of");
    }

    #[test]
    fn an_outcome_must_come_from_somewhere() {
        let mut run = run();
        run.tamper_outcome(|outcome| outcome.request = super::super::support::id("z"));
        run.drive(submit(1, "a"));
        run.result(1, "a", Ok(number("1")));
        run.result(2, "a", Ok(number("1")));
        run.objects("neither in flight nor remembered");
    }

    #[test]
    fn a_refusal_comes_at_once_and_to_one_who_asked() {
        let refusal = |ticket| Output::Answer { ticket: Ticket(ticket), reply: Err(Refusal::Draining) };
        let mut late = run();
        late.drive(submit(1, "a"));
        late.output(&refusal(1));
        late.objects("refused late");
        let mut nobody = run();
        nobody.output(&refusal(1));
        nobody.objects("never asked");
    }

    #[test]
    fn nobody_is_asked_what_nobody_wants_to_know() {
        let mut run = run();
        run.tamper(|output| match output {
            Output::Publish(mut task) => {
                task.request = super::super::support::id("z");
                vec![Output::Publish(task)]
            }
            output => vec![output],
        });
        run.drive(submit(1, "a"));
        run.objects("nobody asked for it");
    }

    #[test]
    fn a_ticket_is_given_to_one_at_a_time() {
        let mut run = run();
        run.drive(submit(1, "a"));
        run.input(&submit(1, "b"));
        run.objects("two at once");
    }
}
