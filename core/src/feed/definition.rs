//! What an operator says of a feed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;

use crate::policy::Overrides;
use crate::query::Query;

/// The most feeds of one coordinator.
pub const MAX_FEEDS: usize = 10_000;
/// The longest name of a feed, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// What no feed is called.
const EVENTS: &str = "events";
/// The shortest time between two rounds.
pub const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest time after which a round follows one that failed, unless the interval is shorter.
const MIN_RETRY: Duration = Duration::from_secs(1);
/// The longest time after which a round follows one that failed.
const MAX_RETRY: Duration = Duration::from_mins(1);
/// The longest heartbeat.
pub const MAX_HEARTBEAT: Duration = Duration::from_hours(30 * 24);

/// The name of a feed: letters, digits, `-` and `_`, so that it is one token of a subject and of a path. Not `events`:
/// that is the path of the events of all feeds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedName(Arc<str>);

/// A text that is no [`FeedName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a feed has 1 to {MAX_NAME_BYTES} letters, digits, - and _, and is not \"{EVENTS}\"")]
pub struct FeedNameError;

impl FeedName {
    /// Checks a text from outside.
    ///
    /// # Errors
    /// [`FeedNameError`].
    pub fn new(text: &str) -> Result<Self, FeedNameError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(is_allowed) && text != EVENTS {
            Ok(Self(text.into()))
        } else {
            Err(FeedNameError)
        }
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A feed: a query that is asked again and again, and when its answer is reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    /// Its name.
    pub name: FeedName,
    /// What is asked in each round.
    pub query: Query,
    /// How each round is answered.
    pub overrides: Overrides,
    /// A value is reported again when this time has passed since the last report.
    pub heartbeat: Duration,
    /// A value is reported earlier if it has moved by this fraction of the last reported one, or, if it is a text, if it
    /// has changed. `None` reports by the heartbeat alone.
    pub deviation: Option<Decimal>,
    /// The time from the start of one round to the start of the next; at most the heartbeat.
    pub min_interval: Duration,
    /// The age above which the last report is stale; at least the heartbeat.
    pub max_staleness: Duration,
}

/// Why a feed is invalid; the text names the field and its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DefinitionError {
    /// [`Definition::heartbeat`] is out of range.
    #[error("heartbeat must be between 100ms and 30 days")]
    Heartbeat,
    /// [`Definition::deviation`] is negative.
    #[error("deviation must not be negative")]
    Deviation,
    /// [`Definition::min_interval`] is out of range.
    #[error("min_interval must be between 100ms and the heartbeat")]
    MinInterval,
    /// [`Definition::max_staleness`] is shorter than the heartbeat.
    #[error("max_staleness must be at least the heartbeat")]
    MaxStaleness,
}

impl Definition {
    /// A feed that is reported by its heartbeat alone, and is stale when it has missed one.
    pub fn new(name: FeedName, query: Query, heartbeat: Duration) -> Self {
        Self {
            name,
            query,
            overrides: Overrides::default(),
            heartbeat,
            deviation: None,
            min_interval: heartbeat,
            max_staleness: heartbeat.saturating_mul(2),
        }
    }

    /// Checks the ranges. The overrides are checked when a round is asked.
    ///
    /// # Errors
    /// [`DefinitionError`] for the first field out of its range.
    pub fn check(&self) -> Result<(), DefinitionError> {
        if !(MIN_INTERVAL..=MAX_HEARTBEAT).contains(&self.heartbeat) {
            return Err(DefinitionError::Heartbeat);
        }
        if self.deviation.is_some_and(|deviation| deviation < Decimal::ZERO) {
            return Err(DefinitionError::Deviation);
        }
        if !(MIN_INTERVAL..=self.heartbeat).contains(&self.min_interval) {
            return Err(DefinitionError::MinInterval);
        }
        if self.max_staleness < self.heartbeat {
            return Err(DefinitionError::MaxStaleness);
        }
        Ok(())
    }

    /// The time from the start of a round that failed or is disputed to the start of the next: a tenth of the heartbeat,
    /// between [`MIN_RETRY`] and [`MAX_RETRY`], but at most the interval.
    pub(super) fn retry_interval(&self) -> Duration {
        (self.heartbeat / 10).clamp(MIN_RETRY, MAX_RETRY).min(self.min_interval)
    }

    /// Whether a report of this age is stale.
    pub fn is_stale(&self, age: Duration) -> bool {
        age > self.max_staleness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_token_of_a_subject_and_of_a_path() {
        let (longest, too_long) = ("x".repeat(MAX_NAME_BYTES), "x".repeat(MAX_NAME_BYTES + 1));
        for name in ["a", "BTC-USD", "btc_usd-1", &longest] {
            assert_eq!(FeedName::new(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "BTC/USD", "a.b", "a b", "*", ">", "a%20", "é", "a\n", "events", &too_long] {
            assert_eq!(FeedName::new(name), Err(FeedNameError), "{name:?}");
        }
    }

    #[test]
    fn a_feed_is_checked_field_by_field() {
        let second = Duration::from_secs(1);
        let name = FeedName::new("f").expect("a name");
        let feed = Definition::new(name, Query::new("q").expect("a query"), second);
        assert_eq!(feed.check(), Ok(()));
        let short = Duration::from_millis(99);
        for (feed, error) in [
            (Definition { heartbeat: short, ..feed.clone() }, DefinitionError::Heartbeat),
            (Definition { heartbeat: MAX_HEARTBEAT + second, ..feed.clone() }, DefinitionError::Heartbeat),
            (Definition { deviation: Some(Decimal::NEGATIVE_ONE), ..feed.clone() }, DefinitionError::Deviation),
            (Definition { min_interval: short, ..feed.clone() }, DefinitionError::MinInterval),
            (Definition { min_interval: 2 * second, ..feed.clone() }, DefinitionError::MinInterval),
            (Definition { max_staleness: second / 2, ..feed.clone() }, DefinitionError::MaxStaleness),
        ] {
            assert_eq!(feed.check(), Err(error), "{feed:?}");
        }
        assert!(!feed.is_stale(2 * second));
        assert!(feed.is_stale(2 * second + Duration::from_nanos(1)));
    }
}
