//! An answer is what an independent aggregation of its observations comes to, under the policy in force.
//!
//! That holds for the value, the counts, the status, the spread, the tie and who was excluded; with fewer usable values
//! than required there is no answer, and a failure is the one that its reasons make.

use quorate_core::aggregate::Exclusion;
use quorate_core::coordinator::{Undelivered, UndeliveredCause};
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Outcome, Status};
use quorate_core::value::Value;

use super::arithmetic::{Reference, aggregate};
use super::ledger::{Asking, Fact, Source, Told};
use super::terms::{Terms, strategy_name};
use super::{Checker, Context};
use crate::event::Event;

#[derive(Debug)]
pub(super) struct Aggregation {
    terms: Terms,
    may_cordon: bool,
}

pub(super) fn new(context: &Context<'_>) -> Aggregation {
    let settings = &context.scenario.cluster.settings;
    Aggregation {
        terms: Terms::of_settings(settings),
        may_cordon: settings.cordon_below.is_some(),
    }
}

/// One outcome to judge.
struct Case<'a> {
    terms: Terms,
    may_cordon: bool,
    asking: &'a Asking,
    outcome: &'a Outcome,
    /// Whether the bus was down at some time while it was in flight.
    bus_was_down: bool,
    /// What the bus said of its task, if it ended by that.
    undelivered: Option<Undelivered>,
}

impl Case<'_> {
    fn check(&self) -> Result<(), String> {
        self.check_all().map_err(|why| format!("{}: {why}; {:?}", self.outcome.request, self.outcome))
    }

    fn check_all(&self) -> Result<(), String> {
        let Outcome { observations, succeeded, strategy, .. } = self.outcome;
        if *strategy != self.terms.strategy {
            return Err(format!("the strategy was to be {}", strategy_name(self.terms.strategy)));
        }
        let values = observations.iter().filter(|observation| observation.observed.is_ok()).count();
        if values != *succeeded as usize {
            return Err(format!("{values} succeeded, not {succeeded}"));
        }
        for observation in observations {
            match (&observation.observed, observation.excluded) {
                (Err(_), Some(_)) => return Err(format!("{} failed and is excluded", observation.worker)),
                (_, Some(Exclusion::Cordoned)) if !self.may_cordon => {
                    return Err(format!("{} is cordoned, but nobody is to be", observation.worker));
                }
                _ => {}
            }
        }
        if self.outcome.cause == Cause::Undelivered {
            return self.check_undelivered();
        }
        let candidates: Vec<(&Observation, &Value)> = observations.iter().filter_map(candidate).collect();
        let values: Vec<&Value> = candidates.iter().map(|(_, value)| *value).collect();
        self.check_quorum(values.len())?;
        // What does not fit the arithmetic of this checker is not judged.
        let Some(reference) = aggregate(&self.terms, &values) else { return Ok(()) };
        for ((observation, _), excluded) in candidates.iter().zip(&reference.excluded) {
            if observation.excluded != *excluded {
                return Err(format!("{} was to be excluded for {excluded:?}", observation.worker));
            }
        }
        match &self.outcome.verdict {
            Ok(answer) => self.check_answer(answer, &reference),
            Err(failure) => self.check_failure(*failure, &reference),
        }
    }

    fn check_quorum(&self, usable: usize) -> Result<(), String> {
        if self.outcome.cause != Cause::QuorumMet {
            return Ok(());
        }
        match self.terms.quorum {
            Some(quorum) if usable >= quorum as usize && self.outcome.verdict.is_ok() => Ok(()),
            quorum => Err(format!("{usable} are no quorum of {quorum:?}")),
        }
    }

    /// A task that reached nobody, and that nobody answered.
    fn check_undelivered(&self) -> Result<(), String> {
        let cause = match &self.outcome.verdict {
            Err(Failure::NoWorkers) => UndeliveredCause::NoResponders,
            Err(Failure::BusDown) => UndeliveredCause::Disconnected,
            Err(Failure::Overloaded) => UndeliveredCause::QueueFull,
            _ => return Err("a task that reaches nobody fails for that".to_owned()),
        };
        if !self.outcome.observations.is_empty() {
            return Err("a task that reached nobody was answered".to_owned());
        }
        let told = Undelivered { task: self.asking.task, cause };
        if self.undelivered != Some(told) {
            return Err(format!("nobody said that its task was undelivered for {cause:?}"));
        }
        Ok(())
    }

    fn check_answer(&self, answer: &Answer, reference: &Reference<'_>) -> Result<(), String> {
        let required = self.terms.min_responses;
        if reference.used < required {
            return Err(format!("{} values are used, and {required} are required", reference.used));
        }
        if !reference.value.is_some_and(|value| value.is(&answer.value)) {
            return Err(format!("the answer was to be {:?}", reference.value));
        }
        if answer.used != reference.used || answer.tie != reference.tie {
            return Err(format!("{} were to be used, with a tie: {}", reference.used, reference.tie));
        }
        let is_spread = match (&answer.spread, &reference.spread) {
            (Some(spread), Some((min, max))) => min.is(spread.min) && max.is(spread.max),
            (spread, reference) => spread.is_none() && reference.is_none(),
        };
        if !is_spread {
            return Err(format!("the spread was to be {:?}", reference.spread));
        }
        let status = if reference.disputed { Status::Disputed } else { status(self.outcome) };
        if answer.status != status {
            return Err(format!("the status was to be {status:?}"));
        }
        Ok(())
    }

    fn check_failure(&self, failure: Failure, reference: &Reference<'_>) -> Result<(), String> {
        let (usable, required) = (reference.used, self.terms.min_responses);
        if usable >= required {
            return Err(format!("{usable} values are enough for an answer"));
        }
        let at_deadline = self.outcome.cause == Cause::DeadlinePassed;
        let without_outage = if usable == 0 && at_deadline {
            Failure::DeadlineExceeded
        } else {
            Failure::InsufficientResponses { usable, required }
        };
        let expected = if at_deadline && self.bus_was_down { Failure::BusDown } else { without_outage };
        if failure == expected {
            return Ok(());
        }
        Err(format!("it was to fail with {expected:?}"))
    }
}

