//! What a client gets says what the coordinator's machine answered.
//!
//! Over HTTP the status, the word, the fields and `Retry-After` are those that `docs/protocol.md` names for that answer,
//! and without HTTP it is that answer. What HTTP itself refuses was to be refused.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_core::aggregate::Exclusion;
use quorate_core::coordinator::{Output, Refusal};
use quorate_core::outcome::{Answer, Failure, Observation, Outcome, Status};
use quorate_core::value::Value;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use super::terms::{Terms, strategy_name, strategy_named};
use super::{Checker, Context};
use crate::event::{Asked, Event, Reply, What};
use crate::host::Host;
use crate::scenario::Settings;

/// How long the body of a request may take to arrive, in nanoseconds.
const BODY_TIMEOUT: u64 = 10_000_000_000;

type Said = Result<Arc<Outcome>, Refusal>;

#[derive(Debug)]
pub(super) struct Http {
    settings: Settings,
    open: BTreeMap<u32, Open>,
    /// What each coordinator answered, and when, since the first question that is open.
    said: BTreeMap<Host, VecDeque<(u64, Said)>>,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Open {
    at: u64,
    asked: Asked,
}

pub(super) fn new(context: &Context<'_>) -> Http {
    Http {
        settings: context.scenario.cluster.settings.clone(),
        open: BTreeMap::new(),
        said: BTreeMap::new(),
    }
}

/// A response over HTTP.
#[derive(Clone, Copy, Debug)]
struct Response<'a> {
    status: u16,
    retry_after: Option<u64>,
    body: &'a Json,
    /// The body as it came: its numbers have all their digits.
    text: &'a str,
}

impl Open {
    /// Whether an answer may be the one to this question.
    fn may_get(&self, said: &Said) -> bool {
        let Ok(outcome) = said else { return true };
        let request = &self.asked.request;
        outcome.query.as_str() == request.query_text()
            && request.id.is_none_or(|_| request.id_text().as_deref() == Some(outcome.request.as_str()))
    }
}

impl Http {
    fn said(&mut self, at: u64, coordinator: Host, said: &Said) {
        if self.open.is_empty() {
            self.said.clear();
            return;
        }
        self.said.entry(coordinator).or_default().push_back((at, said.clone()));
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Some(open) = self.open.remove(&number) else {
            return Err(format!("question {number} is answered, and nobody waits for that"));
        };
        let result = self.check(at, &open, reply);
        self.forget();
        result.map_err(|why| format!("question {number} ({:?}): {why}", open.asked.request.query_text()))
    }

    /// Forgets the answers from before the first question that is open.
    fn forget(&mut self) {
        let first = self.open.values().map(|open| open.at).next().unwrap_or(u64::MAX);
        for said in self.said.values_mut() {
            while said.front().is_some_and(|(at, _)| *at < first) {
                said.pop_front();
            }
        }
    }

    fn check(&self, at: u64, open: &Open, reply: &Reply) -> Result<(), String> {
        let said = self.said.get(&open.asked.coordinator);
        // The latest first: it is most often the one.
        let candidates = said.into_iter().flat_map(|said| said.iter().rev());
        let mut candidates =
            candidates.take_while(|(said_at, _)| *said_at >= open.at).map(|(_, said)| said).filter(|said| open.may_get(said));
        match reply {
            Reply::Lost => Ok(()),
            Reply::Ended(reply) if candidates.any(|said| said == reply) => Ok(()),
            Reply::Ended(reply) => Err(format!("no answer of the coordinator is {reply:?}")),
            Reply::Http { status, retry_after, body } => {
                let json: Json = serde_json::from_str(body).unwrap_or_default();
                let response = Response { status: *status, retry_after: *retry_after, body: &json, text: body };
                check_form(response)?;
                if self.is_of_http_itself(at, open, response) {
                    return Ok(());
                }
                let mut nearest = None;
                for said in candidates {
                    match check_said(response, said) {
                        Ok(()) => return Ok(()),
                        Err(why) => nearest = nearest.or(Some(why)),
                    }
                }
                let nearest = nearest.unwrap_or_else(|| "there was none".to_owned());
                Err(format!("no answer of the coordinator is {response:?}; the last that might: {nearest}"))
            }
        }
    }

