//! The results for watched requests, as they arrive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::coordinator::WorkerResult;
use quorate_core::id::RequestId;
use tokio::sync::Notify;

use super::event::observed_weight;
use super::wait::tell;

/// The most results that are kept for one request.
const MAX_RESULTS: usize = 128;
/// The most bytes of text that these results may have together.
const MAX_BYTES: usize = 64 << 10;

/// The watched requests.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// How many requests are watched. While there are none, a driver need not take the lock.
    count: AtomicUsize,
    by_request: Mutex<BTreeMap<RequestId, Watch>>,
}

/// A watched request, and the number of its watchers.
#[derive(Debug)]
struct Watch {
    watchers: usize,
    said: Arc<AcceptedResults>,
}

/// The results that were accepted for one request since it has been watched, as long as there is room.
#[derive(Debug, Default)]
pub(super) struct AcceptedResults {
    results: Mutex<Vec<Arc<WorkerResult>>>,
    /// Notified when a result has been added.
    pub(super) arrived: Notify,
}

/// A watcher of one request, and how many results it has received.
#[derive(Debug)]
pub(super) struct Watching {
    watches: Arc<Watches>,
    request: RequestId,
    said: Arc<AcceptedResults>,
    told: usize,
}

impl Watches {
    /// Starts to watch a request, which need not be known yet.
    pub(super) fn watch(watches: &Arc<Self>, request: RequestId) -> Watching {
        let mut by_request = watches.by_request();
        let watch = by_request.entry(request.clone()).or_insert_with(|| Watch { watchers: 0, said: Arc::default() });
        watch.watchers += 1;
        let said = Arc::clone(&watch.said);
        watches.count.store(by_request.len(), Ordering::Relaxed);
        drop(by_request);
        Watching { watches: Arc::clone(watches), request, said, told: 0 }
    }

    /// Keeps an accepted result for the watchers of its request.
    pub(super) fn note(&self, result: &WorkerResult) {
        if self.count.load(Ordering::Relaxed) > 0
            && let Some(watch) = self.by_request().get(&result.request)
        {
            watch.said.note(result);
        }
    }

    /// A poisoned lock is ignored: nothing is left half done if code panics while it holds the lock.
    fn by_request(&self) -> MutexGuard<'_, BTreeMap<RequestId, Watch>> {
        self.by_request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AcceptedResults {
    fn note(&self, result: &WorkerResult) {
        let mut results = self.results();
        let bytes: usize = results.iter().map(|result| observed_weight(&result.observed)).sum();
        let has_room = results.len() < MAX_RESULTS && bytes + observed_weight(&result.observed) <= MAX_BYTES;
        if has_room {
            tell(&self.arrived, || {
                results.push(Arc::new(result.clone()));
                drop(results);
            });
        }
    }

    fn results(&self) -> MutexGuard<'_, Vec<Arc<WorkerResult>>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    /// The results so far, to wait for more of them.
    pub(super) fn said(&self) -> Arc<AcceptedResults> {
        Arc::clone(&self.said)
    }

    /// The next result that this watcher has not received.
    pub(super) fn next(&mut self) -> Option<Arc<WorkerResult>> {
        let next = self.said.results().get(self.told).cloned();
        self.told += usize::from(next.is_some());
        next
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut by_request = self.watches.by_request();
        if let Some(watch) = by_request.get_mut(&self.request) {
            watch.watchers -= 1;
            if watch.watchers == 0 {
                by_request.remove(&self.request);
            }
        }
        self.watches.count.store(by_request.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::id::WorkerId;
    use quorate_core::value::Value;

    use super::*;

    fn id(text: &str) -> RequestId {
        RequestId::new(text).expect("an id")
    }

    fn result(worker: &str, request: &str, text: &str) -> WorkerResult {
        let observed = Ok(Value::text(text).expect("a text"));
        WorkerResult::new(WorkerId::new(worker).expect("an id"), id(request), observed)
    }

    fn workers(watching: &mut Watching) -> Vec<String> {
        std::iter::from_fn(|| watching.next()).map(|result| result.worker.to_string()).collect()
    }

    #[test]
    fn every_watcher_is_told_the_accepted_results_of_its_request() {
        let watches = Arc::default();
        let mut first = Watches::watch(&watches, id("r"));
        let mut second = Watches::watch(&watches, id("r"));
        let mut other = Watches::watch(&watches, id("s"));
        for (worker, request) in [("a", "r"), ("b", "s"), ("c", "t")] {
            watches.note(&result(worker, request, "x"));
        }
        assert_eq!(workers(&mut first), ["a"]);
        watches.note(&result("b", "r", "x"));
        assert_eq!(workers(&mut first), ["b"]);
        assert_eq!(workers(&mut second), ["a", "b"]);
        assert_eq!(workers(&mut other), ["b"]);
    }

    #[test]
    fn nothing_is_kept_for_a_request_that_nobody_watches_any_more() {
        let watches = Arc::default();
        let first = Watches::watch(&watches, id("r"));
        let second = Watches::watch(&watches, id("r"));
        drop(first);
        watches.note(&result("a", "r", "x"));
        assert_eq!((watches.by_request().len(), watches.count.load(Ordering::Relaxed)), (1, 1));
        drop(second);
        assert_eq!((watches.by_request().len(), watches.count.load(Ordering::Relaxed)), (0, 0));
        watches.note(&result("a", "r", "x"));
        assert_eq!(workers(&mut Watches::watch(&watches, id("r"))), Vec::<String>::new());
    }

    #[test]
    fn what_is_kept_for_a_request_is_bounded() {
        let watches = Arc::default();
        let mut watching = Watches::watch(&watches, id("r"));
        for worker in 0..1000 {
            watches.note(&result(&format!("w{worker}"), "r", "x"));
        }
        assert_eq!(workers(&mut watching).len(), MAX_RESULTS);
        let mut long = Watches::watch(&watches, id("s"));
        for worker in 0..1000 {
            watches.note(&result(&format!("w{worker}"), "s", &"x".repeat(4096)));
        }
        assert_eq!(workers(&mut long).len(), MAX_BYTES / 4096);
    }
}
