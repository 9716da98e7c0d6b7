//! One request in flight: which workers are awaited, and what has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use super::config::QueryPolicy;
use crate::aggregate::{Candidate, Millionths};
use crate::id::{RequestId, TaskId, Ticket, WorkerId};
use crate::outcome::Cause;
use crate::policy::Policy;
use crate::query::Query;
use crate::time::Timestamp;
use crate::trace::Trace;
use crate::value::Value;

/// One worker's part in a request.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) worker: WorkerId,
    pub(super) status: ParticipantStatus,
    /// Whether its value may decide the answer, and is not only compared with those that do: the worker has a record,
    /// or is a founder.
    pub(super) decides: bool,
}

impl Participant {
    /// An expected worker.
    pub(super) fn awaited(worker: WorkerId, decides: bool) -> Self {
        Self { worker, status: ParticipantStatus::Awaited(Patience::Unknown), decides }
    }

    pub(super) fn is_awaited(&self) -> bool {
        matches!(self.status, ParticipantStatus::Awaited(_))
    }

    fn is_suspect(&self) -> bool {
        matches!(self.status, ParticipantStatus::Awaited(Patience::Over))
    }
}

/// Where a worker stands with a request.
#[derive(Debug)]
pub(super) enum ParticipantStatus {
    /// It is awaited.
    Awaited(Patience),
    /// It left, or there was no room for its answer; it is no longer awaited.
    Left,
    /// It has answered; a further answer is not used.
    Answered(FirstAnswer),
}

/// How long a request waits for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Until its deadline: the worker's usual time is not known yet, or at all, or the worker became suspect by this
    /// request.
    Unknown,
    /// For the time that the worker usually takes, from the submission or from its last sign of life.
    Usual(Duration),
    /// No longer: that time is over, and the worker is suspect.
    Over,
}

/// Whether a request has looked up the usual times of its workers. It does once, when the first of them may be over and
/// somebody has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsualTimes {
    /// None is over.
    NotYet,
    /// One may be over, and nobody has answered.
    Wanted,
    /// They are known, as [`Patience`].
    Known,
}

/// A worker's first answer.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(super) struct FirstAnswer {
    pub(super) observed: Result<Value, Arc<str>>,
    /// Whether it is a failure because the worker had no room for the task.
    pub(super) overloaded: bool,
    /// The number that a text spells, if the strategy needs numbers, so that a long text is parsed only once. Boxed to
    /// keep answers small: most values are numbers themselves.
    pub(super) spelled: Option<Box<Decimal>>,
    /// The response time that the worker states, in nanoseconds.
    pub(super) response_time_ns: u64,
    /// When it arrived.
    pub(super) arrived: Timestamp,
    /// The age of the value on arrival.
    pub(super) age: Option<Duration>,
    /// The weight of the worker when it answered.
    pub(super) weight: Millionths,
    /// Whether the worker was quarantined when it answered, so that its value is shown and not used.
    pub(super) quarantined: bool,
    /// Whether it came on the reply subject of the request's own task, which only programs that receive tasks know.
    pub(super) on_reply_subject: bool,
    /// Whether the worker has contradicted it since.
    pub(super) contradicted: bool,
}

/// What has become of a notice that the task reached nobody. Any client that may publish on the reply subject can forge
/// one, so it is believed only after every expected worker has had time to refute it. Only the first notice counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// No notice came.
    None,
    /// It came at `since`, and is believed if no worker gives a sign of life by `until`.
    Doubted { since: Timestamp, until: Timestamp },
    /// A worker gave a sign of life, or the bus was lost.
    Refuted,
}

impl FirstAnswer {
    /// The value, to be compared with others; `None` for a failure.
    pub(super) fn candidate(&self) -> Option<Candidate<'_>> {
        let value = self.observed.as_ref().ok()?;
        let number = match value {
            Value::Number(number) => Some(*number),
            Value::Text(_) => self.spelled.as_deref().copied(),
        };
        Some(Candidate { value, number, weight: self.weight, age: self.age })
    }
}

