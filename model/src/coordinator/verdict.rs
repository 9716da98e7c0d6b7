//! How a request would end: the answer or the failure, and the outcome with its evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::aggregate::{AggregateError, Assessment, Candidate, Exclusion, Strategy};
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::outcome::{Answer, Cause, Failure, Observation, Observed, Outcome, Status};
use quorate_core::policy::OnDispute;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::value::Value;
use rust_decimal::Decimal;

use super::request::{FirstAnswer, ParticipantStatus, Request};
use crate::aggregate::aggregate_candidates;

/// How a request ends, and which values were not used.
pub(super) struct Ending {
    pub(super) verdict: Result<Answer, Failure>,
    pub(super) excluded: BTreeMap<WorkerId, Exclusion>,
    /// What the values say about their workers; empty if there is nothing to compare them with.
    pub(super) assessed: BTreeMap<WorkerId, Assessment>,
}

impl Request {
    /// Whether a judgement ends it early. Without suspects, the answer must be undisputed, and from at least half of
    /// those that were asked.
    pub(super) fn ends_by(&self, cause: Cause, verdict: &Ending) -> bool {
        match &verdict.verdict {
            Ok(answer) if cause == Cause::AllButSuspects => {
                answer.status != Status::Disputed && answer.used as usize * 2 >= self.participants.len()
            }
            verdict => verdict.is_ok(),
        }
    }

    /// The workers that should be there by name, and are not.
    fn absent(&self) -> Vec<WorkerId> {
        self.should.workers.iter().filter(|worker| !self.participants.contains_key(worker)).cloned().collect()
    }

    /// The number of workers that should be there besides all that are, or are missing by name.
    fn unnamed(&self) -> usize {
        (self.should.least as usize).saturating_sub(self.participants.len() + self.absent().len())
    }

    /// How the request ends with the values that have come.
    pub(super) fn verdict(&self, cause: Cause, bus_failed: bool) -> Ending {
        let mut excluded = BTreeMap::new();
        let (mut workers, mut candidates) = (Vec::new(), Vec::new());
        for (worker, value, said) in self.values() {
            if let Some(why) = self.exclusion_of(worker, said) {
                excluded.insert(worker.clone(), why);
            } else {
                workers.push(worker);
                candidates.push(Candidate { weight: said.weight, age: said.age, ..Candidate::from(value) });
            }
        }
        let (aggregated, not_used) = match aggregate_candidates(&self.policy.rule, &candidates) {
            Ok(aggregated) => {
                let not_used = aggregated.excluded.clone();
                (Some(aggregated), not_used)
            }
            Err(AggregateError::NoValues { excluded }) => (None, excluded),
        };
        excluded.extend(not_used.into_iter().map(|(index, why)| (workers[index].clone(), why)));
        let usable = aggregated.as_ref().map_or(0, |aggregated| aggregated.used as u32);
        let required = self.policy.min_responses;
        let verdict = match aggregated {
            Some(aggregated) if usable >= required => {
                let agreeing = aggregated.agreeing as u32;
                if aggregated.disputed && self.policy.on_dispute == OnDispute::Reject {
                    Err(Failure::Disputed { agreeing, used: usable })
                } else {
                    let value = match (&aggregated.value, self.policy.decimals) {
                        (Value::Number(number), Some(decimals)) => rounded(*number, decimals.into()).into(),
                        (value, _) => value.clone(),
                    };
                    Ok(Answer {
                        exact: aggregated.value.as_number().filter(|_| value != aggregated.value),
                        value,
                        used: usable,
                        agreeing,
                        tie: aggregated.tie,
                        spread: aggregated.spread,
                        status: if aggregated.disputed {
                            Status::Disputed
                        } else {
                            self.status(aggregated.used, aggregated.agreeing)
                        },
                    })
                }
            }
            _ if cause == Cause::DeadlinePassed && bus_failed => Err(Failure::BusDown),
            _ if cause == Cause::DeadlinePassed && usable == 0 => Err(Failure::DeadlineExceeded),
            _ => Err(Failure::InsufficientResponses { usable, required }),
        };
        Ending { verdict, excluded, assessed: self.assess() }
    }

    /// The status, by the share of those who should have answered whose values were used, and whether these agree.
    fn status(&self, used: usize, agreeing: usize) -> Status {
        let all = self.participants.len() + self.absent().len() + self.unnamed();
        if used == all && agreeing == used {
            Status::Complete
        } else if used * 2 >= all {
            Status::Partial
        } else {
            Status::LowReliability
        }
    }

    /// The outcome that its callers receive.
    /// `at` is the time of its end, and `wall` when the time of day was told, and what it was.
    pub(super) fn outcome(
        self,
        id: RequestId,
        (at, wall): (Timestamp, (Timestamp, UnixTime)),
        cause: Cause,
        verdict: Ending,
    ) -> Outcome {
        let (mut oldest, mut newest) = (None::<UnixTime>, None::<UnixTime>);
        let succeeded = self.values().count() as u32;
        let by_weight = self.policy.rule.strategy == Strategy::WeightedMedian;
        let (absent, unnamed) = (self.absent(), self.unnamed() as u32);
        let (mut observations, mut missing, mut suspects) = (Vec::new(), absent.clone(), Vec::new());
        for (worker, participant) in self.participants {
            match participant.status {
                ParticipantStatus::Answered(FirstAnswer { observed, response_time, arrived, age, weight, .. }) => {
                    let excluded = verdict.excluded.get(&worker).copied();
                    if observed.is_ok() && excluded.is_none() {
                        let time = time_of_day(wall, arrived).before(age.unwrap_or(Duration::ZERO));
                        oldest = Some(oldest.map_or(time, |oldest| oldest.min(time)));
                        newest = Some(newest.map_or(time, |newest| newest.max(time)));
                    }
                    let weight = if by_weight && observed.is_ok() { Some(weight) } else { None };
                    observations.push(Observation { worker, observed, response_time, age, weight, excluded });
                }
                ParticipantStatus::Awaited if participant.suspect => {
                    suspects.push(worker.clone());
                    missing.push(worker);
                }
                ParticipantStatus::Awaited | ParticipantStatus::Left => missing.push(worker),
            }
        }
        missing.sort();
        Outcome {
            request: id,
            query: self.query,
            strategy: self.policy.rule.strategy,
            observations,
            missing,
            suspects,
            absent,
            unnamed,
            succeeded,
            elapsed: at.since(self.submitted),
            answered_at: time_of_day(wall, at),
            observed: oldest.zip(newest).map(|(oldest, newest)| Observed { oldest, newest }),
            cause,
            verdict: verdict.verdict,
        }
    }
}

/// What a clock shows at `at` that was told `shown` at `told`.
fn time_of_day((told, shown): (Timestamp, UnixTime), at: Timestamp) -> UnixTime {
    let nanos = i128::from(shown.as_nanos()) + i128::from(at.as_nanos()) - i128::from(told.as_nanos());
    UnixTime::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

/// A number rounded to so many decimals, halves to the even neighbour, without trailing zeros.
fn rounded(number: Decimal, decimals: u32) -> Decimal {
    let Some(dropped) = number.scale().checked_sub(decimals) else { return number.normalize() };
    let unit = 10_i128.pow(dropped);
    let (whole, rest) = (number.mantissa() / unit, 2 * (number.mantissa() % unit).abs());
    let away = rest > unit || (rest == unit && whole % 2 != 0);
    let whole = whole + if away { number.mantissa().signum() } else { 0 };
    Decimal::from_i128_with_scale(whole, decimals).normalize()
}
