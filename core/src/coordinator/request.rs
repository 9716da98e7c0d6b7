//! One request in flight: who is waited for, what has come, and how it would end now.

use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::aggregate::{AggregateError, Aggregator, Candidate, Exclusion, Millionths};
use crate::id::{RequestId, TaskId, Ticket, WorkerId};
use crate::outcome::{Answer, Cause, Failure, Observation, Outcome, Status, count, reliability};
use crate::policy::{OnDispute, Policy};
use crate::query::Query;
use crate::time::Timestamp;
use crate::trace::Trace;
use crate::value::Value;

/// One worker's part in a request.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) worker: WorkerId,
    pub(super) part: Part,
}

/// Where a worker stands with a request.
#[derive(Debug)]
pub(super) enum Part {
    /// It is waited for.
    Awaited,
    /// It left without an answer and is no longer waited for.
    Left,
    /// It has answered; whatever else it says is not used.
    Answered(Answered),
}

/// A worker's first answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) observed: Result<Value, Arc<str>>,
    /// The number that a text spells, where the strategy wants numbers: a long text is read only once. In a box, since
    /// most values are numbers themselves, and much of what is in flight is this.
    pub(super) spelled: Option<Box<Decimal>>,
    pub(super) response_time: Duration,
    /// How old the value was when it came.
    pub(super) age: Option<Duration>,
    /// What the worker weighed when it answered.
    pub(super) weight: Millionths,
    /// Whether the worker was cordoned when it answered, so that its value is shown and not used.
    pub(super) cordoned: bool,
    /// Whether it came on the reply subject of the request's own task, which only those know who get tasks.
    pub(super) on_reply_subject: bool,
    /// Whether the worker has contradicted it since.
    pub(super) contradicted: bool,
}

/// What is made of the word that the task reached nobody. Whoever may publish on the reply subject can say so, hence it is
/// not believed before every worker that should be there has had the time to say otherwise. Only the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Nobody has said so.
    None,
    /// It was said at `since`, and holds if there is no sign of a worker by `until`.
    Doubted { since: Timestamp, until: Timestamp },
    /// Some worker was there all the same.
    Refuted,
}

/// A request that collects answers.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) query: Query,
    /// The mark its tasks carry.
    pub(super) trace: Option<Trace>,
    pub(super) policy: Policy,
    pub(super) task: TaskId,
    /// The callers that wait; never empty between two inputs.
    pub(super) tickets: Vec<Ticket>,
    pub(super) submitted: Timestamp,
    pub(super) deadline: Timestamp,
    /// When to ask a second time; `None` once that is done or not wanted.
    pub(super) redispatch_at: Option<Timestamp>,
    /// When the pause after the last answer has been long enough, if no worker was known beforehand.
    pub(super) stall_at: Option<Timestamp>,
    /// Whether its task is said to have reached nobody.
    pub(super) notice: Notice,
    /// When the request's timer is armed for.
    pub(super) armed_at: Timestamp,
    pub(super) attempts: u32,
    /// Whether the same id was asked before, in a request that was given up, so that its answers may still come.
    pub(super) asked_before: bool,
    /// Whether no worker was known when the request was made, so that nobody can say when all have answered.
    pub(super) open: bool,
    /// The expected workers and those that joined by answering, ordered by worker.
    pub(super) participants: Vec<Participant>,
    /// How many participants are awaited.
    pub(super) awaited: u32,
    /// What it weighs in memory, in bytes, counted as in an outcome.
    pub(super) bytes: usize,
    /// How many values can be used, unless a comparison with the others excludes them.
    pub(super) usable: u32,
    /// With so many usable values it is seen whether they make an answer; `None` if that waits for the end.
    pub(super) judge_at: Option<u32>,
}

/// How a request would end: the verdict, and which participants' values were not used.
#[derive(Debug)]
pub(super) struct Judgement {
    verdict: Result<Answer, Failure>,
    /// Indices into the participants, ascending.
    excluded: Vec<(usize, Exclusion)>,
}

impl Judgement {
    pub(super) fn is_answer(&self) -> bool {
        self.verdict.is_ok()
    }
}

