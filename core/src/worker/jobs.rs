//! The jobs that a worker knows: those that wait or run, found by number and by request, and the answers of those that
//! are done.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::events::{JobId, ReplyTo};
use crate::id::RequestId;
use crate::memory::Memory;
use crate::query::Query;
use crate::time::Timestamp;
use crate::trace::Trace;
use crate::value::Value;

/// The request that a job answers. The query is part of the key, because two coordinators may use the same id for
/// different queries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// The first bytes of the request's id. They decide most comparisons without following the pointer to the text.
    prefix: u64,
    pub(super) request: RequestId,
    pub(super) query: Query,
}

impl Key {
    pub(super) fn new(request: RequestId, query: Query) -> Self {
        let mut first = [0; 8];
        for (first, byte) in first.iter_mut().zip(request.as_str().bytes()) {
            *first = byte;
        }
        Self { prefix: u64::from_be_bytes(first), request, query }
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(self, &mut hasher);
        hasher.finish()
    }
}

/// The stage of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for a place.
    Queued,
    /// Its source is being queried.
    Running,
}

/// The result of a job, or the refusal of a task.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) observed: Result<Value, Arc<str>>,
    /// Whether it refuses the task because there was no room for it.
    pub(super) overloaded: bool,
    /// The time from the task's arrival to the answer.
    pub(super) response_time: Duration,
    /// The age of the value when the job was done, if its source states one.
    pub(super) age: Option<Duration>,
    /// The mark of the work.
    pub(super) trace: Option<Trace>,
    /// When the job was done.
    pub(super) at: Timestamp,
}

impl Answer {
    /// The known age of the value. If its source states none, the value is at least as old as the time since it was
    /// read. A failure has no age of its own.
    pub(super) fn age_at(&self, now: Timestamp) -> Option<Duration> {
        let since = now.since(self.at);
        if self.age.is_none() && (self.observed.is_err() || since.is_zero()) {
            return None;
        }
        Some(self.age.unwrap_or_default().saturating_add(since))
    }
}

/// One task's work.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) received: Timestamp,
    /// When its source is abandoned.
    pub(super) deadline: Timestamp,
    /// Until when somebody wants the answer: later than the deadline if the task has been repeated since.
    pub(super) wanted_until: Timestamp,
    pub(super) stage: Stage,
    /// The reply subjects of the answer.
    pub(super) replies: Vec<ReplyTo>,
    /// The mark of the task that began it.
    pub(super) trace: Option<Trace>,
}

impl Job {
    pub(super) fn new(received: Timestamp, deadline: Timestamp, reply: ReplyTo, trace: Option<Trace>) -> Self {
        Self { received, deadline, wanted_until: deadline, stage: Stage::Queued, replies: vec![reply], trace }
    }

    /// Adds a reply subject, and extends the time for which the answer is wanted. At most the latest `places` are kept.
    /// A redispatch repeats a reply subject, which is kept once.
    pub(super) fn wait_for(&mut self, reply: ReplyTo, until: Timestamp, places: usize) {
        self.wanted_until = self.wanted_until.max(until);
        if !self.replies.contains(&reply) {
            if self.replies.len() >= places {
                self.replies.remove(0);
            }
            self.replies.push(reply);
        }
    }
}

/// All jobs: waiting, running and answered.
#[derive(Debug)]
pub(super) struct Jobs {
    by_id: BTreeMap<JobId, (Key, Job)>,
    by_key: BTreeMap<Key, JobId>,
    /// The answers of those that are done, to repeat them.
    answered: Memory<(Key, Answer)>,
    next: u64,
}

impl Jobs {
    pub(super) fn new(config: &Config) -> Self {
        let answered = Memory::new(config.max_remembered, usize::MAX, config.remember);
        Self { by_id: BTreeMap::new(), by_key: BTreeMap::new(), answered, next: 0 }
    }

    /// The number of answers that are kept.
    pub(super) fn answered(&self) -> usize {
        self.answered.len()
    }

    pub(super) fn find(&mut self, key: &Key) -> Option<&mut Job> {
        let id = self.by_key.get(key)?;
        self.by_id.get_mut(id).map(|(_, job)| job)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<(&Key, &mut Job)> {
        self.by_id.get_mut(&id).map(|(key, job)| (&*key, job))
    }

    pub(super) fn insert(&mut self, key: Key, job: Job) -> JobId {
        let id = JobId(self.next);
        self.next += 1;
        self.by_key.insert(key.clone(), id);
        self.by_id.insert(id, (key, job));
        id
    }

    /// Gives another number to a job that was aborted and is still wanted, so that a late result of the aborted run is
    /// not taken for one of the next.
    pub(super) fn renumber(&mut self, id: JobId) -> Option<JobId> {
        let (key, job) = self.by_id.remove(&id)?;
        Some(self.insert(key, job))
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<(Key, Job)> {
        let (key, job) = self.by_id.remove(&id)?;
        self.by_key.remove(&key);
        Some((key, job))
    }

    /// The answer to this request, if it is kept.
    pub(super) fn answer_to(&self, key: &Key) -> Option<&Answer> {
        let entry = self.answered.find(key.hash(), |(answered, _)| answered == key)?;
        Some(&entry.what.1)
    }

    /// Keeps the answer of a job that is done.
    pub(super) fn remember(&mut self, now: Timestamp, key: Key, answer: Answer) {
        self.answered.push(now, key.hash(), 0, (key, answer));
        self.forget(now);
    }

    /// Forgets the answers whose time has passed, and the oldest while there are too many.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while self.answered.forget(now) {}
    }

    /// When the oldest answer will be forgotten.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.answered.next_expiry()
    }
}
