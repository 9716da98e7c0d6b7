//! Tests of `recovery`.

use std::sync::Arc;

use quorate_core::Machine as _;
use quorate_core::coordinator::PresenceState;
use quorate_core::outcome::Cause;
use serde_json::json;

use super::*;
use crate::Depth;
use crate::checkers::testing::inputs::{number, presence, request};
use crate::checkers::testing::rig::Rig;
use crate::scenario::{Policy, Scenario};

fn run_of(scenario: &Scenario) -> Rig {
    let mut run = Rig::at(scenario, Depth::Machines, new);
    for worker in &scenario.cluster.workers {
        run.tell(Host::Worker(worker.number), What::Started { incarnation: 1 });
    }
    run.tell(Host::Broker, What::Healed);
    run.begin(&[1, 2, 3]);
    run.earn_records(&[1, 2, 3]);
    run
}

/// The core's outcome of these observations.
fn outcome(observed: &[(u8, Result<&str, &str>)], missing: &[u8]) -> Outcome {
    let mut machine = quorate_core::Coordinator::new(Scenario::quiet().cluster.settings.config(), 1);
    let now = quorate_core::time::Timestamp::from_millis;
    machine.handle_input(now(0), &Input::BusUp);
    for worker in observed.iter().map(|(worker, _)| worker).chain(missing) {
        machine.handle_input(now(0), &presence(*worker, PresenceState::Live));
    }
    machine.handle_input(now(0), &crate::checkers::testing::inputs::submit(1, "request-1"));
    for (worker, observed) in observed {
        let observed = observed.map(number).map_err(Arc::from);
        let result = crate::checkers::testing::inputs::result(*worker, "request-1", observed);
        machine.handle_input(now(0), &Input::Result(result));
    }
    let mut outputs = Vec::new();
    machine.step(now(1000), None, &mut outputs);
    outputs
        .into_iter()
        .find_map(|output| match output {
            quorate_core::coordinator::Output::Answer { reply: Ok(outcome), .. } => Some((*outcome).clone()),
            _ => None,
        })
        .expect("an outcome")
}

const ALL: [(u8, Result<&str, &str>); 3] = [(1, Ok("1")), (2, Ok("1")), (3, Ok("1"))];

fn ends(scenario: &Scenario, outcome: Outcome) -> Rig {
    let mut run = run_of(scenario);
    run.asked(1, None, request());
    run.replied(1, &Reply::Ended(Ok(Arc::new(outcome))));
    run.end();
    run
}

#[test]
fn an_answer_with_all_workers_is_fine() {
    ends(&Scenario::quiet(), outcome(&ALL, &[])).expect_fine();
}

#[test]
fn every_worker_must_be_heard_and_succeed() {
    ends(&Scenario::quiet(), outcome(&ALL[..2], &[3])).expect_violation("w3 runs, but did not answer");
    ends(&Scenario::quiet(), outcome(&ALL[..2], &[])).expect_violation("w3 runs, but did not answer");
    let failed = [ALL[0], ALL[1], (3, Err("no"))];
    ends(&Scenario::quiet(), outcome(&failed, &[])).expect_violation("w3 runs, but did not succeed");
    ends(&Scenario::quiet(), outcome(&ALL, &[9])).expect_violation("no such worker");
    let partial = Outcome { unnamed: 1, ..outcome(&ALL, &[]) };
    ends(&Scenario::quiet(), partial).expect_violation("not complete");
}

#[test]
fn workers_that_do_not_run_or_are_not_admitted_need_not_be_heard() {
    let mut stopped = run_of(&Scenario::quiet());
    stopped.tell(Host::Worker(3), What::Crashed);
    stopped.asked(1, None, request());
    stopped.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL[..2], &[])))));
    stopped.expect_fine();
    let mut two = Scenario::quiet();
    two.cluster.settings.admitted = Some(vec![1, 2]);
    ends(&two, outcome(&ALL[..2], &[])).expect_fine();
}

#[test]
fn workers_that_do_not_offer_the_query_are_not_demanded_and_not_missing() {
    // The announcements of the rig offer everything. They must not count any longer.
    let ends = |scenario: &Scenario, outcome: Outcome| {
        let mut run = run_of(scenario);
        run.pass(5021);
        run.asked(1, None, request());
        run.replied(1, &Reply::Ended(Ok(Arc::new(outcome))));
        run
    };
    let mut some = Scenario::quiet();
    some.cluster.workers[2].offers = vec!["ETH/*".to_owned(), "label/*".to_owned()];
    ends(&some, outcome(&ALL[..2], &[])).expect_fine();
    ends(&some, outcome(&ALL[..2], &[3])).expect_violation("does not offer the query");
    ends(&some, outcome(&ALL[..1], &[2])).expect_violation("w2 runs, but did not answer");
    some.cluster.workers[2].offers.push("*/USD".to_owned());
    ends(&some, outcome(&ALL[..2], &[3])).expect_violation("w3 runs, but did not answer");
}

#[test]
fn a_worker_with_a_recently_forged_offer_may_be_missing() {
    let mut some = Scenario::quiet();
    some.cluster.workers[2].offers = vec!["ETH/*".to_owned()];
    for (ms, is_fine) in [(5000, true), (5021, false)] {
        let mut run = run_of(&some);
        run.input(&presence(3, PresenceState::Live));
        run.pass(ms);
        run.asked(1, None, request());
        run.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL[..2], &[3])))));
        if is_fine { run.expect_fine() } else { run.expect_violation("does not offer the query") }
    }
}

