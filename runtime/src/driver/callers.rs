//! The callers that wait for an answer, and the trails of the requests that they follow.

use std::collections::HashMap;

use quorate_core::coordinator::{Event, Refusal, ResultFate};
use quorate_core::id::{RequestId, Ticket, WorkerId};
use quorate_core::time::Timestamp;
use tokio::sync::oneshot;

use crate::wire::EncodedOutcome;

/// The most steps that are kept of one request. Further ones are only counted.
const MAX_STEPS: usize = 128;

/// What happened to a request until its caller was answered, in order. Empty for a caller that joined a request or
/// received an earlier outcome: the trail belongs to the caller for whom the request was dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The steps, with their times.
    pub steps: Vec<(Timestamp, TrailStep)>,
    /// The number of further steps, which are not kept.
    pub dropped: u32,
}

/// One step of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrailStep {
    /// Its task was published. The number is that of the attempt, from 1.
    Dispatched(u32),
    /// A worker's result arrived.
    Result {
        /// The worker.
        worker: WorkerId,
        /// How it was judged.
        fate: ResultFate,
    },
}

/// The end of a caller's wait.
#[derive(Debug)]
pub(super) struct CallerReply {
    pub(super) reply: Result<EncodedOutcome, Refusal>,
    /// Empty unless the caller asked for it.
    pub(super) trail: Trail,
}

/// The callers that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: HashMap<Ticket, Caller>,
    /// For each followed request, the caller for whom it was dispatched.
    followed: HashMap<RequestId, Ticket>,
}

#[derive(Debug)]
struct Caller {
    answer: oneshot::Sender<CallerReply>,
    /// `None` if the caller did not ask for it.
    trail: Option<Trail>,
    /// The request that was dispatched for this caller, if it asked for the trail.
    dispatched: Option<RequestId>,
}

impl Callers {
    /// Adds a waiting caller. `follows` says whether it wants the trail of its request.
    pub(super) fn wait(&mut self, ticket: Ticket, answer: oneshot::Sender<CallerReply>, follows: bool) {
        self.waiting.insert(ticket, Caller { answer, trail: follows.then(Trail::default), dispatched: None });
    }

    /// Answers a caller, if it still waits.
    pub(super) fn answer(&mut self, ticket: Ticket, reply: impl FnOnce() -> Result<EncodedOutcome, Refusal>) {
        if let Some(Caller { answer, trail, .. }) = self.leave(ticket) {
            // Sending fails if the caller has gone away meanwhile, and then nobody misses the answer.
            let _ = answer.send(CallerReply { reply: reply(), trail: trail.unwrap_or_default() });
        }
    }

    /// Removes a caller that no longer waits.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.leave(ticket);
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Caller> {
        let caller = self.waiting.remove(&ticket)?;
        if let Some(request) = &caller.dispatched {
            self.followed.remove(request);
        }
        Some(caller)
    }

    /// Adds an event to the trail of its request, if a caller follows the request. `now` is called only then.
    pub(super) fn event(&mut self, now: impl FnOnce() -> Timestamp, event: Event) {
        match event {
            Event::Dispatched { ticket, request } => {
                if let Some(caller) = self.waiting.get_mut(&ticket).filter(|caller| caller.trail.is_some()) {
                    caller.dispatched = Some(request.clone());
                    self.followed.insert(request.clone(), ticket);
                    self.note(now, &request, TrailStep::Dispatched(1));
                }
            }
            Event::Redispatched { request, attempt } => self.note(now, &request, TrailStep::Dispatched(attempt)),
            Event::Result { request, worker, fate } => self.note(now, &request, TrailStep::Result { worker, fate }),
            Event::Joined { .. } | Event::Replayed { .. } | Event::Blamed { .. } | Event::Worker { .. } => {}
        }
    }

