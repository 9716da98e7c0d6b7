//! The end of a request: its callers are answered, its id is remembered, and its workers' scores are updated.

use std::sync::Arc;

use super::Coordinator;
use super::event::{Blame, Event};
use super::judgement::{Judgement, Terms};
use super::output::Output;
use super::request::{FirstAnswer, ParticipantStatus, Request};
use super::table::Slot;
use super::timers::Timer;
use crate::aggregate::Assessment;
use crate::id::RequestId;
use crate::memory::Entry;
use crate::outcome::{Cause, Failure, Outcome, Status, request_bytes};
use crate::query::Query;

/// A request that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    request: RequestId,
    pub(super) query: Query,
    /// What a retry receives; `None` if a retry is dispatched again: the request was cancelled, or its failure is
    /// retryable.
    pub(super) outcome: Option<Arc<Outcome>>,
}

impl Coordinator {
    /// Ends a request by `cause`.
    pub(super) fn finish(&mut self, slot: Slot, cause: Cause) {
        let Some(request) = self.table.get(slot) else { return };
        let bus_was_down = self.bus_was_down(request.submitted);
        let judgement = request.judge(cause, bus_was_down, &mut self.aggregator);
        self.finish_with(slot, cause, judgement);
    }

    /// Ends a request: its callers are answered, its id is remembered, and its workers' scores are updated.
    pub(super) fn finish_with(&mut self, slot: Slot, cause: Cause, judgement: Judgement) {
        let Some(mut request) = self.table.remove(slot) else { return };
        self.timers.disarm(request.armed_at, Timer::Request(slot));
        self.keep_records(&request, cause, &judgement);
        let tickets = std::mem::take(&mut request.tickets);
        let outcome = Arc::new(request.conclude(self.now, self.wall, cause, judgement));
        self.count(&outcome);
        self.outputs.push_back(Output::Ended(Arc::clone(&outcome)));
        for ticket in tickets {
            self.outputs.push_back(Output::Answer { ticket, reply: Ok(Arc::clone(&outcome)) });
        }
        let retry_gets = outcome.verdict.as_ref().map_or_else(|failure| !failure.is_retryable(), |_| true);
        self.remember(outcome.request.clone(), outcome.query.clone(), retry_gets.then_some(outcome));
        self.report_drained();
    }

