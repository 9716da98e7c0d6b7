//! How a request must end: its workers' records are updated, its callers are answered, and its id is remembered.

use std::sync::Arc;

use quorate_core::aggregate::Assessment;
use quorate_core::coordinator::{Blame, Event, Output};
use quorate_core::id::RequestId;
use quorate_core::outcome::{Cause, Failure, Outcome, Status};

use super::CoordinatorModel;
use super::request::ParticipantStatus;
use super::verdict::Ending;

impl CoordinatorModel {
    pub(super) fn end(&mut self, id: &RequestId, cause: Cause) {
        if let Some(request) = self.flight.get(id) {
            let verdict = request.verdict(cause, self.bus_failed(request.submitted));
            self.end_with(id, cause, verdict);
        }
    }

    /// Ends a request: its workers' scores are updated, its callers are answered, and its id is remembered.
    pub(super) fn end_with(&mut self, id: &RequestId, cause: Cause, verdict: Ending) {
        let Some(mut request) = self.flight.remove(id) else { return };
        let excused = self.bus_failed(request.submitted) || self.slept_since(request.submitted);
        let blames_the_silent = cause == Cause::DeadlinePassed && !excused;
        let (compares, gives_records) = (request.compares(cause), request.gives_records());
        let mut blamed = Vec::new();
        for (worker, participant) in &request.participants {
            let Some(known) = self.workers.get_mut(worker) else { continue };
            // A failure or silence moves the score only if the worker has answered this query before and had the
            // operator's time. Nobody is blamed for being full.
            let held = request.gives_time() && known.record.has_answered(&request.query);
            let mut earns_record = request.founding && participant.decides;
            match &participant.status {
                ParticipantStatus::Awaited if blames_the_silent => {
                    known.record.timeouts += 1;
                    known.silent |= request.gives_time();
                    earns_record &= !request.gives_time();
                    // Silence also takes the time that it usually takes, and one that sends results meanwhile is busy.
                    let (most, least) = (self.config.response_times, self.config.usual_samples);
                    let usual = known.record.usual(&request.query, most, least);
                    let too_long = usual.is_some_and(|usual| usual <= request.policy.timeout);
                    if held && too_long && known.last_result <= request.submitted {
                        blamed.push((worker.clone(), Blame::Silence, known.record.blame()));
                    }
                }
                ParticipantStatus::Answered(said) => match (&said.observed, verdict.assessed.get(worker)) {
                    (Ok(_), Some(Assessment::Good)) => {
                        if compares {
                            known.record.judge(true);
                        }
                        earns_record |= gives_records;
                    }
                    (Ok(_), Some(Assessment::Bad)) if compares => {
                        known.record.outliers += 1;
                        blamed.push((worker.clone(), Blame::Outlier, known.record.blame()));
                    }
                    (Err(_), _) if held && !said.was_full => {
                        blamed.push((worker.clone(), Blame::Failure, known.record.blame()));
                    }
                    _ => {}
                },
                ParticipantStatus::Awaited => earns_record &= cause == Cause::QuorumMet,
                ParticipantStatus::Left => earns_record = false,
            }
            if earns_record && request.local {
                known.found(&request.query, self.now, self.config.kept_queries);
                earns_record = false;
            }
            self.workers.took_part(worker, earns_record, self.now);
        }
        for (worker, blame, (before, after)) in blamed {
            self.tell(Event::Blamed { request: id.clone(), worker, blame, before, after });
        }
        let tickets = std::mem::take(&mut request.tickets);
        let outcome = Arc::new(request.outcome(id.clone(), (self.now, self.wall), cause, verdict));
        *self.counter(&outcome) += 1;
        self.expect(Output::Ended(Arc::clone(&outcome)));
        for ticket in tickets {
            self.expect(Output::Answer { ticket, reply: Ok(Arc::clone(&outcome)) });
        }
        // A request that failed without workers, a bus or room is dispatched again on a retry.
        let again = matches!(outcome.verdict, Err(Failure::NoWorkers | Failure::BusDown | Failure::Overloaded));
        self.memory.add(self.now, id.clone(), outcome.query.clone(), (!again).then_some(outcome));
        self.report_if_drained();
    }

    fn counter(&mut self, outcome: &Outcome) -> &mut u64 {
        let counters = &mut self.counters;
        match outcome.verdict.as_ref().map(|answer| answer.status) {
            Ok(Status::Complete) => &mut counters.answered_complete,
            Ok(Status::Partial) => &mut counters.answered_partial,
            Ok(Status::LowReliability) => &mut counters.answered_low_reliability,
            Ok(Status::Disputed) => &mut counters.answered_disputed,
            Err(Failure::InsufficientResponses { .. }) => &mut counters.failed_insufficient_responses,
            Err(Failure::Disputed { .. }) => &mut counters.failed_disputed,
            Err(Failure::DeadlineExceeded) => &mut counters.failed_deadline_exceeded,
            Err(Failure::NoWorkers) => &mut counters.failed_no_workers,
            Err(Failure::BusDown) => &mut counters.failed_bus_down,
            Err(Failure::Overloaded) => &mut counters.failed_overloaded,
        }
    }

    pub(super) fn report_if_drained(&mut self) {
        if self.draining && self.in_flight() == 0 {
            self.expect(Output::Drained);
        }
    }
}
