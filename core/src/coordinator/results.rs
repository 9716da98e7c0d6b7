//! The results of workers: which are used, which are dropped, and what each says about its worker.

use super::Coordinator;
use super::config::weight;
use super::event::{Blame, Event, ResultFate};
use super::input::{Undelivered, UndeliveredCause, WorkerResult};
use super::output::Output;
use super::request::{FirstAnswer, Notice, Participant, ParticipantStatus, Patience, Request, UsualTimes};
use super::table::Slot;
use super::worker::WorkerState;
use crate::outcome::{Cause, Failure, WORKER_BYTES, text_bytes};
use crate::time::{Timestamp, saturating_nanos};

impl Coordinator {
    pub(super) fn result(&mut self, result: &WorkerResult) {
        let in_flight = self.table.find(&result.request);
        let fate = match in_flight {
            _ if !self.admits(&result.worker) => ResultFate::NotAdmitted,
            Some(slot) => self.result_in_time(slot, result),
            None => self.result_late(result),
        };
        self.emit_fate(result, fate);
        if let (Some(slot), ResultFate::Accepted | ResultFate::NoRoom) = (in_flight, fate) {
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

    /// Handles a result for a request that is not in flight. The id of one that has ended is known to more than the
    /// workers that were asked: it makes no worker known.
    fn result_late(&mut self, result: &WorkerResult) -> ResultFate {
        let Some(ended) = self.ended(&result.request) else { return ResultFate::Unknown };
        // The first answer, which came too late, says how long the worker usually takes.
        let missed = ended.what.outcome.as_ref().filter(|it| it.missing.binary_search(&result.worker).is_ok());
        let missed = missed.filter(|_| !result.is_refusal()).map(|outcome| {
            let response_time = outcome.elapsed.saturating_add(self.now.since(ended.at));
            (response_time, self.table.key_of(&outcome.query))
        });
        if result.task.is_none() && self.registry.answers_directly(&result.worker) {
            return ResultFate::Misdirected;
        }
        if let Some(worker) = self.registry.refresh(self.now, &result.worker) {
            worker.reliability.late += 1;
            if let Some((response_time, key)) = missed {
                worker.reliability.response_time(response_time);
                if result.observed.is_ok() {
                    worker.reliability.answered_query(key, response_time, self.config.kept_queries);
                }
            }
        }
        ResultFate::Late
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
        let has_record = position.is_err() && self.registry.has_record(&result.worker, request.query_key);
        let has_place = position.is_ok() || request.has_place(self.config.limits.max_workers, has_record);
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
                // A refusal says nothing about the value. A worker may have forgotten its first answer, or another of
                // its processes may have had room.
                _ if first.overloaded || result.is_refusal() => true,
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
            let (before, after) = (worker.reliability.blame(Blame::Equivocation), worker.reliability.score);
            let WorkerResult { request, worker, .. } = result;
            self.emit(|| Event::Blamed {
                request: request.clone(),
                worker: worker.clone(),
                blame: Blame::Equivocation,
                before,
                after,
            });
            return ResultFate::Equivocal;
        }
        let bytes = text_bytes(&result.observed) + if position.is_err() { WORKER_BYTES } else { 0 };
        if bytes > room {
            request.give_up_on(&result.worker);
            return ResultFate::NoRoom;
        }
        let response_time = self.now.since(request.submitted);
        if result.is_refusal() {
            worker.reliability.refusal();
        } else {
            worker.reliability.answer(result.observed.is_ok(), response_time);
        }
        if result.observed.is_ok() {
            worker.reliability.answered_query(request.query_key, response_time, self.config.kept_queries);
        }
        if request.attempts > 1 {
            self.counters.redispatch_rescued += 1;
        }
        if position.is_err() && !has_record {
            worker.tried += 1;
        }
        worker.silent = false;
        worker.answers_directly |= result.task.is_some();
        let answered = FirstAnswer {
            observed: result.observed.clone(),
            overloaded: result.is_refusal(),
            spelled: request.spelled(&result.observed),
            response_time_ns: saturating_nanos(result.response_time),
            arrived: self.now,
            age: result.age,
            weight: weight(&request.weights, &result.worker, worker.reliability.score),
            quarantined: worker.is_quarantined(self.config.quarantine_below),
            on_reply_subject: result.task.is_some(),
            contradicted: false,
        };
        request.record(position, &result.worker, answered, has_record);
        if matches!(request.notice, Notice::Doubted { .. }) {
            request.notice = Notice::Refuted;
            self.counters.no_responders_refuted += 1;
        }
        if request.expected_unknown {
            request.stall_at = self.now.after(self.config.stall);
        }
        self.table.add_bytes(slot, bytes);
        ResultFate::Accepted
    }

    /// Ends a request that has everything it waits for, or arms its timer.
    pub(super) fn settle(&mut self, slot: Slot) {
        if self.table.get(slot).is_some_and(|request| request.usual_times == UsualTimes::Wanted) {
            self.suspect_the_silent(slot);
        }
        if !self.may_end(slot) {
            self.rearm(slot);
        }
    }

    /// Ends a request that has everything it waits for. Returns whether it ended.
    pub(super) fn may_end(&mut self, slot: Slot) -> bool {
        let request = self.table.get_mut(slot).expect("a request that may end is in flight");
        if request.all_answered() {
            self.finish(slot, Cause::AllAnswered);
            return true;
        }
        let Some(cause) = request.may_end_by() else { return false };
        // The rules may exclude too many values, or the answer may be a dispute. Then it is better to wait for more.
        let judgement = request.judge(cause, false, &mut self.aggregator);
        let (early, in_vain) = match cause {
            Cause::AllButSuspects => (&mut self.counters.suspects_early, &mut self.counters.suspects_in_vain),
            _ => (&mut self.counters.quorum_early, &mut self.counters.quorum_in_vain),
        };
        let ends = judgement.may_end(cause, request.participants.len());
        if ends {
            *early += 1;
            self.finish_with(slot, cause, judgement);
        } else {
            *in_vain += 1;
            request.judge_later();
        }
        ends
    }

    /// Looks for workers of which nothing has been heard for their usual time, once somebody has answered. A worker that
    /// is suspect already, or has expired, is not waited for any longer. Another becomes suspect for later requests; this
    /// one still waits for it, because its task or its answer may be lost, and a redispatch repeats both.
    pub(super) fn suspect_the_silent(&mut self, slot: Slot) {
        let Some(request) = self.table.get(slot) else { return };
        let may_blame = self.may_blame_the_silent(request.submitted);
        let least = self.config.suspect_after.unwrap_or_default();
        let request = self.table.get_mut(slot).expect("it was just found");
        request.usual_at = Timestamp::MAX;
        if !request.has_answers() {
            request.usual_times = UsualTimes::Wanted;
            return;
        }
        let is_first_look = std::mem::replace(&mut request.usual_times, UsualTimes::Known) != UsualTimes::Known;
        for participant in &mut request.participants {
            let ParticipantStatus::Awaited(patience) = &mut participant.status else { continue };
            let Some(worker) = self.registry.get_mut(&participant.worker) else { continue };
            if is_first_look
                && let Some(usual) = worker.reliability.usual_time(request.query_key, self.config.usual_samples)
            {
                *patience = Patience::Usual(usual.max(least));
            }
            let Patience::Usual(usual) = *patience else { continue };
            let until = request.submitted.max(worker.last_heard).after(usual);
            match worker.state {
                _ if until > self.now => request.usual_at = request.usual_at.min(until),
                state if worker.suspect || state == WorkerState::Expired => {
                    *patience = Patience::Over;
                    request.suspects += 1;
                }
                state => {
                    *patience = Patience::Unknown;
                    if may_blame && state == WorkerState::Live {
                        worker.suspect = true;
                        self.counters.workers_suspected += 1;
                        self.registry.note_change(&participant.worker);
                    }
                }
            }
        }
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
            let until = self.now.after(self.config.no_responders_grace).min(request.deadline());
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
