//! What must follow from the messages of workers, and from the return of the bus.

use std::time::Duration;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Blame, Event, Presence, ResultFate, WorkerResult};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::Cause;

use super::CoordinatorModel;
use super::memory::text_length;
use super::request::{FirstAnswer, Participant, ParticipantStatus};

impl CoordinatorModel {
    fn admits(&self, worker: &WorkerId) -> bool {
        self.config.admitted.as_ref().is_none_or(|admitted| admitted.contains(worker))
    }

    pub(super) fn result(&mut self, result: &WorkerResult) {
        let fate = self.fate(result);
        match fate {
            ResultFate::Accepted => self.counters.results_accepted += 1,
            ResultFate::Late => self.counters.results_late += 1,
            ResultFate::Duplicate => self.counters.results_duplicate += 1,
            ResultFate::Equivocal => self.counters.results_equivocal += 1,
            ResultFate::Misdirected => self.counters.results_misdirected += 1,
            ResultFate::Unknown => self.counters.results_unknown += 1,
            ResultFate::NotAdmitted => self.counters.workers_not_admitted += 1,
            ResultFate::NoRoom => self.counters.results_no_room += 1,
        }
        self.tell(Event::Result { request: result.request.clone(), worker: result.worker.clone(), fate });
        // An answer may end its request, and so may one without room, whose worker is no longer awaited.
        if matches!(fate, ResultFate::Accepted | ResultFate::NoRoom) {
            self.settle(&result.request);
        }
    }

    fn fate(&mut self, result: &WorkerResult) -> ResultFate {
        if !self.admits(&result.worker) {
            return ResultFate::NotAdmitted;
        }
        if let Some(request) = self.flight.get(&result.request) {
            // A worker that has used a reply subject always does. On the shared subject, anybody can use its name.
            let direct = self.workers.get_mut(&result.worker).is_some_and(|known| known.answers_directly);
            let misdirected = result.task.map_or(direct, |task| task != request.task);
            return if misdirected { ResultFate::Misdirected } else { self.result_in_time(result) };
        }
        let Some(ended) = self.memory.get(&result.request) else { return ResultFate::Unknown };
        let missed = ended.outcome.as_ref().filter(|outcome| outcome.missing.contains(&result.worker));
        let after = missed.map(|outcome| outcome.elapsed.saturating_add(self.now.since(ended.at)));
        let query = ended.query.clone();
        if result.task.is_none() && self.workers.get_mut(&result.worker).is_some_and(|known| known.answers_directly) {
            return ResultFate::Misdirected;
        }
        if let Some(known) = self.workers.heard_late(self.now, &result.worker) {
            known.record.late += 1;
            if let Some(after) = after
                && !is_full(result)
            {
                known.record.answered_late(after);
                if result.observed.is_ok() {
                    known.record.answered_query(&query, after, self.config.kept_queries);
                }
            }
        }
        ResultFate::Late
    }

