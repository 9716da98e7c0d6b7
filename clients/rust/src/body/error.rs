//! An error in place of an answer.

use serde::Deserialize;

use super::Evidence;

/// The body of an answer that is an error.
#[derive(Clone, Debug, Deserialize)]
pub struct ErrorBody {
    /// What went wrong, in a word or a few.
    pub error: String,
    /// More about it.
    #[serde(default)]
    pub details: Option<String>,
    /// The id of the request, if it was accepted.
    #[serde(default)]
    pub request_id: Option<String>,
    /// What was asked, if the request was accepted.
    #[serde(default)]
    pub query: Option<String>,
    /// What the workers answered, if they were asked.
    #[serde(skip)]
    pub evidence: Evidence,
}
