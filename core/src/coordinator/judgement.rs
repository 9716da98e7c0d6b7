//! How a request would end now, and what its values say about their workers.

use std::time::Duration;

use rust_decimal::{Decimal, RoundingStrategy};

use super::request::{FirstAnswer, Participant, ParticipantStatus, Patience, Request};
use crate::aggregate::{AggregateError, Aggregator, Assessment, Candidate, Exclusion, Usual, Yardstick};
use crate::id::WorkerId;
use crate::outcome::{Answer, Cause, Failure, Observation, Observed, Outcome, Status, count, reliability};
use crate::policy::OnDispute;
use crate::time::{Timestamp, WallClock};
use crate::value::Value;

/// How the policy of a request compares with the operator's policy for its query. What a caller chose must count
/// neither for nor against a worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// It gives no less time, so silence is the worker's fault.
    pub(super) gives_time: bool,
    /// It waits for as many values.
    has_usual_quorum: bool,
    /// It accepts values of the same ages, so a good one earns its worker a record.
    pub(super) has_usual_max_age: bool,
    /// How its outlier rule compares.
    pub(super) outliers: Usual,
}

impl Terms {
    pub(super) fn of(request: &Request) -> Self {
        let (policy, usual) = (&request.policy, &request.operators.policy);
        let (rule, usual_rule) = (policy.rule.max_deviation, usual.rule.max_deviation);
        Self {
            gives_time: policy.timeout >= usual.timeout,
            has_usual_quorum: policy.quorum == usual.quorum,
            has_usual_max_age: policy.rule.max_age == usual.rule.max_age,
            outliers: if rule == usual_rule { Usual::Same } else { Usual::Other(usual_rule) },
        }
    }

    /// Whether all values came that the operator's policy would have waited for, so that they can be compared.
    pub(super) fn are_complete(self, cause: Cause) -> bool {
        self.has_usual_max_age && (cause == Cause::AllAnswered || (self.gives_time && self.has_usual_quorum))
    }
}

/// How a request would end: the verdict, and the participants whose values are not used.
#[derive(Debug)]
pub(super) struct Judgement {
    verdict: Result<Answer, Failure>,
    /// Indices into the participants, ascending.
    excluded: Vec<(usize, Exclusion)>,
    /// What the values say about their workers.
    assessed: Assessed,
}

/// What the values of an answer say about their workers.
#[derive(Debug)]
enum Assessed {
    /// Nothing: there is no answer to compare them with.
    Nothing,
    /// All are good except these, by their indices among the participants, ascending.
    GoodBut(Vec<(usize, Assessment)>),
}

impl Judgement {
    /// What the value of a participant says about it.
    pub(super) fn assessment(&self, participant: usize) -> Assessment {
        match &self.assessed {
            Assessed::Nothing => Assessment::Neutral,
            Assessed::GoodBut(others) => others
                .binary_search_by_key(&participant, |(index, _)| *index)
                .map_or(Assessment::Good, |found| others[found].1),
        }
    }

    /// Whether a request with so many participants may end early by this cause. If suspects are missing, the answer
    /// must be what it could be without them: agreed, and from at least half of those that were asked.
    pub(super) fn may_end(&self, cause: Cause, participants: usize) -> bool {
        self.verdict.as_ref().is_ok_and(|answer| {
            cause != Cause::AllButSuspects
                || (answer.status != Status::Disputed && answer.used as usize * 2 >= participants)
        })
    }
}

impl Request {
    /// Whether a participant's value counts. The value of a worker without a record counts only if no participant that
    /// decides has sent a value or is awaited.
    fn counts(&self, participant: &Participant) -> bool {
        participant.decides || self.decisive == 0
    }