/// A value that may be used.
fn candidate(observation: &Observation) -> Option<(&Observation, &Value)> {
    let value = observation.observed.as_ref().ok()?;
    (observation.excluded != Some(Exclusion::Cordoned)).then_some((observation, value))
}

/// The status that the share of workers that succeeded gives.
fn status(outcome: &Outcome) -> Status {
    let expected = outcome.observations.len() + outcome.missing.len();
    let succeeded = outcome.observations.iter().filter(|observation| observation.observed.is_ok()).count();
    if expected > 0 && succeeded == expected {
        Status::Complete
    } else if succeeded > 0 && 2 * succeeded >= expected {
        Status::Partial
    } else {
        Status::LowReliability
    }
}

impl Checker for Aggregation {
    fn event(&mut self, _: &Event<'_>) -> Result<(), String> {
        Ok(())
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        let Told::Answered { source: Source::Ended { asking, is_first: true, undelivered, .. }, outcome, .. } = fact.what
        else {
            return Ok(());
        };
        let terms = self.terms.with(&asking.overrides);
        let bus_was_down = fact.book.bus_was_down(asking.submitted);
        Case { terms, may_cordon: self.may_cordon, asking, outcome, bus_was_down, undelivered: *undelivered }.check()
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::aggregate::{Spread, Strategy};
    use quorate_core::coordinator::{Input, Output};
    use quorate_core::id::TaskId;
    use quorate_core::policy::Overrides;
    use rust_decimal::Decimal;

    use super::super::support::{Run, number, scenario, submit_with, text, worker};
    use super::*;
    use crate::Depth;

    /// Asks five workers, which answer these values.
    fn ask(overrides: Overrides, values: &[Value], tamper: impl Fn(&mut Outcome) + 'static) -> Run {
        let mut scenario = scenario();
        scenario.cluster.settings.cordon_below = Some(0);
        let mut run = Run::new(&scenario, Depth::Machines, new);
        run.begin(&[1, 2, 3, 4, 5]);
        run.tamper_outcome(tamper);
        run.drive(submit_with(1, "a", "BTC/USD", overrides));
        for (number, value) in (1..).zip(values) {
            run.result(number, "a", Ok(value.clone()));
        }
        run.pass(1000);
        run.wake();
        run
    }

    fn by(strategy: Strategy) -> Overrides {
        Overrides { strategy: Some(strategy), ..Overrides::default() }
    }

    fn five() -> Vec<Value> {
        vec![number("1.10"), text("1.1"), number("7"), text("n/a"), number("1.104")]
    }

    fn answer(outcome: &mut Outcome) -> &mut Answer {
        outcome.verdict.as_mut().expect("an answer")
    }

    #[test]
    fn what_the_machine_answers_finds_nothing() {
        for strategy in Strategy::ALL {
            for max_deviation in [None, Some(Decimal::new(1, 1)), Some(Decimal::ZERO), Some(Decimal::from(1000))] {
                for min_responses in 1..=6 {
                    for length in 0..=5 {
                        for quorum in [None, Some(6), Some(min_responses)] {
                            let overrides = Overrides {
                                max_deviation,
                                min_responses: Some(min_responses),
                                quorum: quorum.filter(|quorum| *quorum >= min_responses),
                                ..by(strategy)
                            };
                            ask(overrides, &five()[..length], |_| {}).finds_nothing();
                        }
                    }
                }
            }
        }
    }

    type Tampered<'a> = (fn(&mut Outcome), &'a str);

