//! The queries that the workers offer.

use serde::Deserialize;

/// The answer of `GET /queries`.
#[derive(Clone, Debug, Deserialize)]
pub struct Queries {
    /// What the live workers offer.
    pub queries: Vec<OfferedQuery>,
}

/// One query, or a pattern of queries.
#[derive(Clone, Debug, Deserialize)]
pub struct OfferedQuery {
    /// The query, or a pattern in which `*` stands for any characters.
    pub query: String,
    /// The number of live workers that offer it.
    #[serde(default)]
    pub workers: u64,
}
