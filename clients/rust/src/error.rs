//! Why there is no answer.

use std::time::Duration;

use reqwest::{StatusCode, Url};

use crate::body::ErrorBody;
use crate::client::Received;

/// Why there is no answer. The messages may quote the network, with control characters.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing listens there: start a coordinator, or name another one.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The address.
        url: Url,
        /// The operating system's reason.
        reason: String,
    },
    /// No answer in time: check the coordinator.
    #[error("{url} did not answer within {} s", .after.as_secs_f64())]
    Timeout {
        /// The address.
        url: Url,
        /// How long the client waited.
        after: Duration,
    },
    /// The connection broke before the whole answer had come: ask again.
    #[error("the connection to {url} broke: {reason}")]
    Broken {
        /// The address.
        url: Url,
        /// The operating system's reason.
        reason: String,
    },
    /// Something other than a coordinator answered: name another address.
    #[error("{url} answered {status}, but not as a coordinator does ({reason})")]
    Foreign {
        /// The address.
        url: Url,
        /// The HTTP status.
        status: StatusCode,
        /// What was not understood.
        reason: String,
    },
    /// The coordinator answered with an error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The address is none: write it as in `http://localhost:8080`.
    #[error("{address:?} is not the address of a coordinator, such as http://localhost:8080")]
    Address {
        /// What was given.
        address: String,
    },
    /// This machine lacks something that the client needs, such as certificates.
    #[error("cannot prepare the HTTP client: {0}")]
    Setup(String),
}

impl Error {
    /// The error in one word, for programs: that of the coordinator, such as `no_workers`, or `unreachable`, `timeout`,
    /// `broken`, `foreign`, `address` or `setup`.
    pub fn word(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::Foreign { .. } => "foreign",
            Self::Refused(refusal) => &refusal.answer.body.error,
            Self::Address { .. } => "address",
            Self::Setup(_) => "setup",
        }
    }

    /// Whether a repetition cannot succeed. A server error may come from a proxy in front of a coordinator that has not
    /// started yet, so it is not lasting. Neither is a query that nobody offers: its workers may not have started yet.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Foreign { status, .. } => !status.is_server_error(),
            Self::Refused(refusal) => {
                !refusal.is_unknown_query() && matches!(refusal.status.as_u16(), 400 | 404 | 405 | 413 | 415)
            }
            Self::Address { .. } | Self::Setup(_) => true,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => false,
        }
    }

    /// The coordinator's refusal, with what the workers answered, if this is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// An error that the coordinator answered with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the coordinator answered {status}: {}", self.said())]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds after which to retry, if the coordinator states them.
    pub retry_after: Option<u64>,
    /// The answer.
    pub answer: Received<ErrorBody>,
}

impl Refusal {
    /// What the coordinator said: its details, or else its word.
    pub fn said(&self) -> &str {
        let body = &self.answer.body;
        body.details.as_deref().filter(|details| !details.is_empty()).unwrap_or(&body.error)
    }

    /// Whether the request failed only because the workers disagree.
    pub fn is_disputed(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.answer.body.error == "disputed"
    }

    /// Whether no worker offers the query.
    pub fn is_unknown_query(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.answer.body.error == "unknown_query"
    }
}
