//! The worker's settings: what it answers, its bounds and its waits.

use std::time::Duration;

use crate::offer::Offer;

/// The settings of a [`Worker`](super::Worker).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The queries that it answers. It ignores tasks for other queries.
    pub offer: Offer,
    /// The most jobs that run at once; at least 1.
    pub max_concurrent: usize,
    /// The most jobs that wait for a place. A task beyond that is answered with a failure at once.
    pub max_queued: usize,
    /// The time to live of a task that states none.
    pub default_ttl: Duration,
    /// The longest time to live that is accepted.
    pub max_ttl: Duration,
    /// How long an answer is remembered, to repeat it.
    pub remember: Duration,
    /// The number of answers that are remembered; the oldest is forgotten first.
    pub max_remembered: usize,
    /// The most reply subjects that one answer is sent to. Callers that give up and retry under the same id add a reply
    /// subject each time. The latest ones are kept, because callers still wait there.
    pub max_reply_places: usize,
    /// How long a draining worker still accepts tasks from coordinators that do not know yet that it is draining.
    pub drain_grace: Duration,
    /// How often the worker announces itself; at most a third of the coordinator's presence timeout.
    pub announce_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            offer: Offer::default(),
            max_concurrent: 64,
            max_queued: 1024,
            default_ttl: Duration::from_secs(30),
            max_ttl: Duration::from_mins(10),
            remember: Duration::from_mins(1),
            max_remembered: 10_000,
            max_reply_places: 8,
            drain_grace: Duration::from_millis(250),
            announce_every: Duration::from_secs(2),
        }
    }
}