/// A request in flight.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) query: Query,
    /// The mark its tasks carry.
    pub(super) trace: Option<Trace>,
    pub(super) policy: Policy,
    /// The operator's policy for its query at its submission.
    pub(super) operators: Arc<QueryPolicy>,
    /// The weights of workers at its submission.
    pub(super) weights: Arc<BTreeMap<WorkerId, Millionths>>,
    pub(super) task: TaskId,
    /// The callers that wait; never empty between two inputs.
    pub(super) tickets: Vec<Ticket>,
    pub(super) submitted: Timestamp,
    /// When to redispatch the task; `None` once that is done or not wanted.
    pub(super) redispatch_at: Option<Timestamp>,
    /// When the stall timeout after the last result ends; never if some worker was expected at the dispatch.
    pub(super) stall_at: Timestamp,
    /// Whether a notice said that its task reached nobody, and whether it is believed.
    pub(super) notice: Notice,
    /// When the request's timer is armed for.
    pub(super) armed_at: Timestamp,
    pub(super) attempts: u8,
    /// Whether the same id was dispatched before, in a request that ended without a remembered outcome: its answers may
    /// still come.
    pub(super) asked_before: bool,
    /// Whether no worker was expected at the dispatch, so that the coordinator cannot know when all have answered.
    pub(super) expected_unknown: bool,
    /// Whether the expected workers are founders, which decide and earn a record by answering.
    pub(super) founding: bool,
    /// The number of deciding participants that are awaited, or have sent a value and are not quarantined. While there
    /// are any, the others do not count.
    pub(super) decisive: u32,
    /// The number of workers without a record that may still take part.
    pub(super) places: u32,
    /// The query's key in the lists of answered queries of workers.
    pub(super) query_key: u64,
    /// Whether a record that is earned counts for this query only.
    pub(super) is_local: bool,
    /// The expected set: the workers expected at the dispatch and those added since, ordered by worker.
    pub(super) participants: Vec<Participant>,
    /// The number of awaited participants.
    pub(super) awaited: u32,
    /// The number of these that are suspect, for which it waits no longer.
    pub(super) suspects: u32,
    /// When the usual time of some awaited worker is over next; never if none is known.
    pub(super) usual_at: Timestamp,
    /// Whether the usual times of its workers have been looked up.
    pub(super) usual_times: UsualTimes,
    /// What it weighs in memory, in bytes, counted as in an outcome.
    pub(super) bytes: u32,
    /// The number of usable values of participants that decide, before outliers are excluded.
    pub(super) usable: u32,
    /// The same for the others, which count if nobody decides.
    pub(super) usable_of_others: u32,
    /// The number of usable values at which they are judged next, if a quorum may be met or only suspects are awaited.
    pub(super) judge_at: u32,
}

impl Request {
    /// When it ends at the latest.
    pub(super) fn deadline(&self) -> Timestamp {
        self.submitted.after(self.policy.timeout)
    }

    /// The position of a worker among the participants, or where to insert it.
    pub(super) fn position(&self, worker: &WorkerId) -> Result<usize, usize> {
        self.participants.binary_search_by(|participant| participant.worker.cmp(worker))
    }

    /// Whether another worker may take part; `is_proven` says whether it has a record.
    pub(super) fn has_place(&self, max_workers: u32, is_proven: bool) -> bool {
        self.participants.len() < max_workers as usize && (is_proven || self.places > 0)
    }

    /// Adds a worker's first answer. `position` is what [`Request::position`] returned, and `is_proven` whether the
    /// worker has a record.
    pub(super) fn record(
        &mut self,
        position: Result<usize, usize>,
        worker: &WorkerId,
        answered: FirstAnswer,
        is_proven: bool,
    ) {
        let is_usable = u32::from(self.is_usable(&answered));
        // A quarantined worker decides nothing, and keeps nobody waiting.
        let is_value = answered.observed.is_ok() && !answered.quarantined;
        let status = ParticipantStatus::Answered(answered);
        match position {
            Ok(index) => {
                let participant = &mut self.participants[index];
                self.suspects -= u32::from(participant.is_suspect());
                let before = std::mem::replace(&mut participant.status, status);
                let decides = participant.decides;
                *(if decides { &mut self.usable } else { &mut self.usable_of_others }) += is_usable;
                match before {
                    ParticipantStatus::Awaited(_) => {
                        self.awaited -= 1;
                        self.decisive -= u32::from(decides && !is_value);
                    }
                    ParticipantStatus::Left => self.decisive += u32::from(decides && is_value),
                    ParticipantStatus::Answered(_) => unreachable!("only a first answer is recorded"),
                }
            }
            Err(index) => {
                self.places -= u32::from(!is_proven);
                *(if is_proven { &mut self.usable } else { &mut self.usable_of_others }) += is_usable;
                self.decisive += u32::from(is_proven && is_value);
                let joined = Participant { status, ..Participant::awaited(worker.clone(), is_proven) };
                self.participants.insert(index, joined);
            }
        }
    }

