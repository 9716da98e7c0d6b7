//! A response says what the coordinator's machine answered.
//!
//! Over HTTP, the status, the error, the fields and `Retry-After` are those that `docs/protocol.md` gives for that
//! answer. Without HTTP, the response is the answer itself. The HTTP layer refuses a question only with a valid reason.

mod body;
mod digits;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use quorate_core::coordinator::{Config, Input, Output, Refusal, Submit};
use quorate_core::id::Ticket;
use quorate_core::outcome::{Answer, Failure, Outcome};
use quorate_core::trace::Trace;
use quorate_model::policy;
use serde_json::{Value as Json, json};

use crate::Depth;
use crate::checkers::{Checker, Context};
use crate::edge::trace_of;
use crate::event::{Event, Question, Reply, What};
use crate::host::Host;
use crate::scenario::{Policy, Settings};
use body::{agreement, answered, evidence, is_strategy};
use digits::check_digits;

/// The time within which the body of a request must arrive, in nanoseconds.
const BODY_TIMEOUT: u64 = 10_000_000_000;

/// A queue with a capacity below this may fill up.
const FEW: usize = 64;

type MachineReply = Result<Arc<Outcome>, Refusal>;

#[derive(Debug)]
pub(crate) struct Http {
    depth: Depth,
    /// Whether a client can reach the bound on its connections.
    is_bounded: bool,
    settings: Settings,
    config: Config,
    open: BTreeMap<u32, Open>,
    /// The answers of each coordinator, with their times, since the oldest open question.
    said: BTreeMap<Host, VecDeque<(u64, MachineReply)>>,
    /// The question behind each ticket of a coordinator, if it has a trace.
    tickets: BTreeMap<(Host, Ticket), u32>,
    /// When each drained coordinator started again; `u64::MAX` until it does. In between, HTTP answers without a machine.
    drained: BTreeMap<Host, u64>,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Open {
    at: u64,
    asked: Question,
    progress: Progress,
}

/// How far a question has come, if a trace identifies it.
#[derive(Debug)]
enum Progress {
    /// It has no trace: any answer to the same question may be its own.
    Unknown,
    /// The machine has not received it.
    NotYet,
    /// The machine has received it and has not answered.
    Submitted,
    /// The machine has answered it.
    Answered(MachineReply),
}

pub(crate) fn new(context: &Context<'_>) -> Http {
    Http {
        depth: context.depth,
        is_bounded: context.scenario.edges.connections_per_peer.is_some(),
        settings: context.scenario.cluster.settings.clone(),
        config: context.scenario.cluster.settings.config(),
        open: BTreeMap::new(),
        said: BTreeMap::new(),
        tickets: BTreeMap::new(),
        drained: BTreeMap::new(),
    }
}

/// A response over HTTP.
#[derive(Clone, Copy, Debug)]
struct Response<'a> {
    status: u16,
    retry_after: Option<u64>,
    body: &'a Json,
    /// The body as received, in which numbers have all their digits.
    text: &'a str,
}

impl Open {
    /// Whether an answer may be the one to this question.
    fn may_get(&self, said: &MachineReply) -> bool {
        match &self.progress {
            Progress::Unknown => {}
            Progress::NotYet | Progress::Submitted => return false,
            Progress::Answered(own) => return own == said,
        }
        let Ok(outcome) = said else { return true };
        let request = &self.asked.request;
        outcome.query.as_str() == request.query_text()
            && request.id.is_none_or(|_| request.id_text().as_deref() == Some(outcome.request.as_str()))
    }
}

impl Http {
    fn submitted(&mut self, coordinator: Host, ticket: Ticket, trace: Trace) {
        let open = self.open.iter_mut().find(|(number, _)| trace_of(**number) == Some(trace));
        if let Some((number, open)) = open.filter(|(_, open)| open.asked.coordinator == coordinator) {
            open.progress = Progress::Submitted;
            self.tickets.insert((coordinator, ticket), *number);
        }
    }

