//! `GET /feeds` and below: what is kept fresh, from memory, and its history, from the store.

pub(super) mod events;
pub(super) mod history;
pub(super) mod latest;
pub(super) mod list;

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::error::ApiError;
use super::nearest::nearest;
use crate::feeds::{Board, History, Latest};

/// The feeds of a coordinator, for the API. Without any, it has an empty board.
#[derive(Clone, Default)]
pub struct FeedsReader {
    /// The newest records.
    pub board: Board,
    /// The records before; `None` if there is no store.
    pub history: Option<Arc<dyn History>>,
}

impl std::fmt::Debug for FeedsReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedsReader").field("board", &self.board).finish_non_exhaustive()
    }
}

impl FeedsReader {
    /// The feed that a path names.
    fn named(&self, name: Result<Path<String>, PathRejection>) -> Result<Arc<Latest>, ApiError> {
        let name = name.map(|Path(name)| name).unwrap_or_default();
        self.board.feed(&name).ok_or_else(|| {
            let feeds = self.board.feeds();
            let names = feeds.iter().map(|feed| feed.definition.name.as_str());
            ApiError::unknown_feed(&name, &nearest(&name, names))
        })
    }

    fn history(&self) -> Result<&dyn History, ApiError> {
        self.history.as_deref().ok_or_else(ApiError::no_store)
    }
}