    fn result_in_time(&mut self, result: &WorkerResult) -> ResultFate {
        let worker = &result.worker;
        let quarantined = self.workers.is_quarantined(worker);
        let room = self.config.max_in_flight_bytes.saturating_sub(self.bytes());
        let request = self.flight.get_mut(&result.request).expect("the request is in flight");
        let joins = !request.participants.contains_key(worker);
        let has_record = self.workers.has_record(worker, &request.query);
        let full = request.participants.len() >= self.config.limits.max_workers as usize;
        let no_place = joins && (full || (!has_record && request.places == 0));
        let Some(known) = self.workers.heard(self.now, worker).filter(|_| !no_place) else {
            return ResultFate::NotAdmitted;
        };
        let twice = request.asked_twice();
        if let Some(Participant { status: ParticipantStatus::Answered(first), .. }) =
            request.participants.get_mut(worker)
        {
            let contradicts = match (&first.observed, &result.observed) {
                // Being full is compatible with every answer.
                _ if first.was_full || is_full(result) => false,
                (Ok(first), Ok(second)) => first != second,
                (Ok(_), Err(_)) => true,
                (Err(_), Ok(_)) => !twice,
                (Err(_), Err(_)) => false,
            };
            let itself = first.to_the_asker && result.task.is_some();
            if contradicts && itself && !first.contradicted && known.has_one_word(twice) {
                first.contradicted = true;
                known.record.equivocations += 1;
                let (before, after) = known.record.blame();
                let (request, worker) = (result.request.clone(), worker.clone());
                self.tell(Event::Blamed { request, worker, blame: Blame::Equivocation, before, after });
                return ResultFate::Equivocal;
            }
            return ResultFate::Duplicate;
        }
        let place = if request.participants.contains_key(worker) { 0 } else { 192 };
        if place + text_length(&result.observed) > room {
            if let Some(Participant { status: status @ ParticipantStatus::Awaited, .. }) =
                request.participants.get_mut(worker)
            {
                *status = ParticipantStatus::Left;
            }
            return ResultFate::NoRoom;
        }
        let after = self.now.since(request.submitted);
        if is_full(result) {
            known.record.failures += 1;
        } else {
            known.record.answered(result.observed.is_ok(), after);
        }
        if result.observed.is_ok() {
            known.record.answered_query(&request.query, after, self.config.kept_queries);
        }
        if joins && !has_record {
            known.tried += 1;
            request.places -= 1;
        }
        known.silent = false;
        known.answers_directly |= result.task.is_some();
        self.counters.redispatch_rescued += u64::from(request.attempts == 2);
        let set_weight = request.weights.get(worker).copied().unwrap_or(Millionths::ONE);
        let said = FirstAnswer {
            observed: result.observed.clone(),
            was_full: is_full(result),
            response_time: result.response_time.min(Duration::from_nanos(u64::MAX)),
            arrived: self.now,
            age: result.age,
            weight: if request.weights.is_empty() { known.trust() } else { set_weight },
            quarantined,
            to_the_asker: result.task.is_some(),
            contradicted: false,
        };
        let decides = request.participants.get(worker).map_or(has_record, |participant| participant.decides);
        let status = ParticipantStatus::Answered(said);
        let answered = Participant { status, decides, usual: None, suspect: false };
        request.participants.insert(worker.clone(), answered);
        if let Some((_, until @ Some(_))) = &mut request.unheard {
            *until = None;
            self.counters.no_responders_refuted += 1;
        }
        if request.expected_unknown {
            request.stalls_at = Some(self.now.after(self.config.stall));
        }
        ResultFate::Accepted
    }

    /// Ends a request if all workers have answered, or if a quorum, or all but suspects, give an answer.
    fn settle(&mut self, id: &RequestId) {
        if self.flight.get(id).is_some_and(|request| request.usual_over) {
            self.suspect_the_silent(id);
        }
        self.end_if_possible(id);
    }

    pub(super) fn end_if_possible(&mut self, id: &RequestId) {
        let Some(request) = self.flight.get_mut(id) else { return };
        if request.all_have_answered() {
            self.end(id, Cause::AllAnswered);
        } else if let Some(cause) = request.may_end_by() {
            let verdict = request.verdict(cause, false);
            let by_quorum = u64::from(cause == Cause::QuorumMet);
            if request.ends_by(cause, &verdict) {
                self.counters.quorum_early += by_quorum;
                self.counters.suspects_early += 1 - by_quorum;
                self.end_with(id, cause, verdict);
            } else {
                request.in_vain = Some(request.usable());
                self.counters.quorum_in_vain += by_quorum;
                self.counters.suspects_in_vain += 1 - by_quorum;
            }
        }
    }

    /// A worker that leaves is no longer awaited. If it was forgotten meanwhile, older requests expect another of that
    /// name.
    pub(super) fn presence(&mut self, presence: &Presence) {
        let left = if self.admits(&presence.worker) { self.workers.announced(self.now, presence) } else { None };
        let Some(left) = left else {
            self.counters.workers_not_admitted += 1;
            return;
        };
        if !left {
            return;
        }
        let mut left_by = Vec::new();
        let known_since = self.workers.get_mut(&presence.worker).map_or(0, |known| known.asked_before);
        for (id, request) in self.flight.iter_mut().filter(|(_, request)| request.asked_before_it >= known_since) {
            if let Some(Participant { status: status @ ParticipantStatus::Awaited, .. }) =
                request.participants.get_mut(&presence.worker)
            {
                *status = ParticipantStatus::Left;
                left_by.push((request.place(), id.clone()));
            }
        }
        left_by.sort_unstable();
        for (_, id) in left_by {
            self.settle(&id);
        }
    }

    /// After an outage, each pending redispatch waits for a grace, or for half of the remaining time if that is less.
    pub(super) fn bus_up(&mut self) {
        let back = !self.bus_up && self.bus_down_at.is_some();
        self.bus_up = true;
        self.call();
        if back {
            for request in self.flight.values_mut() {
                let wait = self.config.reconnect_grace.min(request.deadline.since(self.now) / 2);
                request.ask_again_at = request.ask_again_at.map(|_| self.now.after(wait));
            }
        }
    }
}

/// Whether a worker only says that it is full. A value makes that meaningless.
fn is_full(result: &WorkerResult) -> bool {
    result.observed.is_err() && result.overloaded
}
