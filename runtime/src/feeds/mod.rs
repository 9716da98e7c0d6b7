//! Feeds: answers that are kept fresh, stored, published and served.
//!
//! * `file.rs`: the feed file
//! * `driver.rs`: the task that owns the machine of core's [`feed`](quorate_core::feed)
//! * `work.rs`: what the driver asks of the store
//! * `board.rs`: the newest record of each feed, for readers
//! * `handle.rs`: how others reach the driver
//! * `history.rs`: the records that the store keeps

mod board;
mod driver;
mod file;
mod handle;
mod history;
mod work;

pub use board::{Board, Latest, Mark, State, Told};
pub use driver::FeedsDriver;
pub use file::{parse, read};
pub use handle::FeedsHandle;
pub use history::{History, Start, StoredHistory};

use quorate_core::feed::FeedName;

use crate::store::Key;

/// The feed whose records have this key.
fn feed_of(key: &Key) -> Option<FeedName> {
    key.text().and_then(|name| FeedName::new(&name).ok())
}
