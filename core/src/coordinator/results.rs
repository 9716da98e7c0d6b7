//! Workers' results: what is used, what is dropped, and what each says about its worker.

use super::Coordinator;
use super::input::{Undelivered, UndeliveredCause, WorkerResult};
use super::request::{Answered, Part, Request};
use super::table::{Known, Slot};
use crate::outcome::{Cause, Failure};

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
                // The id of an ended request is known to many, and not only to those who were asked: by it nobody becomes known.
                if let Some(worker) = self.registry.refresh(self.now, &result.worker) {
                    worker.reliability.late += 1;
                }
                self.arm_presence();
            }
        }
    }

    fn result_in_time(&mut self, slot: Slot, result: WorkerResult) {
        let cordoned = self.registry.is_cordoned(&result.worker, self.config.cordon_below);
        let request = self.table.get_mut(slot).expect("a known request is in its slot");
        if result.task.is_some_and(|task| task != request.task) {
            self.counters.results_misdirected += 1;
            return;
        }
        let position = request.position(&result.worker);
        let is_full = request.participants.len() >= self.config.limits.max_workers as usize;
        let worker = if position.is_err() && is_full { None } else { self.registry.heard(self.now, &result.worker) };
        let Some(worker) = worker else {
            self.counters.workers_not_admitted += 1;
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
            // Anybody can send what comes on the shared subject; the reply subject is known to those who get tasks.
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
        let response_time = self.now.since(request.submitted);
        worker.reliability.answer(result.observed.is_ok(), response_time);
        self.counters.results_accepted += 1;
        if request.attempts > 1 {
            self.counters.redispatch_rescued += 1;
        }
        let WorkerResult { observed, response_time, age, task, .. } = result;
        let on_reply_subject = task.is_some();
        let weight = self.config.weight(&result.worker, worker.reliability.score);
        let spelled = request.spelled(&observed);
        let answered =
            Answered { observed, spelled, response_time, age, weight, cordoned, on_reply_subject, contradicted: false };
        request.record(position, &result.worker, answered);
        if request.open {
            request.stall_at = Some(self.now.after(self.config.stall));
        }
        self.arm_presence();
        self.settle(slot);
    }

    /// Ends a request that has all it waits for.
    fn settle(&mut self, slot: Slot) {
        let request = self.table.get_mut(slot).expect("a request that was just answered is in flight");
        if request.all_answered() {
            self.finish(slot, Cause::AllAnswered);
            return;
        }
        if request.is_to_be_judged() {
            // The rules may leave fewer values than are required, or a dispute that is rejected: then it is better to wait
            // for more.
            let judgement = request.judge(Cause::QuorumMet, false, &mut self.aggregator);
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
    /// that got the first may still answer.
    pub(super) fn undelivered(&mut self, undelivered: Undelivered) {
        let Some(slot) = self.table.slot_of(undelivered.task) else { return };
        self.counters.tasks_undelivered += 1;
        let request = self.table.get(slot).expect("the slot of a task in flight is occupied");
        if request.attempts > 1 || request.has_answers() {
            return;
        }
        let failure = match undelivered.cause {
            UndeliveredCause::NoResponders => Failure::NoWorkers,
            UndeliveredCause::Disconnected => Failure::BusDown,
            UndeliveredCause::QueueFull => Failure::Overloaded,
        };
        self.finish_with(slot, Cause::Undelivered, Request::undelivered(failure));
    }
}