    /// Updates the scores and records of an ended request's workers. Values move scores only if every value came that
    /// the operator's policy would have waited for. A failure or silence moves a score only if the worker has answered
    /// the query before and had at least the operator's timeout; silence moves it only if the worker also had the time
    /// that it usually takes, as far as that is known, and sent no result meanwhile. A refusal for lack of room moves none.
    /// Otherwise callers could move scores.
    fn keep_records(&mut self, request: &Request, cause: Cause, judgement: &Judgement) {
        let blames_the_silent = cause == Cause::DeadlinePassed && self.may_blame_the_silent(request.submitted);
        let terms = Terms::of(request);
        let (gives_time, compares) = (terms.gives_time, terms.are_complete(cause));
        let gives_records = terms.has_usual_max_age && request.is_decided();
        let are_admitted_by_name = self.config.admitted.is_some();
        for (index, participant) in request.participants.iter().enumerate() {
            let Some(worker) = self.registry.get_mut(&participant.worker) else { continue };
            let record = &mut worker.reliability;
            let mut blame = None;
            let is_held = gives_time && record.has_answered(request.query_key);
            // A founder earns a record even if a quorum or a caller's short timeout ended the request before it
            // answered.
            let mut earns = request.founding && participant.decides;
            match &participant.status {
                ParticipantStatus::Awaited(_) if blames_the_silent => {
                    // A worker that answers others meanwhile has too much to do: callers ask too much of it.
                    let is_silent = worker.last_result <= request.submitted;
                    let usual = record.usual_time(request.query_key, self.config.usual_samples);
                    let had_time = usual.is_some_and(|usual| usual <= request.policy.timeout);
                    record.timeouts += 1;
                    blame = (is_held && is_silent && had_time).then_some(Blame::Silence);
                    worker.silent |= gives_time;
                    earns &= !gives_time;
                }
                ParticipantStatus::Awaited(_) => earns &= cause == Cause::QuorumMet,
                ParticipantStatus::Left => earns = false,
                ParticipantStatus::Answered(FirstAnswer { observed, overloaded, .. }) => {
                    match (observed, judgement.assessment(index)) {
                        (Ok(_), Assessment::Good) => {
                            earns |= gives_records;
                            if compares {
                                record.judged(true);
                            }
                        }
                        (Ok(_), Assessment::Bad) if compares => blame = Some(Blame::Outlier),
                        (Err(_), _) if is_held && !overloaded => blame = Some(Blame::Failure),
                        _ => {}
                    }
                }
            }
            if let Some(blame) = blame {
                let before = record.blame(blame);
                if self.config.events {
                    let (request, worker) = (request.id.clone(), participant.worker.clone());
                    let blamed = Event::Blamed { request, worker, blame, before, after: record.score };
                    self.outputs.push_back(Output::Event(blamed));
                }
            }
            if earns && request.is_local {
                worker.founds(self.now, request.query_key, self.config.kept_queries);
                earns = false;
            }
            let has_changed = self.config.events && worker.has_changed(self.config.quarantine_below);
            if let Some(has_record) = worker.took_part(earns, are_admitted_by_name) {
                self.registry.count_record(self.now, has_record);
            }
            if has_changed {
                self.registry.note_change(&participant.worker);
            }
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let counters = &mut self.counters;
        let counter = match &outcome.verdict {
            Ok(answer) => match answer.status {
                Status::Complete => &mut counters.answered_complete,
                Status::Partial => &mut counters.answered_partial,
                Status::LowReliability => &mut counters.answered_low_reliability,
                Status::Disputed => &mut counters.answered_disputed,
            },
            Err(failure) => match failure {
                Failure::InsufficientResponses { .. } => &mut counters.failed_insufficient_responses,
                Failure::Disputed { .. } => &mut counters.failed_disputed,
                Failure::DeadlineExceeded => &mut counters.failed_deadline_exceeded,
                Failure::NoWorkers => &mut counters.failed_no_workers,
                Failure::BusDown => &mut counters.failed_bus_down,
                Failure::Overloaded => &mut counters.failed_overloaded,
            },
        };
        *counter += 1;
    }

    /// Remembers a request that has ended, with what a retry receives.
    pub(super) fn remember(&mut self, request: RequestId, query: Query, outcome: Option<Arc<Outcome>>) {
        let key = self.table.key_of(&request);
        let bytes = outcome.as_ref().map_or_else(|| request_bytes(&request, &query, 0), |outcome| outcome.bytes());
        self.memory.push(self.now, key, bytes, Ended { request, query, outcome });
        self.forget();
    }

    /// The request with this id that has ended, if it is remembered.
    pub(super) fn ended(&self, id: &RequestId) -> Option<&Entry<Ended>> {
        self.memory.find(self.table.key_of(id), |ended| ended.request == *id)
    }

    /// Forgets requests that are too old or too many, and arms the timer for the rest.
    pub(super) fn forget(&mut self) {
        loop {
            let is_too_heavy = self.memory.is_too_heavy();
            if !self.memory.forget(self.now) {
                break;
            }
            self.counters.forgotten_for_bytes += u64::from(is_too_heavy);
        }
        if self.memory_at.is_none()
            && let Some(at) = self.memory.next_expiry()
        {
            self.timers.arm(at, Timer::Memory);
            self.memory_at = Some(at);
        }
    }

    pub(super) fn report_drained(&mut self) {
        if self.draining && self.table.len() == 0 {
            self.outputs.push_back(Output::Drained);
        }
    }
}
