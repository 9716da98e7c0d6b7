//! Timed events that do nothing.

use std::hint::black_box;

use crate::machines::heap::Heap;
use crate::random::{Random, Stream};

/// The number of planned events at any time.
const PLANNED: u64 = 64;

/// Takes `events` events from a heap as the machines stage uses it, and plans another for each. Returns a number that
/// depends on all of them, so that no work is optimised away.
pub fn heap_baseline(seed: u64, events: u64) -> u64 {
    let mut random = Random::new(seed, Stream::Network, 0);
    let mut heap = Heap::new();
    for number in 0..PLANNED {
        heap.plan(random.below(1_000_000), [number; 4]);
    }
    let mut sum = 0_u64;
    for number in 0..events {
        let (at, what) = heap.pop().expect("as many are planned as are taken");
        sum = sum.wrapping_add(black_box(what)[0]);
        heap.plan(at + 1 + random.below(1_000_000), [number; 4]);
    }
    sum
}
