//! The jobs of a worker's driver: each queries the source.

use std::collections::HashMap;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use quorate_core::worker::JobId;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tracing::warn;

use crate::source::Reading;
use crate::spans::OpenSpan;
use crate::wire::TraceContext;

/// What a source answered: a reading or a failure.
pub(super) type Read = Result<Reading, Arc<str>>;

/// A job as its trace has it.
#[derive(Debug)]
pub(super) struct Work {
    /// The trace context in which the source is queried.
    pub(super) context: Option<TraceContext>,
    pub(super) span: Option<OpenSpan>,
}

/// A job that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) job: JobId,
    pub(super) work: Work,
    pub(super) read: Read,
}

/// The jobs whose sources have not answered at once. Each works in a task of its own.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    tasks: JoinSet<(JobId, Read)>,
    running: HashMap<JobId, Running>,
}

#[derive(Debug)]
struct Running {
    task: AbortHandle,
    work: Work,
}

impl Jobs {
    /// Starts a job. Returns it if the source answers at once.
    pub(super) fn start(
        &mut self,
        job: JobId,
        work: Work,
        reading: impl Future<Output = Read> + Send + 'static,
    ) -> Option<Ended> {
        let mut reading = Box::pin(reading);
        match catch_unwind(AssertUnwindSafe(|| reading.as_mut().now_or_never())) {
            Ok(Some(read)) => Some(Ended { job, work, read }),
            Ok(None) => {
                let task = self.tasks.spawn(async move { (job, reading.await) });
                self.running.insert(job, Running { task, work });
                None
            }
            Err(_) => Some(Ended { job, work, read: panicked(&"the panic is reported above") }),
        }
    }

    /// Waits for the next job that ends; `None` if none is running. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Ended> {
        loop {
            let joined = self.tasks.join_next_with_id().await?;
            if let Some(ended) = self.ended(joined) {
                return Some(ended);
            }
        }
    }

    /// A job that has ended, if there is one.
    pub(super) fn try_next(&mut self) -> Option<Ended> {
        loop {
            let joined = self.tasks.try_join_next_with_id()?;
            if let Some(ended) = self.ended(joined) {
                return Some(ended);
            }
        }
    }

    /// Ends a job before its source has answered; `None` if it is not running.
    pub(super) fn abort(&mut self, job: JobId) -> Option<Work> {
        let Running { task, work } = self.running.remove(&job)?;
        task.abort();
        Some(work)
    }

    /// The number of jobs that are running.
    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing is kept of any job.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.tasks.is_empty()
    }

    /// The job whose task has ended; `None` if it was aborted.
    fn ended(&mut self, joined: Result<(tokio::task::Id, (JobId, Read)), JoinError>) -> Option<Ended> {
        let (job, read) = match joined {
            Ok((_, ended)) => ended,
            Err(error) if error.is_cancelled() => return None,
            // A source that panics fails its own task and no other.
            Err(error) => {
                let (job, _) = self.running.iter().find(|(_, job)| job.task.id() == error.id())?;
                (*job, panicked(&error))
            }
        };
        let Running { work, .. } = self.running.remove(&job)?;
        Some(Ended { job, work, read })
    }
}

fn panicked(error: &dyn Display) -> Read {
    warn!(%error, "the source panicked");
    Err("the source panicked".into())
}
