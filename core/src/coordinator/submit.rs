//! Callers: a request is submitted, joined by a retry, or cancelled.

use std::sync::Arc;

use rand_core::Rng;

use super::Coordinator;
use super::config::QueryPolicy;
use super::event::Event;
use super::input::Submit;
use super::output::{Output, Refusal};
use super::registry::Expectation;
use super::request::{Notice, Request, UsualTimes};
use super::table::{Slot, request_weight};
use super::timers::Timer;
use crate::id::{RequestId, Ticket};
use crate::memory::Entry;
use crate::outcome::{Outcome, count, request_bytes};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The admission of a submission.
enum Admission {
    /// It is dispatched.
    Ask(Dispatch),
    /// It joins the request in flight under the same id.
    Join(Slot),
    /// It receives the outcome of an earlier request under the same id.
    Replay(Arc<Outcome>),
}

/// A request that is about to be dispatched.
struct Dispatch {
    /// Its id, which is not in use.
    id: RequestId,
    policy: Policy,
    operators: Arc<QueryPolicy>,
    query_key: u64,
    asked_before: bool,
    expectation: Expectation,
}

impl Coordinator {
    pub(super) fn submit(&mut self, submit: &Submit) {
        let ticket = submit.ticket;
        match self.admit(submit) {
            Ok(Admission::Ask(dispatch)) => self.dispatch(dispatch, submit),
            Ok(Admission::Join(slot)) => {
                self.counters.requests_joined += 1;
                let request = self.table.join(slot, ticket);
                self.emit(|| Event::Joined { ticket, request });
            }
            Ok(Admission::Replay(outcome)) => {
                self.counters.requests_replayed += 1;
                self.emit(|| Event::Replayed { ticket, request: outcome.request.clone() });
                self.outputs.push_back(Output::Answer { ticket, reply: Ok(outcome) });
            }
            Err(refusal) => {
                let counter = match refusal {
                    Refusal::Policy(_) => &mut self.counters.refused_policy,
                    Refusal::Conflict => &mut self.counters.refused_conflict,
                    Refusal::Overloaded => &mut self.counters.refused_overloaded,
                    Refusal::Draining => &mut self.counters.refused_draining,
                    Refusal::BusDown => &mut self.counters.refused_bus_down,
                    Refusal::UnknownQuery => &mut self.counters.refused_unknown_query,
                    Refusal::NoWorkers => &mut self.counters.refused_no_workers,
                };
                *counter += 1;
                self.outputs.push_back(Output::Answer { ticket, reply: Err(refusal) });
            }
        }
    }

    /// Decides on a submission: first by what is known of its id, because a retry costs nothing, then by whether there
    /// is room for another request.
    fn admit(&mut self, submit: &Submit) -> Result<Admission, Refusal> {
        let operators = self.config.operators(&submit.query).unwrap_or(&self.default);
        let policy = operators.policy.with(&submit.overrides, &self.config.limits)?;
        let operators = Arc::clone(operators);
        let mut asked_before = false;
        if let Some(id) = &submit.id {
            if let Some(slot) = self.table.find(id) {
                let request = self.table.get(slot).expect("a request that is found is in its slot");
                return if request.query != submit.query {
                    Err(Refusal::Conflict)
                } else if request.tickets.len() >= self.config.max_waiting {
                    Err(Refusal::Overloaded)
                } else {
                    Ok(Admission::Join(slot))
                };
            }
            if let Some(Entry { what: ended, .. }) = self.ended(id) {
                if ended.query != submit.query {
                    return Err(Refusal::Conflict);
                }
                if let Some(outcome) = &ended.outcome {
                    return Ok(Admission::Replay(Arc::clone(outcome)));
                }
                asked_before = true;
            }
        }
        if self.draining {
            Err(Refusal::Draining)
        } else if !self.bus_up {
            Err(Refusal::BusDown)
        } else if self.table.len() >= self.config.max_in_flight {
            Err(Refusal::Overloaded)
        } else {
            let id = submit.id.clone().unwrap_or_else(|| self.draw_id());
            // In the worst case, all known workers are expected, and none of those that should be there is known.
            let most = self.registry.len() + operators.expected.workers.len();
            if self.table.bytes() + request_bytes(&id, &submit.query, most) > self.config.max_in_flight_bytes {
                return Err(Refusal::Overloaded);
            }
            let query_key = self.table.key_of(&submit.query);
            let expectation = self.registry.expect(self.now, &submit.query, query_key, self.config.max_newcomers)?;
            Ok(Admission::Ask(Dispatch { id, policy, operators, query_key, asked_before, expectation }))
        }
    }

    /// Draws an id of 128 bits that is not in use.
    fn draw_id(&mut self) -> RequestId {
        loop {
            let text = format!("{:016x}{:016x}", self.ids.next_u64(), self.ids.next_u64());
            let id = RequestId::new(&text).expect("32 hexadecimal digits are an identifier");
            if self.table.find(&id).is_none() && self.ended(&id).is_none() {
                return id;
            }
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch, submit: &Submit) {
        let Dispatch { id, policy, operators, query_key, asked_before, expectation } = dispatch;
        let Expectation { participants, founding, is_local, places } = expectation;
        let now = self.now;
        let decisive = count(participants.iter().filter(|participant| participant.decides).count());
        let suspect_after = self.config.suspect_after.filter(|_| !participants.is_empty());
        let redispatch_after = self.config.redispatch_after(policy.timeout);
        let bytes = request_bytes(&id, &submit.query, participants.len() + operators.expected.workers.len());
        let request = id.clone();
        let slot = self.table.insert(|task| Request {
            bytes: request_weight(bytes),
            id,
            query: submit.query.clone(),
            trace: submit.trace,
            policy,
            operators,
            weights: Arc::clone(&self.config.weights),
            task,
            tickets: vec![submit.ticket],
            submitted: now,
            redispatch_at: redispatch_after.map(|wait| now.after(wait)),
            stall_at: Timestamp::MAX,
            notice: Notice::None,
            armed_at: Timestamp::ZERO,
            attempts: 1,
            asked_before,
            expected_unknown: participants.is_empty(),
            awaited: count(participants.len()),
            suspects: 0,
            usual_at: suspect_after.map_or(Timestamp::MAX, |after| now.after(after)),
            usual_times: UsualTimes::NotYet,
            founding,
            is_local,
            decisive,
            places,
            query_key,
            participants,
            usable: 0,
            usable_of_others: 0,
            judge_at: policy.quorum.unwrap_or(1),
        });
        self.registry.asked = self.table.asked();
        self.counters.requests_accepted += 1;
        self.publish(slot);
        self.emit(|| Event::Dispatched { ticket: submit.ticket, request });
        self.arm(slot);
    }

    /// A caller went away. A request that nobody waits for any longer ends without an outcome. Its id is remembered
    /// with its query, so that a late result cannot be taken for one of another query.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let Some(slot) = self.table.leave(ticket) else { return };
        let request = self.table.remove(slot).expect("the request that was left is in its slot");
        self.timers.disarm(request.armed_at, Timer::Request(slot));
        self.counters.cancelled += 1;
        self.remember(request.id, request.query, None);
        self.report_drained();
    }
}
