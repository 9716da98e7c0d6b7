//! What the HTTP API asks of durable requests.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quorate_core::coordinator::QueryPolicy;
use quorate_core::durable::{Accepted, Content, Counters, Job, Rejection};
use quorate_core::id::RequestId;
use quorate_core::policy::{Limits, Overrides, Policy, PolicyError};
use quorate_core::query::Query;
use quorate_core::time::UnixTime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::ledger::{AnyLedger, Looked, Page, Storing, Wanted};
use super::open::in_millis;
use super::recorder::Recorder;
use super::stored::StoredOutcome;
use super::waiters::Waiters;
use crate::store::Unavailable;
use crate::wire::EncodedOutcome;

/// How long a submission may take.
const SUBMIT_WITHIN: Duration = Duration::from_secs(10);
/// How long a plain request waits until its outcome is stored.
const KEEP_WITHIN: Duration = Duration::from_secs(2);
/// The longest that somebody waits for the end of a request at a time.
pub(crate) const WAIT_LIMIT: Duration = Duration::from_mins(1);
/// How often those who wait look for themselves, in case they are not told.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Commands to the driver.
#[derive(Debug)]
pub(super) enum Command {
    Submit { job: Arc<Job>, reply: oneshot::Sender<Result<Accepted, Rejection>> },
    Drain,
    Stop,
}

/// A handle to the durable requests of one coordinator, and to the outcomes in its store. Clones lead to the same ones.
#[derive(Clone)]
pub struct DurableHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) ledger: Arc<dyn AnyLedger>,
    pub(super) waiters: Waiters,
    /// Only if outcomes of plain requests are kept.
    pub(super) recorder: Option<Recorder>,
    pub(super) limits: Limits,
    /// Written by the driver.
    pub(super) standing: Arc<RwLock<Standing>>,
}

/// What the driver of durable requests has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it has done.
    pub counters: Counters,
    /// The open requests that are known, of all coordinators.
    pub known: usize,
    /// Those of them that this coordinator serves or submits.
    pub held: usize,
    /// The entries of the log of open requests that could not be read.
    pub garbled: u64,
}

impl fmt::Debug for DurableHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DurableHandle")
    }
}

/// How a request stands.
#[derive(Clone, Debug)]
pub enum Stand {
    /// Nothing is stored under its id.
    Unknown,
    /// It has no outcome yet.
    Open,
    /// It has this outcome.
    Done(Box<StoredOutcome>),
    /// Something is stored that is no outcome.
    Garbled,
}

/// What is stored under the id of a plain request.
#[derive(Clone, Debug)]
pub(crate) enum Earlier {
    /// Nothing that concerns it.
    Nothing,
    /// The outcome of the same query, which counts.
    Same(Box<StoredOutcome>),
    /// Another query has the id.
    Other,
}

