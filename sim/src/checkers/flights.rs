//! The requests that a coordinator has asked, as its inputs and outputs show them, with what a checker keeps of each.

use std::sync::Arc;

use quorate_core::coordinator::{Output, Refusal, Submit, Task};
use quorate_core::id::{RequestId, TaskId, Ticket};
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::ledger::Map;

/// A request that was asked.
#[derive(Debug)]
pub(super) struct Flight<T> {
    pub(super) task: TaskId,
    pub(super) query: Query,
    pub(super) submitted: Timestamp,
    pub(super) deadline: Timestamp,
    pub(super) kept: T,
}

/// A submission of which it is not known yet what became of it.
#[derive(Debug)]
struct Pending<T> {
    ticket: Ticket,
    id: Option<RequestId>,
    query: Query,
    at: Timestamp,
    kept: T,
}

/// The requests of one coordinator. Those given up stay until their deadline, and a little longer.
#[derive(Debug)]
pub(super) struct Flights<T> {
    pending: Vec<Pending<T>>,
    asked: Map<RequestId, Flight<T>>,
    sweep_at: usize,
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { pending: Vec::new(), asked: Map::default(), sweep_at: 64 }
    }
}

impl<T> Flights<T> {
    /// A caller asks. `now` is the machine's time.
    pub(super) fn submitted(&mut self, now: Timestamp, submit: &Submit, kept: T) {
        let Submit { ticket, id, query, .. } = submit;
        self.pending.push(Pending { ticket: *ticket, id: id.clone(), query: query.clone(), at: now, kept });
    }

    /// A request is asked for the first time. `None` if nobody has submitted it.
    pub(super) fn asked(&mut self, task: &Task) -> Option<&mut Flight<T>> {
        let fits = |pending: &Pending<T>| {
            pending.query == task.query && pending.id.as_ref().is_none_or(|id| *id == task.request)
        };
        let position = self.pending.iter().position(fits)?;
        let Pending { query, at, kept, .. } = self.pending.remove(position);
        let deadline = at.after(task.ttl);
        if self.asked.len() >= self.sweep_at {
            self.asked.retain(|_, flight| flight.deadline >= at);
            self.sweep_at = self.asked.len() * 2 + 64;
        }
        let flight = Flight { task: task.id, query, submitted: at, deadline, kept };
        Some(self.asked.entry(task.request.clone()).insert_entry(flight).into_mut())
    }

    /// A request that was asked and has not been answered.
    pub(super) fn get(&mut self, request: &RequestId) -> Option<&mut Flight<T>> {
        self.asked.get_mut(request)
    }

    /// Whether a request may be in flight: it was asked and not answered, or may have been submitted just now.
    pub(super) fn may_have(&self, request: &RequestId) -> bool {
        self.asked.contains_key(request) || !self.pending.is_empty()
    }

    /// Whether nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.pending.is_empty()
    }

    /// A caller is answered. Returns the request with its outcome if it ends by this, and not ended before.
    pub(super) fn answered<'a>(&mut self, output: &'a Output) -> Option<(Flight<T>, &'a Outcome)> {
        let Output::Answer { ticket, reply } = output else { return None };
        self.pending.retain(|pending| pending.ticket != *ticket);
        let reply: &Result<Arc<Outcome>, Refusal> = reply;
        let outcome = reply.as_ref().ok()?;
        Some((self.asked.remove(&outcome.request)?, outcome))
    }

    /// The machine has settled: whoever submitted and heard nothing waits for a request of somebody else.
    pub(super) fn settled(&mut self) {
        self.pending.clear();
    }
}
