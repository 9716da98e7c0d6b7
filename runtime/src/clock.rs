//! The adapter's clock: tokio's, so that a simulation which drives tokio's time drives everything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::time::Timestamp;
use tokio::time::Instant;

/// A monotonic clock, and the time of day. Copies share one origin, so that their timestamps are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// What the clock showed at its origin.
    shown: Timestamp,
    wall: Wall,
}

/// Where a clock has the time of day from.
#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The operating system.
    System,
    /// What the clock itself shows, from the beginning of 1970.
    Shown,
}

impl Clock {
    /// A clock that begins now, at zero. The time of day is the operating system's.
    pub fn new() -> Self {
        Self { origin: Instant::now(), shown: Timestamp::ZERO, wall: Wall::System }
    }

    /// A clock that shows `shown` now, and counts the time of day with it: hosts that began at different times differ
    /// by as much in both.
    pub fn starting_at(shown: Timestamp) -> Self {
        Self { origin: Instant::now(), shown, wall: Wall::Shown }
    }

    /// What the clock shows: the time that has passed since it began, and what it began with.
    pub fn now(&self) -> Timestamp {
        self.shown.after(self.origin.elapsed())
    }

    /// The time of day, which may jump, and differs from host to host.
    pub fn wall(&self) -> SystemTime {
        match self.wall {
            Wall::System => SystemTime::now(),
            Wall::Shown => UNIX_EPOCH + self.now().since(Timestamp::ZERO),
        }
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

    #[tokio::test(start_paused = true)]
    async fn the_time_of_day_is_the_shown_time_where_that_is_set_and_the_systems_where_not() {
        let set = Clock::starting_at(Timestamp::from_millis(7_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(set.wall(), UNIX_EPOCH + Duration::from_millis(7_250));
        let before = SystemTime::now();
        let wall = Clock::new().wall();
        assert!((before..=SystemTime::now()).contains(&wall));
    }
}
