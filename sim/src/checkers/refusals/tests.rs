//! Tests of `refusals`.

use std::time::Duration;

use quorate_core::aggregate::{Millionths, OutlierRule};
use quorate_core::coordinator::{Input, Output};
use quorate_core::id::Ticket;
use quorate_core::policy::Overrides;
use rust_decimal::Decimal;

use super::super::support::{COORDINATOR, Run, number, request, scenario, submit, submit_with};
use super::*;

fn small() -> crate::Scenario {
    let mut scenario = scenario();
    let settings = &mut scenario.cluster.settings;
    (settings.max_in_flight, settings.max_waiting, settings.max_remembered) = (2, 2, 2);
    scenario
}

fn run_of(judged: &crate::Scenario) -> Run {
    let mut run = Run::new(judged, Depth::Machines, new);
    run.begin(&[1]);
    run
}

fn refuse(run: &mut Run, refusal: Refusal) {
    run.tamper(move |output| match output {
        Output::Publish(_) => vec![Output::Answer { ticket: Ticket(1), reply: Err(refusal) }],
        output => vec![output],
    });
}

#[test]
fn what_the_machine_refuses_finds_nothing() {
    let mut run = run_of(&small());
    run.drive(submit(1, "a"));
    run.drive(submit(2, "a"));
    run.drive(submit(3, "a"));
    run.drive(submit_with(4, "a", "ETH/USD as text", Overrides::default()));
    run.drive(submit(5, "b"));
    run.drive(submit(6, "c"));
    run.result(1, "a", Ok(number("1")));
    run.result(1, "b", Ok(number("1")));
    run.drive(submit(7, "a"));
    for (ticket, id) in (8..).zip(["d", "e", "a"]) {
        run.drive(submit(ticket, id));
        run.result(1, id, Ok(number("1")));
    }
    run.pass(10_000);
    run.drive(submit(20, "a"));
    run.drive(Input::Cancel(Ticket(20)));
    run.drive(submit_with(21, "a", "ETH/USD as text", Overrides::default()));
    run.drive(Input::BusDown);
    run.drive(submit(22, "g"));
    run.drive(Input::Drain);
    run.drive(submit(23, "h"));
    run.finds_nothing();
}

#[test]
fn a_refusal_needs_its_reason() {
    let max = Duration::from_mins(1);
    for refusal in [
        Refusal::Policy(PolicyError::Timeout { max }),
        Refusal::Policy(PolicyError::Precision),
        Refusal::Conflict,
        Refusal::Overloaded,
        Refusal::Draining,
        Refusal::BusDown,
    ] {
        let mut run = run_of(&scenario());
        refuse(&mut run, refusal);
        run.drive(submit(1, "a"));
        run.objects("without a reason");
    }
}

#[test]
fn every_bad_policy_is_refused_for_its_fault() {
    let set = Overrides::default;
    let bad = [
        Overrides { timeout: Some(Duration::ZERO), ..set() },
        Overrides { timeout: Some(Duration::from_secs(61)), ..set() },
        Overrides { min_responses: Some(0), ..set() },
        Overrides { quorum: Some(1), min_responses: Some(2), ..set() },
        Overrides { quorum: Some(101), ..set() },
        Overrides { precision: Some(29), ..set() },
        Overrides { max_deviation: Some(OutlierRule::Relative(Decimal::NEGATIVE_ONE)), ..set() },
        Overrides { trim_share: Some(Millionths::new(500_000)), ..set() },
        Overrides { tolerance: Some(Decimal::NEGATIVE_ONE), ..set() },
        Overrides { min_agreement: Some(Millionths::new(1_000_001)), ..set() },
    ];
    for overrides in bad {
        let mut fine = run_of(&scenario());
        fine.drive(submit_with(1, "a", "BTC/USD", overrides));
        fine.finds_nothing();

        let mut wrong = run_of(&scenario());
        wrong.tamper(|_| vec![Output::Answer { ticket: Ticket(1), reply: Err(Refusal::Draining) }]);
        wrong.drive(Input::Drain);
        wrong.drive(submit_with(1, "a", "BTC/USD", overrides));
        wrong.objects("bad policy");

        let mut other = run_of(&scenario());
        other.input(&submit_with(1, "a", "BTC/USD", overrides));
        let error = if overrides.precision.is_some() { PolicyError::MaxDeviation } else { PolicyError::Precision };
        other.output(&Output::Answer { ticket: Ticket(1), reply: Err(Refusal::Policy(error)) });
        other.objects("without a reason");
    }
}