impl Request {
    /// The position of a worker among the participants, or where it belongs.
    pub(super) fn position(&self, worker: &WorkerId) -> Result<usize, usize> {
        self.participants.binary_search_by(|participant| participant.worker.cmp(worker))
    }

    /// Takes a worker's first answer. `position` is what [`Request::position`] said.
    pub(super) fn record(&mut self, position: Result<usize, usize>, worker: &WorkerId, answered: Answered) {
        self.usable += u32::from(self.is_usable(&answered));
        let part = Part::Answered(answered);
        match position {
            Ok(index) => {
                let before = std::mem::replace(&mut self.participants[index].part, part);
                match before {
                    Part::Awaited => self.awaited -= 1,
                    Part::Left => {}
                    Part::Answered(_) => unreachable!("only a first answer is recorded"),
                }
            }
            Err(index) => self.participants.insert(index, Participant { worker: worker.clone(), part }),
        }
    }

    /// Stops waiting for a worker that left. Returns whether it was waited for.
    pub(super) fn give_up_on(&mut self, worker: &WorkerId) -> bool {
        let Ok(index) = self.position(worker) else { return false };
        let part = &mut self.participants[index].part;
        let awaited = matches!(part, Part::Awaited);
        if awaited {
            *part = Part::Left;
            self.awaited -= 1;
        }
        awaited
    }

    /// Whether nobody is waited for any more, which can be known only if somebody was known beforehand.
    pub(super) fn all_answered(&self) -> bool {
        self.awaited == 0 && !self.open
    }

    /// The number that an observed text spells, if that is what counts of it.
    pub(super) fn spelled(&self, observed: &Result<Value, Arc<str>>) -> Option<Box<Decimal>> {
        match observed {
            Ok(text @ Value::Text(_)) if !self.policy.rule.strategy.takes_texts() => text.as_number().map(Box::new),
            _ => None,
        }
    }

    /// Whether an answer is a value that can be used, as far as that is known without the others.
    fn is_usable(&self, answered: &Answered) -> bool {
        let rule = &self.policy.rule;
        let has_kind = match answered.observed {
            Ok(Value::Number(_)) => true,
            Ok(Value::Text(_)) => answered.spelled.is_some() || rule.strategy.takes_texts(),
            Err(_) => false,
        };
        has_kind && !answered.cordoned && !rule.is_stale(answered.age)
    }

    /// Whether there are as many usable values as the policy's quorum, and enough more since they were last judged.
    pub(super) fn is_to_be_judged(&self) -> bool {
        self.judge_at.is_some_and(|usable| self.usable >= usable)
    }

    /// Values that make no answer are judged next when there are a sixteenth more of them, so that judging costs no more
    /// than O(n log n) of n workers, however late they agree.
    pub(super) fn judge_later(&mut self) {
        self.judge_at = Some(self.usable + (self.usable / 16).max(1));
    }

    /// Whether some worker, known or not, has been silent so far.
    pub(super) fn is_anyone_silent(&self) -> bool {
        self.awaited > 0 || self.participants.is_empty()
    }

    /// Whether a worker may have been asked this more than once.
    pub(super) fn may_be_asked_twice(&self) -> bool {
        self.attempts > 1 || self.asked_before
    }

    pub(super) fn has_answers(&self) -> bool {
        self.participants.iter().any(|participant| matches!(participant.part, Part::Answered(_)))
    }

    /// When the request next wants attention.
    pub(super) fn next_timeout(&self) -> Timestamp {
        let notice = match self.notice {
            Notice::Doubted { until, .. } => Some(until),
            Notice::None | Notice::Refuted => None,
        };
        let waits = [self.redispatch_at, self.stall_at, notice];
        waits.into_iter().flatten().fold(self.deadline, Timestamp::min)
    }

