//! What a machine remembers of what has ended: bounded in number, bytes and time, first in, first out.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::time::Timestamp;

/// One remembered thing.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    key: u64,
    /// When it ended.
    pub(crate) at: Timestamp,
    bytes: usize,
    /// What is remembered.
    pub(crate) what: T,
}

/// The remembered things, the oldest first. Each has a key, the hash of its name. Whoever chooses names can choose two
/// with one key, so a thing is found by its key and its name.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    entries: VecDeque<Entry<T>>,
    /// The number of the oldest entry; numbers grow by one.
    first: u64,
    /// The keys of the entries, with their numbers.
    by_key: BTreeSet<(u64, u64)>,
    capacity: usize,
    /// What the entries weigh, and the most they may weigh.
    bytes: usize,
    max_bytes: usize,
    keep: Duration,
}

impl<T> Memory<T> {
    /// A memory of at most `capacity` things and `max_bytes`, each of which is kept for this long.
    pub(crate) fn new(capacity: usize, max_bytes: usize, keep: Duration) -> Self {
        let (entries, by_key) = (VecDeque::new(), BTreeSet::new());
        Self { entries, first: 0, by_key, capacity, bytes: 0, max_bytes, keep }
    }

    /// The latest thing that has this key and this name.
    pub(crate) fn find(&self, key: u64, has_name: impl Fn(&T) -> bool) -> Option<&Entry<T>> {
        let numbers = self.by_key.range((key, 0)..=(key, u64::MAX)).rev();
        let mut entries = numbers.filter_map(|(_, number)| self.entries.get((number - self.first) as usize));
        entries.find(|entry| has_name(&entry.what))
    }

    /// Remembers something that weighs this much. The bounds hold again once [`Memory::forget`] has returned `false`;
    /// it may forget even this.
    pub(crate) fn push(&mut self, now: Timestamp, key: u64, bytes: usize, what: T) {
        self.by_key.insert((key, self.first + self.entries.len() as u64));
        self.bytes += bytes;
        self.entries.push_back(Entry { key, at: now, bytes, what });
    }

    /// Whether the oldest entry has to go because all of them weigh too much.
    pub(crate) fn is_too_heavy(&self) -> bool {
        self.bytes > self.max_bytes
    }

    /// Forgets the oldest entry if its time has passed, or if the entries are too many or weigh too much. Returns
    /// whether it did.
    pub(crate) fn forget(&mut self, now: Timestamp) -> bool {
        let is_over = self.next_expiry().is_some_and(|at| at <= now);
        if !is_over && !self.is_too_heavy() && self.entries.len() <= self.capacity {
            return false;
        }
        let Some(Entry { key, bytes, .. }) = self.entries.pop_front() else { return false };
        self.by_key.remove(&(key, self.first));
        self.bytes -= bytes;
        self.first += 1;
        true
    }

    /// When the oldest entry may be forgotten.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.entries.front().map(|oldest| oldest.at.after(self.keep))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(memory: &Memory<char>, key: u64) -> Option<char> {
        memory.find(key, |_| true).map(|entry| entry.what)
    }

    #[test]
    fn what_is_over_too_much_or_too_heavy_is_forgotten_oldest_first() {
        let at = Timestamp::from_millis;
        let mut memory = Memory::new(3, 100, Duration::from_millis(10));
        for (millis, what) in [(0, 'a'), (1, 'b'), (2, 'c')] {
            memory.push(at(millis), millis, 30, what);
        }
        assert!(!memory.forget(at(9)));
        assert!(memory.forget(at(10)) && !memory.forget(at(10)));
        assert_eq!((found(&memory, 0), found(&memory, 1), found(&memory, 2)), (None, Some('b'), Some('c')));
        memory.push(at(10), 3, 30, 'd');
        memory.push(at(10), 4, 0, 'e');
        assert!(!memory.is_too_heavy() && memory.forget(at(10)) && !memory.forget(at(10)), "four are too many");
        memory.push(at(10), 5, 60, 'f');
        assert!(memory.is_too_heavy() && memory.forget(at(10)), "the oldest goes");
        assert_eq!((memory.len(), found(&memory, 2), found(&memory, 5)), (3, None, Some('f')));
        memory.push(at(10), 6, 101, 'g');
        while memory.forget(at(10)) {}
        assert_eq!((memory.len(), memory.next_expiry()), (0, None), "even the newest goes if it weighs too much");
    }

    #[test]
    fn things_with_one_key_are_told_apart_by_their_names_and_the_latest_of_a_name_is_found() {
        let mut memory = Memory::new(3, 100, Duration::from_secs(1));
        let at = |memory: &Memory<char>, name| memory.find(7, |what| *what == name).map(|entry| entry.at.as_nanos());
        for (nanos, name) in [(0, 'a'), (1, 'b'), (2, 'a'), (3, 'c')] {
            memory.push(Timestamp::from_nanos(nanos), 7, 1, name);
        }
        assert_eq!((at(&memory, 'a'), at(&memory, 'b'), at(&memory, 'c')), (Some(2), Some(1), Some(3)));
        assert!(memory.forget(Timestamp::ZERO) && !memory.forget(Timestamp::ZERO));
        assert_eq!((at(&memory, 'a'), at(&memory, 'b'), at(&memory, 'd')), (Some(2), Some(1), None));
        while memory.forget(Timestamp::from_millis(2000)) {}
        assert_eq!((at(&memory, 'a'), memory.by_key.len()), (None, 0));
    }
}
