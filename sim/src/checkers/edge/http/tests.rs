//! Tests of `http`.

use quorate_core::coordinator::Input;
use quorate_core::policy::PolicyError;

use super::*;
use crate::Depth;
use crate::checkers::testing::inputs::{number, request, submit};
use crate::checkers::testing::rig::Rig;
use crate::scenario::Scenario;

/// Two workers of three answer.
fn outcome() -> Arc<Outcome> {
    let mut machine = quorate_core::Coordinator::new(Scenario::quiet().cluster.settings.config(), 1);
    let now = quorate_core::time::Timestamp::from_millis;
    machine.handle_input(now(0), &Input::BusUp);
    for worker in 1..=3 {
        let live = quorate_core::coordinator::PresenceState::Live;
        machine.handle_input(now(0), &crate::checkers::testing::inputs::presence(worker, live));
    }
    machine.handle_input(now(0), &submit(1, "request-1"));
    let observed = [Ok(number("42000.50")), Err("no".into())];
    for (worker, observed) in (1..).zip(observed) {
        let mut result = crate::checkers::testing::inputs::result(worker, "request-1", observed);
        result.age = result.observed.is_ok().then_some(std::time::Duration::from_micros(1_500_900));
        machine.handle_input(now(7), &Input::Result(result));
    }
    machine.handle_timeout(now(1000));
    loop {
        let output = machine.poll_output().expect("an answer");
        if let Output::Answer { reply: Ok(outcome), .. } = output {
            return outcome;
        }
    }
}

fn body() -> Json {
    json!({
        "request_id": "request-1", "query": "BTC/USD", "final_value": 42000.5, "strategy": "average",
        "status": "low_reliability", "reliability_note": "Low reliability: only 1/3 workers succeeded",
        "expected": 3, "succeeded": 1, "failed": 1, "missing": ["w3"], "excluded": [], "tie": false,
        "spread": {"min": 42000.5, "max": 42000.5, "interquartile": 0, "mad": 0}, "agreement": 1,
        "elapsed": 1_000_000_000, "elapsed_ns": 1_000_000_000, "answered_at": "1970-01-01T00:00:01.000Z",
        // The clock begins at zero, and the value was older than that.
        "oldest_observed_at": "1970-01-01T00:00:00.000Z", "newest_observed_at": "1970-01-01T00:00:00.000Z",
        "workers": [
            {"worker_id": "w1", "fate": "used", "age_ms": 1500},
            {"worker_id": "w2", "fate": "failed"},
            {"worker_id": "w3", "fate": "missing"},
        ],
        "worker_responses": [
            {"worker_id": "w1", "request_id": "request-1", "value": 42000.50, "response_time": 0, "response_time_ns": 0,
                "age_ms": 1500},
            {"worker_id": "w2", "request_id": "request-1", "value": null, "err": "no", "response_time": 0,
                "response_time_ns": 0},
        ],
    })
}

/// The machine answers `said`, and the client receives `reply`.
fn run(said: Option<MachineReply>, reply: &Reply) -> Rig {
    let mut run = Rig::at(&Scenario::quiet(), Depth::Network, new);
    run.asked(3, None, request());
    run.pass(5);
    if let Some(reply) = said {
        run.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply });
    }
    run.pass(5);
    run.replied(3, reply);
    run
}

#[expect(clippy::needless_pass_by_value, reason = "every caller makes the body in place")]
fn http(status: u16, retry_after: Option<u64>, body: impl ToString) -> Reply {
    Reply::Http { status, retry_after, body: body.to_string() }
}

fn error(status: u16, word: &str, evidence: bool) -> Json {
    let mut error = if evidence { body() } else { json!({}) };
    if let Some(evidence) = error.as_object_mut() {
        evidence.remove("agreement");
    }
    (error["error"], error["code"], error["details"]) = (json!(word), json!(status), json!("why"));
    error
}

#[test]
fn an_answer_says_what_the_machine_said() {
    run(Some(Ok(outcome())), &http(200, None, body())).expect_fine();
}

#[test]
fn every_digit_counts() {
    let text = body().to_string();
    let other = text.replace("\"final_value\":42000.5", "\"final_value\":42000.5000000000000000001");
    assert_ne!(text, other);
    run(Some(Ok(outcome())), &http(200, None, other)).expect_violation("to the last digit");
}

