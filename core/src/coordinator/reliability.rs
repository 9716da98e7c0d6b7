//! The reliability of one worker: counts, response times and one score.

use std::fmt;
use std::time::Duration;

use super::event::Blame;
use crate::time::saturating_nanos;

/// How far a worker can be trusted: a score from 0 to 1 in millionths.
///
/// It is an exponentially weighted average. A good value counts 1. A bad value and an equivocation count 0, as do a
/// failure and a missed deadline for which the worker may be blamed. The newest event weighs one sixteenth, so a worker
/// that behaves again is trusted again: from 0 to above 0.5 in eleven good values. Integer arithmetic makes it the same
/// on every platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u32);

impl Score {
    /// Full trust, with which every worker begins.
    pub const ONE: Self = Self(1_000_000);
    /// No trust.
    pub const ZERO: Self = Self(0);
    /// Below this a worker loses its record.
    pub const LOST: Self = Self(100_000);
    /// The newest event weighs one part in this many.
    const WEIGHT: u32 = 16;

    /// A score of `millionths` millionths, at most 1.
    pub fn from_millionths(millionths: u32) -> Self {
        Self(millionths.min(Self::ONE.0))
    }

    /// The score in millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    fn after(self, good: bool) -> Self {
        if good {
            Self(self.0 + (Self::ONE.0 - self.0).div_ceil(Self::WEIGHT))
        } else {
            Self(self.0 - self.0.div_ceil(Self::WEIGHT))
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// The counts, response times and score of one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reliability {
    /// Values it sent in time.
    pub successes: u64,
    /// Failures it reported in time, including refusals for lack of room.
    pub failures: u64,
    /// Requests that still awaited it at their deadline, except if the bus was down or the coordinator was paused.
    pub timeouts: u64,
    /// Results it sent after their request had ended.
    pub late: u64,
    /// Its values that were judged bad in comparison with those of the others.
    pub outliers: u64,
    /// Times it contradicted itself within one request.
    pub equivocations: u64,
    /// The score.
    pub score: Score,
    /// The last response times in nanoseconds, as a ring: from dispatch to arrival, as the coordinator measured them, of
    /// answers in time and late, but not of refusals for lack of room.
    response_times: Vec<u64>,
    next: usize,
    /// The number of response times that are kept.
    keeps: usize,
    /// The last queries to which it has sent a value, as a ring: their keys, and the longest time in nanoseconds that it
    /// took.
    queries: Vec<(u64, u64)>,
    next_query: usize,
}

/// Quantiles of a worker's last response times, from dispatch to arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseTimes {
    /// Half were no longer than this.
    pub p50: Duration,
    /// Nine of ten were no longer than this.
    pub p90: Duration,
    /// Ninety-nine of a hundred were no longer than this.
    pub p99: Duration,
}

impl Reliability {
    /// The reliability of a worker without history. Keeps this many response times, at least 1.
    pub(super) fn new(response_times: usize) -> Self {
        Self {
            successes: 0,
            failures: 0,
            timeouts: 0,
            late: 0,
            outliers: 0,
            equivocations: 0,
            score: Score::ONE,
            response_times: Vec::new(),
            next: 0,
            keeps: response_times.max(1),
            queries: Vec::new(),
            next_query: 0,
        }
    }

    /// An answer came in time. Its effect on the score is decided when its request ends and its value has been compared
    /// with the others.
    pub(super) fn answer(&mut self, is_value: bool, response_time: Duration) {
        *(if is_value { &mut self.successes } else { &mut self.failures }) += 1;
        self.response_time(response_time);
    }

    /// A refusal for lack of room came in time. It says nothing about how long the worker usually takes.
    pub(super) fn refusal(&mut self) {
        self.failures += 1;
    }

    /// Moves the score up or down.
    pub(super) fn judged(&mut self, good: bool) {
        self.score = self.score.after(good);
    }