    /// Whether a response is one that needs no answer of the machine, and is true.
    fn is_of_http_itself(&self, at: u64, open: &Open, response: Response<'_>) -> bool {
        let Response { status, body, .. } = response;
        let policy = &open.asked.request.policy;
        match (status, body["error"].as_str()) {
            (400, Some("invalid_request")) => policy.strategy.as_deref().is_some_and(|name| strategy_named(name).is_none()),
            (408, Some("request_timeout")) => at.saturating_sub(open.at) >= BODY_TIMEOUT,
            (429, Some("rate_limited")) => self.settings.rate_limit.is_some(),
            // There was no room for the question on its way to the machine, or no machine any more.
            (503, Some("overloaded" | "draining")) => body["request_id"].is_null(),
            _ => false,
        }
    }

    /// A question that must be refused is not answered.
    fn check_policy(&self, open: &Open, reply: &Reply) -> Result<(), String> {
        let is_answered = match reply {
            Reply::Ended(reply) => reply.is_ok(),
            Reply::Http { status, .. } => matches!(status, 200 | 422 | 504),
            Reply::Lost => false,
        };
        let policy = &open.asked.request.policy;
        let is_unknown = policy.strategy.as_deref().is_some_and(|name| strategy_named(name).is_none());
        if is_answered && is_unknown && matches!(reply, Reply::Http { .. }) {
            return Err(format!("question {} is answered, and its strategy is unknown", open.asked.number));
        }
        if is_answered && Terms::of_settings(&self.settings).with_request(policy).faults(&self.settings).any() {
            return Err(format!("question {} is answered, and its policy is not valid: {policy:?}", open.asked.number));
        }
        Ok(())
    }
}

/// What every response has: an error says its own code, and when to ask again if that helps.
fn check_form(response: Response<'_>) -> Result<(), String> {
    let Response { status, retry_after, body, .. } = response;
    let error = body["error"].as_str();
    let waits = match (status, error) {
        (200, None) => return if retry_after.is_none() { Ok(()) } else { Err("an answer with Retry-After".to_owned()) },
        (429, Some("rate_limited")) => retry_after.is_some_and(|seconds| seconds >= 1),
        (503, Some("no_workers" | "overloaded" | "bus_down")) => retry_after == Some(1),
        (503, Some("draining"))
        | (400, Some("invalid_request"))
        | (408, Some("request_timeout"))
        | (409, Some("conflict"))
        | (422, Some("insufficient_responses"))
        | (504, Some("deadline_exceeded")) => retry_after.is_none(),
        _ => return Err(format!("{status} {error:?} is no response to a question: {body}")),
    };
    if !waits {
        return Err(format!("{status} {error:?} with Retry-After {retry_after:?}"));
    }
    if body["code"] != json!(status) || body["details"].as_str().is_none_or(str::is_empty) {
        return Err(format!("{status} says of itself {body}"));
    }
    Ok(())
}

/// Whether a response says what the machine said.
fn check_said(response: Response<'_>, said: &Said) -> Result<(), String> {
    let Response { status, body, text, .. } = response;
    let (expected_status, word, outcome) = match said {
        Err(refusal) => {
            let (status, word) = match refusal {
                Refusal::Policy(_) => (400, "invalid_request"),
                Refusal::Conflict => (409, "conflict"),
                Refusal::Overloaded => (503, "overloaded"),
                Refusal::Draining => (503, "draining"),
                Refusal::BusDown => (503, "bus_down"),
            };
            (status, Some(word), None)
        }
        Ok(outcome) => {
            let (status, word) = match &outcome.verdict {
                Ok(_) => (200, None),
                Err(Failure::InsufficientResponses { .. }) => (422, Some("insufficient_responses")),
                Err(Failure::DeadlineExceeded) => (504, Some("deadline_exceeded")),
                Err(Failure::NoWorkers) => (503, Some("no_workers")),
                Err(Failure::BusDown) => (503, Some("bus_down")),
                Err(Failure::Overloaded) => (503, Some("overloaded")),
            };
            (status, word, Some(outcome))
        }
    };
    if status != expected_status || body["error"].as_str() != word {
        return Err(format!("{expected_status} {word:?} was to be said of {said:?}"));
    }
    let Some(outcome) = outcome else {
        return if body["request_id"].is_null() { Ok(()) } else { Err("a refusal has no evidence".to_owned()) };
    };
    for (field, expected) in &evidence(outcome) {
        if body.get(field) != Some(expected) {
            return Err(format!("{field} was to be {expected}"));
        }
    }
    let Ok(answer) = &outcome.verdict else { return check_digits(text, outcome, None) };
    for (field, expected) in &answered(answer) {
        if body.get(field) != Some(expected) {
            return Err(format!("{field} was to be {expected}"));
        }
    }
    check_digits(text, outcome, Some(answer))
}