#[test]
fn every_field_counts() {
    let names: Vec<String> = body().as_object().expect("an object").keys().cloned().collect();
    assert_eq!(names.len(), 21);
    for name in names {
        let mut wrong = body();
        wrong[&name] = json!("wrong");
        run(Some(Ok(outcome())), &http(200, None, wrong)).expect_violation("no answer of the coordinator");
        let mut without = body();
        without.as_object_mut().expect("an object").remove(&name);
        run(Some(Ok(outcome())), &http(200, None, without)).expect_violation("no answer of the coordinator");
    }
}

#[test]
fn an_answer_must_have_been_given_while_the_question_was_open() {
    run(None, &http(200, None, body())).expect_violation("there is no candidate");
    let mut early = Rig::at(&Scenario::quiet(), Depth::Network, new);
    early.asked(3, None, request());
    early.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
    early.pass(1);
    early.asked(7, None, request());
    early.replied(7, &http(200, None, body()));
    early.expect_violation("there is no candidate");
}

#[test]
fn an_answer_to_another_question_is_none() {
    let mut other = (*outcome()).clone();
    other.request = crate::checkers::testing::inputs::id("request-2");
    let mut said = body();
    said["request_id"] = json!("request-2");
    for response in said["worker_responses"].as_array_mut().expect("a list") {
        response["request_id"] = json!("request-2");
    }
    run(Some(Ok(Arc::new(other))), &http(200, None, said)).expect_violation("there is no candidate");
}

#[test]
fn each_failure_has_its_error_and_says_when_to_retry() {
    for (failure, status, word, wait) in [
        (Failure::InsufficientResponses { usable: 1, required: 2 }, 422, "insufficient_responses", None),
        (Failure::DeadlineExceeded, 504, "deadline_exceeded", None),
        (Failure::NoWorkers, 503, "no_workers", Some(1)),
        (Failure::BusDown, 503, "bus_down", Some(1)),
        (Failure::Overloaded, 503, "overloaded", Some(1)),
    ] {
        let said = || {
            let mut failed = (*outcome()).clone();
            failed.verdict = Err(failure);
            Some(Ok(Arc::new(failed)))
        };
        run(said(), &http(status, wait, error(status, word, true))).expect_fine();
        let other_wait = wait.map_or(Some(1), |_| None);
        run(said(), &http(status, other_wait, error(status, word, true))).expect_violation("Retry-After");
        run(said(), &http(status, wait, error(500, word, true))).expect_violation("has a wrong `code`");
        run(said(), &http(500, wait, error(500, word, true))).expect_violation("not a valid response");
        let other = if status == 422 { (504, "deadline_exceeded") } else { (422, "insufficient_responses") };
        run(said(), &http(other.0, None, error(other.0, other.1, true))).expect_violation("the response should be");
        if failure != Failure::Overloaded {
            run(said(), &http(status, wait, error(status, word, false))).expect_violation("should be");
        }
    }
}

#[test]
fn a_rejected_dispute_says_how_few_agreed() {
    let said = || {
        let mut failed = (*outcome()).clone();
        failed.verdict = Err(Failure::Disputed { agreeing: 2, used: 3 });
        Some(Ok(Arc::new(failed)))
    };
    let disputed = |agreement: Option<f64>| {
        let mut error = error(409, "disputed", true);
        error["reliability_note"] = json!("Low reliability: only 1/3 workers succeeded; values disagree");
        if let Some(agreement) = agreement {
            error["agreement"] = json!(agreement);
        }
        http(409, None, error)
    };
    run(said(), &disputed(Some(0.666_667))).expect_fine();
    run(said(), &disputed(Some(0.666_666))).expect_violation("agreement should be");
    run(said(), &disputed(None)).expect_violation("agreement should be");
    run(said(), &http(409, None, error(409, "conflict", true))).expect_violation("the response should be");
    run(said(), &http(409, None, error(409, "disputed", false))).expect_violation("should be");
}

#[test]
fn each_refusal_has_its_error() {
    for (refusal, status, word, wait) in [
        (Refusal::Policy(PolicyError::Precision), 400, "invalid_request", None),
        (Refusal::Conflict, 409, "conflict", None),
        (Refusal::Overloaded, 503, "overloaded", Some(1)),
        (Refusal::Draining, 503, "draining", None),
        (Refusal::BusDown, 503, "bus_down", Some(1)),
    ] {
        let said = Some(Err(refusal));
        run(said, &http(status, wait, error(status, word, false))).expect_fine();
    }
    run(Some(Err(Refusal::Draining)), &http(409, None, error(409, "conflict", false))).expect_violation("503");
    run(Some(Err(Refusal::Conflict)), &http(409, None, error(409, "conflict", true)))
        .expect_violation("must not have evidence");
}

