//! The wire: subjects, the JSON bodies of tasks, results, presence announcements and outcomes, and the header that
//! carries a trace context. `docs/protocol.md` specifies them.
//!
//! Decoding accepts whatever the network sends: it is bounded, ignores unknown fields and never panics. `value.rs`
//! keeps every digit of a number. `outcome.rs` and `failure.rs` write how requests ended, with the evidence from
//! `evidence.rs` and each worker's fate from `fate.rs`; `worker.rs` writes what a coordinator knows about a worker.

mod evidence;
pub(crate) mod failure;
mod fate;
mod outcome;
mod pack;
mod presence;
mod record;
mod result;
pub(crate) mod schema;
mod subjects;
mod task;
mod time;
mod trace;
mod value;
mod worker;

use std::fmt::Write as _;

pub(crate) use fate::fate_name;
pub use outcome::{EncodedOutcome, encode_outcome};
pub(crate) use outcome::{OutcomeBody, TYPICAL_BODY_BYTES, encode, verdict_name};
pub use pack::{MAX_PACKED, decode_results, decode_tasks, encode_results, encode_tasks};
pub use presence::PresenceMessage;
pub(crate) use presence::{queries, queries_text, state_name};
pub(crate) use record::RecordBody;
pub use record::{MAX_RECORD_BYTES, StoredRecord, decode_record, encode_record};
pub use result::{MAX_ERROR_BYTES, decode_result, encode_result};
pub(crate) use result::{ResultBody, saturating_millis};
pub use subjects::{DEFAULT_PREFIX, PrefixError, Subjects};
pub use task::{decode_task, encode_task};
pub use time::JsonTime;
pub(crate) use time::read_time;
pub(crate) use trace::trace_headers;
pub use trace::{NotATraceparent, SpanId, TRACEPARENT, TraceContext, TraceId};
pub(crate) use value::JsonDecimal;
pub use value::{JsonNumber, JsonValue, Numbers};
pub(crate) use worker::WorkerBody;

/// The subject of tasks, for all workers; like the following ones, under the default prefix. [`Subjects`] has those of
/// other prefixes.
pub const TASKS: &str = "oracle.tasks";
/// The subject of packs of tasks, for all workers that take packs.
pub const PACKS: &str = "oracle.tasks.packed";
/// The subject of results that all coordinators receive.
pub const RESULTS: &str = "oracle.results";
/// The subject of presence announcements.
pub const PRESENCE: &str = "oracle.workers";
/// The prefix of the subjects of outcomes, which a token for the query follows.
pub const OUTCOMES: &str = "oracle.outcomes";
/// The prefix of the subjects on which the records of feeds appear once they are stored. The name of the feed follows.
pub const REPORTS: &str = "oracle.reports";
/// The prefix of the subjects of feeds, which a token for the name of the feed follows.
pub const FEEDS: &str = "oracle.feeds";
/// The prefix of the subjects of durable requests and their outcomes.
pub const REQUESTS: &str = "oracle.requests";
/// The name of workers as a NATS service.
pub const SERVICE: &str = "quorate-worker";

/// The longest message that is decoded, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Why a message cannot be decoded. It is dropped and counted.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("the message is longer than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// Beyond the [`MAX_PACKED`] elements of a pack that are read.
    #[error("a pack has at most {MAX_PACKED} elements")]
    TooMany,
    /// Not JSON, or not in the expected form.
    #[error("the message cannot be decoded: {0}")]
    Json(#[from] serde_json::Error),
    /// An identifier is out of bounds.
    #[error("{field} {error}")]
    Id {
        /// The field.
        field: &'static str,
        /// The bound that it breaks.
        error: quorate_core::id::IdError,
    },
    /// The query is out of bounds.
    #[error(transparent)]
    Query(#[from] quorate_core::query::QueryError),
    /// The queries that a worker offers are out of bounds.
    #[error("queries: {0}")]
    Offer(#[from] quorate_core::offer::OfferError),
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes every text");
        text
    })
}

fn parse<'a, T: serde::Deserialize<'a>>(payload: &'a [u8]) -> Result<T, WireError> {
    if payload.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::TooLong);
    }
    Ok(serde_json::from_slice(payload)?)
}