#[test]
fn a_query_is_unknown_only_if_nobody_offers_it() {
    let unknown =
        || Reply::Http { status: 404, retry_after: None, body: json!({"error": "unknown_query"}).to_string() };
    let mut nobody = Scenario::quiet();
    for worker in &mut nobody.cluster.workers {
        worker.offers = vec!["ETH/*".to_owned()];
    }
    for (scenario, is_fine) in [(nobody, true), (Scenario::quiet(), false)] {
        let mut run = run_of(&scenario);
        run.asked(1, None, request());
        run.replied(1, &unknown());
        if is_fine { run.expect_fine() } else { run.expect_violation("although some do") }
    }
}

#[test]
fn what_the_scenario_makes_impossible_is_not_demanded() {
    let spoiled: [fn(&mut Scenario); 4] = [
        |scenario| scenario.cluster.workers[2].observe_ms.1 = 1000,
        |scenario| (scenario.cluster.workers[2].max_queued, scenario.cluster.workers[2].max_concurrent) = (0, 0),
        |scenario| scenario.cluster.settings.max_workers = 2,
        |scenario| scenario.cluster.settings.policy.quorum = Some(2),
    ];
    for spoil in spoiled {
        let mut scenario = Scenario::quiet();
        spoil(&mut scenario);
        ends(&scenario, outcome(&ALL[..2], &[3])).expect_fine();
    }
    let mut failing = Scenario::quiet();
    failing.cluster.workers[2].fail_permille = 1;
    ends(&failing, outcome(&[ALL[0], ALL[1], (3, Err("no"))], &[])).expect_fine();
    ends(&failing, outcome(&ALL[..2], &[3])).expect_violation("did not answer");
}

#[test]
fn a_recently_forged_name_may_be_missing() {
    for (ms, is_fine) in [(5000, true), (5021, false)] {
        let mut run = run_of(&Scenario::quiet());
        run.input(&presence(9, PresenceState::Live));
        run.pass(ms);
        run.asked(1, None, request());
        run.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL, &[9])))));
        if is_fine { run.expect_fine() } else { run.expect_violation("no such worker") }
    }
}

#[test]
fn a_failure_without_a_reason_is_found() {
    for failure in [
        Failure::InsufficientResponses { usable: 0, required: 1 },
        Failure::DeadlineExceeded,
        Failure::NoWorkers,
        Failure::BusDown,
        Failure::Overloaded,
    ] {
        let mut failed = outcome(&ALL, &[]);
        (failed.verdict, failed.cause) = (Err(failure), Cause::DeadlinePassed);
        let run = ends(&Scenario::quiet(), failed);
        match failure {
            Failure::NoWorkers => run.expect_violation("although some run"),
            Failure::BusDown | Failure::Overloaded => run.expect_violation("not answered"),
            _ => run.expect_violation("were usable"),
        }
    }
    for refusal in [Refusal::Draining, Refusal::BusDown, Refusal::Overloaded, Refusal::Conflict] {
        let mut refused = run_of(&Scenario::quiet());
        refused.asked(1, None, request());
        refused.replied(1, &Reply::Ended(Err(refusal)));
        refused.expect_violation("not answered");
    }
    let mut lost = run_of(&Scenario::quiet());
    lost.asked(1, None, request());
    lost.replied(1, &Reply::Lost);
    lost.expect_violation("not answered");
}

#[test]
fn fewer_workers_than_required_are_a_reason_to_fail() {
    let mut failed = outcome(&ALL, &[]);
    failed.verdict = Err(Failure::InsufficientResponses { usable: 3, required: 4 });
    let mut run = run_of(&Scenario::quiet());
    let policy = Policy { min_responses: Some(4), ..Policy::default() };
    run.asked(1, None, crate::scenario::Request { policy, ..request() });
    run.replied(1, &Reply::Ended(Ok(Arc::new(failed))));
    run.expect_fine();
}

#[test]
fn an_answer_comes_in_time_and_comes_at_all() {
    for (ms, words) in [(1028, None), (1029, Some("took"))] {
        let mut run = run_of(&Scenario::quiet());
        run.asked(1, None, request());
        run.pass(ms);
        run.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL, &[])))));
        match words {
            None => run.expect_fine(),
            Some(words) => run.expect_violation(words),
        }
    }
    let mut silent = run_of(&Scenario::quiet());
    silent.asked(1, None, request());
    silent.end();
    silent.expect_violation("never answered");
}

#[test]
fn requests_of_the_workload_are_not_judged() {
    let mut run = run_of(&Scenario::quiet());
    run.asked(1, Some(0), request());
    run.replied(1, &Reply::Lost);
    run.end();
    run.expect_fine();
}

#[test]
fn a_body_says_the_same_as_an_outcome() {
    let said = |worker: &str| json!({"worker_id": worker, "value": 1});
    let body = |workers: &[&str], missing: &[&str], expected: usize| {
        let said: Vec<_> = workers.iter().map(|worker| said(worker)).collect();
        Reply::Http {
            status: 200,
            retry_after: None,
            body: json!({
                "worker_responses": said, "missing": missing, "succeeded": workers.len(), "expected": expected,
            })
            .to_string(),
        }
    };
    for (reply, words) in [
        (body(&["w1", "w2", "w3"], &[], 3), None),
        (body(&["w1", "w2"], &["w3"], 3), Some("w3 runs, but did not answer")),
        (body(&["w1", "w2", "w3"], &[], 4), Some("not complete")),
        (
            Reply::Http { status: 503, retry_after: Some(1), body: json!({"error": "bus_down"}).to_string() },
            Some("not answered"),
        ),
        (Reply::Http { status: 429, retry_after: Some(1), body: "{}".to_owned() }, Some("not answered")),
    ] {
        let mut run = run_of(&Scenario::quiet());
        run.asked(1, None, request());
        run.replied(1, &reply);
        match words {
            None => run.expect_fine(),
            Some(words) => run.expect_violation(words),
        }
    }
}
