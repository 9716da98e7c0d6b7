//! The JSON of the HTTP API, as a client reads it. Unknown fields are ignored.
//!
//! These are not the types that a coordinator writes. Those borrow from its machine and have every field, with the
//! names and bounds of their version. A client also asks coordinators of other versions: it requires only the fields it
//! cannot do without, accepts unknown names, and keeps numbers as they are written.
//!
//! * [`ask`](self::Ask) is what a client sends; [`Outcome`], [`ErrorBody`] and [`Evidence`] are what comes back
//! * [`RequestState`] is what comes back for a request that is left with a coordinator
//! * [`Feeds`], [`Feed`], [`FeedHistory`] and [`Record`] are about answers that are kept fresh
//! * [`Workers`], [`Queries`], [`Policies`], [`Health`] and [`Readiness`] say how a coordinator and its workers are

mod ask;
mod error;
mod evidence;
mod exact;
mod feeds;
mod outcome;
mod policies;
mod queries;
mod request;
mod state;
mod workers;

use serde::de::DeserializeOwned;

pub use ask::Ask;
pub use error::ErrorBody;
pub use evidence::{Evidence, Excluded, WorkerFate, WorkerResponse};
pub use feeds::{Feed, FeedHistory, FeedState, Feeds, Link, Record, Report, RoundOutcome};
pub use outcome::{Outcome, Spread, Status};
pub use policies::{Policies, Policy};
pub use queries::{OfferedQuery, Queries};
pub use request::RequestState;
pub use state::{Health, Readiness, ShortPolicy};
pub use workers::{Blame, LastFailure, ResponseTimes, Worker, Workers};

/// The body of an answer, read from its text.
pub trait Body: Sized {
    /// Reads the text of an answer, or of an outcome that a coordinator has published on NATS.
    ///
    /// # Errors
    /// A text that is not this body.
    fn read(json: &str) -> serde_json::Result<Self>;
}

/// The bodies whose fields are all their own.
trait Plain: DeserializeOwned {}

impl Plain for FeedHistory {}
impl Plain for Feeds {}
impl Plain for Health {}
impl Plain for Policies {}
impl Plain for Queries {}
impl Plain for Readiness {}
impl Plain for RequestState {}
impl Plain for Record {}
impl Plain for Worker {}
impl Plain for WorkerResponse {}
impl Plain for Workers {}

impl<T: Plain> Body for T {
    fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

// The evidence or the record of the others lies among their own fields. `serde(flatten)` would lose the digits of its numbers.

impl Body for Outcome {
    fn read(json: &str) -> serde_json::Result<Self> {
        Ok(Self { evidence: serde_json::from_str(json)?, ..serde_json::from_str(json)? })
    }
}

impl Body for ErrorBody {
    fn read(json: &str) -> serde_json::Result<Self> {
        Ok(Self { evidence: serde_json::from_str(json)?, ..serde_json::from_str(json)? })
    }
}

impl Body for Feed {
    fn read(json: &str) -> serde_json::Result<Self> {
        Ok(Self { record: serde_json::from_str(json)?, ..serde_json::from_str(json)? })
    }
}
