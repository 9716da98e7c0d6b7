//! Workers' results: what is used, what is dropped, and what each says about its worker.

use super::Coordinator;
use super::input::{Undelivered, UndeliveredCause, WorkerResult};
use super::judgement::Terms;
use super::output::Output;
use super::request::{Answered, Notice, Part, Participant, Request};
use super::table::{Known, Slot};
use crate::outcome::{Cause, Failure, WORKER_BYTES, text_bytes};

impl Coordinator {
    pub(super) fn result(&mut self, result: WorkerResult) {
        if !self.admits(&result.worker) {
            self.counters.workers_not_admitted += 1;
            return;
        }
        match self.table.known(&result.request) {
            None => self.counters.results_unknown += 1,
            Some(Known::InFlight(slot)) => self.result_in_time(slot, result),
            Some(Known::Ended(_)) => {
                self.counters.results_late += 1;
                // Many know the id of an ended request, not only the workers that were asked: it makes no worker known.
                if let Some(worker) = self.registry.refresh(self.now, &result.worker) {
                    worker.reliability.late += 1;
                }
                self.arm_presence();
            }
        }
    }

    fn result_in_time(&mut self, slot: Slot, result: WorkerResult) {
        let cordoned = self.registry.is_cordoned(&result.worker, self.config.cordon_below);
        let room = self.config.max_in_flight_bytes.saturating_sub(self.table.bytes());
        let request = self.table.get_mut(slot).expect("a known request is in its slot");
        let is_astray = match result.task {
            Some(task) => task != request.task,
            None => self.registry.answers_directly(&result.worker),
        };
        if is_astray {
            self.counters.results_misdirected += 1;
            return;
        }
        let position = request.position(&result.worker);
        let is_proven = position.is_err() && self.registry.is_proven(&result.worker);
        let has_place = position.is_ok() || request.has_place(self.config.limits.max_workers, is_proven);
        // Its name may become known without a place, so that its turn comes.
        let worker = self.registry.heard(self.now, &result.worker).filter(|_| has_place);
        let Some(worker) = worker else {
            self.counters.workers_not_admitted += 1;
            self.arm_presence();
            return;
        };
        let asked_twice = request.may_be_asked_twice();
        if let Ok(index) = position
            && let Part::Answered(first) = &mut request.participants[index].part
        {
            let agrees = match (&first.observed, &result.observed) {
                (Ok(first), Ok(second)) => first == second,
                (Err(_), Err(_)) => true,
                // A worker that had no place for the first asking may have one for the second.
                (Err(_), Ok(_)) => asked_twice,
                (Ok(_), Err(_)) => false,
            };
            // Anybody may send on the shared subject. Only programs that get tasks know the reply subject.
            let is_its_word = first.on_reply_subject && result.task.is_some();
            if agrees || first.contradicted || !is_its_word || !worker.must_repeat_itself(asked_twice) {
                self.counters.results_duplicate += 1;
            } else {
                first.contradicted = true;
                self.counters.results_equivocal += 1;
                worker.reliability.equivocation();
            }
            self.arm_presence();
            return;
        }
        let bytes = text_bytes(&result.observed) + if position.is_err() { WORKER_BYTES } else { 0 };
        if bytes > room {
            self.counters.results_no_room += 1;
            request.give_up_on(&result.worker);
            self.arm_presence();
            self.settle(slot);
            return;
        }
        let response_time = self.now.since(request.submitted);
        worker.reliability.answer(result.observed.is_ok(), response_time);
        if result.observed.is_ok() {
            worker.reliability.answered_query(request.query_key, self.config.kept_queries);
        }
        self.counters.results_accepted += 1;
        if request.attempts > 1 {
            self.counters.redispatch_rescued += 1;
        }
        if position.is_err() && !is_proven {
            worker.tried += 1;
        }
        worker.silent = false;
        worker.answers_directly |= result.task.is_some();
        let WorkerResult { observed, response_time, age, task, .. } = result;
        let on_reply_subject = task.is_some();
        let weight = self.config.weight(&result.worker, worker.reliability.score);
        let spelled = request.spelled(&observed);
        let answered =
            Answered { observed, spelled, response_time, age, weight, cordoned, on_reply_subject, contradicted: false };
        request.record(position, &result.worker, answered, is_proven);
        if matches!(request.notice, Notice::Doubted { .. }) {
            request.notice = Notice::Refuted;
            self.counters.no_responders_refuted += 1;
        }
        if request.open {
            request.stall_at = Some(self.now.after(self.config.stall));
        }
        self.table.add_bytes(slot, bytes);
        self.arm_presence();
        self.settle(slot);
    }

    /// Ends a request that has all it waits for.
    pub(super) fn settle(&mut self, slot: Slot) {
        let request = self.table.get_mut(slot).expect("a request that settles is in flight");
        if request.all_answered() {
            self.finish(slot, Cause::AllAnswered);
            return;
        }
        if request.is_to_be_judged() {
            // The rules may leave fewer values than are required, or a dispute that is rejected: then it is better to wait
            // for more.
            let outliers = Terms::of(request, &self.config).outliers;
            let judgement = request.judge(Cause::QuorumMet, false, outliers, &mut self.aggregator);
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

    /// A task reached nobody. If that was the first asking there is nobody to wait for; if it was the second, those
    /// that got the first may still answer. A notice that nobody listens may be forged: where workers are expected,
    /// they are called and given the time to refute it.
    pub(super) fn undelivered(&mut self, undelivered: Undelivered) {
        let Some(slot) = self.table.slot_of(undelivered.task) else { return };
        self.counters.tasks_undelivered += 1;
        let request = self.table.get_mut(slot).expect("the slot of a task in flight is occupied");
        if request.attempts > 1 || request.has_answers() {
            return;
        }
        if undelivered.cause == UndeliveredCause::NoResponders && !request.open {
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

    /// Ends a request if the time is up in which a worker could refute the notice, and none did. Returns whether it
    /// ended. An outage refutes the notice as well: no worker can give a sign during it.
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

    /// Calls the workers now, or half a grace after the last call if that is later. So every grace leaves time for an
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
