//! What a machine remembers of what has ended: bounded in number, bytes and time, first in, first out.

use std::collections::{BTreeMap, VecDeque};
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

/// The remembered things, the oldest first.
///
/// They are found by a key of 64 bits, the hash of a name. Of two things with one key, only the later one is found, so
/// whoever finds a thing checks its name.
#[derive(Debug)]
pub(crate) struct Memory<T> {
    entries: VecDeque<Entry<T>>,
    /// The number of the oldest entry; numbers grow by one.
    first: u64,
    by_key: BTreeMap<u64, u64>,
    capacity: usize,
    /// What the entries weigh, and the most they may weigh.
    bytes: usize,
    max_bytes: usize,
    keep: Duration,
}

impl<T> Memory<T> {
    /// A memory of at most `capacity` things and `max_bytes`, each of which is kept for this long.
    pub(crate) fn new(capacity: usize, max_bytes: usize, keep: Duration) -> Self {
        let (entries, by_key) = (VecDeque::new(), BTreeMap::new());
        Self { entries, first: 0, by_key, capacity, bytes: 0, max_bytes, keep }
    }

    pub(crate) fn find(&self, key: u64) -> Option<&Entry<T>> {
        let index = self.by_key.get(&key)?.checked_sub(self.first)?;
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// Remembers something that weighs this much. The bounds hold again once [`Memory::forget`] has returned `false`;
    /// it may forget even this.
    pub(crate) fn push(&mut self, now: Timestamp, key: u64, bytes: usize, what: T) {
        self.by_key.insert(key, self.first + self.entries.len() as u64);
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
        if self.by_key.get(&key) == Some(&self.first) {
            self.by_key.remove(&key);
        }
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
        memory.find(key).map(|entry| entry.what)
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
    fn of_two_things_with_one_key_the_later_one_is_found_until_it_is_forgotten() {
        let mut memory = Memory::new(2, 100, Duration::from_secs(1));
        for what in ['a', 'b', 'c'] {
            memory.push(Timestamp::ZERO, 7, 1, what);
        }
        assert!(memory.forget(Timestamp::ZERO));
        assert_eq!((memory.len(), found(&memory, 7)), (2, Some('c')));
        while memory.forget(Timestamp::from_millis(1000)) {}
        assert_eq!(found(&memory, 7), None);
    }
}