    /// Lowers the score, and counts what for. Returns the score until then.
    pub(super) fn blame(&mut self, blame: Blame) -> Score {
        match blame {
            Blame::Outlier => self.outliers += 1,
            Blame::Equivocation => self.equivocations += 1,
            Blame::Failure | Blame::Silence => {}
        }
        let before = self.score;
        self.judged(false);
        before
    }

    /// Notes that it sent a value to the query with this key after this time. The last `kept` queries are kept.
    pub(super) fn answered_query(&mut self, key: u64, response_time: Duration, kept: usize) {
        let nanos = saturating_nanos(response_time);
        if let Some((_, longest)) = self.queries.iter_mut().find(|(known, _)| *known == key) {
            *longest = nanos.max(*longest);
        } else if self.queries.len() < kept {
            self.queries.push((key, nanos));
        } else if let Some(oldest) = self.queries.get_mut(self.next_query) {
            *oldest = (key, nanos);
            self.next_query = (self.next_query + 1) % kept;
        }
    }

    /// The longest time in nanoseconds that it took for a value to this query; `None` if it is not among the queries
    /// that are kept.
    fn longest(&self, key: u64) -> Option<u64> {
        self.queries.iter().find(|(known, _)| *known == key).map(|(_, longest)| *longest)
    }

    /// Whether it has sent a value to this query, among the queries that are kept.
    pub(super) fn has_answered(&self, key: u64) -> bool {
        self.longest(key).is_some()
    }

    /// The time within which it usually answers this query: one and a half times the longer of its p99 and its slowest
    /// answer to the query. `None` if fewer than `samples` response times are known.
    pub(super) fn usual_time(&self, key: u64, samples: usize) -> Option<Duration> {
        if self.response_times.len() < samples.clamp(1, self.keeps) {
            return None;
        }
        let mut times = self.response_times.clone();
        let place = rank(times.len(), 99);
        let p99 = *times.select_nth_unstable(place).1;
        let longest = p99.max(self.longest(key).unwrap_or(0));
        Some(Duration::from_nanos(longest.saturating_add(longest / 2)))
    }

    /// Records how long an answer took, in time or late.
    pub(super) fn response_time(&mut self, response_time: Duration) {
        let nanos = saturating_nanos(response_time);
        if self.response_times.len() < self.keeps {
            self.response_times.push(nanos);
        } else {
            self.response_times[self.next] = nanos;
        }
        self.next = (self.next + 1) % self.keeps;
    }

    /// Quantiles over the last answers, in time or late; `None` before the first answer.
    pub fn response_times(&self) -> Option<ResponseTimes> {
        if self.response_times.is_empty() {
            return None;
        }
        let mut sorted = self.response_times.clone();
        sorted.sort_unstable();
        let quantile = |percent| Duration::from_nanos(sorted[rank(sorted.len(), percent)]);
        Some(ResponseTimes { p50: quantile(50), p90: quantile(90), p99: quantile(99) })
    }
}

/// The place of a quantile among so many sorted values, at least one, by the nearest-rank method.
fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_stays_between_zero_and_one_and_recovers() {
        let mut score = Score::ONE;
        assert_eq!(score.after(true), Score::ONE);
        for _ in 0..1000 {
            score = score.after(false);
        }
        assert_eq!(score, Score::ZERO);
        for _ in 0..11 {
            score = score.after(true);
        }
        assert!(score > Score::from_millionths(500_000), "{score}");
        assert_eq!(Score::from_millionths(981_000).to_string(), "0.981000");
    }

    #[test]
    fn quantiles_are_those_of_the_last_answers_only() {
        let mut record = Reliability::new(128);
        assert_eq!(record.response_times(), None);
        for _ in 0..128 {
            record.answer(true, Duration::from_secs(9));
        }
        for millis in 1..=128 {
            record.answer(true, Duration::from_millis(millis));
        }
        let times = record.response_times().expect("there were answers");
        assert_eq!(times.p50, Duration::from_millis(64));
        assert_eq!(times.p90, Duration::from_millis(116));
        assert_eq!(times.p99, Duration::from_millis(127));
    }
}
