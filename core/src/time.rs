//! Time as the machines see it: passed in with every call, never read from a clock.

use std::time::Duration;

/// A point in time, in nanoseconds since an origin that the adapter chooses and keeps.
///
/// Two timestamps are comparable only if they come from the same adapter. Arithmetic saturates: a deadline too far away
/// to be represented becomes [`Timestamp::MAX`] and does not wrap around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The adapter's origin.
    pub const ZERO: Self = Self(0);
    /// The latest timestamp.
    pub const MAX: Self = Self(u64::MAX);

    /// The time `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This time plus `duration`, at most [`Timestamp::MAX`].
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }

    /// The duration from `earlier` to this time; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A time of day: nanoseconds since the beginning of 1970 in UTC, until the year 2554. The machines receive it as an
/// input, and no decision depends on it: clocks are set, and differ from host to host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);

    /// The time `nanos` nanoseconds after the beginning of 1970.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the beginning of 1970.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This time plus `duration`, at most the year 2554.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }

    /// The duration from `earlier` to this time; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time minus `duration`, not before 1970.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

/// A clock that shows the time of day, as it was last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WallClock {
    /// When it was told.
    pub set_at: Timestamp,
    /// What it showed then.
    pub shown: UnixTime,
}

impl WallClock {
    /// What it shows at a timestamp, before or after it was told.
    pub fn at(self, time: Timestamp) -> UnixTime {
        self.shown.after(time.since(self.set_at)).before(self.set_at.since(time))
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX` (584 years).
pub fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_is_a_million_nanoseconds() {
        assert_eq!(Timestamp::from_millis(3).as_nanos(), 3_000_000);
    }

    #[test]
    fn a_wall_clock_counts_from_what_it_was_told_in_both_directions() {
        let clock = WallClock { set_at: Timestamp::from_nanos(50), shown: UnixTime::from_nanos(1_000) };
        for (at, shown) in [(50, 1_000), (57, 1_007), (43, 993)] {
            assert_eq!(clock.at(Timestamp::from_nanos(at)), UnixTime::from_nanos(shown));
        }
        assert_eq!(WallClock { shown: UnixTime::EPOCH, ..clock }.at(Timestamp::ZERO), UnixTime::EPOCH);
        assert_eq!(clock.at(Timestamp::MAX).as_nanos(), u64::MAX);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX.after(Duration::from_secs(1)), Timestamp::MAX);
        assert_eq!(Timestamp::ZERO.after(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::ZERO.since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(2)), Duration::from_millis(3));
    }
}
