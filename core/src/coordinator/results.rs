//! The results of workers: which are used, which are dropped, and what each says about its worker.

use super::Coordinator;
use super::event::{Event, ResultFate};
use super::input::{Undelivered, UndeliveredCause, WorkerResult};
use super::output::Output;
use super::request::{FirstAnswer, Notice, Participant, ParticipantStatus, Request};
use super::table::{Known, Slot};
use crate::outcome::{Cause, Failure, WORKER_BYTES, text_bytes};

impl Coordinator {
    pub(super) fn result(&mut self, result: &WorkerResult) {
        let known = self.table.known(&result.request);
        let fate = match known {
            _ if !self.admits(&result.worker) => ResultFate::NotAdmitted,
            None => ResultFate::Unknown,
            Some(Known::InFlight(slot)) => self.result_in_time(slot, result),
            Some(Known::Ended(_)) => {
                // The id of an ended request is known to more than the workers that were asked: it makes no worker
                // known.
                if let Some(worker) = self.registry.refresh(self.now, &result.worker) {
                    worker.reliability.late += 1;
                }
                ResultFate::Late
            }
        };
        self.emit_fate(result, fate);
        if let (Some(Known::InFlight(slot)), ResultFate::Accepted | ResultFate::NoRoom) = (known, fate) {
            self.settle(slot);
        }
        self.registry.note_change(&result.worker);
        self.arm_presence();
    }

    /// Counts what became of a result, and emits its event.
    fn emit_fate(&mut self, result: &WorkerResult, fate: ResultFate) {
        let counters = &mut self.counters;
        let counter = match fate {
            ResultFate::Accepted => &mut counters.results_accepted,
            ResultFate::Late => &mut counters.results_late,
            ResultFate::Duplicate => &mut counters.results_duplicate,
            ResultFate::Equivocal => &mut counters.results_equivocal,
            ResultFate::Misdirected => &mut counters.results_misdirected,
            ResultFate::Unknown => &mut counters.results_unknown,
            ResultFate::NotAdmitted => &mut counters.workers_not_admitted,
            ResultFate::NoRoom => &mut counters.results_no_room,
        };
        *counter += 1;
        let (request, worker) = (&result.request, &result.worker);
        self.emit(|| Event::Result { request: request.clone(), worker: worker.clone(), fate });
    }

    /// Handles a result for a request in flight.
    fn result_in_time(&mut self, slot: Slot, result: &WorkerResult) -> ResultFate {
        let room = self.config.max_in_flight_bytes.saturating_sub(self.table.bytes());
        let request = self.table.get_mut(slot).expect("a known request is in its slot");
        let is_astray = match result.task {
            Some(task) => task != request.task,
            None => self.registry.answers_directly(&result.worker),
        };
        if is_astray {
            return ResultFate::Misdirected;
        }
        let position = request.position(&result.worker);
        let is_proven = position.is_err() && self.registry.is_proven(&result.worker);
        let has_place = position.is_ok() || request.has_place(self.config.limits.max_workers, is_proven);
        // Even without a place, the worker may become known, so that a later request can expect it.
        let worker = self.registry.heard(self.now, &result.worker).filter(|_| has_place);
        let Some(worker) = worker else {
            return ResultFate::NotAdmitted;
        };
        let asked_twice = request.may_be_asked_twice();
        if let Ok(index) = position
            && let ParticipantStatus::Answered(first) = &mut request.participants[index].status
        {
            let agrees = match (&first.observed, &result.observed) {
                (Ok(first), Ok(second)) => first == second,
                (Err(_), Err(_)) => true,
                // A worker that was too busy for the first attempt may have had time for the second.
                (Err(_), Ok(_)) => asked_twice,
                (Ok(_), Err(_)) => false,
            };
            // Anybody may publish on the shared subject. Only programs that receive tasks know the reply subject.
            let is_its_word = first.on_reply_subject && result.task.is_some();
            if agrees || first.contradicted || !is_its_word || !worker.must_repeat_itself(asked_twice) {
                return ResultFate::Duplicate;
            }
            first.contradicted = true;
            worker.reliability.equivocation();
            return ResultFate::Equivocal;
        }
        let bytes = text_bytes(&result.observed) + if position.is_err() { WORKER_BYTES } else { 0 };
        if bytes > room {
            request.give_up_on(&result.worker);
            return ResultFate::NoRoom;
        }
        let response_time = self.now.since(request.submitted);
        worker.reliability.answer(result.observed.is_ok(), response_time);
        if result.observed.is_ok() {
            worker.reliability.answered_query(request.query_key, self.config.kept_queries);
        }
        if request.attempts > 1 {
            self.counters.redispatch_rescued += 1;
        }
        if position.is_err() && !is_proven {
            worker.tried += 1;
        }
        worker.silent = false;
        worker.answers_directly |= result.task.is_some();
        let answered = FirstAnswer {
            observed: result.observed.clone(),
            spelled: request.spelled(&result.observed),
            response_time: result.response_time,
            age: result.age,
            weight: self.config.weight(&result.worker, worker.reliability.score),
            quarantined: worker.is_quarantined(self.config.quarantine_below),
            on_reply_subject: result.task.is_some(),
            contradicted: false,
        };
        request.record(position, &result.worker, answered, is_proven);
        if matches!(request.notice, Notice::Doubted { .. }) {
            request.notice = Notice::Refuted;
            self.counters.no_responders_refuted += 1;
        }
        if request.expected_unknown {
            request.stall_at = Some(self.now.after(self.config.stall));
        }
        self.table.add_bytes(slot, bytes);
        ResultFate::Accepted
    }