/// The numbers of a body, as they were written.
#[derive(Deserialize)]
struct Numbers<'a> {
    #[serde(borrow)]
    final_value: Option<&'a RawValue>,
    #[serde(borrow)]
    spread: Option<Extremes<'a>>,
    #[serde(borrow)]
    worker_responses: Vec<SaidValue<'a>>,
}

#[derive(Deserialize)]
struct Extremes<'a> {
    #[serde(borrow)]
    min: &'a RawValue,
    #[serde(borrow)]
    max: &'a RawValue,
}

#[derive(Deserialize)]
struct SaidValue<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

/// Every digit of every number is that of the machine, of which a JSON value keeps as many as a float has.
fn check_digits(text: &str, outcome: &Outcome, answer: Option<&Answer>) -> Result<(), String> {
    let numbers: Numbers<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let is = |raw: Option<&RawValue>, number: Decimal| {
        let written = raw.and_then(|raw| Decimal::from_str_exact(raw.get()).ok());
        if written == Some(number) { Ok(()) } else { Err(format!("{raw:?} was to be {number} to the last digit")) }
    };
    if let Some(answer) = answer {
        if let Value::Number(number) = answer.value {
            is(numbers.final_value, number)?;
        }
        if let (Some(said), Some(spread)) = (&numbers.spread, &answer.spread) {
            is(Some(said.min), spread.min)?;
            is(Some(said.max), spread.max)?;
        }
    }
    for (said, observation) in numbers.worker_responses.iter().zip(&outcome.observations) {
        if let Ok(Value::Number(number)) = observation.observed {
            is(said.value, number)?;
        }
    }
    Ok(())
}

fn answered(answer: &Answer) -> Map<String, Json> {
    let spread = answer.spread.as_ref().map_or(Json::Null, |spread| {
        json!({"min": value(&Value::Number(spread.min)), "max": value(&Value::Number(spread.max))})
    });
    let status = match answer.status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::LowReliability => "low_reliability",
        Status::Disputed => "disputed",
    };
    fields([
        ("final_value", value(&answer.value)),
        ("status", json!(status)),
        ("tie", json!(answer.tie)),
        ("spread", spread),
    ])
}

/// What workers said, as it is in every outcome.
fn evidence(outcome: &Outcome) -> Map<String, Json> {
    let Outcome { request, query, strategy, observations, missing, .. } = outcome;
    let succeeded = observations.iter().filter(|observation| observation.observed.is_ok()).count();
    let expected = observations.len() + missing.len();
    let note = if expected > 0 && succeeded == expected {
        "All workers responded successfully".to_owned()
    } else if succeeded > 0 && 2 * succeeded >= expected {
        format!("Partial response: {succeeded}/{expected} workers succeeded")
    } else {
        format!("Low reliability: only {succeeded}/{expected} workers succeeded")
    };
    let excluded = |observation: &Observation| {
        let reason = match observation.excluded? {
            Exclusion::NotANumber => "not_a_number",
            Exclusion::Outlier => "outlier",
            Exclusion::Cordoned => "cordoned",
        };
        Some(json!({"worker_id": observation.worker.as_str(), "reason": reason}))
    };
    let response = |observation: &Observation| {
        let mut response = json!({
            "worker_id": observation.worker.as_str(),
            "request_id": request.as_str(),
            "value": observation.observed.as_ref().map_or(Json::Null, value),
            "response_time": observation.response_time.as_nanos() as u64,
        });
        if let Err(err) = &observation.observed {
            response["err"] = json!(if err.is_empty() { "failed" } else { err.as_ref() });
        }
        response
    };
    fields([
        ("request_id", json!(request.as_str())),
        ("query", json!(query.as_str())),
        ("strategy", json!(strategy_name(*strategy))),
        ("expected", json!(expected)),
        ("succeeded", json!(succeeded)),
        ("failed", json!(observations.len() - succeeded)),
        ("missing", missing.iter().map(|worker| json!(worker.as_str())).collect()),
        ("excluded", observations.iter().filter_map(excluded).collect()),
        ("worker_responses", observations.iter().map(response).collect()),
        ("reliability_note", json!(note)),
        ("elapsed", json!(outcome.elapsed.as_nanos() as u64)),
    ])
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Map<String, Json> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A value as it is read back from its JSON: with as many digits as the body of a [`Reply`] keeps.
fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!(text.as_ref()),
        Value::Number(number) => serde_json::from_str(&number.to_string()).unwrap_or(Json::Null),
    }
}

