//! The ended requests that the coordinator must remember.

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
    /// Distinguishes the endings of one id.
    number: u64,
    /// When it ended.
    pub(super) at: Timestamp,
    pub(super) query: Query,
    /// What a retry receives; `None` if it is dispatched again.
    pub(super) outcome: Option<Arc<Outcome>>,
}

/// The length of an answer's text, in bytes.
pub(super) fn text_length(observed: &Result<Value, Arc<str>>) -> usize {
    match observed {
        Ok(Value::Text(text)) => text.len(),
        Ok(Value::Number(_)) => 0,
        Err(why) => why.len(),
    }
}

/// All remembered endings, and the latest of each id.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    most_bytes: usize,
    keep: Duration,
    endings: u64,
    /// The expiry, the number, the weight in bytes and the id of each ending, the oldest first.
    by_age: VecDeque<(Timestamp, u64, usize, RequestId)>,
    /// The number of endings forgotten because all of them weighed too much.
    pub(super) forgotten_for_bytes: u64,
    /// When the machine next looks for expired endings: the expiry of the oldest, as of the last look.
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
        self.latest.insert(id, Ended { number: self.endings, at: now, query, outcome });
        self.forget(now);
    }

    /// Looks for expired endings.
    pub(super) fn look(&mut self, now: Timestamp) {
        self.looks_at = None;
        self.forget(now);
    }

    /// Forgets expired endings, and the oldest ones while there are too many or they weigh too much.
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
