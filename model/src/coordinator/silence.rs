//! What must follow when workers are silent, or a task reaches nobody.

use std::collections::BTreeMap;

use quorate_core::coordinator::{Undelivered, UndeliveredCause};
use quorate_core::id::RequestId;
use quorate_core::outcome::{Cause, Failure};

use super::CoordinatorModel;
use super::request::ParticipantStatus;
use super::verdict::Ending;

impl CoordinatorModel {
    /// The usual time of some worker of a request may be over since it was last heard. Once somebody has answered, the
    /// request does not wait for those of them that were suspect or had expired before; the others become suspect now.
    pub(super) fn suspect_the_silent(&mut self, id: &RequestId) {
        let Some(request) = self.flight.get_mut(id) else { return };
        request.usual_at = None;
        request.usual_over = !request.has_answers();
        if request.usual_over {
            return;
        }
        let looked = std::mem::replace(&mut request.looked, true);
        let excused = self.bus_failed(self.flight[id].submitted) || self.slept_since(self.flight[id].submitted);
        let Some(request) = self.flight.get_mut(id) else { return };
        let awaited = request.participants.iter_mut();
        for (worker, participant) in awaited.filter(|(_, it)| matches!(it.status, ParticipantStatus::Awaited)) {
            let Some(known) = self.workers.get_mut(worker) else { continue };
            if !looked {
                let usual = known.record.usual(&request.query, self.config.response_times, self.config.usual_samples);
                participant.usual = usual.map(|usual| usual.max(self.config.suspect_after.unwrap_or_default()));
            }
            let Some(usual) = participant.usual else { continue };
            let until = request.submitted.max(known.last_heard).after(usual);
            if until > self.now {
                request.usual_at = Some(request.usual_at.map_or(until, |at| at.min(until)));
                continue;
            }
            participant.usual = None;
            participant.suspect = known.suspect || known.has_expired();
            if !participant.suspect && !excused && known.is_live() {
                known.suspect = true;
                self.counters.workers_suspected += 1;
            }
        }
    }

    /// A first dispatch that reached nobody ends its request, unless a worker has answered all the same. If workers are
    /// expected, a notice that nobody listens is doubted first.
    pub(super) fn undelivered(&mut self, undelivered: Undelivered) {
        let Some((id, request)) = self.flight.iter_mut().find(|(_, request)| request.task == undelivered.task) else {
            return;
        };
        self.counters.tasks_undelivered += 1;
        if undelivered.cause == UndeliveredCause::NoResponders && !request.expected_unknown {
            if request.attempts == 1 && !request.has_answers() && request.unheard.is_none() {
                let until = self.now.after(self.config.no_responders_grace).min(request.deadline);
                request.unheard = Some((self.now, Some(until)));
                self.counters.no_responders_doubted += 1;
                // Calls the workers, but at most once in half of a grace.
                let soonest = self.called_at.map(|at| at.after(self.config.no_responders_grace / 2));
                match soonest.filter(|at| *at > self.now) {
                    None => self.call(),
                    Some(at) => self.calls_at = self.calls_at.or(Some(at)),
                }
            }
            return;
        }
        if request.attempts == 1 && !request.has_answers() {
            let failure = match undelivered.cause {
                UndeliveredCause::NoResponders => Failure::NoWorkers,
                UndeliveredCause::Disconnected => Failure::BusDown,
                UndeliveredCause::QueueFull => Failure::Overloaded,
            };
            let verdict = Ending { verdict: Err(failure), excluded: BTreeMap::new(), assessed: BTreeMap::new() };
            let id = id.clone();
            self.end_with(&id, Cause::Undelivered, verdict);
        }
    }

    /// Ends a request whose doubted notice was not refuted. A failed bus, a pause, or an announcement of a participant
    /// since the notice refutes it.
    pub(super) fn ends_unheard(&mut self, id: &RequestId) -> bool {
        let now = self.now;
        let Some((since, _)) =
            self.flight.get(id).and_then(|it| it.unheard).filter(|(_, until)| until.is_some_and(|until| until <= now))
        else {
            return false;
        };
        let bus_failed = self.bus_failed(since) || self.slept_until.is_some_and(|at| at >= since);
        let Some(request) = self.flight.get_mut(id) else { return false };
        if bus_failed || request.participants.keys().any(|worker| self.workers.said_there_since(worker, since)) {
            request.unheard = Some((since, None));
            self.counters.no_responders_refuted += 1;
            return false;
        }
        self.counters.no_responders_confirmed += 1;
        let verdict = Ending { verdict: Err(Failure::NoWorkers), excluded: BTreeMap::new(), assessed: BTreeMap::new() };
        self.end_with(id, Cause::Undelivered, verdict);
        true
    }
}