impl Checker for Http {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorOutput(_, Output::Answer { reply, .. }) => self.said(event.at, event.host, reply),
            What::Asked(asked) => {
                self.open.insert(asked.number, Open { at: event.at, asked: asked.clone() });
            }
            What::Vanished(number) => {
                self.open.remove(&number);
                self.forget();
            }
            What::Replied(number, reply) => {
                if let Some(open) = self.open.get(&number) {
                    self.check_policy(open, reply)?;
                }
                return self.replied(event.at, number, reply);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::coordinator::Input;
    use quorate_core::policy::PolicyError;

    use super::super::support::{Run, number, request, scenario, submit};
    use super::*;
    use crate::Depth;

    /// Two workers of three answer.
    fn outcome() -> Arc<Outcome> {
        let mut machine = quorate_core::Coordinator::new(scenario().cluster.settings.config(), 1);
        let now = quorate_core::time::Timestamp::from_millis;
        machine.handle_input(now(0), Input::BusUp);
        for worker in 1..=3 {
            let live = quorate_core::coordinator::PresenceState::Live;
            machine.handle_input(now(0), super::super::support::presence(worker, live));
        }
        machine.handle_input(now(0), submit(1, "request-1"));
        let observed = [Ok(number("42000.50")), Err("no".into())];
        for (worker, observed) in (1..).zip(observed) {
            machine.handle_input(now(7), Input::Result(super::super::support::result(worker, "request-1", observed)));
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
            "spread": {"min": 42000.5, "max": 42000.5}, "elapsed": 1_000_000_000,
            "worker_responses": [
                {"worker_id": "w1", "request_id": "request-1", "value": 42000.50, "response_time": 1_000_000},
                {"worker_id": "w2", "request_id": "request-1", "value": null, "err": "no", "response_time": 1_000_000},
            ],
        })
    }

