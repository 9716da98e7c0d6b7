//! One request: which workers it expects, what they have answered, and what follows from that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::aggregate::{Assessment, Candidate, Exclusion, Millionths, Strategy};
use quorate_core::coordinator::Expected;
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::Cause;
use quorate_core::policy::Policy;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;

use super::memory::text_length;
use crate::aggregate::{aggregate_candidates, assess};

/// The part of one worker in a request.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) status: ParticipantStatus,
    /// Whether its value may decide the answer: it had a record when asked or on joining, or it was asked as a founder.
    pub(super) decides: bool,
    /// The time that it usually takes; `None` if that is not known, or if its silence for so long has been noticed.
    pub(super) usual: Option<Duration>,
    /// Whether it was suspect when its usual time was over.
    pub(super) suspect: bool,
}

/// Where a worker stands with a request.
#[derive(Debug)]
pub(super) enum ParticipantStatus {
    /// It is awaited.
    Awaited,
    /// It is no longer awaited, because it left or there was no room for its answer.
    Left,
    /// It has answered. Only the first answer counts.
    Answered(FirstAnswer),
}

/// A worker's first answer.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(super) struct FirstAnswer {
    pub(super) observed: Result<Value, Arc<str>>,
    /// Whether the worker only said that it was full.
    pub(super) was_full: bool,
    pub(super) response_time: Duration,
    pub(super) arrived: Timestamp,
    /// The age of the value on arrival, as the worker stated it.
    pub(super) age: Option<Duration>,
    /// The weight of the worker when it answered.
    pub(super) weight: Millionths,
    /// Whether the worker was quarantined when it answered.
    pub(super) quarantined: bool,
    /// Whether it came on the reply subject, which only programs that receive tasks know.
    pub(super) to_the_asker: bool,
    /// Whether the worker has contradicted it since.
    pub(super) contradicted: bool,
}

/// A request that was accepted and has not ended.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(super) struct Request {
    /// The task id that the machine drew, learned from the first dispatch.
    pub(super) task: TaskId,
    pub(super) query: Query,
    /// The trace of the caller that submitted it.
    pub(super) trace: Option<Trace>,
    pub(super) policy: Policy,
    /// Who should be there.
    pub(super) should: Expected,
    /// The weights of workers at its submission.
    pub(super) weights: Arc<BTreeMap<WorkerId, Millionths>>,
    /// The waiting callers, in the order in which they came.
    pub(super) tickets: Vec<Ticket>,
    pub(super) submitted: Timestamp,
    pub(super) deadline: Timestamp,
    /// When the task is redispatched if a worker is still silent; `None` if never, or not again.
    pub(super) ask_again_at: Option<Timestamp>,
    /// When the request ends as stalled; `None` if it expected workers, or none has answered.
    pub(super) stalls_at: Option<Timestamp>,
    /// The time of the first notice that nobody listens, and the end of the doubt in it; no end once it is refuted.
    pub(super) unheard: Option<(Timestamp, Option<Timestamp>)>,
    pub(super) attempts: u32,
    /// The number of requests dispatched before it.
    pub(super) asked_before_it: u64,
    /// Whether the same id was dispatched before by a request without a lasting outcome, whose answers may still come.
    pub(super) asked_before: bool,
    /// Whether it expected no worker at its dispatch.
    pub(super) expected_unknown: bool,
    /// Whether the workers that it expects are founders, which decide and earn a record by answering.
    pub(super) founding: bool,
    /// The number of workers without a record that may still join by answering.
    pub(super) places: usize,
    /// The operator's policy for its query.
    pub(super) operators: Policy,
    pub(super) participants: BTreeMap<WorkerId, Participant>,
    /// The number of usable values when a quorum was last judged and gave no answer.
    pub(super) in_vain: Option<usize>,
    /// Whether a record that is earned counts for its query only.
    pub(super) local: bool,
    /// When the usual time of some worker is over next; whether it was over before anybody had answered; and whether the
    /// usual times have been looked up.
    pub(super) usual_at: Option<Timestamp>,
    pub(super) usual_over: bool,
    pub(super) looked: bool,
}

impl Request {
    /// The earliest time at which something must happen to it.
    pub(super) fn due_at(&self) -> Timestamp {
        let doubted_until = self.unheard.and_then(|(_, until)| until);
        [self.ask_again_at, self.stalls_at, self.usual_at, doubted_until]
            .into_iter()
            .flatten()
            .fold(self.deadline, Timestamp::min)
    }

    /// Its place in the machine's table, which is the lower half of its task id. Requests that are due at the same time
    /// are handled in this order.
    pub(super) fn place(&self) -> u32 {
        self.task.0 as u32
    }

    /// Its weight in bytes: a fixed one, one for each worker, and all texts.
    pub(super) fn bytes(&self, id: &RequestId) -> usize {
        let said = |participant: &Participant| match &participant.status {
            ParticipantStatus::Answered(said) => text_length(&said.observed),
            ParticipantStatus::Awaited | ParticipantStatus::Left => 0,
        };
        let workers: usize = self.participants.values().map(|participant| 192 + said(participant)).sum();
        640 + id.as_str().len() + self.query.as_str().len() + workers + 192 * self.should.workers.len()
    }

    pub(super) fn awaits_somebody(&self) -> bool {
        self.participants.values().any(|participant| matches!(participant.status, ParticipantStatus::Awaited))
    }

    pub(super) fn all_have_answered(&self) -> bool {
        !self.expected_unknown && !self.awaits_somebody()
    }