impl DurableHandle {
    /// Checks a request against the policy of its query, and gives the time within which its workers answer.
    pub(crate) fn timeout<'a>(
        &self,
        query: &Query,
        overrides: &Overrides,
        policies: impl IntoIterator<Item = &'a Arc<QueryPolicy>>,
    ) -> Result<Duration, PolicyError> {
        let policy = policies.into_iter().find(|policy| policy.pattern.matches(query.as_str()));
        let policy = policy.map_or_else(Policy::default, |policy| policy.policy);
        Ok(policy.with(overrides, &self.limits)?.timeout)
    }

    /// Leaves a request. Once it is accepted, it will have exactly one outcome. `timeout` is the time within which its
    /// workers answer, by the policy of its query.
    ///
    /// # Errors
    /// [`Rejection`]. After [`Rejection::Unclear`], the request may be accepted or not.
    pub async fn submit(
        &self,
        id: RequestId,
        query: Query,
        overrides: Overrides,
        timeout: Duration,
        now: UnixTime,
    ) -> Result<Accepted, Rejection> {
        // The workers have as long wherever they are asked, whatever the policy of that coordinator is.
        let overrides = Overrides { timeout: Some(timeout), ..overrides };
        let job = Arc::new(Job { request: id, query, overrides, timeout, submitted_at: in_millis(now) });
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(Command::Submit { job, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Rejection::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Rejection::Draining,
        })?;
        match tokio::time::timeout(SUBMIT_WITHIN, answer).await {
            Ok(answered) => answered.unwrap_or(Err(Rejection::Draining)),
            Err(_) => Err(Rejection::Unclear),
        }
    }

    /// How a request stands now, whichever coordinator serves it.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn stands(&self, id: &RequestId) -> Result<Stand, Unavailable> {
        // An outcome is stored before its request is closed. So a request that is not open, after no outcome was found,
        // was closed in between, or never was.
        for _ in 0..2 {
            match self.ledger.look(id).await? {
                Looked::Outcome(stored) => return Ok(Stand::Done(stored)),
                Looked::Garbled => return Ok(Stand::Garbled),
                Looked::Nothing => {}
            }
            match self.ledger.open(id).await? {
                Some(Content::Open { .. }) => return Ok(Stand::Open),
                Some(Content::Closed) => {}
                None => break,
            }
        }
        Ok(Stand::Unknown)
    }

    /// How a request stands, at the latest when `wait` has passed, and earlier if it does not stay open.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn ends(&self, id: &RequestId, wait: Duration) -> Result<Stand, Unavailable> {
        let until = Instant::now() + wait.min(WAIT_LIMIT);
        loop {
            let waiter = self.waiters.wait(id);
            let stands = self.stands(id).await?;
            if !matches!(stands, Stand::Open) || Instant::now() >= until {
                return Ok(stands);
            }
            let ended = async {
                match waiter {
                    Some(mut waiter) => waiter.ended().await,
                    // Too many wait: nobody tells this one.
                    None => std::future::pending().await,
                }
            };
            // It does not matter which of them ends the pause.
            let _ = timeout_at(until, timeout(LOOK_EVERY, ended)).await;
        }
    }

    /// What is stored under the id of a plain request, before it is asked.
    pub(crate) async fn earlier(&self, id: &RequestId, query: &Query) -> Result<Earlier, Unavailable> {
        let (looked, open) = futures_util::future::join(self.ledger.look(id), self.ledger.open(id)).await;
        Ok(match looked? {
            Looked::Outcome(stored) if stored.query == *query => Earlier::Same(stored),
            Looked::Outcome(_) | Looked::Garbled => Earlier::Other,
            Looked::Nothing => match open? {
                Some(Content::Open { job, .. }) if job.query != *query => Earlier::Other,
                _ => Earlier::Nothing,
            },
        })
    }

    /// Stores the outcome of a plain request with an id of its caller, unless one is stored already: that one counts.
    pub(crate) async fn settle(&self, told: &EncodedOutcome) -> Result<Earlier, Unavailable> {
        let stored = StoredOutcome::of(told, self.recorder.is_some());
        match self.ledger.keep(&stored, KEEP_WITHIN).await {
            Storing::Stored => Ok(Earlier::Nothing),
            Storing::Lost(Looked::Outcome(other)) if other.query == stored.query => Ok(Earlier::Same(other)),
            Storing::Lost(Looked::Outcome(_) | Looked::Garbled) => Ok(Earlier::Other),
            Storing::Lost(Looked::Nothing) => Err(Unavailable("the outcome of the request is gone".to_owned())),
            Storing::Unclear(why) => Err(Unavailable(why)),
        }
    }

    /// Stores the outcome of a plain request that has no id of its caller, some time later, if such outcomes are kept.
    pub(crate) fn record(&self, told: &EncodedOutcome) {
        if let Some(recorder) = &self.recorder {
            recorder.record(told.clone());
        }
    }

    /// A page of the history.
    pub(crate) async fn history(&self, wanted: &Wanted) -> Result<Page, Unavailable> {
        self.ledger.page(wanted).await
    }

    /// The number of outcomes that should be in the history and are not.
    pub fn omitted(&self) -> u64 {
        self.recorder.as_ref().map_or(0, Recorder::omitted)
    }

    /// What the driver has come to.
    pub fn standing(&self) -> Standing {
        *self.standing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the driver accept no further requests, finish those that are being asked, and leave the others to other
    /// coordinators.
    pub async fn drain(&self) {
        // Sending fails if the driver has stopped, and then it is drained.
        let _ = self.commands.send(Command::Drain).await;
    }

    /// Makes the driver stop once it has drained. Nothing more is recorded.
    pub async fn stop(&self) {
        // Sending fails if the driver has stopped.
        let _ = self.commands.send(Command::Stop).await;
    }
}
