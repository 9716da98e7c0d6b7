//! The adapter's clock: tokio's, so that a simulation which drives tokio's time drives everything.

use std::time::Duration;

use quorate_core::time::Timestamp;
use tokio::time::Instant;

/// A monotonic clock. Copies share one origin, so that their timestamps are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// What the clock showed at its origin.
    shown: Timestamp,
}

impl Clock {
    /// A clock that begins now, at zero.
    pub fn new() -> Self {
        Self::starting_at(Timestamp::ZERO)
    }

    /// A clock that shows `shown` now. Hosts that began at different times differ by as much.
    pub fn starting_at(shown: Timestamp) -> Self {
        Self { origin: Instant::now(), shown }
    }

    /// What the clock shows: the time that has passed since it began, and what it began with.
    pub fn now(&self) -> Timestamp {
        self.shown.after(self.origin.elapsed())
    }

    /// The moment a timestamp of this clock stands for. One from before the clock began is its beginning; one that is
    /// too far away to be represented is thirty years ahead: nobody waits for it.
    pub fn instant(&self, at: Timestamp) -> Instant {
        const FAR: Duration = Duration::from_hours(30 * 365 * 24);
        self.origin + at.since(self.shown).min(FAR)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_goes_on_from_what_it_was_set_to() {
        let clock = Clock::starting_at(Timestamp::from_millis(7_000));
        let later = clock.instant(Timestamp::from_millis(7_250));
        assert_eq!(clock.now(), Timestamp::from_millis(7_000));
        assert_eq!(clock.instant(Timestamp::ZERO), Instant::now());
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(7_250));
        assert_eq!(later, Instant::now());
    }
}
