//! A queue of future events, ordered by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Future events. Two at the same time come in the order in which they were planned.
#[derive(Debug)]
pub struct Heap<T> {
    heap: BinaryHeap<Reverse<Planned<T>>>,
    planned: u64,
}

#[derive(Debug)]
struct Planned<T> {
    at: u64,
    order: u64,
    what: T,
}

impl<T> Planned<T> {
    fn key(&self) -> (u64, u64) {
        (self.at, self.order)
    }
}

impl<T> PartialEq for Planned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Planned<T> {}

impl<T> PartialOrd for Planned<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Planned<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<T> Heap<T> {
    /// An empty heap.
    pub fn new() -> Self {
        Self { heap: BinaryHeap::new(), planned: 0 }
    }

    /// Plans `what` for the time `at`, in nanoseconds.
    pub fn plan(&mut self, at: u64, what: T) {
        self.heap.push(Reverse(Planned { at, order: self.planned, what }));
        self.planned += 1;
    }

    /// Takes the next event, with its time in nanoseconds.
    pub fn pop(&mut self) -> Option<(u64, T)> {
        self.heap.pop().map(|Reverse(planned)| (planned.at, planned.what))
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_planning() {
        let mut heap = Heap::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (2, 'b')] {
            heap.plan(at, what);
        }
        let all: Vec<_> = std::iter::from_fn(|| heap.pop()).collect();
        assert_eq!(all, [(1, 'a'), (2, 'b'), (5, 'c'), (5, 'd')]);
    }
}
