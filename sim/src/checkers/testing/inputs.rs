//! Inputs and messages for the tests of checkers.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Input, Presence, PresenceState, Submit, WorkerResult};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_core::worker;

use crate::event::{Body, Message, PublishedOutcome, Task};
use crate::scenario::{self, Policy};

pub(crate) fn worker_id(name: &str) -> WorkerId {
    WorkerId::new(name).expect("an identifier")
}

pub(crate) fn worker(number: u8) -> WorkerId {
    scenario::worker_name(number)
}

pub(crate) fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("an identifier")
}

/// The id of request `number`.
pub(crate) fn request_id(number: u64) -> RequestId {
    id(&format!("request-{number}"))
}

pub(crate) fn query() -> Query {
    Query::new("BTC/USD").expect("a query")
}

pub(crate) fn number(text: &str) -> Value {
    Value::number(text).expect("a number")
}

pub(crate) fn text(text: &str) -> Value {
    Value::text(text).expect("a text")
}

/// A request under the id of this number, from the caller of this number.
pub(crate) fn ask(number: u64) -> Input {
    submit(number, request_id(number).as_str())
}

/// A request for `BTC/USD` under an id.
pub(crate) fn submit(ticket: u64, id: &str) -> Input {
    submit_with(ticket, id, "BTC/USD", Overrides::default())
}

pub(crate) fn submit_with(ticket: u64, request: &str, query: &str, overrides: Overrides) -> Input {
    Input::Submit(Submit {
        ticket: Ticket(ticket),
        id: Some(id(request)),
        query: Query::new(query).expect("a query"),
        overrides,
        trace: None,
    })
}

pub(crate) fn announcement(name: &str, state: PresenceState) -> Presence {
    Presence { packs: true, ..Presence::new(worker_id(name), format!("{name}-1").into(), state) }
}

pub(crate) fn live(name: &str) -> Presence {
    announcement(name, PresenceState::Live)
}

pub(crate) fn presence(number: u8, state: PresenceState) -> Input {
    Input::Presence(announcement(worker(number).as_str(), state))
}

/// A worker's value for request `number`.
pub(crate) fn answer(name: &str, number: u64, task: Option<TaskId>, value: i64) -> Input {
    let (response_time, age) = (Duration::from_millis(3), Some(Duration::from_millis(1500)));
    let result = WorkerResult::new(worker_id(name), request_id(number), Ok(Value::Number(value.into())));
    Input::Result(WorkerResult { task, response_time, age, ..result })
}

pub(crate) fn result(number: u8, request: &str, observed: Result<Value, Arc<str>>) -> WorkerResult {
    WorkerResult::new(worker(number), id(request), observed)
}

/// A question of client 1 for `BTC/USD` under the id `request-1`.
pub(crate) fn request() -> scenario::Request {
    scenario::Request {
        at_ms: 0,
        client: 1,
        coordinator: 1,
        query: 0,
        id: Some(1),
        policy: Policy::default(),
        gives_up_ms: None,
        retries: 0,
    }
}

/// A task of request `number`, as a worker's input.
pub(crate) fn task(number: u64, ttl_ms: u64) -> worker::Input {
    worker::Input::Task(worker::Task {
        request: request_id(number),
        query: query(),
        ttl: Some(Duration::from_millis(ttl_ms)),
        reply: worker::ReplyTo::Task(format!("_INBOX.c1.{number}").into()),
        trace: None,
    })
}

/// A task as a coordinator's driver sends it.
pub(crate) fn task_message(task: &coordinator::Task) -> Message {
    Message {
        subject: "oracle.tasks".into(),
        reply: Some(format!("_INBOX.c1.{}", task.id.0).into()),
        body: Body::Task(Task {
            request: task.request.clone(),
            query: task.query.clone(),
            ttl: Duration::from_millis(u64::try_from(task.ttl.as_nanos().div_ceil(1_000_000)).expect("short")),
            attempt: task.attempt,
            packed: None,
        }),
    }
}

/// An outcome as a coordinator's driver publishes it.
pub(crate) fn outcome_message(outcome: &Outcome) -> Message {
    let value = outcome.verdict.as_ref().ok().map(|answer| answer.value.clone());
    let told = PublishedOutcome { request: outcome.request.clone(), query: outcome.query.clone(), value };
    Message { subject: "oracle.outcomes.q".into(), reply: None, body: Body::Outcome(told) }
}
