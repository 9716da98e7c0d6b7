//! How a request ended: the answer or the failure, and the evidence for it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::aggregate::{Exclusion, Millionths, Spread, Strategy};
use crate::id::{RequestId, WorkerId};
use crate::query::Query;
use crate::time::UnixTime;
use crate::value::Value;

/// One worker's answer to one request. There is at most one per worker and request: the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observation {
    /// The worker.
    pub worker: WorkerId,
    /// What it observed, or its own reason why it could not.
    pub observed: Result<Value, Arc<str>>,
    /// The response time stated by the worker.
    pub response_time: Duration,
    /// The age of the value on arrival, if the worker states one.
    pub age: Option<Duration>,
    /// The weight of the value, if the strategy uses weights.
    pub weight: Option<Millionths>,
    /// Why the value was not used; `None` if it was used or if there is none.
    pub excluded: Option<Exclusion>,
}

impl Observation {
    /// An observation that was used, without a response time, an age and a weight.
    pub fn new(worker: WorkerId, observed: Result<Value, Arc<str>>) -> Self {
        Self { worker, observed, response_time: Duration::ZERO, age: None, weight: None, excluded: None }
    }
}

/// What a request weighs in memory, in flight or remembered, without its id, its query and its workers, in bytes. A
/// constant, so that limits mean the same on every platform.
const REQUEST_BYTES: usize = 640;
/// What each worker of a request weighs without the text of its answer, in bytes.
pub const WORKER_BYTES: usize = 192;

const _: () = assert!(size_of::<Outcome>() <= REQUEST_BYTES && size_of::<Observation>() <= WORKER_BYTES);

/// What a request with this many workers weighs without the texts of their answers, in bytes.
pub fn request_bytes(id: &RequestId, query: &Query, workers: usize) -> usize {
    REQUEST_BYTES + id.as_str().len() + query.as_str().len() + workers * WORKER_BYTES
}

/// What the text of an answer weighs, in bytes.
pub(crate) fn text_bytes(observed: &Result<Value, Arc<str>>) -> usize {
    match observed {
        Ok(Value::Number(_)) => 0,
        Ok(Value::Text(text)) | Err(text) => text.len(),
    }
}

/// How a request ended. Every accepted request that was not cancelled has exactly one outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The request's id.
    pub request: RequestId,
    /// What was asked.
    pub query: Query,
    /// The strategy that aggregates the values.
    pub strategy: Strategy,
    /// The answers, ordered by worker.
    pub observations: Vec<Observation>,
    /// The workers that should have answered by name and did not, in order.
    pub missing: Vec<WorkerId>,
    /// Those of the missing that the request waited for no longer because they were suspect, in order.
    pub suspects: Vec<WorkerId>,
    /// Those of the missing that were not asked because they were not there, in order.
    pub absent: Vec<WorkerId>,
    /// The number of workers that should have been there besides, by number and not by name.
    pub unnamed: u32,
    /// The number of observations that are values, used or not.
    pub succeeded: u32,
    /// The time from submission to the end.
    pub elapsed: Duration,
    /// The time of day of the end.
    pub answered_at: UnixTime,
    /// When the used values were observed; `None` if there are none.
    pub observed: Option<Observed>,
    /// What ended the collection.
    pub cause: Cause,
    /// The answer, or why there is none.
    pub verdict: Result<Answer, Failure>,
}

/// When the used values of a request were observed: on arrival, or earlier by the age that the worker states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The time of day of the oldest.
    pub oldest: UnixTime,
    /// The time of day of the newest.
    pub newest: UnixTime,
}

impl Observed {
    /// The period that also contains a value that was observed at `time`.
    #[must_use]
    pub fn with(before: Option<Self>, time: UnixTime) -> Self {
        let Self { oldest, newest } = before.unwrap_or(Self { oldest: time, newest: time });
        Self { oldest: oldest.min(time), newest: newest.max(time) }
    }
}

/// What ended the collection of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Every awaited worker has answered.
    AllAnswered,
    /// Every awaited worker but suspects has answered, and suspects have had their usual time.
    AllButSuspects,
    /// The policy's quorum was met.
    QuorumMet,
    /// No worker was expected at the dispatch, and no further result came for the stall timeout.
    Stalled,
    /// The deadline passed.
    DeadlinePassed,
    /// The task reached nobody.
    Undelivered,
}

