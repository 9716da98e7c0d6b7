//! The age of a value.

use std::time::Duration;

use quorate_core::time::Timestamp;

/// The age of a value, as a message states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Age {
    /// The age itself, in whole milliseconds.
    Stated(Duration),
    /// The time of day at which the value was observed, since the Unix epoch.
    ObservedAt(Timestamp),
}

impl Age {
    /// The age for a reader whose time of day is `wall`.
    pub fn at(self, wall: Timestamp) -> Duration {
        match self {
            Self::Stated(age) => age,
            Self::ObservedAt(at) => wall.since(at),
        }
    }
}
