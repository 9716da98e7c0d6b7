//! What must follow when a caller submits or cancels a request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Event, Output, Refusal, Submit};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::policy::Policy;

use super::request::{Participant, ParticipantStatus, Request};
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
            weights: Arc::clone(&self.config.weights),
            usual_at: self.config.suspect_after.filter(|_| !participants.is_empty()).map(|after| self.now.after(after)),
            usual_over: false,
            looked: false,
            local,
            participants,
            in_vain: None,
        };
        self.workers.asked += 1;
        let may_be_packed = self.may_pack();
        self.expected.push_back(Expected::FirstDispatch(Box::new(request), submit.id.clone(), may_be_packed));
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
}
