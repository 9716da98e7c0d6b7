//! How old a value is, as a message says it.

use std::time::Duration;

use quorate_core::time::Timestamp;

/// How old a value is, as a message says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Age {
    /// In whole milliseconds.
    Stated(Duration),
    /// By the time of day when it was observed, from the beginning of 1970.
    ObservedAt(Timestamp),
}

impl Age {
    /// How old that makes it for one who reads it at a time of day.
    pub fn at(self, wall: Timestamp) -> Duration {
        match self {
            Self::Stated(age) => age,
            Self::ObservedAt(at) => wall.since(at),
        }
    }
}
