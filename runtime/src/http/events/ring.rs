//! The last events, numbered without gaps.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Entry, Event};

/// The approximate limit of the bytes that are kept, without the texts encoded for subscribers, which are as much
/// again. A thousand events of a few workers take a tenth of it; the limit is for outcomes with many long texts.
const MAX_WEIGHT: usize = 16 << 20;

/// The last events.
#[derive(Debug)]
pub(super) struct Ring {
    /// The most events that are kept.
    capacity: usize,
    entries: VecDeque<Arc<Entry>>,
    /// The number of the next event; the first one is 1.
    next: u64,
    weight: usize,
}

/// What the ring has at a number.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The event.
    Found(Arc<Entry>),
    /// The event was overwritten.
    Overwritten,
    /// The event has not happened yet.
    NotYet,
}

impl Ring {
    /// A ring of `capacity` events, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), entries: VecDeque::new(), next: 1, weight: 0 }
    }

    /// Adds an event, and removes the oldest ones that there is no room for.
    pub(super) fn push(&mut self, event: Event) {
        let entry = Entry::new(self.next, event);
        self.weight += entry.weight;
        self.entries.push_back(Arc::new(entry));
        self.next += 1;
        while self.entries.len() > self.capacity || (self.weight > MAX_WEIGHT && self.entries.len() > 1) {
            let oldest = self.entries.pop_front().expect("there are more than the bound");
            self.weight -= oldest.weight;
        }
    }

    /// The number of the oldest event that is kept, or of the next one if there is none.
    pub(super) fn oldest(&self) -> u64 {
        self.next - self.entries.len() as u64
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What `find` finds in the newest event in which it finds anything.
    pub(super) fn newest<T>(&self, find: impl Fn(&Event) -> Option<T>) -> Option<T> {
        self.entries.iter().rev().find_map(|entry| find(&entry.event))
    }

    /// The number of the first of the last `count` events that are wanted; of the next event if there are none.
    pub(super) fn first_of_last(&self, count: u64, is_wanted: impl Fn(&Event) -> bool) -> u64 {
        let wanted = self.entries.iter().rev().filter(|entry| is_wanted(&entry.event));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        wanted.take(count).last().map_or(self.next, |entry| entry.number)
    }

    pub(super) fn at(&self, number: u64) -> Lookup {
        let Some(index) = number.checked_sub(self.oldest()) else { return Lookup::Overwritten };
        let entry = usize::try_from(index).ok().and_then(|index| self.entries.get(index));
        entry.map_or(Lookup::NotYet, |entry| Lookup::Found(Arc::clone(entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::{outcome, outcome_with};
    use super::*;

    const CAPACITY: usize = 1024;

    fn numbers(ring: &Ring) -> Vec<u64> {
        ring.entries.iter().map(|entry| entry.number).collect()
    }

    #[test]
    fn events_are_numbered_from_one_and_the_oldest_are_overwritten() {
        let mut ring = Ring::new(CAPACITY);
        assert!((ring.oldest(), ring.next()) == (1, 1) && matches!(ring.at(1), Lookup::NotYet));
        for _ in 0..CAPACITY {
            ring.push(outcome("q"));
        }
        assert_eq!((ring.oldest(), ring.next()), (1, 1025));
        ring.push(outcome("q"));
        assert_eq!((ring.oldest(), ring.next(), ring.entries.len()), (2, 1026, CAPACITY));
        assert!(matches!(ring.at(0), Lookup::Overwritten) && matches!(ring.at(1), Lookup::Overwritten));
        assert!(matches!(ring.at(2), Lookup::Found(entry) if entry.number == 2));
        assert!(matches!(ring.at(1025), Lookup::Found(entry) if entry.number == 1025));
        assert!(matches!(ring.at(1026), Lookup::NotYet) && matches!(ring.at(u64::MAX), Lookup::NotYet));
    }

    #[test]
    fn long_texts_fill_the_ring_sooner() {
        let mut ring = Ring::new(CAPACITY);
        for _ in 0..40 {
            ring.push(outcome_with(&"x".repeat(1 << 20)));
        }
        assert_eq!(numbers(&ring), (26..=40).collect::<Vec<_>>(), "fifteen texts of a megabyte fit into 16");
        assert!(ring.weight <= MAX_WEIGHT);
        ring.push(outcome_with(&"x".repeat(MAX_WEIGHT)));
        assert_eq!(numbers(&ring), [41], "the newest is always there");
        for _ in 0..CAPACITY {
            ring.push(outcome("q"));
        }
        assert_eq!(ring.entries.len(), CAPACITY, "what is overwritten weighs nothing");
    }
}
