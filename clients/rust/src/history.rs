//! The history of a feed, page by page.

use std::fmt;

use futures_util::{Stream, stream};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::body::FeedHistory;
use crate::client::{Client, Received};
use crate::error::Error;

/// A bound of a range of a feed's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The number of a round.
    Round(u64),
    /// The time at which rounds ended.
    Time(OffsetDateTime),
}

/// Which part of a feed's history is read. Without settings: everything that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first round, or the time of the first; `None` begins with the oldest record that is kept.
    pub from: Option<Bound>,
    /// The last round, or the time of the last; `None` ends with the newest record.
    pub to: Option<Bound>,
    /// The most records of a page, 1 to 1000. The coordinator chooses if this is `None`.
    pub page: Option<u32>,
}

/// The pages of a feed's history, the oldest records first.
#[derive(Clone, Debug)]
pub struct FeedPages {
    client: Client,
    feed: String,
    range: Range,
    next: Next,
}

/// The page to read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    First,
    /// The one that begins with this round.
    At(u64),
    Over,
}

impl FeedPages {
    pub(crate) fn new(client: Client, feed: String, range: Range) -> Self {
        Self { client, feed, range, next: Next::First }
    }

    /// Reads the next page; `None` after the last. After an error, the same page is read again.
    pub async fn next(&mut self) -> Option<Result<Received<FeedHistory>, Error>> {
        let cursor = match self.next {
            Next::First => None,
            Next::At(round) => Some(round),
            Next::Over => return None,
        };
        let page = match self.client.feed_page(&self.feed, &self.range, cursor).await {
            Ok(page) => page,
            Err(error) => return Some(Err(error)),
        };
        self.next = match page.next {
            None => Next::Over,
            // A page that begins no later than the one before would be read for ever.
            Some(round) if cursor.is_some_and(|cursor| round <= cursor) => Next::Over,
            Some(round) => Next::At(round),
        };
        Some(Ok(page))
    }

    /// The pages as a stream, which ends after the last page or the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Received<FeedHistory>, Error>> + Send + Unpin {
        Box::pin(stream::unfold(self, |mut pages| async move {
            let page = pages.next().await?;
            if page.is_err() {
                pages.next = Next::Over;
            }
            Some((page, pages))
        }))
    }
}

impl From<u64> for Bound {
    fn from(round: u64) -> Self {
        Self::Round(round)
    }
}

impl From<OffsetDateTime> for Bound {
    fn from(time: OffsetDateTime) -> Self {
        Self::Time(time)
    }
}

impl fmt::Display for Bound {
    /// As a coordinator reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round(round) => round.fmt(f),
            Self::Time(time) => written(*time).fmt(f),
        }
    }
}

/// A time in RFC 3339. One that this format cannot write, in a year beyond 9999, is written so that it is refused.
pub(crate) fn written(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}
