//! The runtime's clock. It follows tokio's time, so that a simulation that drives tokio's time drives everything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::time::{Timestamp, UnixTime, saturating_nanos};
use tokio::time::Instant;

/// A monotonic clock, and the time of day. Copies share one origin, so that their timestamps are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// What the clock showed at its origin.
    shown: Timestamp,
    wall: Wall,
}

/// Where a clock takes the time of day from.
#[derive(Clone, Copy, Debug)]
enum Wall {
    /// The operating system.
    System,
    /// The clock itself, whose zero is the beginning of 1970. It is wrong during the jump, if there is one.
    Shown(Option<WallJump>),
}

/// A period in which the time of day is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallJump {
    /// When it begins, as the clock shows it.
    pub from: Timestamp,
    /// When it ends: the first moment that is right again.
    pub until: Timestamp,
    /// By how many milliseconds the time of day is ahead, or behind if negative.
    pub ahead_ms: i64,
}

impl WallJump {
    /// The time of day, counted from the beginning of 1970, when the clock shows `now`. Never before 1970.
    pub fn wall(self, now: Timestamp) -> Timestamp {
        let ahead = Duration::from_millis(self.ahead_ms.unsigned_abs());
        match () {
            () if now < self.from || now >= self.until => now,
            () if self.ahead_ms < 0 => Timestamp::from_nanos(now.as_nanos().saturating_sub(saturating_nanos(ahead))),
            () => now.after(ahead),
        }
    }
}

impl Clock {
    /// A clock that begins now, at zero. The time of day is the operating system's.
    pub fn new() -> Self {
        Self { origin: Instant::now(), shown: Timestamp::ZERO, wall: Wall::System }
    }

    /// A clock that shows `shown` now and derives the time of day from it. Clocks that start at different times differ
    /// by as much in both.
    pub fn starting_at(shown: Timestamp) -> Self {
        Self { origin: Instant::now(), shown, wall: Wall::Shown(None) }
    }

    /// The same clock, with a time of day that is wrong during `jump`.
    #[must_use]
    pub fn with_wall_jump(self, jump: WallJump) -> Self {
        Self { wall: Wall::Shown(Some(jump)), ..self }
    }

    /// What the clock shows: the time it started at, plus the time that has passed since.
    pub fn now(&self) -> Timestamp {
        self.shown.after(self.origin.elapsed())
    }

    /// The time of day, which may jump, and differs from host to host.
    pub fn wall(&self) -> SystemTime {
        match self.wall {
            Wall::System => SystemTime::now(),
            Wall::Shown(jump) => {
                let now = self.now();
                UNIX_EPOCH + jump.map_or(now, |jump| jump.wall(now)).since(Timestamp::ZERO)
            }
        }
    }

    /// The time of day, as the machines know it.
    pub fn unix_time(&self) -> UnixTime {
        unix_time(self.wall())
    }

    /// The instant at which this clock shows `at`. A timestamp from before the clock began gives its beginning, and one
    /// more than thirty years later is cut off there: nobody waits that long.
    pub fn instant(&self, at: Timestamp) -> Instant {
        const FAR: Duration = Duration::from_hours(30 * 365 * 24);
        self.origin + at.since(self.shown).min(FAR)
    }
}

/// A time of day, as the machines know it. A time before 1970 counts as 1970.
pub(crate) fn unix_time(at: SystemTime) -> UnixTime {
    UnixTime::EPOCH.after(at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
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
    async fn the_time_of_day_is_the_shown_time_if_set_and_the_systems_otherwise() {
        let set = Clock::starting_at(Timestamp::from_millis(7_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(set.wall(), UNIX_EPOCH + Duration::from_millis(7_250));
        let at = Timestamp::from_millis;
        for (ahead_ms, shown) in [(500, 7_750), (-500, 6_750), (-9_000, 0)] {
            let jumping =
                |from, until| set.with_wall_jump(WallJump { from: at(from), until: at(until), ahead_ms }).wall();
            assert_eq!(jumping(7_250, 7_251), UNIX_EPOCH + Duration::from_millis(shown));
            assert_eq!(jumping(7_251, 8_000), set.wall(), "not yet");
            assert_eq!(jumping(0, 7_250), set.wall(), "no longer");
        }
        let before = SystemTime::now();
        let wall = Clock::new().wall();
        assert!((before..=SystemTime::now()).contains(&wall));
    }
}