/// A machine that is set up otherwise accepts what it must refuse.
fn accepts(spoil: fn(&mut Settings), inputs: &[Input], words: &str) {
    let mut other = small();
    spoil(&mut other.cluster.settings);
    let mut run = Run::with_machine_of(&other, &small(), Depth::Machines, new);
    run.begin(&[1]);
    for input in inputs {
        run.drive(input.clone());
    }
    run.objects(words);
}

#[test]
fn what_must_be_refused_is() {
    let long = Overrides { timeout: Some(Duration::from_secs(61)), ..Overrides::default() };
    let late = submit_with(1, "a", "BTC/USD", long);
    accepts(|settings| settings.max_timeout_ms = 90_000, &[late], "bad policy");
    let three = [submit(1, "a"), submit(2, "b"), submit(3, "c")];
    accepts(|settings| settings.max_in_flight = 9, &three, "3 are in flight");
    let joined = [submit(1, "a"), submit(2, "a"), submit(3, "a")];
    accepts(|settings| settings.max_waiting = 9, &joined, "3 wait for a");
    let cancelled =
        |other: &str| [submit(1, "a"), Input::Cancel(Ticket(1)), submit_with(2, "a", other, Overrides::default())];
    accepts(|settings| settings.remember_ms = 0, &cancelled("ETH/USD as text"), "its id stands for");
}

#[test]
fn nothing_is_asked_while_draining_or_without_a_bus() {
    for (input, words) in [(Input::Drain, "while draining"), (Input::BusDown, "while the bus is down")] {
        let mut run = run_of(&scenario());
        run.input(&input);
        run.drive(submit(1, "a"));
        run.objects(words);
    }
}

#[test]
fn what_is_remembered_is_told_and_what_is_forgotten_is_not() {
    let mut scenarios = [small(), small()];
    scenarios[1].cluster.settings.remember_ms = 20_000;
    for (machine, judged, words) in [(0, 1, "is remembered"), (1, 0, "was to be forgotten")] {
        let mut run = Run::with_machine_of(&scenarios[machine], &scenarios[judged], Depth::Machines, new);
        run.begin(&[1]);
        run.drive(submit(1, "a"));
        run.result(1, "a", Ok(number("1")));
        run.pass(10_000);
        run.drive(submit(2, "a"));
        run.objects(words);
    }
}

fn http(status: u16) -> Reply {
    Reply::Http { status, retry_after: None, body: String::new() }
}

/// A client that asks every `pause_ms`, five times, at a rate of ten per second and three at once.
fn rated(pause_ms: u64, statuses: [u16; 5], restarts: bool) -> Run {
    let mut scenario = scenario();
    scenario.cluster.settings.rate_limit = Some((10, 3));
    let mut run = Run::new(&scenario, Depth::Network, new);
    for (number, status) in (1..).zip(statuses) {
        run.asked(number, None, request());
        run.pass(1);
        run.replied(number, &http(status));
        run.pass(pause_ms);
        if restarts {
            run.at(COORDINATOR, What::Started { incarnation: 2 });
        }
    }
    run
}

#[test]
fn a_client_gets_its_rate_and_no_more() {
    rated(1, [200, 200, 200, 429, 429], false).finds_nothing();
    rated(100, [200; 5], false).finds_nothing();
    rated(1, [200; 5], true).finds_nothing();
    rated(1, [200; 5], false).objects("got 5 requests");
    rated(1, [503; 5], false).objects("got 5 requests");
}

#[test]
fn a_client_within_its_rate_is_not_limited() {
    rated(1, [200, 429, 200, 200, 200], false).objects("within its rate");
    rated(400, [200, 200, 200, 200, 429], false).objects("within its rate");
}

#[test]
fn a_request_without_an_answer_may_have_counted() {
    let mut scenario = scenario();
    scenario.cluster.settings.rate_limit = Some((1, 3));
    for vanish in [false, true] {
        let mut run = Run::new(&scenario, Depth::Network, new);
        for number in 1..=3 {
            run.asked(number, None, request());
            if vanish {
                run.at(Host::Client(1), What::Vanished(number));
            } else {
                run.replied(number, &Reply::Lost);
            }
        }
        run.asked(4, None, request());
        run.replied(4, &http(429));
        run.finds_nothing();
    }
}