    #[test]
    fn every_part_of_an_answer_is_held_against_the_reference() {
        let tampered: [Tampered<'_>; 10] = [
            (|outcome| answer(outcome).value = number("9.2041"), "answer was to be"),
            (|outcome| answer(outcome).value = text("1.102"), "answer was to be"),
            (|outcome| answer(outcome).used = 5, "4 were to be used"),
            (|outcome| answer(outcome).tie = true, "with a tie: false"),
            (|outcome| answer(outcome).spread = None, "spread was to be"),
            (
                |outcome| answer(outcome).spread = Some(Spread { min: Decimal::ONE, max: Decimal::from(7) }),
                "spread was to be",
            ),
            (|outcome| answer(outcome).status = Status::Partial, "status was to be Complete"),
            (|outcome| outcome.succeeded = 4, "5 succeeded, not 4"),
            (|outcome| outcome.observations[3].excluded = None, "excluded for Some(NotANumber)"),
            (|outcome| outcome.strategy = Strategy::Average, "strategy was to be median"),
        ];
        for (tamper, words) in tampered {
            ask(by(Strategy::Median), &five(), tamper).objects(words);
        }
    }

    #[test]
    fn an_answer_has_no_trailing_zeros() {
        let trailing = |outcome: &mut Outcome| answer(outcome).value = number("1.1020");
        ask(by(Strategy::Median), &five(), trailing).objects("answer was to be");
    }

    #[test]
    fn who_is_cordoned_does_not_count() {
        let cordon = |outcome: &mut Outcome| outcome.observations[2].excluded = Some(Exclusion::Cordoned);
        ask(by(Strategy::Median), &five(), cordon).objects("answer was to be");
        let mut run = Run::new(&scenario(), Depth::Machines, new);
        run.begin(&[1]);
        run.tamper_outcome(|outcome| outcome.observations[0].excluded = Some(Exclusion::Cordoned));
        run.drive(submit_with(1, "a", "BTC/USD", Overrides::default()));
        run.result(1, "a", Ok(number("1")));
        run.objects("nobody is to be");
    }

    #[test]
    fn a_failure_is_not_excluded() {
        let fail = |outcome: &mut Outcome| {
            outcome.observations[3].observed = Err("no".into());
            outcome.succeeded = 4;
        };
        ask(by(Strategy::Median), &five(), fail).objects("failed and is excluded");
    }