    /// The values that count, either of quarantined workers or of the others, in the order of the participants.
    fn values(&self, of_quarantined: bool) -> impl Iterator<Item = Candidate<'_>> {
        self.participants.iter().filter_map(move |participant| match &participant.status {
            ParticipantStatus::Answered(answered @ FirstAnswer { quarantined, .. })
                if *quarantined == of_quarantined && self.counts(participant) =>
            {
                answered.candidate()
            }
            _ => None,
        })
    }

    /// The values that may be used, in the order of the participants.
    fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.values(false)
    }

    /// What the values say about their workers, used or not.
    fn assess(&self, yardstick: &Yardstick) -> Assessed {
        let values =
            self.participants.iter().enumerate().filter_map(|(index, participant)| match &participant.status {
                ParticipantStatus::Answered(answered) => answered.candidate().map(|candidate| (index, candidate)),
                _ => None,
            });
        let assessed = values.map(|(index, candidate)| (index, yardstick.assess(&candidate)));
        Assessed::GoodBut(assessed.filter(|(_, assessment)| *assessment != Assessment::Good).collect())
    }

    /// Compares the values of quarantined workers with each other if there are no others. Otherwise workers that were
    /// quarantined together could never return.
    fn assess_quarantined(&self, usual: Usual, aggregator: &mut Aggregator) -> Assessed {
        match aggregator.aggregate(&self.policy.rule, self.values(true)) {
            Ok(aggregate) => self.assess(&aggregator.yardstick(&self.policy.rule, usual, &aggregate)),
            Err(AggregateError::NoValues { .. }) => Assessed::Nothing,
        }
    }

    /// The participants whose values are not used, by their indices, translated from the indices of candidates.
    fn excluded(&self, candidates: &[(usize, Exclusion)]) -> Vec<(usize, Exclusion)> {
        let mut excluded = Vec::new();
        let mut candidates = candidates.iter().peekable();
        let mut candidate = 0;
        for (index, participant) in self.participants.iter().enumerate() {
            let ParticipantStatus::Answered(FirstAnswer { observed: Ok(_), quarantined, .. }) = participant.status
            else {
                continue;
            };
            if quarantined {
                excluded.push((index, Exclusion::Quarantined));
                continue;
            }
            if !self.counts(participant) {
                excluded.push((index, Exclusion::Newcomer));
                continue;
            }
            if let Some((_, why)) = candidates.next_if(|(of, _)| *of == candidate) {
                excluded.push((index, *why));
            }
            candidate += 1;
        }
        excluded
    }

    /// The workers that should be there by name, and are not, in order.
    fn absent(&self) -> impl Iterator<Item = &WorkerId> {
        self.operators.expected.workers.iter().filter(|worker| self.position(worker).is_err())
    }

    /// The number of workers that should be there besides all that are, or are missing by name.
    fn unnamed(&self) -> u32 {
        let named = count(self.participants.len() + self.absent().count());
        self.operators.expected.least.saturating_sub(named)
    }

    /// The number of workers that should have answered.
    fn expected(&self) -> u32 {
        count(self.participants.len() + self.absent().count()) + self.unnamed()
    }

    fn succeeded(&self) -> u32 {
        let success = |status: &ParticipantStatus| {
            matches!(status, ParticipantStatus::Answered(FirstAnswer { observed: Ok(_), .. }))
        };
        count(self.participants.iter().filter(|participant| success(&participant.status)).count())
    }

    /// How the request would end if it ended now by `cause`. `bus_was_down` says whether the bus was down at any time
    /// since its submission.
    pub(super) fn judge(&self, cause: Cause, bus_was_down: bool, aggregator: &mut Aggregator) -> Judgement {
        let usual = Terms::of(self).outliers;
        let required = self.policy.min_responses;
        let insufficient = |usable: u32| match cause {
            Cause::DeadlinePassed if bus_was_down => Failure::BusDown,
            Cause::DeadlinePassed if usable == 0 => Failure::DeadlineExceeded,
            _ => Failure::InsufficientResponses { usable, required },
        };
        let aggregate = match aggregator.aggregate(&self.policy.rule, self.candidates()) {
            Ok(aggregate) => aggregate,
            Err(AggregateError::NoValues { excluded }) => {
                let assessed = self.assess_quarantined(usual, aggregator);
                return Judgement { verdict: Err(insufficient(0)), excluded: self.excluded(&excluded), assessed };
            }
        };
        let yardstick = aggregator.yardstick(&self.policy.rule, usual, &aggregate);
        let (used, agreeing) = (count(aggregate.used), count(aggregate.agreeing));
        let assessed = if yardstick.finds_all_good() && used == self.succeeded() {
            Assessed::GoodBut(Vec::new())
        } else {
            self.assess(&yardstick)
        };
        let status = match reliability(used, self.expected()) {
            _ if aggregate.disputed => Status::Disputed,
            Status::Complete if agreeing < used => Status::Partial,
            status => status,
        };
        let verdict = if used < required {
            Err(insufficient(used))
        } else if status == Status::Disputed && self.policy.on_dispute == OnDispute::Reject {
            Err(Failure::Disputed { agreeing, used })
        } else {
            let (value, exact) = self.rounded(aggregate.value);
            Ok(Answer { value, exact, used, agreeing, tie: aggregate.tie, spread: aggregate.spread, status })
        };
        Judgement { verdict, excluded: self.excluded(&aggregate.excluded), assessed }
    }

    /// A value as its policy rounds it, and the exact number if that is another.
    fn rounded(&self, value: Value) -> (Value, Option<Decimal>) {
        let (Some(decimals), Value::Number(exact)) = (self.policy.decimals, &value) else { return (value, None) };
        let rounded = exact.round_dp_with_strategy(decimals.into(), RoundingStrategy::MidpointNearestEven).normalize();
        (rounded.into(), (rounded != *exact).then_some(*exact))
    }

    /// The end of a request whose task reached nobody.
    pub(super) fn undelivered(failure: Failure) -> Judgement {
        Judgement { verdict: Err(failure), excluded: Vec::new(), assessed: Assessed::Nothing }
    }

    /// Turns the request into its outcome.
    pub(super) fn conclude(self, now: Timestamp, wall: WallClock, cause: Cause, judgement: Judgement) -> Outcome {
        let succeeded = self.succeeded();
        let unnamed = self.unnamed();
        let absent: Vec<WorkerId> = self.absent().cloned().collect();
        let mut observed_at = None;
        let mut observations = Vec::with_capacity(self.participants.len());
        let (mut missing, mut suspects) = (Vec::new(), Vec::new());
        let mut excluded = judgement.excluded.into_iter().peekable();
        let uses_weights = self.policy.rule.strategy.uses_weights();
        for (index, Participant { worker, status, .. }) in self.participants.into_iter().enumerate() {
            match status {
                ParticipantStatus::Answered(FirstAnswer {
                    observed, response_time_ns, arrived, age, weight, ..
                }) => {
                    let excluded = excluded.next_if(|(of, _)| *of == index).map(|(_, why)| why);
                    if observed.is_ok() && excluded.is_none() {
                        let time = wall.at(arrived).before(age.unwrap_or_default());
                        observed_at = Some(Observed::with(observed_at, time));
                    }
                    let weight = (uses_weights && observed.is_ok()).then_some(weight);
                    let response_time = Duration::from_nanos(response_time_ns);
                    observations.push(Observation { worker, observed, response_time, age, weight, excluded });
                }
                ParticipantStatus::Awaited(patience) => {
                    if patience == Patience::Over {
                        suspects.push(worker.clone());
                    }
                    missing.push(worker);
                }
                ParticipantStatus::Left => missing.push(worker),
            }
        }
        if !absent.is_empty() {
            missing.extend_from_slice(&absent);
            missing.sort_unstable();
        }
        Outcome {
            request: self.id,
            query: self.query,
            strategy: self.policy.rule.strategy,
            observations,
            missing,
            suspects,
            absent,
            unnamed,
            succeeded,
            elapsed: now.since(self.submitted),
            answered_at: wall.at(now),
            observed: observed_at,
            cause,
            verdict: judgement.verdict,
        }
    }
}
