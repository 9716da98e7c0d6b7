//! Counts lost spans, and decides when to report them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of lost spans. It is reported at each doubling: often at first, rarely in a long outage.
#[derive(Debug)]
pub(super) struct Losses {
    /// Spans that found the queue full, counted by the sink.
    overflow: Arc<AtomicU64>,
    /// How many of these are already in `lost`.
    seen: u64,
    /// All spans lost since the collector last accepted a batch after a failure.
    lost: u64,
    /// The number of lost spans at which to report next.
    say_at: u64,
    /// Whether the collector refused the last batch.
    failing: bool,
}

impl Losses {
    pub(super) fn new(overflow: Arc<AtomicU64>) -> Self {
        Self { overflow, seen: 0, lost: 0, say_at: 1, failing: false }
    }

    /// The collector refused a batch of this many spans. Returns the number of lost spans if it is to be reported.
    pub(super) fn failed(&mut self, spans: u64) -> Option<u64> {
        self.failing = true;
        self.lost += spans;
        self.say()
    }

    /// Counts the spans that found the queue full. Returns the number of lost spans if it is to be reported.
    pub(super) fn overflowed(&mut self) -> Option<u64> {
        let overflow = self.overflow.load(Ordering::Relaxed);
        self.lost += overflow - self.seen;
        self.seen = overflow;
        self.say()
    }

    /// The collector accepted a batch. Returns the number of lost spans if this is the first one after a refused one.
    pub(super) fn taken(&mut self) -> Option<u64> {
        if !std::mem::take(&mut self.failing) {
            return None;
        }
        self.say_at = 1;
        Some(std::mem::take(&mut self.lost))
    }

    fn say(&mut self) -> Option<u64> {
        if self.lost < self.say_at {
            return None;
        }
        self.say_at = self.lost.saturating_mul(2);
        Some(self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_reported_at_each_doubling_and_when_they_end() {
        let overflow = Arc::<AtomicU64>::default();
        let mut losses = Losses::new(Arc::clone(&overflow));
        assert_eq!((losses.taken(), losses.overflowed()), (None, None));
        let said: Vec<_> = (0..9).map(|_| losses.failed(10)).collect();
        let at = Some;
        assert_eq!(said, [at(10), at(20), None, at(40), None, None, None, at(80), None]);
        overflow.store(70, Ordering::Relaxed);
        assert_eq!((losses.overflowed(), losses.overflowed()), (Some(160), None));
        assert_eq!((losses.taken(), losses.taken()), (Some(160), None));
        overflow.store(71, Ordering::Relaxed);
        assert_eq!(losses.overflowed(), Some(1), "another one is reported at once");
    }
}