    #[test]
    fn a_lost_worker_changes_the_status() {
        let lose = |outcome: &mut Outcome| outcome.missing.push(worker(9));
        ask(by(Strategy::Median), &five(), lose).objects("status was to be Partial");
    }

    #[test]
    fn outliers_and_disputes_are_found() {
        let overrides = Overrides { max_deviation: Some(Decimal::new(1, 1)), ..by(Strategy::Average) };
        let miss = |outcome: &mut Outcome| outcome.observations[2].excluded = None;
        ask(overrides, &five(), miss).objects("excluded for Some(Outlier)");
        let apart = [number("1"), number("1"), number("9"), number("9")];
        let keep_quiet = |outcome: &mut Outcome| answer(outcome).status = Status::Partial;
        ask(overrides, &apart, keep_quiet).objects("status was to be Disputed");
    }

    #[test]
    fn fewer_values_than_required_are_no_answer() {
        let overrides = Overrides { min_responses: Some(5), ..by(Strategy::Median) };
        let reason = Failure::InsufficientResponses { usable: 4, required: 5 };
        let answer = Answer { value: number("1"), used: 4, tie: false, spread: None, status: Status::Complete };
        ask(overrides, &five(), move |outcome| outcome.verdict = Ok(answer.clone())).objects("5 are required");
        ask(overrides, &five(), move |outcome| {
            assert_eq!(outcome.verdict, Err(reason));
            outcome.verdict = Err(Failure::DeadlineExceeded);
        })
        .objects("it was to fail with InsufficientResponses");
        ask(by(Strategy::Median), &five(), move |outcome| outcome.verdict = Err(reason)).objects("are enough");
    }

    #[test]
    fn a_deadline_without_a_value_is_exceeded_unless_the_bus_was_down() {
        for (down, failure, words) in [
            (false, Failure::DeadlineExceeded, None),
            (false, Failure::BusDown, Some("fail with DeadlineExceeded")),
            (true, Failure::BusDown, None),
            (true, Failure::DeadlineExceeded, Some("fail with BusDown")),
        ] {
            let mut run = Run::new(&scenario(), Depth::Machines, new);
            run.begin(&[1]);
            run.tamper_outcome(move |outcome| outcome.verdict = Err(failure));
            run.drive(submit_with(1, "a", "BTC/USD", Overrides::default()));
            if down {
                run.drive(Input::BusDown);
                run.drive(Input::BusUp);
            }
            run.pass(1000);
            run.wake();
            match words {
                None => run.finds_nothing(),
                Some(words) => run.objects(words),
            }
        }
    }

    #[test]
    fn a_task_is_undelivered_only_if_the_bus_says_so() {
        let undelivered = Input::Undelivered(Undelivered {
            task: TaskId(1 << 32),
            cause: UndeliveredCause::NoResponders,
        });
        for (failure, words) in [
            (Failure::NoWorkers, None),
            (Failure::BusDown, Some("undelivered for Disconnected")),
            (Failure::DeadlineExceeded, Some("fails for that")),
        ] {
            let mut run = Run::new(&scenario(), Depth::Machines, new);
            run.begin(&[]);
            run.tamper_outcome(move |outcome| outcome.verdict = Err(failure));
            run.drive(submit_with(1, "a", "BTC/USD", Overrides::default()));
            run.drive(undelivered.clone());
            match words {
                None => run.finds_nothing(),
                Some(words) => run.objects(words),
            }
        }
    }

    #[test]
    fn a_quorum_is_one() {
        let overrides = Overrides { quorum: Some(2), ..by(Strategy::Median) };
        let lone = |outcome: &mut Outcome| {
            outcome.observations.truncate(1);
            outcome.succeeded = 1;
        };
        ask(overrides, &five(), lone).objects("no quorum");
        ask(by(Strategy::Median), &five(), |outcome| outcome.cause = Cause::QuorumMet).objects("no quorum");
    }

    #[test]
    fn outputs_other_than_answers_are_not_judged() {
        let mut run = Run::new(&scenario(), Depth::Machines, new);
        run.output(&Output::Drained);
        run.finds_nothing();
    }
}