    /// Stops waiting for a worker. Returns whether it was awaited.
    pub(super) fn give_up_on(&mut self, worker: &WorkerId) -> bool {
        let Ok(index) = self.position(worker) else { return false };
        let participant = &mut self.participants[index];
        let awaited = participant.is_awaited();
        if awaited {
            self.suspects -= u32::from(participant.is_suspect());
            participant.status = ParticipantStatus::Left;
            self.awaited -= 1;
            self.decisive -= u32::from(participant.decides);
        }
        awaited
    }

    /// Whether no worker is awaited any more, which can be known only if some worker was expected at the dispatch.
    pub(super) fn all_answered(&self) -> bool {
        self.awaited == 0 && !self.expected_unknown
    }

    /// The number that an observed text spells, if the strategy needs numbers.
    pub(super) fn spelled(&self, observed: &Result<Value, Arc<str>>) -> Option<Box<Decimal>> {
        match observed {
            Ok(text @ Value::Text(_)) if !self.policy.rule.strategy.takes_texts() => text.as_number().map(Box::new),
            _ => None,
        }
    }

    /// Whether an answer is a usable value, as far as that is known without the others.
    fn is_usable(&self, answered: &FirstAnswer) -> bool {
        let rule = &self.policy.rule;
        let has_kind = match answered.observed {
            Ok(Value::Number(_)) => true,
            Ok(Value::Text(_)) => answered.spelled.is_some() || rule.strategy.takes_texts(),
            Err(_) => false,
        };
        has_kind && !answered.quarantined && !rule.is_stale(answered.age)
    }

    /// Whether there are values of workers that decide, with which others are compared.
    pub(super) fn is_decided(&self) -> bool {
        self.usable > 0
    }

    /// The number of values that are usable now.
    fn usable(&self) -> u32 {
        if self.decisive > 0 { self.usable } else { self.usable + self.usable_of_others }
    }

    /// What would end the request if its usable values gave an answer: the policy's quorum, or, without one, that only
    /// suspects are awaited. `None` if nothing would, or if the values have not grown enough since they were last judged.
    pub(super) fn may_end_by(&self) -> Option<Cause> {
        let cause = match self.policy.quorum {
            Some(_) => Cause::QuorumMet,
            None if self.suspects > 0 && self.suspects == self.awaited => Cause::AllButSuspects,
            None => return None,
        };
        (self.usable() >= self.judge_at).then_some(cause)
    }

    /// Defers the next judgement, after values that give no answer, until there are a sixteenth more of them. So
    /// judging n workers costs at most O(n log n), however late they agree.
    pub(super) fn judge_later(&mut self) {
        let usable = self.usable();
        self.judge_at = usable + (usable / 16).max(1);
    }

    /// Whether some worker, known or not, has been silent so far.
    pub(super) fn is_anyone_silent(&self) -> bool {
        self.awaited > 0 || self.participants.is_empty()
    }

    /// Whether a worker may have received this task more than once.
    pub(super) fn may_be_asked_twice(&self) -> bool {
        self.attempts > 1 || self.asked_before
    }

    pub(super) fn has_answers(&self) -> bool {
        self.participants.iter().any(|participant| matches!(participant.status, ParticipantStatus::Answered(_)))
    }

    /// When the request is due next.
    pub(super) fn next_timeout(&self) -> Timestamp {
        let notice = match self.notice {
            Notice::Doubted { until, .. } => until,
            Notice::None | Notice::Refuted => Timestamp::MAX,
        };
        let redispatch = self.redispatch_at.unwrap_or(Timestamp::MAX);
        self.deadline().min(redispatch).min(self.stall_at).min(self.usual_at).min(notice)
    }
}