impl Cause {
    /// Whether the request ended before its deadline without waiting for silent workers, which are then late, not
    /// missing.
    pub fn is_early(self) -> bool {
        matches!(self, Self::QuorumMet | Self::Stalled)
    }
}

/// The answer of a request that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The aggregated value, rounded if the policy says so.
    pub value: Value,
    /// The aggregated number before it was rounded; `None` if rounding did not change it.
    pub exact: Option<Decimal>,
    /// The number of values it rests on, equal to [`Outcome::used`].
    pub used: u32,
    /// The number of used values that agree with it, by the policy's tolerance.
    pub agreeing: u32,
    /// Whether several values were equally frequent.
    pub tie: bool,
    /// How far the used values lie apart, if they are numbers.
    pub spread: Option<Spread>,
    /// How far the answer can be relied on.
    pub status: Status,
}

/// How far an answer can be relied on, by the share of the expected workers whose value was used, and by their agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// The value of every expected worker was used, and all agree with the answer.
    Complete,
    /// The values of at least half of the expected workers were used, and some were not or do not agree.
    Partial,
    /// The values of fewer than half of the expected workers were used.
    LowReliability,
    /// The workers disagree: the outlier rule would have excluded half of the values or more, or fewer than the
    /// policy's `min_agreement` agree with the answer.
    Disputed,
}

/// Why a request that was dispatched has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Failure {
    /// Fewer usable values than the policy's `min_responses`.
    #[error("{usable} of the required {required} responses are usable")]
    InsufficientResponses {
        /// The number of usable values.
        usable: u32,
        /// The policy's `min_responses`.
        required: u32,
    },
    /// The workers disagree, and the policy rejects such an answer.
    #[error("the workers do not agree: {agreeing} of {used} used responses agree with the result")]
    Disputed {
        /// The number of used values that agree with what would have been the answer.
        agreeing: u32,
        /// The number of used values.
        used: u32,
    },
    /// The deadline passed without one usable value.
    #[error("no usable response before the deadline")]
    DeadlineExceeded,
    /// No worker is listening for tasks.
    #[error("no worker is listening for tasks")]
    NoWorkers,
    /// The bus was down during the request, and too few answers came.
    #[error("the connection to the bus was lost during the request")]
    BusDown,
    /// The task could not be sent because the outgoing queue of the bus was full.
    #[error("the outgoing queue of the bus is full")]
    Overloaded,
}

impl Failure {
    /// Whether a retry may succeed: the request failed because the bus or the workers were unavailable, not because of
    /// what the workers said. Such a failure is not remembered under the request's id.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::NoWorkers | Self::BusDown | Self::Overloaded)
    }
}

impl Outcome {
    /// The outcome of a request that expected nobody, and that nobody had answered by its deadline.
    pub fn unanswered(request: RequestId, query: Query) -> Self {
        Self {
            request,
            query,
            strategy: Strategy::default(),
            observations: Vec::new(),
            missing: Vec::new(),
            suspects: Vec::new(),
            absent: Vec::new(),
            unnamed: 0,
            succeeded: 0,
            elapsed: Duration::ZERO,
            answered_at: UnixTime::EPOCH,
            observed: None,
            cause: Cause::DeadlinePassed,
            verdict: Err(Failure::DeadlineExceeded),
        }
    }

    /// What a worker observed; `None` if it has not answered.
    pub fn observation(&self, worker: &WorkerId) -> Option<&Observation> {
        let found = self.observations.binary_search_by(|observation| observation.worker.cmp(worker));
        found.ok().map(|index| &self.observations[index])
    }

    /// The number of workers that should have answered, or did.
    pub fn expected(&self) -> u32 {
        count(self.observations.len() + self.missing.len()) + self.unnamed
    }

