//! A durable request.

use serde::Deserialize;

/// A request that was left with a coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RequestState {
    /// Its id: the caller's, or the one that the coordinator drew.
    pub id: String,
    /// `open` as long as it has no outcome, then `done`.
    pub state: String,
}