    fn said(&mut self, at: u64, coordinator: Host, ticket: Ticket, said: &MachineReply) {
        let number = self.tickets.remove(&(coordinator, ticket));
        if let Some(open) = number.and_then(|number| self.open.get_mut(&number)) {
            open.progress = Progress::Answered(said.clone());
        }
        if self.open.is_empty() {
            self.said.clear();
            return;
        }
        self.said.entry(coordinator).or_default().push_back((at, said.clone()));
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Some(open) = self.open.remove(&number) else {
            return Err(format!("question {number} was answered, but nobody waits for the answer"));
        };
        let result = self.check(at, &open, reply);
        self.forget();
        result.map_err(|why| format!("question {number} ({:?}): {why}", open.asked.request.query_text()))
    }

    /// Forgets the answers that are older than the oldest open question.
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
        // The latest first, since it is usually the one.
        let candidates = said.into_iter().flat_map(|said| said.iter().rev());
        let mut candidates = candidates
            .take_while(|(said_at, _)| *said_at >= open.at)
            .map(|(_, said)| said)
            .filter(|said| open.may_get(said));
        match reply {
            Reply::Lost => Ok(()),
            Reply::Ended(reply) if candidates.any(|said| said == reply) => Ok(()),
            Reply::Ended(reply) => Err(format!("no answer of the coordinator matches {reply:?}")),
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
                let nearest = nearest
                    .map_or_else(|| "there is no candidate".to_owned(), |why| format!("the latest candidate: {why}"));
                Err(format!("no answer of the coordinator matches {response:?}; {nearest}"))
            }
        }
    }

    /// Whether the HTTP layer may give this response by itself.
    fn is_of_http_itself(&self, at: u64, open: &Open, response: Response<'_>) -> bool {
        let Response { status, body, .. } = response;
        let policy = &open.asked.request.policy;
        match (status, body["error"].as_str()) {
            (400, Some("invalid_request")) => is_strategy_unknown(policy),
            (408, Some("request_timeout")) => at.saturating_sub(open.at) >= BODY_TIMEOUT,
            (429, Some("rate_limited")) => self.settings.rate_limit.is_some(),
            // The client had too many connections, or a queue in front of the machine was full.
            (503, Some("overloaded")) => {
                let is_short = |queue: usize| queue < FEW;
                let batch = self.settings.knobs.batch.unwrap_or(usize::MAX);
                body["request_id"].is_null() && (self.is_bounded || is_short(self.settings.max_in_flight.max(batch)))
            }
            // The machine had already drained.
            (503, Some("draining")) => {
                let drained = self.drained.get(&open.asked.coordinator);
                body["request_id"].is_null() && drained.is_some_and(|until| *until >= open.at)
            }
            _ => false,
        }
    }

    /// Checks that an invalid question is not answered.
    fn check_policy(&self, open: &Open, reply: &Reply) -> Result<(), String> {
        let is_answered = match reply {
            Reply::Ended(reply) => reply.is_ok(),
            Reply::Http { status: 409, body, .. } => {
                serde_json::from_str::<Json>(body).is_ok_and(|body| body["error"] == "disputed")
            }
            Reply::Http { status, .. } => matches!(status, 200 | 422 | 504),
            Reply::Lost => false,
        };
        let policy = &open.asked.request.policy;
        if is_answered && is_strategy_unknown(policy) && matches!(reply, Reply::Http { .. }) {
            return Err(format!("question {} was answered, but its strategy is unknown", open.asked.number));
        }
        let in_force = policy::in_force(&self.config, open.asked.request.query_text(), &policy.overrides());
        if is_answered && in_force.is_err() {
            return Err(format!(
                "question {} was answered, but its policy is not valid: {policy:?}",
                open.asked.number
            ));
        }
        Ok(())
    }
}

/// Whether a request names an unknown strategy.
fn is_strategy_unknown(policy: &Policy) -> bool {
    policy.strategy.as_deref().is_some_and(|name| !is_strategy(name))
}

