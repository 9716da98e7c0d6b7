//! The settings of durable requests: who this coordinator is, its bounds and its waits.

use std::sync::Arc;
use std::time::Duration;

/// The settings of [`Durable`](super::Durable).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of this coordinator, which no other process uses.
    pub holder: Arc<str>,
    /// Another coordinator's request is taken over once its entry has not changed for its timeout and this long.
    pub patience: Duration,
    /// The pause before the first repetition of what could not be done. It doubles with each further one.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
    /// The most open requests that are known, of all coordinators.
    pub max_known: usize,
    /// The most bytes that the known requests weigh.
    pub max_bytes: usize,
    /// The most requests that this coordinator holds or submits at a time. Further submissions are refused.
    pub max_held: usize,
    /// The most requests of other coordinators that this one serves at a time.
    pub max_taken: usize,
    /// The most bytes of outcomes that wait to be stored.
    pub max_outcome_bytes: usize,
    /// The most callers that wait for one request to be accepted.
    pub max_callers: usize,
    /// How often a submission looks again because another entry came first, before it is given up.
    pub max_looks: u32,
}

impl Config {
    /// The default bounds, for the coordinator with this name.
    pub fn of(holder: impl Into<Arc<str>>) -> Self {
        Self {
            holder: holder.into(),
            patience: Duration::from_secs(10),
            pause: Duration::from_millis(250),
            max_pause: Duration::from_secs(5),
            max_known: 100_000,
            max_bytes: 64 << 20,
            max_held: 10_000,
            max_taken: 256,
            max_outcome_bytes: 64 << 20,
            max_callers: 64,
            max_looks: 4,
        }
    }
}
