//! What became of each worker's score lately, for people who ask why it is low.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::Coordinator;
use quorate_core::coordinator::{Blame, Score, WorkerResult};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::time::Timestamp;

use crate::driver::Step;

/// The most blames that are kept for one worker.
const MAX_BLAMES: usize = 8;
/// The longest text of a failure that is kept, in bytes.
const MAX_TEXT_BYTES: usize = 256;
/// When this many workers have a history, those that the coordinator has forgotten lose theirs.
const FEW: usize = 256;

/// The histories of workers. There are at most twice as many as the coordinator knows workers, or [`FEW`].
#[derive(Debug, Default)]
pub(super) struct Histories(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_worker: BTreeMap<WorkerId, History>,
    /// How many were kept when those of forgotten workers were last removed.
    known: usize,
}

/// What has lowered one worker's score lately, and its last failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct History {
    /// The last failure that a request accepted from it.
    pub(in crate::http) failure: Option<WorkerFailure>,
    /// The last times its score was lowered, oldest first.
    pub(in crate::http) blames: VecDeque<Blamed>,
}

/// A failure that a worker reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct WorkerFailure {
    pub(in crate::http) at: Timestamp,
    pub(in crate::http) request: RequestId,
    /// The worker's words, shortened if they are long.
    pub(in crate::http) text: Arc<str>,
}

/// One time a score was lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Blamed {
    pub(in crate::http) at: Timestamp,
    pub(in crate::http) request: RequestId,
    pub(in crate::http) blame: Blame,
    pub(in crate::http) before: Score,
    pub(in crate::http) after: Score,
}

impl Histories {
    /// A request accepted a failure from a worker.
    pub(super) fn failed(&self, step: &Step<'_, Coordinator>, result: &WorkerResult, text: &Arc<str>) {
        let text = match shortened(text) {
            whole if whole.len() == text.len() => Arc::clone(text),
            beginning => format!("{beginning}…").into(),
        };
        let failure = WorkerFailure { at: step.now, request: result.request.clone(), text };
        self.note(step.machine, &result.worker, |history| history.failure = Some(failure));
    }

    /// A worker's score was lowered.
    pub(super) fn blamed(&self, step: &Step<'_, Coordinator>, worker: &WorkerId, blamed: Blamed) {
        self.note(step.machine, worker, |history| history.add(blamed));
    }

    fn note(&self, machine: &Coordinator, worker: &WorkerId, change: impl FnOnce(&mut History)) {
        let mut kept = self.kept();
        change(kept.by_worker.entry(worker.clone()).or_default());
        kept.forget(|worker| machine.worker(worker).is_some());
    }

    /// The history of a worker, which is empty if nothing is kept of it.
    pub(super) fn of(&self, worker: &WorkerId) -> History {
        self.kept().by_worker.get(worker).cloned().unwrap_or_default()
    }

    /// A poisoned lock is ignored: nothing is left half done if code panics while it holds the lock.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Removes the histories of unknown workers once they may be half of all, so that a removal is rare.
    fn forget(&mut self, is_known: impl Fn(&WorkerId) -> bool) {
        if self.by_worker.len() > FEW.max(2 * self.known) {
            self.by_worker.retain(|worker, _| is_known(worker));
            self.known = self.by_worker.len();
        }
    }
}

impl History {
    fn add(&mut self, blamed: Blamed) {
        if self.blames.len() >= MAX_BLAMES {
            self.blames.pop_front();
        }
        self.blames.push_back(blamed);
    }
}

/// The beginning of a text, as far as it is kept.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("an id")
    }

    fn blamed(number: u64) -> Blamed {
        let at = Timestamp::from_nanos(number);
        let request = RequestId::new("r").expect("an id");
        Blamed { at, request, blame: Blame::Outlier, before: Score::ONE, after: Score::ZERO }
    }

    #[test]
    fn the_last_blames_of_a_worker_are_kept() {
        let mut history = History::default();
        (0..20).for_each(|number| history.add(blamed(number)));
        let kept: Vec<_> = history.blames.iter().map(|blamed| blamed.at.as_nanos()).collect();
        assert_eq!(kept, [12, 13, 14, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn a_long_failure_is_shortened_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(200);
        assert_eq!(shortened(&long).len(), MAX_TEXT_BYTES);
        assert_eq!(shortened(&format!("x{long}")).len(), MAX_TEXT_BYTES - 1);
    }

    #[test]
    fn forgotten_workers_lose_their_history_before_there_are_many() {
        let mut kept = Kept::default();
        for number in 0..5000 {
            kept.by_worker.insert(worker(&format!("w{number}")), History::default());
            kept.forget(|worker| worker.as_str() == "w7");
            assert!(kept.by_worker.len() <= FEW + 1, "{number}");
        }
        assert!(kept.by_worker.contains_key(&worker("w7")));
    }
}