/// Checks what every response has: an error states its own status, and when to retry if that helps.
fn check_form(response: Response<'_>) -> Result<(), String> {
    let Response { status, retry_after, body, .. } = response;
    let error = body["error"].as_str();
    let waits = match (status, error) {
        (200, None) => {
            return if retry_after.is_none() { Ok(()) } else { Err("an answer must not have Retry-After".to_owned()) };
        }
        (429, Some("rate_limited")) => retry_after.is_some_and(|seconds| seconds >= 1),
        (503, Some("no_workers" | "overloaded" | "bus_down")) => retry_after == Some(1),
        (503, Some("draining"))
        | (400, Some("invalid_request"))
        | (404, Some("unknown_query"))
        | (408, Some("request_timeout"))
        | (409, Some("conflict" | "disputed"))
        | (422, Some("insufficient_responses"))
        | (504, Some("deadline_exceeded")) => retry_after.is_none(),
        _ => return Err(format!("{status} {error:?} is not a valid response to a question: {body}")),
    };
    if !waits {
        return Err(format!("{status} {error:?} has the wrong Retry-After: {retry_after:?}"));
    }
    if body["code"] != json!(status) || body["details"].as_str().is_none_or(str::is_empty) {
        return Err(format!("the body of the {status} has a wrong `code` or no `details`: {body}"));
    }
    Ok(())
}

/// Checks that a response says what the machine said.
fn check_said(response: Response<'_>, said: &MachineReply) -> Result<(), String> {
    let Response { status, body, text, .. } = response;
    let (expected_status, word, outcome) = match said {
        Err(refusal) => {
            let (status, word) = match refusal {
                Refusal::Policy(_) => (400, "invalid_request"),
                Refusal::Conflict => (409, "conflict"),
                Refusal::Overloaded => (503, "overloaded"),
                Refusal::Draining => (503, "draining"),
                Refusal::BusDown => (503, "bus_down"),
                Refusal::UnknownQuery => (404, "unknown_query"),
                Refusal::NoWorkers => (503, "no_workers"),
            };
            (status, Some(word), None)
        }
        Ok(outcome) => {
            let (status, word) = match &outcome.verdict {
                Ok(_) => (200, None),
                Err(Failure::InsufficientResponses { .. }) => (422, Some("insufficient_responses")),
                Err(Failure::Disputed { .. }) => (409, Some("disputed")),
                Err(Failure::DeadlineExceeded) => (504, Some("deadline_exceeded")),
                Err(Failure::NoWorkers) => (503, Some("no_workers")),
                Err(Failure::BusDown) => (503, Some("bus_down")),
                Err(Failure::Overloaded) => (503, Some("overloaded")),
            };
            (status, word, Some(outcome))
        }
    };
    if status != expected_status || body["error"].as_str() != word {
        return Err(format!("the response should be {expected_status} {word:?} for {said:?}"));
    }
    let Some(outcome) = outcome else {
        return if body["request_id"].is_null() { Ok(()) } else { Err("a refusal must not have evidence".to_owned()) };
    };
    for (field, expected) in &evidence(outcome) {
        if body.get(field) != Some(expected) {
            return Err(format!("{field} should be {expected}"));
        }
    }
    let share = match outcome.verdict {
        Ok(Answer { agreeing, used, .. }) | Err(Failure::Disputed { agreeing, used }) => {
            Some(agreement(agreeing, used))
        }
        Err(_) => None,
    };
    if body.get("agreement") != share.as_ref() {
        return Err(format!("agreement should be {share:?}"));
    }
    let Ok(answer) = &outcome.verdict else { return check_digits(text, outcome, None) };
    for (field, expected) in &answered(answer) {
        if body.get(field) != Some(expected) {
            return Err(format!("{field} should be {expected}"));
        }
    }
    check_digits(text, outcome, Some(answer))
}

impl Checker for Http {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::CoordinatorInput(_, Input::Submit(Submit { ticket, trace: Some(trace), .. })) => {
                self.submitted(event.host, *ticket, *trace);
            }
            What::CoordinatorOutput(_, Output::Answer { ticket, reply }) => {
                self.said(event.at, event.host, *ticket, reply);
            }
            What::CoordinatorOutput(_, Output::Drained) => drop(self.drained.insert(event.host, u64::MAX)),
            What::Started { .. } => {
                self.drained.entry(event.host).and_modify(|until| *until = event.at.min(*until));
                self.tickets.retain(|(host, _), _| *host != event.host);
            }
            What::Asked(asked) => {
                let is_traced = self.depth == Depth::Network && trace_of(asked.number).is_some();
                let progress = if is_traced { Progress::NotYet } else { Progress::Unknown };
                self.open.insert(asked.number, Open { at: event.at, asked: asked.clone(), progress });
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
mod tests;