#[test]
fn http_itself_refuses_only_with_a_reason() {
    run(None, &http(400, None, error(400, "invalid_request", false))).expect_violation("there is no candidate");
    run(None, &http(408, None, error(408, "request_timeout", false))).expect_violation("there is no candidate");
    run(None, &http(429, Some(1), error(429, "rate_limited", false))).expect_violation("there is no candidate");
    run(None, &http(404, None, error(404, "not_found", false))).expect_violation("not a valid response");
    run(None, &http(503, Some(1), error(503, "overloaded", false))).expect_violation("there is no candidate");
    run(None, &http(503, None, error(503, "draining", false))).expect_violation("there is no candidate");

    let mut bad = Rig::at(&Scenario::quiet(), Depth::Network, new);
    let mut asked = request();
    asked.policy.strategy = Some("mode".to_owned());
    bad.asked(3, None, asked);
    bad.replied(3, &http(400, None, error(400, "invalid_request", false)));
    bad.expect_fine();
}

#[test]
fn a_question_with_a_bad_policy_is_not_answered() {
    let mut bad = Rig::at(&Scenario::quiet(), Depth::Network, new);
    let mut asked = request();
    asked.policy.precision = Some(29);
    bad.asked(3, None, asked);
    bad.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
    bad.replied(3, &http(200, None, body()));
    bad.expect_violation("policy is not valid");
}

#[test]
fn a_question_with_an_unknown_strategy_is_not_answered() {
    let mut bad = Rig::at(&Scenario::quiet(), Depth::Network, new);
    let mut asked = request();
    asked.policy.strategy = Some("mode".to_owned());
    bad.asked(3, None, asked);
    bad.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
    bad.replied(3, &http(200, None, body()));
    bad.expect_violation("strategy is unknown");
}

#[test]
fn without_http_the_answer_is_the_machines_own() {
    run(Some(Ok(outcome())), &Reply::Ended(Ok(outcome()))).expect_fine();
    run(Some(Err(Refusal::Conflict)), &Reply::Ended(Err(Refusal::Conflict))).expect_fine();
    run(Some(Err(Refusal::Conflict)), &Reply::Ended(Err(Refusal::Draining)))
        .expect_violation("no answer of the coordinator");
    let mut other = (*outcome()).clone();
    other.succeeded += 1;
    run(Some(Ok(outcome())), &Reply::Ended(Ok(Arc::new(other)))).expect_violation("no answer of the coordinator");
}

#[test]
fn no_response_is_no_wrong_response() {
    run(None, &Reply::Lost).expect_fine();
}

#[test]
fn nobody_is_answered_twice() {
    let mut twice = run(None, &Reply::Lost);
    twice.replied(3, &Reply::Lost);
    twice.expect_violation("nobody waits");
}

#[test]
fn a_client_that_has_gone_is_not_answered() {
    let mut gone = Rig::at(&Scenario::quiet(), Depth::Network, new);
    gone.asked(3, None, request());
    gone.tell(Host::Client(1), What::Vanished(3));
    gone.replied(3, &Reply::Lost);
    gone.expect_violation("nobody waits");
}

/// The machine receives a traced question with ticket 7 and answers the ticket `answers`.
fn traced(answers: u64, reply: &Reply) -> Rig {
    let mut run = Rig::at(&Scenario::quiet(), Depth::Network, new);
    run.asked(4, None, request());
    let Input::Submit(mut told) = submit(7, "request-1") else { unreachable!("`submit` makes an `Input::Submit`") };
    told.trace = trace_of(4);
    run.input(&Input::Submit(told));
    run.output(&Output::Answer { ticket: Ticket(answers), reply: Err(Refusal::Draining) });
    run.replied(4, reply);
    run
}

#[test]
fn a_question_gets_the_answer_that_its_own_ticket_got() {
    let draining = http(503, None, error(503, "draining", false));
    traced(7, &draining).expect_fine();
    traced(8, &draining).expect_violation("there is no candidate");
}

#[test]
fn http_itself_says_that_a_coordinator_drains_only_if_it_has_drained() {
    let draining = http(503, None, error(503, "draining", false));
    let after = |restarts_first: bool| {
        let mut run = Rig::at(&Scenario::quiet(), Depth::Network, new);
        run.pass(5);
        run.output(&Output::Drained);
        run.pass(5);
        if restarts_first {
            run.tell(crate::checkers::testing::rig::COORDINATOR, What::Started { incarnation: 2 });
            run.pass(5);
        }
        run.asked(4, None, request());
        run.replied(4, &draining);
        run
    };
    after(false).expect_fine();
    after(true).expect_violation("there is no candidate");
}