    /// Ends a request that has everything it waits for.
    pub(super) fn settle(&mut self, slot: Slot) {
        let request = self.table.get_mut(slot).expect("a request that settles is in flight");
        if request.all_answered() {
            self.finish(slot, Cause::AllAnswered);
            return;
        }
        if request.is_to_be_judged() {
            // The rules may exclude too many values, or the answer may be a dispute that is rejected. Then it is better
            // to wait for more.
            let judgement = request.judge(Cause::QuorumMet, false, &self.config, &mut self.aggregator);
            if judgement.is_answer() {
                self.counters.quorum_early += 1;
                self.finish_with(slot, Cause::QuorumMet, judgement);
                return;
            }
            request.judge_later();
            self.counters.quorum_in_vain += 1;
        }
        self.rearm(slot);
    }

    /// A task reached nobody. If it was the first attempt, there is nobody to wait for. If it was the redispatch, the
    /// workers that received the first may still answer. A notice that nobody listens may be forged: if workers are
    /// expected, they are pinged and given the time to refute it.
    pub(super) fn undelivered(&mut self, undelivered: Undelivered) {
        let Some(slot) = self.table.slot_of(undelivered.task) else { return };
        self.counters.tasks_undelivered += 1;
        let request = self.table.get_mut(slot).expect("the slot of a task in flight is occupied");
        if request.attempts > 1 || request.has_answers() {
            return;
        }
        if undelivered.cause == UndeliveredCause::NoResponders && !request.expected_unknown {
            let until = self.now.after(self.config.no_responders_grace).min(request.deadline);
            if request.notice == Notice::None {
                request.notice = Notice::Doubted { since: self.now, until };
                self.counters.no_responders_doubted += 1;
                self.rearm(slot);
                self.call_workers();
            }
            return;
        }
        let failure = match undelivered.cause {
            UndeliveredCause::NoResponders => Failure::NoWorkers,
            UndeliveredCause::Disconnected => Failure::BusDown,
            UndeliveredCause::QueueFull => Failure::Overloaded,
        };
        self.finish_with(slot, Cause::Undelivered, Request::undelivered(failure));
    }

    /// Ends a request if the time in which a worker could refute the notice is over and none did. Returns whether it
    /// ended. An outage refutes the notice as well, because no worker can give a sign of life during it.
    pub(super) fn nobody_listens(&mut self, slot: Slot) -> bool {
        let Some(request) = self.table.get(slot) else { return false };
        let Notice::Doubted { since, until } = request.notice else { return false };
        if until > self.now {
            return false;
        }
        let is_there = |it: &Participant| self.registry.said_there_since(&it.worker, since);
        if !self.may_blame_the_silent(since) || request.participants.iter().any(is_there) {
            self.counters.no_responders_refuted += 1;
            self.table.get_mut(slot).expect("a request in flight").notice = Notice::Refuted;
            return false;
        }
        self.counters.no_responders_confirmed += 1;
        self.finish_with(slot, Cause::Undelivered, Request::undelivered(Failure::NoWorkers));
        true
    }

    /// Pings the workers now, or half a grace after the last ping if that is later. So every grace leaves time for an
    /// answer, however many notices there are.
    fn call_workers(&mut self) {
        let grace = self.config.no_responders_grace;
        let soonest = self.called_at.map_or(self.now, |at| at.after(grace / 2).max(self.now));
        if soonest > self.now {
            self.call_at = self.call_at.or(Some(soonest));
        } else {
            self.call_workers_now();
        }
    }

    pub(super) fn call_workers_now(&mut self) {
        self.call_at = None;
        self.called_at = Some(self.now);
        self.outputs.push_back(Output::CallWorkers);
    }
}
