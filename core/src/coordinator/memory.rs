//! The ended requests, remembered by id for a while: bounded in number, bytes and time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::id::RequestId;
use crate::outcome::{Outcome, request_bytes};
use crate::query::Query;
use crate::time::Timestamp;

/// One request that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) request: RequestId,
    pub(super) query: Query,
    /// What a retry receives; `None` if a retry is dispatched again: the request was cancelled, or its failure is
    /// retryable.
    pub(super) outcome: Option<Arc<Outcome>>,
    /// When it ended.
    pub(super) at: Timestamp,
    bytes: usize,
}

/// Names one entry of the [`Memory`]; numbers grow with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndedSeq(u64);

/// The remembered requests, the oldest first.
#[derive(Debug)]
pub(super) struct Memory {
    entries: VecDeque<Ended>,
    first: u64,
    capacity: usize,
    /// What the entries weigh, and the most they may weigh.
    bytes: usize,
    max_bytes: usize,
    keep: Duration,
}

impl Memory {
    pub(super) fn new(capacity: usize, max_bytes: usize, keep: Duration) -> Self {
        Self { entries: VecDeque::new(), first: 0, capacity, bytes: 0, max_bytes, keep }
    }

    pub(super) fn get(&self, seq: EndedSeq) -> Option<&Ended> {
        let index = seq.0.checked_sub(self.first)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Remembers a request. The bounds hold again once [`Memory::pop`] has returned `None`; it may remove even this
    /// entry.
    pub(super) fn push(
        &mut self,
        now: Timestamp,
        request: RequestId,
        query: Query,
        outcome: Option<Arc<Outcome>>,
    ) -> EndedSeq {
        let seq = EndedSeq(self.first + self.entries.len() as u64);
        let bytes = match &outcome {
            Some(outcome) => outcome.bytes(),
            None => request_bytes(&request, &query, 0),
        };
        self.bytes += bytes;
        self.entries.push_back(Ended { request, query, outcome, at: now, bytes });
        seq
    }

    /// Whether the oldest entry has to go because all of them weigh too much.
    pub(super) fn is_too_heavy(&self) -> bool {
        self.bytes > self.max_bytes
    }

    /// Removes the oldest entry if its time has passed, or if the entries are too many or weigh too much.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(EndedSeq, Ended)> {
        let oldest = self.entries.front()?;
        if self.entries.len() <= self.capacity && self.bytes <= self.max_bytes && oldest.at.after(self.keep) > now {
            return None;
        }
        self.bytes -= oldest.bytes;
        let seq = EndedSeq(self.first);
        self.first += 1;
        self.entries.pop_front().map(|ended| (seq, ended))
    }

    /// When the oldest entry may be forgotten.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.entries.front().map(|oldest| oldest.at.after(self.keep))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