    fn note(&mut self, now: impl FnOnce() -> Timestamp, request: &RequestId, step: TrailStep) {
        let Some(caller) = self.followed.get(request).and_then(|ticket| self.waiting.get_mut(ticket)) else { return };
        let Some(trail) = &mut caller.trail else { return };
        if trail.steps.len() < MAX_STEPS {
            trail.steps.push((now(), step));
        } else {
            trail.dropped = trail.dropped.saturating_add(1);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn followed(&self) -> usize {
        self.followed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::ZERO
    }

    fn request() -> RequestId {
        RequestId::new("r").expect("an id")
    }

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("an id")
    }

    fn dispatched(ticket: u64) -> Event {
        Event::Dispatched { ticket: Ticket(ticket), request: request() }
    }

    fn result(name: &str, fate: ResultFate) -> Event {
        Event::Result { request: request(), worker: worker(name), fate }
    }

    /// Callers that want their trails, and the receivers of their answers.
    fn following(tickets: &[u64]) -> (Callers, Vec<oneshot::Receiver<CallerReply>>) {
        let mut callers = Callers::default();
        let waiting = tickets.iter().map(|ticket| {
            let (answer, answered) = oneshot::channel();
            callers.wait(Ticket(*ticket), answer, true);
            answered
        });
        let waiting = waiting.collect();
        (callers, waiting)
    }

    fn trail(callers: &mut Callers, ticket: u64, answered: &mut oneshot::Receiver<CallerReply>) -> Trail {
        callers.answer(Ticket(ticket), || Err(Refusal::Overloaded));
        answered.try_recv().expect("it is answered").trail
    }

    #[test]
    fn the_caller_for_whom_a_request_is_dispatched_gets_its_trail_and_one_that_joins_gets_none() {
        let (mut callers, mut waiting) = following(&[1, 2]);
        let fates = [("a", ResultFate::Misdirected), ("a", ResultFate::Accepted), ("a", ResultFate::Duplicate)];
        callers.event(now, dispatched(1));
        callers.event(now, Event::Joined { ticket: Ticket(2), request: request() });
        callers.event(now, Event::Redispatched { request: request(), attempt: 2 });
        for (name, fate) in fates {
            callers.event(now, result(name, fate));
        }
        let mut steps = vec![TrailStep::Dispatched(1), TrailStep::Dispatched(2)];
        steps.extend(fates.map(|(name, fate)| TrailStep::Result { worker: worker(name), fate }));
        assert_eq!((callers.len(), callers.followed()), (2, 1));
        let told = trail(&mut callers, 1, &mut waiting[0]);
        assert_eq!(told.steps.into_iter().map(|(_, step)| step).collect::<Vec<_>>(), steps);
        assert_eq!(trail(&mut callers, 2, &mut waiting[1]), Trail::default());
        assert_eq!((callers.len(), callers.followed()), (0, 0));
    }

    #[test]
    fn nothing_is_kept_of_a_caller_that_went_away_while_others_wait() {
        let (mut callers, _waiting) = following(&[1]);
        callers.event(now, dispatched(1));
        callers.forget(Ticket(1));
        callers.event(now, result("a", ResultFate::Accepted));
        assert_eq!((callers.len(), callers.followed()), (0, 0));
    }

    #[test]
    fn no_trail_is_kept_for_a_caller_that_does_not_follow() {
        let mut callers = Callers::default();
        let (answer, mut answered) = oneshot::channel();
        callers.wait(Ticket(1), answer, false);
        callers.event(now, dispatched(1));
        assert_eq!((callers.len(), callers.followed()), (1, 0));
        assert_eq!(trail(&mut callers, 1, &mut answered), Trail::default());
    }

    #[test]
    fn a_flood_of_results_is_counted_and_not_kept() {
        let (mut callers, mut waiting) = following(&[1]);
        callers.event(now, dispatched(1));
        for _ in 0..MAX_STEPS + 4 {
            callers.event(now, result("a", ResultFate::Duplicate));
        }
        let trail = trail(&mut callers, 1, &mut waiting[0]);
        assert_eq!((trail.steps.len(), trail.dropped), (MAX_STEPS, 5));
    }
}
