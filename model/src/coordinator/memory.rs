//! The ended requests that should be remembered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::id::RequestId;
use quorate_core::outcome::Outcome;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;

/// An ended request.
#[derive(Debug)]
pub(super) struct Ended {
    /// Tells endings of one id apart.
    number: u64,
    pub(super) query: Query,
    /// What a retry gets; `None` if it is dispatched again.
    pub(super) outcome: Option<Arc<Outcome>>,
}

/// How long the text of an answer is, in bytes.
pub(super) fn text_length(observed: &Result<Value, Arc<str>>) -> usize {
    match observed {
        Ok(Value::Text(text)) => text.len(),
        Ok(Value::Number(_)) => 0,
        Err(why) => why.len(),
    }
}

/// All endings that are remembered, and the latest of each id.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    most_bytes: usize,
    keep: Duration,
    endings: u64,
    /// When each is too old, its number, what it weighs, and its id.
    by_age: VecDeque<(Timestamp, u64, usize, RequestId)>,
    /// How many were forgotten because all weighed too much.
    pub(super) forgotten_for_bytes: u64,
    /// When it is looked what has become too old: when the oldest does, as it was at the last look.
    pub(super) looks_at: Option<Timestamp>,
    latest: BTreeMap<RequestId, Ended>,
}

impl Memory {
    pub(super) fn new(most: usize, most_bytes: usize, keep: Duration) -> Self {
        let (by_age, latest) = (VecDeque::new(), BTreeMap::new());
        Self { most, most_bytes, keep, endings: 0, by_age, forgotten_for_bytes: 0, looks_at: None, latest }
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    pub(super) fn get(&self, id: &RequestId) -> Option<&Ended> {
        self.latest.get(id)
    }

    pub(super) fn add(&mut self, now: Timestamp, id: RequestId, query: Query, outcome: Option<Arc<Outcome>>) {
        self.endings += 1;
        let mut bytes = 640 + id.as_str().len() + query.as_str().len();
        if let Some(outcome) = &outcome {
            bytes += 192 * (outcome.observations.len() + outcome.missing.len());
            for observation in &outcome.observations {
                bytes += text_length(&observation.observed);
            }
        }
        self.by_age.push_back((now.after(self.keep), self.endings, bytes, id.clone()));
        self.latest.insert(id, Ended { number: self.endings, query, outcome });
        self.forget(now);
    }

    /// It is time to look what has become too old.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.looks_at = None;
        self.forget(now);
    }

    /// Forgets what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: Timestamp) {
        while let Some((until, number, _, id)) = self.by_age.front() {
            let too_heavy = self.by_age.iter().map(|(_, _, bytes, _)| bytes).sum::<usize>() > self.most_bytes;
            if *until > now && self.by_age.len() <= self.most && !too_heavy {
                break;
            }
            self.forgotten_for_bytes += u64::from(too_heavy);
            if self.latest.get(id).is_some_and(|ended| ended.number == *number) {
                self.latest.remove(id);
            }
            self.by_age.pop_front();
        }
        self.looks_at = self.looks_at.or(self.by_age.front().map(|(until, ..)| *until));
    }
}
