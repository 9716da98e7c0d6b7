//! The adapter's clock: tokio's, so that a simulation which drives tokio's time drives everything.

use std::time::Duration;

use quorate_core::time::Timestamp;
use tokio::time::Instant;

/// A monotonic clock. Copies share one origin, so that their timestamps are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The time that has passed since the clock began.
    pub fn now(&self) -> Timestamp {
        Timestamp::ZERO.after(self.origin.elapsed())
    }

    /// The moment a timestamp of this clock stands for. One that is too far away to be represented is thirty years
    /// ahead: nobody waits for it.
    pub fn instant(&self, at: Timestamp) -> Instant {
        const FAR: Duration = Duration::from_hours(30 * 365 * 24);
        let since_origin = Duration::from_nanos(at.as_nanos()).min(FAR);
        self.origin + since_origin
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
