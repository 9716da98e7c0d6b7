//! The wire: subjects, the JSON bodies of tasks, results, presence announcements and outcomes, and the header that
//! names a trace. `docs/protocol.md` specifies them.
//!
//! Decoding accepts whatever the network sends: it is bounded, ignores unknown fields and never panics. `value.rs`
//! keeps every digit of a number. `outcome.rs` and `failure.rs` write how requests ended, both from `evidence.rs` and from each
//! worker's fate in `fate.rs`; `worker.rs` writes what is known of a worker.

mod evidence;
pub(crate) mod failure;
mod fate;
mod outcome;
mod presence;
mod result;
pub(crate) mod schema;
mod task;
mod trace;
mod value;
mod worker;

pub(crate) use fate::fate_name;
pub use outcome::{EncodedOutcome, encode_outcome, outcome_subject};
pub(crate) use outcome::{OutcomeBody, TYPICAL_BODY_BYTES, encode, verdict_name};
pub use presence::PresenceMessage;
pub(crate) use presence::state_name;
pub use result::{MAX_ERROR_BYTES, decode_result, encode_result};
pub(crate) use result::{ResultBody, saturating_millis};
pub use task::{decode_task, encode_task};
pub(crate) use trace::trace_headers;
pub use trace::{NotATraceparent, SpanId, TRACEPARENT, TraceContext, TraceId};
pub use value::{JsonNumber, JsonValue};
pub(crate) use worker::WorkerBody;

/// Where tasks are published, for all workers.
pub const TASKS: &str = "oracle.tasks";
/// Where a worker may publish results that all coordinators shall hear.
pub const RESULTS: &str = "oracle.results";
/// Where workers announce themselves.
pub const PRESENCE: &str = "oracle.workers";
/// Where outcomes are published, with a token for the query.
pub const OUTCOMES: &str = "oracle.outcomes";
/// The name workers have as a NATS service.
pub const SERVICE: &str = "quorate-worker";

/// The longest message that is looked at, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Why a message cannot be decoded. It is dropped and counted.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("the message is longer than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// Not the JSON it should be.
    #[error("the message cannot be decoded: {0}")]
    Json(#[from] serde_json::Error),
    /// An identifier is out of bounds.
    #[error("{field} {error}")]
    Id {
        /// The field.
        field: &'static str,
        /// Which bound it breaks.
        error: quorate_core::id::IdError,
    },
    /// The query is out of bounds.
    #[error(transparent)]
    Query(#[from] quorate_core::query::QueryError),
}

fn parse<'a, T: serde::Deserialize<'a>>(payload: &'a [u8]) -> Result<T, WireError> {
    if payload.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::TooLong);
    }
    Ok(serde_json::from_slice(payload)?)
}
