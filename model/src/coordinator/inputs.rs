//! What must follow from each input.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{
    Event, Output, Presence, Refusal, ResultFate, Submit, Undelivered, UndeliveredCause, WorkerResult,
};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::{Cause, Failure, Outcome};
use quorate_core::policy::Policy;

use super::memory::text_length;
use super::request::{Ending, FirstAnswer, Participant, ParticipantStatus, Request};
use super::{CoordinatorModel, Expected, workers};
use crate::policy;

/// What a submission leads to, unless it is refused.
enum Reception {
    Asks { policy: Policy, asked_before: bool },
    Joins(RequestId),
    Replays(Arc<Outcome>),
}

impl CoordinatorModel {
    pub(super) fn submit(&mut self, submit: &Submit) {
        let ticket = submit.ticket;
        match self.receive(submit) {
            Ok(Reception::Asks { policy, asked_before }) => self.ask(submit, policy, asked_before),
            Ok(Reception::Joins(id)) => {
                self.counters.requests_joined += 1;
                self.tell(Event::Joined { ticket, request: id.clone() });
                self.flight.entry(id).and_modify(|request| request.tickets.push(ticket));
            }
            Ok(Reception::Replays(outcome)) => {
                self.counters.requests_replayed += 1;
                self.tell(Event::Replayed { ticket, request: outcome.request.clone() });
                self.expect(Output::Answer { ticket, reply: Ok(outcome) });
            }
            Err(refusal) => {
                match refusal {
                    Refusal::Policy(_) => self.counters.refused_policy += 1,
                    Refusal::Conflict => self.counters.refused_conflict += 1,
                    Refusal::Overloaded => self.counters.refused_overloaded += 1,
                    Refusal::Draining => self.counters.refused_draining += 1,
                    Refusal::BusDown => self.counters.refused_bus_down += 1,
                    Refusal::UnknownQuery => self.counters.refused_unknown_query += 1,
                    Refusal::NoWorkers => self.counters.refused_no_workers += 1,
                }
                self.expect(Output::Answer { ticket, reply: Err(refusal) });
            }
        }
    }

    /// An invalid policy is refused whatever the id. A known id needs no dispatch: what forbids one is checked after
    /// it.
    fn receive(&self, submit: &Submit) -> Result<Reception, Refusal> {
        let policy = policy::in_force(&self.config, submit.query.as_str(), &submit.overrides)?;
        let flying = submit.id.as_ref().and_then(|id| self.flight.get_key_value(id));
        let ended = submit.id.as_ref().and_then(|id| self.memory.get(id)).filter(|_| flying.is_none());
        let known_query = flying.map(|(_, request)| &request.query).or(ended.map(|ended| &ended.query));
        if known_query.is_some_and(|query| *query != submit.query) {
            return Err(Refusal::Conflict);
        }
        if let Some((id, request)) = flying {
            let full = request.tickets.len() >= self.config.max_waiting;
            return if full { Err(Refusal::Overloaded) } else { Ok(Reception::Joins(id.clone())) };
        }
        if let Some(outcome) = ended.and_then(|ended| ended.outcome.as_ref()) {
            return Ok(Reception::Replays(Arc::clone(outcome)));
        }
        match () {
            () if self.draining => Err(Refusal::Draining),
            () if !self.bus_up => Err(Refusal::BusDown),
            () if self.in_flight() >= self.config.max_in_flight => Err(Refusal::Overloaded),
            () if self.bytes() + self.bytes_of_another(submit) > self.config.max_in_flight_bytes => {
                Err(Refusal::Overloaded)
            }
            () => match self.workers.why_nobody_can(&submit.query) {
                Some(refusal) => Err(refusal),
                None => Ok(Reception::Asks { policy, asked_before: ended.is_some() }),
            },
        }
    }

    /// The weight in bytes of a request that expects all known workers, and lacks all that should be there. A drawn id
    /// has 32 digits.
    fn bytes_of_another(&self, submit: &Submit) -> usize {
        let id = submit.id.as_ref().map_or(32, |id| id.as_str().len());
        let (_, should) = policy::of_operator(&self.config, submit.query.as_str());
        640 + id + submit.query.as_str().len() + 192 * (self.workers.count() + should.workers.len())
    }

    fn ask(&mut self, submit: &Submit, policy: Policy, asked_before: bool) {
        let asked = self.workers.ask(self.now, &submit.query, self.config.max_newcomers as usize);
        let workers::Asked { workers, founding, local, places } = asked;
        let participants: BTreeMap<WorkerId, Participant> = workers
            .into_iter()
            .map(|worker| {
                let decides = founding || self.workers.has_record(&worker, &submit.query);
                let status = ParticipantStatus::Awaited;
                (worker, Participant { status, decides, usual: None, suspect: false })
            })
            .collect();
        let (operators, should) = policy::of_operator(&self.config, submit.query.as_str());
        // A share of 0 means that there is no redispatch.
        let permille = self.config.redispatch_permille;
        let ask_again_at = (permille > 0).then(|| {
            let wait = policy.timeout.as_nanos() * u128::from(permille) / 1000;
            self.now.after(Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
        });
        self.counters.requests_accepted += 1;
        let request = Request {
            task: TaskId(0),
            query: submit.query.clone(),
            trace: submit.trace,
            policy,
            tickets: vec![submit.ticket],
            submitted: self.now,
            deadline: self.now.after(policy.timeout),
            ask_again_at,
            stalls_at: None,
            unheard: None,
            attempts: 1,
            asked_before_it: self.workers.asked,
            asked_before,
            expected_unknown: participants.is_empty(),
            founding,
            places,
            operators: *operators,
            should: should.clone(),
            usual_at: self.config.suspect_after.filter(|_| !participants.is_empty()).map(|after| self.now.after(after)),
            usual_over: false,
            looked: false,
            local,
            participants,
            in_vain: None,
        };
        self.workers.asked += 1;
        self.expected.push_back(Expected::FirstDispatch(Box::new(request), submit.id.clone()));
    }

    /// A caller went away. If it was the last, its request is cancelled, and only the query of its id is remembered.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let Some((id, request)) = self.flight.iter_mut().find(|(_, request)| request.tickets.contains(&ticket)) else {
            return;
        };
        request.tickets.retain(|waiting| *waiting != ticket);
        if request.tickets.is_empty() {
            let (id, query) = (id.clone(), request.query.clone());
            self.flight.remove(&id);
            self.counters.cancelled += 1;
            self.memory.add(self.now, id, query, None);
            self.report_if_drained();
        }
    }

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
                known.record.judge(false);
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
        let set_weight = self.config.weights.get(worker).copied().unwrap_or(Millionths::ONE);
        let said = FirstAnswer {
            observed: result.observed.clone(),
            was_full: is_full(result),
            response_time: result.response_time,
            age: result.age,
            weight: if self.config.weights.is_empty() { known.trust() } else { set_weight },
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