    /// The values that may be used, in the order of the participants.
    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.participants.iter().filter_map(|participant| match &participant.part {
            Part::Answered(answered @ Answered { observed: Ok(value), cordoned: false, .. }) => {
                let number = match value {
                    Value::Number(number) => Some(*number),
                    Value::Text(_) => answered.spelled.as_deref().copied(),
                };
                Some(Candidate { value, number, weight: answered.weight, age: answered.age })
            }
            _ => None,
        })
    }

    /// Which participants' values are not used, by their indices among the participants, from those among the
    /// candidates.
    fn excluded(&self, candidates: &[(usize, Exclusion)]) -> Vec<(usize, Exclusion)> {
        let mut excluded = Vec::new();
        let mut candidates = candidates.iter().peekable();
        let mut candidate = 0;
        for (index, participant) in self.participants.iter().enumerate() {
            let Part::Answered(Answered { observed: Ok(_), cordoned, .. }) = participant.part else { continue };
            if cordoned {
                excluded.push((index, Exclusion::Cordoned));
                continue;
            }
            if let Some((_, why)) = candidates.next_if(|(of, _)| *of == candidate) {
                excluded.push((index, *why));
            }
            candidate += 1;
        }
        excluded
    }

    fn succeeded(&self) -> u32 {
        let success = |part: &Part| matches!(part, Part::Answered(Answered { observed: Ok(_), .. }));
        count(self.participants.iter().filter(|participant| success(&participant.part)).count())
    }

    /// How the request would end if it ended now by `cause`. `bus_was_down` says whether the bus failed it meanwhile.
    pub(super) fn judge(&self, cause: Cause, bus_was_down: bool, aggregator: &mut Aggregator) -> Judgement {
        let required = self.policy.min_responses;
        let insufficient = |usable: u32| match cause {
            Cause::DeadlinePassed if bus_was_down => Failure::BusDown,
            Cause::DeadlinePassed if usable == 0 => Failure::DeadlineExceeded,
            _ => Failure::InsufficientResponses { usable, required },
        };
        let aggregate = match aggregator.aggregate(&self.policy.rule, self.candidates()) {
            Ok(aggregate) => aggregate,
            Err(AggregateError::NoValues { excluded }) => {
                return Judgement { verdict: Err(insufficient(0)), excluded: self.excluded(&excluded) };
            }
        };
        let (used, agreeing) = (count(aggregate.used), count(aggregate.agreeing));
        let status =
            if aggregate.disputed { Status::Disputed } else { reliability(used, count(self.participants.len())) };
        let verdict = if used < required {
            Err(insufficient(used))
        } else if status == Status::Disputed && self.policy.on_dispute == OnDispute::Reject {
            Err(Failure::Disputed { agreeing, used })
        } else {
            Ok(Answer { value: aggregate.value, used, agreeing, tie: aggregate.tie, spread: aggregate.spread, status })
        };
        Judgement { verdict, excluded: self.excluded(&aggregate.excluded) }
    }

    /// The end of a request that reached nobody.
    pub(super) fn undelivered(failure: Failure) -> Judgement {
        Judgement { verdict: Err(failure), excluded: Vec::new() }
    }

    /// Turns the request into its outcome.
    pub(super) fn conclude(self, now: Timestamp, cause: Cause, judgement: Judgement) -> Outcome {
        let succeeded = self.succeeded();
        let mut observations = Vec::with_capacity(self.participants.len());
        let mut missing = Vec::new();
        let mut excluded = judgement.excluded.into_iter().peekable();
        let uses_weights = self.policy.rule.strategy.uses_weights();
        for (index, Participant { worker, part }) in self.participants.into_iter().enumerate() {
            match part {
                Part::Answered(Answered { observed, response_time, age, weight, .. }) => {
                    let excluded = excluded.next_if(|(of, _)| *of == index).map(|(_, why)| why);
                    let weight = (uses_weights && observed.is_ok()).then_some(weight);
                    observations.push(Observation { worker, observed, response_time, age, weight, excluded });
                }
                Part::Awaited | Part::Left => missing.push(worker),
            }
        }
        Outcome {
            request: self.id,
            query: self.query,
            strategy: self.policy.rule.strategy,
            observations,
            missing,
            succeeded,
            elapsed: now.since(self.submitted),
            cause,
            verdict: judgement.verdict,
        }
    }
}
