//! The parameters of lists that clients read page by page.

use super::error::ApiError;

/// How many elements a page has, unless the client says.
pub(super) const LIMIT: usize = 100;
/// The most elements of a page.
pub(super) const MAX_LIMIT: usize = 1000;

/// Reads `limit`.
pub(super) fn limit(text: &str) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| ApiError::invalid(format!("limit must be between 1 and {MAX_LIMIT}")))
}

/// Reads `cursor`.
pub(super) fn cursor(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| ApiError::invalid("cursor must be the next of a page"))
}
