//! Tests of `aggregation`.

use std::time::Duration;

use quorate_core::aggregate::OutlierRule;
use quorate_core::coordinator::{Input, Output};
use quorate_core::id::TaskId;
use quorate_core::policy::{OnDispute, Overrides};

use super::super::support::{Run, number, result, scenario, submit_with, text, worker};
use super::*;
use crate::Depth;
use crate::scenario::{Policy, QueryPolicy};

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

fn spread(outcome: &mut Outcome) -> &mut Spread {
    answer(outcome).spread.as_mut().expect("numbers")
}

#[test]
fn what_the_machine_answers_finds_nothing() {
    let relative = |fraction| Some(OutlierRule::Relative(fraction));
    let mad = Some(OutlierRule::Mad(Millionths::new(3_000_000)));
    let iqr = Some(OutlierRule::Iqr(Millionths::new(1_500_000)));
    let rules = [None, relative(Decimal::new(1, 1)), relative(Decimal::ZERO), relative(Decimal::from(1000)), mad, iqr];
    for strategy in Strategy::ALL.iter().copied() {
        for max_deviation in rules {
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
    let tampered: [Tampered<'_>; 13] = [
        (|outcome| answer(outcome).value = number("9.2041"), "answer was to be"),
        (|outcome| answer(outcome).value = text("1.102"), "answer was to be"),
        (|outcome| answer(outcome).used = 5, "4 were to be used"),
        (|outcome| answer(outcome).agreeing = 4, "3 were to agree"),
        (|outcome| answer(outcome).tie = true, "with a tie: false"),
        (|outcome| outcome.observations[0].weight = Some(Millionths::ONE), "weighs"),
        (|outcome| answer(outcome).spread = None, "spread was to be"),
        (|outcome| spread(outcome).min = Decimal::ONE, "spread was to be"),
        (|outcome| spread(outcome).mad = Decimal::ZERO, "spread was to be"),
        (|outcome| answer(outcome).status = Status::Complete, "status was to be Partial"),
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
    let all = [number("1"), number("1"), number("1"), number("1"), number("1")];
    ask(by(Strategy::Median), &all, lose).objects("status was to be Partial");
}

#[test]
fn outliers_and_disputes_are_found() {
    let beyond_a_tenth = OutlierRule::Relative(Decimal::new(1, 1));
    let overrides = Overrides { max_deviation: Some(beyond_a_tenth), ..by(Strategy::Average) };
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
    let (value, status) = (number("1"), Status::Complete);
    let answer = Answer { value, used: 4, agreeing: 4, tie: false, spread: None, status };
    ask(overrides, &five(), move |outcome| outcome.verdict = Ok(answer.clone())).objects("5 are required");
    ask(overrides, &five(), move |outcome| {
        assert_eq!(outcome.verdict, Err(reason));
        outcome.verdict = Err(Failure::DeadlineExceeded);
    })
    .objects("it was to fail with InsufficientResponses");
    ask(by(Strategy::Median), &five(), move |outcome| outcome.verdict = Err(reason)).objects("are enough");
}

#[test]
fn a_dispute_is_rejected_if_it_is_to_be() {
    let rejecting =
        Overrides { min_agreement: Some(Millionths::ONE), on_dispute: Some(OnDispute::Reject), ..by(Strategy::Median) };
    let reason = Failure::Disputed { agreeing: 3, used: 4 };
    ask(rejecting, &five(), move |outcome| assert_eq!(outcome.verdict, Err(reason))).finds_nothing();
    let other = Failure::Disputed { agreeing: 2, used: 4 };
    ask(rejecting, &five(), move |outcome| outcome.verdict = Err(other)).objects("to fail with Disputed");
    let too_few = Failure::InsufficientResponses { usable: 4, required: 1 };
    ask(rejecting, &five(), move |outcome| outcome.verdict = Err(too_few)).objects("to fail with Disputed");
    let lenient = Overrides { on_dispute: None, ..rejecting };
    ask(lenient, &five(), move |outcome| outcome.verdict = Err(reason)).objects("are enough");
    ask(lenient, &five(), |outcome| answer(outcome).status = Status::Complete).objects("was to be Disputed");
}

#[test]
fn who_is_too_old_does_not_count() {
    for (age, words) in [(1, "excluded for None"), (2, "excluded for None"), (3, "excluded for Some(Stale)")] {
        let max_age = Some(Duration::from_millis(2));
        let mut run = Run::new(&scenario(), Depth::Machines, new);
        run.begin(&[1, 2]);
        run.tamper_outcome(|outcome| {
            let excluded = &mut outcome.observations[1].excluded;
            *excluded = if excluded.is_none() { Some(Exclusion::Stale) } else { None };
        });
        run.drive(submit_with(1, "a", "BTC/USD", Overrides { max_age, ..Overrides::default() }));
        run.result(1, "a", Ok(number("1")));
        let mut old = result(2, "a", Ok(number("2")));
        old.age = Some(Duration::from_millis(age));
        run.drive(Input::Result(old));
        run.objects(words);
    }
}

#[test]
fn weights_are_those_that_are_set() {
    for (weights, weight, words) in [
        (vec![], 1_000_001, Some("weighs")),
        (vec![], 900_000, None),
        (vec![(1, 2_500_000)], 2_500_000, None),
        (vec![(1, 2_500_000)], 1_000_000, Some("weighs")),
        (vec![(2, 2_500_000)], 1_000_000, None),
    ] {
        let mut scenario = scenario();
        scenario.cluster.settings.weights.extend(weights);
        let mut run = Run::new(&scenario, Depth::Machines, new);
        run.begin(&[1]);
        run.tamper_outcome(move |outcome| outcome.observations[0].weight = Some(Millionths::new(weight)));
        run.drive(submit_with(1, "a", "BTC/USD", by(Strategy::WeightedMedian)));
        run.result(1, "a", Ok(number("1")));
        match words {
            None => run.finds_nothing(),
            Some(words) => run.objects(words),
        }
    }
}

#[test]
fn each_query_has_its_policy() {
    let mut scenario = scenario();
    let policy = |strategy: &str| Policy { strategy: Some(strategy.to_owned()), ..Policy::default() };
    scenario.cluster.settings.policies = vec![
        QueryPolicy { pattern: "BTC/*".to_owned(), policy: policy("max") },
        QueryPolicy { pattern: "*".to_owned(), policy: policy("min") },
    ];
    let cases = [("BTC/USD", Strategy::Max, Strategy::Min), ("x", Strategy::Min, Strategy::Average)];
    for (query, strategy, tampered) in cases {
        let mut run = Run::new(&scenario, Depth::Machines, new);
        run.begin(&[1]);
        run.drive(submit_with(1, "a", query, Overrides::default()));
        run.result(1, "a", Ok(number("1")));
        run.tamper_outcome(move |outcome| outcome.strategy = tampered);
        run.drive(submit_with(2, "b", query, Overrides::default()));
        run.result(1, "b", Ok(number("1")));
        run.objects(&format!("the strategy was to be {strategy}"));
    }
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
    let undelivered = Input::Undelivered(Undelivered { task: TaskId(1 << 32), cause: UndeliveredCause::NoResponders });
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
