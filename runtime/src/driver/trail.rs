//! What happens to requests within the machine, for those who want it told.

use std::collections::HashMap;
use std::sync::Arc;

use quorate_core::coordinator::{Task, WorkerResult};
use quorate_core::id::{RequestId, Ticket, WorkerId};
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;

/// The most steps that are kept of one request; further ones are counted.
const MAX_STEPS: usize = 128;

/// What happened to a request until its caller was answered, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// What happened, and when.
    pub steps: Vec<(Timestamp, Step)>,
    /// How many further steps are not kept.
    pub dropped: u32,
}

/// One thing that happened to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The workers were asked; the number of the attempt.
    Asked(u32),
    /// A worker's result came, whatever became of it.
    Result {
        /// Who answered.
        worker: WorkerId,
        /// The worker's words for why it has no value, if it has none.
        failure: Option<Arc<str>>,
    },
}

/// The trails that are being followed: one for each caller who wants one and waits.
#[derive(Debug, Default)]
pub(super) struct Trails {
    followed: HashMap<Ticket, Followed>,
    /// The callers by the marks of their requests, until their tasks are published: then they are found by request.
    by_mark: HashMap<Trace, Ticket>,
    by_request: HashMap<RequestId, Ticket>,
}

#[derive(Debug)]
struct Followed {
    mark: Trace,
    /// The request whose tasks carry the mark. `None` while there are no such tasks: a caller who joins a request or is
    /// told a remembered outcome gets an empty trail.
    request: Option<RequestId>,
    trail: Trail,
}

impl Trails {
    /// Follows what this caller asks for. No other request has its mark.
    pub(super) fn follow(&mut self, ticket: Ticket, mark: Trace) {
        self.by_mark.insert(mark, ticket);
        self.followed.insert(ticket, Followed { mark, request: None, trail: Trail::default() });
    }

    pub(super) fn asked(&mut self, now: Timestamp, task: &Task) {
        if let Some(ticket) = task.trace.and_then(|mark| self.by_mark.remove(&mark)) {
            self.by_request.insert(task.request.clone(), ticket);
            self.followed.entry(ticket).and_modify(|followed| followed.request = Some(task.request.clone()));
        }
        self.note(now, &task.request, || Step::Asked(task.attempt));
    }

    pub(super) fn result(&mut self, now: Timestamp, result: &WorkerResult) {
        self.note(now, &result.request, || Step::Result {
            worker: result.worker.clone(),
            failure: result.observed.as_ref().err().cloned(),
        });
    }

    /// The trail of a caller who no longer waits; an empty one if nobody followed.
    pub(super) fn take(&mut self, ticket: Ticket) -> Trail {
        let Some(Followed { mark, request, trail }) = self.followed.remove(&ticket) else { return Trail::default() };
        match request {
            Some(request) => self.by_request.remove(&request),
            None => self.by_mark.remove(&mark),
        };
        trail
    }

    /// How many callers are followed. Entries by mark or request belong to one of these.
    pub(super) fn len(&self) -> usize {
        self.followed.len().max(self.by_mark.len() + self.by_request.len())
    }

    fn note(&mut self, now: Timestamp, request: &RequestId, step: impl FnOnce() -> Step) {
        let Some(followed) = self.by_request.get(request).and_then(|ticket| self.followed.get_mut(ticket)) else {
            return;
        };
        let trail = &mut followed.trail;
        if trail.steps.len() < MAX_STEPS {
            trail.steps.push((now, step()));
        } else {
            trail.dropped = trail.dropped.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::id::TaskId;
    use quorate_core::query::Query;
    use quorate_core::value::Value;

    use super::*;

    const NOW: Timestamp = Timestamp::ZERO;

    fn request() -> RequestId {
        RequestId::new("r").expect("an id")
    }

    fn task(mark: u8, attempt: u32) -> Task {
        let query = Query::new("q").expect("a query");
        let trace = Some(Trace([mark; 25]));
        Task { id: TaskId(1), request: request(), query, ttl: Duration::from_secs(1), attempt, trace }
    }

    fn result(worker: &str, observed: Result<Value, Arc<str>>) -> WorkerResult {
        let worker = WorkerId::new(worker).expect("an id");
        let response_time = Duration::ZERO;
        WorkerResult { worker, request: request(), task: None, observed, response_time, age: None }
    }

    fn is_empty(trails: &Trails) -> bool {
        trails.followed.is_empty() && trails.by_mark.is_empty() && trails.by_request.is_empty()
    }

    #[test]
    fn the_caller_whose_mark_the_tasks_carry_is_told_all_and_one_who_joins_nothing() {
        let mut trails = Trails::default();
        trails.follow(Ticket(1), Trace([1; 25]));
        trails.follow(Ticket(2), Trace([2; 25]));
        trails.asked(NOW, &task(1, 1));
        trails.result(NOW, &result("a", Err("boom".into())));
        trails.asked(NOW, &task(1, 2));
        trails.result(NOW, &result("b", Ok(Value::number("1").expect("a number"))));
        let step = |worker: &str, failure: Option<&str>| Step::Result {
            worker: WorkerId::new(worker).expect("an id"),
            failure: failure.map(Into::into),
        };
        let steps = [Step::Asked(1), step("a", Some("boom")), Step::Asked(2), step("b", None)];
        let told: Vec<_> = trails.take(Ticket(1)).steps.into_iter().map(|(_, step)| step).collect();
        assert_eq!(told, steps);
        assert_eq!((trails.take(Ticket(2)), trails.take(Ticket(3))), (Trail::default(), Trail::default()));
        assert!(is_empty(&trails), "{trails:?}");
    }

    #[test]
    fn nothing_is_kept_of_a_caller_who_went_away_while_others_wait_for_the_same() {
        let mut trails = Trails::default();
        trails.follow(Ticket(1), Trace([1; 25]));
        trails.asked(NOW, &task(1, 1));
        trails.take(Ticket(1));
        trails.asked(NOW, &task(1, 2));
        trails.result(NOW, &result("a", Err("boom".into())));
        assert!(is_empty(&trails), "{trails:?}");
    }

    #[test]
    fn a_flood_of_results_is_counted_and_not_kept() {
        let mut trails = Trails::default();
        trails.follow(Ticket(1), Trace([1; 25]));
        trails.asked(NOW, &task(1, 1));
        for _ in 0..MAX_STEPS + 4 {
            trails.result(NOW, &result("a", Err("boom".into())));
        }
        let trail = trails.take(Ticket(1));
        assert_eq!((trail.steps.len(), trail.dropped), (MAX_STEPS, 5));
    }
}