    pub(super) fn has_answers(&self) -> bool {
        self.participants.values().any(|participant| matches!(participant.status, ParticipantStatus::Answered(_)))
    }

    pub(super) fn is_anyone_silent(&self) -> bool {
        self.participants.is_empty() || self.awaits_somebody()
    }

    pub(super) fn asked_twice(&self) -> bool {
        self.asked_before || self.attempts == 2
    }

    /// The answers that are values, with their workers.
    pub(super) fn values(&self) -> impl Iterator<Item = (&WorkerId, &Value, &FirstAnswer)> {
        self.participants.iter().filter_map(|(worker, participant)| match &participant.status {
            ParticipantStatus::Answered(said) => said.observed.as_ref().ok().map(|value| (worker, value, said)),
            ParticipantStatus::Awaited | ParticipantStatus::Left => None,
        })
    }

    /// Whether newcomers do not count: a deciding worker is awaited, or one that is not quarantined has sent a value.
    fn newcomers_wait(&self) -> bool {
        self.participants.values().any(|participant| match &participant.status {
            ParticipantStatus::Answered(said) => participant.decides && said.observed.is_ok() && !said.quarantined,
            ParticipantStatus::Awaited => participant.decides,
            ParticipantStatus::Left => false,
        })
    }

    /// Why a worker's value does not count, whatever it is; `None` if it does.
    pub(super) fn exclusion_of(&self, worker: &WorkerId, said: &FirstAnswer) -> Option<Exclusion> {
        if said.quarantined {
            Some(Exclusion::Quarantined)
        } else if !self.participants[worker].decides && self.newcomers_wait() {
            Some(Exclusion::Newcomer)
        } else {
            None
        }
    }

    /// What each value says about its worker. It is compared with the values that count. If none can be used, it is
    /// compared with those that would count if their workers were not quarantined.
    pub(super) fn assess(&self) -> BTreeMap<WorkerId, Assessment> {
        let rule = &self.policy.rule;
        let waits = self.newcomers_wait();
        let all: Vec<(&WorkerId, Candidate<'_>, bool, bool)> = self
            .values()
            .map(|(worker, value, said)| {
                let candidate = Candidate { weight: said.weight, age: said.age, ..Candidate::from(value) };
                (worker, candidate, said.quarantined, self.participants[worker].decides || !waits)
            })
            .collect();
        let values: Vec<Candidate<'_>> = all.iter().map(|(_, candidate, ..)| *candidate).collect();
        for quarantined in [false, true] {
            let those = all.iter().filter(|(.., of, counts)| *of == quarantined && *counts);
            let reference: Vec<Candidate<'_>> = those.map(|(_, candidate, ..)| *candidate).collect();
            if let Ok(answer) = aggregate_candidates(rule, &reference) {
                let assessments = assess(rule, self.operators.rule.max_deviation, &reference, &answer, &values);
                return all.iter().map(|(worker, ..)| (*worker).clone()).zip(assessments).collect();
            }
        }
        BTreeMap::new()
    }

    /// The workers with usable values, before outliers are excluded.
    fn users(&self) -> impl Iterator<Item = &WorkerId> {
        let rule = &self.policy.rule;
        let stale = |said: &FirstAnswer| rule.max_age.is_some_and(|most| said.age.is_some_and(|age| age > most));
        let fits = |value: &Value| rule.strategy == Strategy::Majority || value.as_number().is_some();
        let can = move |said: &FirstAnswer, value: &Value| !stale(said) && fits(value);
        let counts = |worker: &WorkerId, said: &FirstAnswer| self.exclusion_of(worker, said).is_none();
        self.values()
            .filter(move |(worker, value, said)| counts(worker, said) && can(said, value))
            .map(|(worker, ..)| worker)
    }

    /// The number of usable values, before outliers are excluded.
    pub(super) fn usable(&self) -> usize {
        self.users().count()
    }

    /// Whether a good value earns a record: it was compared with a deciding worker's, under the operator's maximum age.
    pub(super) fn gives_records(&self) -> bool {
        self.has_usual_max_age() && self.users().any(|worker| self.participants[worker].decides)
    }

    fn has_usual_max_age(&self) -> bool {
        self.policy.rule.max_age == self.operators.rule.max_age
    }

    /// Whether it has no less time than the operator gives its query.
    pub(super) fn gives_time(&self) -> bool {
        self.policy.timeout >= self.operators.timeout
    }

    /// Whether all values have come that would come under the operator's policy.
    pub(super) fn compares(&self, cause: Cause) -> bool {
        let waits = self.gives_time() && self.policy.quorum == self.operators.quorum;
        self.has_usual_max_age() && (waits || cause == Cause::AllAnswered)
    }

    /// Whether it may end before all have answered: by a quorum, or without one, if only suspects are awaited. After a
    /// judgement without an answer, it takes a sixteenth more usable values, and at least one.
    pub(super) fn may_end_by(&self) -> Option<Cause> {
        let usable = self.usable();
        let has_grown = self.in_vain.is_none_or(|before| usable >= before + (before / 16).max(1));
        let awaited = |it: &&Participant| matches!(it.status, ParticipantStatus::Awaited);
        let only_suspects = self.awaits_somebody() && self.participants.values().filter(awaited).all(|it| it.suspect);
        match self.policy.quorum {
            Some(quorum) if has_grown && usable >= quorum as usize => Some(Cause::QuorumMet),
            None if has_grown && usable > 0 && only_suspects => Some(Cause::AllButSuspects),
            _ => None,
        }
    }
}
