//! The counts, response times and score of one worker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use quorate_core::coordinator::{Reliability, Score};
use quorate_core::query::Query;

use crate::Divergence;

/// What one worker has done so far.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) successes: u64,
    pub(super) failures: u64,
    pub(super) timeouts: u64,
    pub(super) late: u64,
    pub(super) outliers: u64,
    pub(super) equivocations: u64,
    /// In millionths, from 0 to 1,000,000.
    pub(super) score: u32,
    /// All response times that the coordinator measured, the latest last.
    response_times: Vec<Duration>,
    /// The number of response times when they were last compared.
    compared: Cell<usize>,
    /// The last queries to which it sent a value, each once, with the longest time that it took.
    queries: VecDeque<(Query, Duration)>,
}

impl Record {
    pub(super) fn spotless() -> Self {
        Self {
            successes: 0,
            failures: 0,
            timeouts: 0,
            late: 0,
            outliers: 0,
            equivocations: 0,
            score: 1_000_000,
            response_times: Vec::new(),
            compared: Cell::new(0),
            queries: VecDeque::new(),
        }
    }

    /// Counts an answer and its response time, which runs from the submission of the request.
    pub(super) fn answered(&mut self, is_value: bool, after: Duration) {
        *(if is_value { &mut self.successes } else { &mut self.failures }) += 1;
        self.response_times.push(after);
    }

    /// Its first answer to a request came after the end.
    pub(super) fn answered_late(&mut self, after: Duration) {
        self.response_times.push(after);
    }

    /// It sent a value to a query, after this time. The last `most` queries are kept.
    pub(super) fn answered_query(&mut self, query: &Query, after: Duration, most: usize) {
        if let Some((_, longest)) = self.queries.iter_mut().find(|(known, _)| known == query) {
            *longest = after.max(*longest);
            return;
        }
        self.queries.push_back((query.clone(), after));
        if self.queries.len() > most {
            self.queries.pop_front();
        }
    }

    /// The time within which it usually answers: half as long again as the longer of its p99 over the last `most`
    /// answers and its slowest answer to the query. Not known with fewer than `least` answers.
    pub(super) fn usual(&self, query: &Query, most: usize, least: usize) -> Option<Duration> {
        let most = most.max(1);
        let mut sorted = self.response_times[self.response_times.len().saturating_sub(most)..].to_vec();
        if sorted.len() < least.max(1).min(most) {
            return None;
        }
        sorted.sort_unstable();
        let slowest = self.queries.iter().find(|(known, _)| known == query).map(|(_, longest)| *longest);
        let long = Self::quantile(&sorted, 99).max(slowest)?;
        let half = Duration::from_nanos(u64::try_from(long.as_nanos() / 2).unwrap_or(u64::MAX));
        Some(long.saturating_add(half))
    }

    /// Whether it has answered a query before.
    pub(super) fn has_answered(&self, query: &Query) -> bool {
        self.queries.iter().any(|(known, _)| known == query)
    }

    /// The smallest of the sorted times that `percent` of 100 do not exceed.
    fn quantile(sorted: &[Duration], percent: usize) -> Option<Duration> {
        let covers = |(place, _): &(usize, &Duration)| (place + 1) * 100 >= sorted.len() * percent;
        sorted.iter().enumerate().find(covers).map(|(_, time)| *time)
    }

    /// Compares the quantiles of the last `most` response times, if any have come since the last comparison.
    pub(super) fn compare_response_times(&self, most: usize, shown: &Reliability) -> Result<(), Divergence> {
        if self.compared.replace(self.response_times.len()) == self.response_times.len() {
            return Ok(());
        }
        let first = self.response_times.len().saturating_sub(most.max(1));
        let mut sorted = self.response_times[first..].to_vec();
        sorted.sort_unstable();
        let found = shown.response_times();
        let shown = [found.map(|times| times.p50), found.map(|times| times.p90), found.map(|times| times.p99)];
        let expected = [50, 90, 99].map(|percent| Self::quantile(&sorted, percent));
        Divergence::unless_equal("the quantiles of a worker's response times", &expected, &shown)
    }

    /// Lowers the score. Returns what it was, and what it is.
    pub(super) fn blame(&mut self) -> (Score, Score) {
        let before = Score::from_millionths(self.score);
        self.judge(false);
        (before, Score::from_millionths(self.score))
    }

    /// Moves the score a sixteenth of the way to 1 or to 0, rounded up to a millionth.
    pub(super) fn judge(&mut self, good: bool) {
        let way = |rest: u32| rest / 16 + u32::from(!rest.is_multiple_of(16));
        if good {
            self.score += way(1_000_000 - self.score);
        } else {
            self.score -= way(self.score);
        }
    }
}
