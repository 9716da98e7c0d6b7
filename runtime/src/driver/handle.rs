//! The callers' end of a coordinator: submit requests, read its state, drain it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quorate_core::coordinator::{Policies, Refusal, Submit};
use quorate_core::id::{RequestId, Ticket};
use quorate_core::outcome::Outcome;
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use tokio::sync::{mpsc, oneshot};

use super::callers::{CallerReply, Trail};
use super::snapshot::{Readiness, Snapshot};
use super::view::{SnapshotError, View};
use crate::wire::{EncodedOutcome, TraceContext};

/// Commands from callers to the driver.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are requests: boxing them would cost each an allocation")]
pub(super) enum Command {
    Ask {
        submit: Submit,
        /// Whether the caller wants the trail of the request.
        followed: bool,
        reply: oneshot::Sender<CallerReply>,
    },
    Cancel(Ticket),
    Policies(Box<Policies>),
    Drain,
}

/// Why a request got no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The coordinator refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The queue of requests is full; retry later.
    #[error("the queue of requests is full")]
    Busy,
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
}

/// A handle to one coordinator. Clones lead to the same one.
#[derive(Clone, Debug)]
pub struct CoordinatorHandle {
    commands: mpsc::Sender<Command>,
    tickets: Arc<AtomicU64>,
    /// Counts the requests that are refused because the queue of commands is full.
    busy: Arc<AtomicU64>,
    view: Arc<View>,
}

impl CoordinatorHandle {
    pub(super) fn new(commands: mpsc::Sender<Command>, busy: Arc<AtomicU64>, view: Arc<View>) -> Self {
        Self { commands, tickets: Arc::default(), busy, view }
    }

    /// Submits a request and waits until it ends, which it does by its deadline. Dropping the future withdraws the
    /// caller, and a request that no caller waits for any more is given up.
    ///
    /// # Errors
    /// [`AskError`] if the request was not accepted.
    pub async fn ask(
        &self,
        id: Option<RequestId>,
        query: Query,
        overrides: Overrides,
    ) -> Result<Arc<Outcome>, AskError> {
        self.ask_within(None, false, id, query, overrides).await.0.map(|ended| ended.outcome)
    }

    /// Like [`ask`](Self::ask), for a caller in a trace. The tasks are part of the trace as well, unless the caller
    /// joins another's request. If `followed`, the answer includes the trail of the request, which is empty if the
    /// request was dispatched for another caller.
    pub async fn ask_within(
        &self,
        context: Option<TraceContext>,
        followed: bool,
        id: Option<RequestId>,
        query: Query,
        overrides: Overrides,
    ) -> (Result<EncodedOutcome, AskError>, Trail) {
        let trace = context.map(TraceContext::mark);
        match self.submit(followed, |ticket| Submit { ticket, id, query, overrides, trace }).await {
            Ok(CallerReply { reply, trail }) => (reply.map_err(AskError::Refused), trail),
            Err(error) => (Err(error), Trail::default()),
        }
    }

    async fn submit(&self, followed: bool, submit: impl FnOnce(Ticket) -> Submit) -> Result<CallerReply, AskError> {
        let ticket = Ticket(self.tickets.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let submit = submit(ticket);
        self.commands.try_send(Command::Ask { submit, followed, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.busy.fetch_add(1, Ordering::Relaxed);
                AskError::Busy
            }
            mpsc::error::TrySendError::Closed(_) => AskError::Stopped,
        })?;
        let mut waiting = Waiting { commands: &self.commands, ticket: Some(ticket) };
        let answered = answer.await;
        waiting.ticket = None;
        answered.map_err(|_| AskError::Stopped)
    }

    /// Whether the coordinator can serve now. Its cost to the coordinator does not grow with the number of readers.
    ///
    /// # Errors
    /// [`SnapshotError`] if it has stopped or is stuck.
    pub async fn readiness(&self) -> Result<Readiness, SnapshotError> {
        self.view.readiness().await
    }

    /// A snapshot of the coordinator. All readers share it until it is 250 ms old, or as old as
    /// [`with_snapshot_every`](super::CoordinatorDriver::with_snapshot_every) allows.
    ///
    /// # Errors
    /// [`SnapshotError`] if it has stopped or is stuck.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, SnapshotError> {
        self.view.snapshot().await
    }

    /// Replaces the policies of queries and the weights of workers, for the requests that come after this. They must be
    /// within the limits, as [`policies::read`](crate::policies::read) checks.
    pub async fn replace_policies(&self, policies: Policies) {
        // Sending fails if the coordinator has stopped, and then it needs none.
        let _ = self.commands.send(Command::Policies(Box::new(policies))).await;
    }

    /// Makes the coordinator refuse further requests. It stops once those in flight have ended.
    pub async fn drain(&self) {
        // Sending fails if the coordinator has stopped, and then it is drained.
        let _ = self.commands.send(Command::Drain).await;
    }
}

/// Withdraws a caller that goes away before its answer.
struct Waiting<'a> {
    commands: &'a mpsc::Sender<Command>,
    ticket: Option<Ticket>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // If the queue is full, the request runs to its own end, and its answer is discarded.
            let _ = self.commands.try_send(Command::Cancel(ticket));
        }
    }
}