    /// What the outcome weighs in memory, in bytes: [`request_bytes`] and its texts.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.observations.iter().map(|observation| text_bytes(&observation.observed)).sum();
        request_bytes(&self.request, &self.query, self.observations.len() + self.missing.len()) + texts
    }

    /// The number of workers that answered with a failure.
    pub fn failed(&self) -> u32 {
        count(self.observations.len()) - self.succeeded
    }

    /// The number of values that were used, or would have been if there had been enough of them.
    pub fn used(&self) -> u32 {
        let is_used = |it: &&Observation| it.observed.is_ok() && it.excluded.is_none();
        count(self.observations.iter().filter(is_used).count())
    }

    /// One sentence for people: how far the outcome can be relied on, and why not further.
    pub fn reliability_note(&self) -> String {
        let (used, expected) = (self.used(), self.expected());
        let mut note = match reliability(used, expected) {
            Status::Complete => "All workers responded successfully".to_owned(),
            Status::LowReliability => format!("Low reliability: only {used}/{expected} workers succeeded"),
            Status::Partial | Status::Disputed => format!("Partial response: {used}/{expected} workers succeeded"),
        };
        let mut separator = "; ";
        for why in Exclusion::ALL {
            let excluded = self.observations.iter().filter(|it| it.excluded == Some(why)).count();
            if excluded > 0 {
                let excluded_as = if separator == "; " { "excluded as" } else { "as" };
                let _ = write!(note, "{separator}{excluded} {excluded_as} {}", in_words(why, excluded));
                separator = ", ";
            }
        }
        match &self.verdict {
            Err(Failure::Disputed { .. }) | Ok(Answer { status: Status::Disputed, .. }) => note += "; values disagree",
            Ok(Answer { agreeing, used, .. }) if agreeing < used => {
                let disagreeing = used - agreeing;
                let verb = if disagreeing == 1 { "disagrees" } else { "disagree" };
                let _ = write!(note, "; {disagreeing} of {used} values {verb}");
            }
            Ok(Answer { tie: true, .. }) => note += "; several values are equally frequent",
            _ => {}
        }
        let absent = count(self.absent.len()) + self.unnamed;
        if absent > 0 {
            let _ = write!(note, "; {absent} not there");
        }
        if !self.suspects.is_empty() {
            let _ = write!(note, "; {} not waited for, silent for longer than usual", self.suspects.len());
        }
        note
    }
}

/// The reason in words, for this many values.
fn in_words(why: Exclusion, excluded: usize) -> &'static str {
    match why {
        Exclusion::NotANumber => "not a number",
        Exclusion::Outlier if excluded == 1 => "an outlier",
        Exclusion::Outlier => "outliers",
        Exclusion::Stale => "stale",
        Exclusion::Quarantined => "quarantined",
        Exclusion::Newcomer if excluded == 1 => "a newcomer",
        Exclusion::Newcomer => "newcomers",
    }
}

/// The status by the share of the expected workers whose values were used.
pub(crate) fn reliability(used: u32, expected: u32) -> Status {
    if used >= expected && expected > 0 {
        Status::Complete
    } else if u64::from(used) * 2 >= u64::from(expected) && used > 0 {
        Status::Partial
    } else {
        Status::LowReliability
    }
}

/// A number of workers, which is always below `u32::MAX`.
pub(crate) fn count(n: usize) -> u32 {
    u32::try_from(n).expect("the number of workers of a request is bounded far below u32::MAX")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reliability_is_counted_over_the_expected_workers() {
        let cases = [
            (3, 3, Status::Complete),
            (2, 3, Status::Partial),
            (1, 3, Status::LowReliability),
            (1, 2, Status::Partial),
            (0, 2, Status::LowReliability),
            (0, 0, Status::LowReliability),
        ];
        for (succeeded, expected, status) in cases {
            assert_eq!(reliability(succeeded, expected), status, "{succeeded}/{expected}");
        }
    }

    #[test]
    fn a_request_ends_early_if_it_stops_waiting_for_silent_workers() {
        let early = [Cause::QuorumMet, Cause::Stalled];
        let late = [Cause::AllAnswered, Cause::AllButSuspects, Cause::DeadlinePassed, Cause::Undelivered];
        for cause in late.into_iter().chain(early) {
            assert_eq!(cause.is_early(), early.contains(&cause), "{cause:?}");
        }
    }
}