    /// The machine says something, and the client gets something.
    fn run(said: Option<Said>, reply: &Reply) -> Run {
        let mut run = Run::new(&scenario(), Depth::Network, new);
        run.asked(1, None, request());
        run.pass(5);
        if let Some(reply) = said {
            run.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply });
        }
        run.pass(5);
        run.replied(1, reply);
        run
    }

    #[expect(clippy::needless_pass_by_value, reason = "the bodies are made where they are used")]
    fn http(status: u16, retry_after: Option<u64>, body: impl ToString) -> Reply {
        Reply::Http { status, retry_after, body: body.to_string() }
    }

    fn error(status: u16, word: &str, evidence: bool) -> Json {
        let mut error = if evidence { body() } else { json!({}) };
        (error["error"], error["code"], error["details"]) = (json!(word), json!(status), json!("why"));
        error
    }

    #[test]
    fn an_answer_says_what_the_machine_said() {
        run(Some(Ok(outcome())), &http(200, None, body())).finds_nothing();
    }

    #[test]
    fn every_digit_counts() {
        let text = body().to_string();
        let other = text.replace("\"final_value\":42000.5", "\"final_value\":42000.5000000000000000001");
        assert_ne!(text, other);
        run(Some(Ok(outcome())), &http(200, None, other)).objects("to the last digit");
    }

    #[test]
    fn every_field_counts() {
        let names: Vec<String> = body().as_object().expect("an object").keys().cloned().collect();
        assert_eq!(names.len(), 15);
        for name in names {
            let mut wrong = body();
            wrong[&name] = json!("wrong");
            run(Some(Ok(outcome())), &http(200, None, wrong)).objects("no answer of the coordinator");
            let mut without = body();
            without.as_object_mut().expect("an object").remove(&name);
            run(Some(Ok(outcome())), &http(200, None, without)).objects("no answer of the coordinator");
        }
    }

    #[test]
    fn an_answer_must_have_been_given_while_it_was_waited_for() {
        run(None, &http(200, None, body())).objects("there was none");
        let mut early = Run::new(&scenario(), Depth::Network, new);
        early.asked(1, None, request());
        early.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
        early.pass(1);
        early.asked(2, None, request());
        early.replied(2, &http(200, None, body()));
        early.objects("there was none");
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let mut other = (*outcome()).clone();
        other.request = super::super::support::id("request-2");
        let mut said = body();
        said["request_id"] = json!("request-2");
        for response in said["worker_responses"].as_array_mut().expect("a list") {
            response["request_id"] = json!("request-2");
        }
        run(Some(Ok(Arc::new(other))), &http(200, None, said)).objects("there was none");
    }

    #[test]
    fn each_failure_has_its_word_and_says_when_to_ask_again() {
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
            run(said(), &http(status, wait, error(status, word, true))).finds_nothing();
            let other_wait = wait.map_or(Some(1), |_| None);
            run(said(), &http(status, other_wait, error(status, word, true))).objects("Retry-After");
            run(said(), &http(status, wait, error(500, word, true))).objects("says of itself");
            run(said(), &http(500, wait, error(500, word, true))).objects("no response to a question");
            let other = if status == 422 { (504, "deadline_exceeded") } else { (422, "insufficient_responses") };
            run(said(), &http(other.0, None, error(other.0, other.1, true))).objects("was to be said of");
            if failure != Failure::Overloaded {
                run(said(), &http(status, wait, error(status, word, false))).objects("was to be");
            }
        }
    }

    #[test]
    fn each_refusal_has_its_word() {
        for (refusal, status, word, wait) in [
            (Refusal::Policy(PolicyError::Precision), 400, "invalid_request", None),
            (Refusal::Conflict, 409, "conflict", None),
            (Refusal::Overloaded, 503, "overloaded", Some(1)),
            (Refusal::Draining, 503, "draining", None),
            (Refusal::BusDown, 503, "bus_down", Some(1)),
        ] {
            let said = Some(Err(refusal));
            run(said, &http(status, wait, error(status, word, false))).finds_nothing();
        }
        run(Some(Err(Refusal::Draining)), &http(409, None, error(409, "conflict", false))).objects("503");
        run(Some(Err(Refusal::Conflict)), &http(409, None, error(409, "conflict", true))).objects("no evidence");
    }

    #[test]
    fn http_refuses_by_itself_only_what_it_must() {
        run(None, &http(400, None, error(400, "invalid_request", false))).objects("there was none");
        run(None, &http(408, None, error(408, "request_timeout", false))).objects("there was none");
        run(None, &http(429, Some(1), error(429, "rate_limited", false))).objects("there was none");
        run(None, &http(404, None, error(404, "not_found", false))).objects("no response to a question");
        run(None, &http(503, Some(1), error(503, "overloaded", false))).finds_nothing();

        let mut bad = Run::new(&scenario(), Depth::Network, new);
        let mut asked = request();
        asked.policy.strategy = Some("mode".to_owned());
        bad.asked(1, None, asked);
        bad.replied(1, &http(400, None, error(400, "invalid_request", false)));
        bad.finds_nothing();
    }

    #[test]
    fn a_question_with_a_bad_policy_is_not_answered() {
        let mut bad = Run::new(&scenario(), Depth::Network, new);
        let mut asked = request();
        asked.policy.precision = Some(29);
        bad.asked(1, None, asked);
        bad.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
        bad.replied(1, &http(200, None, body()));
        bad.objects("policy is not valid");
    }

    #[test]
    fn a_question_with_an_unknown_strategy_is_not_answered() {
        let mut bad = Run::new(&scenario(), Depth::Network, new);
        let mut asked = request();
        asked.policy.strategy = Some("mode".to_owned());
        bad.asked(1, None, asked);
        bad.output(&Output::Answer { ticket: quorate_core::id::Ticket(1), reply: Ok(outcome()) });
        bad.replied(1, &http(200, None, body()));
        bad.objects("strategy is unknown");
    }

    #[test]
    fn without_http_the_answer_is_the_machines_own() {
        run(Some(Ok(outcome())), &Reply::Ended(Ok(outcome()))).finds_nothing();
        run(Some(Err(Refusal::Conflict)), &Reply::Ended(Err(Refusal::Conflict))).finds_nothing();
        run(Some(Err(Refusal::Conflict)), &Reply::Ended(Err(Refusal::Draining))).objects("no answer of the coordinator");
        let mut other = (*outcome()).clone();
        other.succeeded += 1;
        run(Some(Ok(outcome())), &Reply::Ended(Ok(Arc::new(other)))).objects("no answer of the coordinator");
    }

    #[test]
    fn one_who_gets_nothing_is_told_nothing_wrong() {
        run(None, &Reply::Lost).finds_nothing();
    }

    #[test]
    fn nobody_is_answered_twice() {
        let mut twice = run(None, &Reply::Lost);
        twice.replied(1, &Reply::Lost);
        twice.objects("nobody waits");
    }

    #[test]
    fn one_who_has_gone_is_not_answered() {
        let mut gone = Run::new(&scenario(), Depth::Network, new);
        gone.asked(1, None, request());
        gone.at(Host::Client(1), What::Vanished(1));
        gone.replied(1, &Reply::Lost);
        gone.objects("nobody waits");
    }
}
