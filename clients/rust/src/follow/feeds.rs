//! The records of feeds as they are stored: `GET /feeds/events`.

use std::time::Duration;

use futures_util::{Stream, stream};

use super::SILENCE;
use super::frames::{Frames, Told};
use crate::body::Record;
use crate::client::{Client, Received};
use crate::error::Error;
use crate::transport::route_url;

/// Which records to follow. Without settings: those of all feeds, from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowFeeds {
    /// Only the records of the feed with this name.
    pub feed: Option<String>,
    /// Begin after the record with this id, which [`FollowingFeeds::position`] gave before: a feed and a round, as in
    /// `BTC-USD-17`.
    pub after: Option<String>,
    /// How long the coordinator may be silent before the connection counts as lost. The default is 45 s, in which a
    /// coordinator sends three signs of life.
    pub silence: Duration,
}

impl Default for FollowFeeds {
    fn default() -> Self {
        Self { feed: None, after: None, silence: SILENCE }
    }
}

/// What a follower of feeds is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FeedEvent {
    /// The stream is open, for the first time or again after an error.
    Connected,
    /// A round was recorded. Its value is `None` if it was not reported.
    Recorded(Box<Received<Record>>),
    /// Records may be missing here: the connection broke before the first record had come. `feed_history` has them.
    Missed,
}

/// Follows the records of feeds.
///
/// It connects again and goes on as [`Following`](super::Following) does. A coordinator reads the records after the
/// last one from the store, so none is missing that the store still keeps.
#[derive(Debug)]
pub struct FollowingFeeds {
    frames: Frames,
    feed: Option<String>,
}

impl FollowingFeeds {
    pub(crate) fn new(client: Client, follow: FollowFeeds) -> Self {
        let FollowFeeds { feed, after, silence } = follow;
        let mut url = route_url(client.url(), "feeds/events");
        if let Some(feed) = &feed {
            url.query_pairs_mut().append_pair("feed", feed);
        }
        Self { frames: Frames::new(client, [url.clone(), url], after, silence), feed }
    }

    /// The id of the last record, for [`FollowFeeds::after`].
    pub fn position(&self) -> Option<&str> {
        self.frames.position()
    }

    /// Waits for the next record; `None` after an error that a repetition cannot fix. Cancel safe: no record is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Result<FeedEvent, Error>> {
        loop {
            let frame = match self.frames.next().await? {
                Ok(Told::Connected) => return Some(Ok(FeedEvent::Connected)),
                Ok(Told::Gap) => return Some(Ok(FeedEvent::Missed)),
                Ok(Told::Frame(frame)) => frame,
                Err(error) => return Some(Err(error)),
            };
            if frame.name != "record" {
                continue;
            }
            match Received::<Record>::read(frame.data) {
                Ok(record) if self.feed.as_ref().is_none_or(|feed| *feed == record.feed) => {
                    return Some(Ok(FeedEvent::Recorded(Box::new(record))));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(self.frames.refuse(&error))),
            }
        }
    }

    /// The records as a stream, with the errors between them.
    pub fn into_stream(self) -> impl Stream<Item = Result<FeedEvent, Error>> + Send + Unpin {
        Box::pin(stream::unfold(self, |mut following| async move {
            let told = following.next().await?;
            Some((told, following))
        }))
    }
}
