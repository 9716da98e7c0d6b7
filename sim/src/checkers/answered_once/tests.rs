//! Tests of `answered_once`.

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
