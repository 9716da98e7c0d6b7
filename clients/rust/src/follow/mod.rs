//! Following a coordinator: `GET /events` and `GET /feeds/events`, with every event as a type.
//!
//! * `frames.rs` connects, and connects again; `pause.rs` says after how long; `parser.rs` reads the format of
//!   server-sent events
//! * `following.rs` follows all that happens: `event.rs` says what the events mean, `filter.rs` which are wanted
//! * `feeds.rs` follows the records of feeds

mod event;
mod feeds;
mod filter;
mod following;
mod frames;
mod parser;
mod pause;

use std::time::Duration;

pub use event::Event;
pub use feeds::{FeedEvent, FollowFeeds, FollowingFeeds};
pub use following::Following;

/// How long a stream may be silent. A coordinator sends a sign of life every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// What to follow. Without settings: everything that happens from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    /// Of the ends of requests, only those with this query, in which `*` stands for any characters. `None` for all.
    pub query: Option<String>,
    /// Begin with this many of the last events, instead of with the next.
    pub recent: Option<u64>,
    /// Begin after the event with this id, which [`Following::position`] gave before. Takes precedence over `recent`.
    pub after: Option<String>,
    /// Also tell each worker's result for the request with this id, as soon as it has come.
    pub request_id: Option<String>,
    /// How long the coordinator may be silent before the connection counts as lost. The default is 45 s, in which a
    /// coordinator sends three signs of life.
    pub silence: Duration,
}

impl Default for Follow {
    fn default() -> Self {
        Self { query: None, recent: None, after: None, request_id: None, silence: SILENCE }
    }
}
