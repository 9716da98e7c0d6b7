//! What happens in a coordinator, as its stream of events tells it.

use futures_util::{Stream, stream};

use super::filter::is_wanted;
use super::frames::{Frames, Told};
use super::{Event, Follow};
use crate::client::Client;
use crate::error::Error;
use crate::transport::route_url;

/// Follows what happens in a coordinator.
///
/// Each loss of the connection, and each attempt that does not make one, is told as an error. Then the next event is
/// awaited again: after a pause, the stream goes on behind the last event. What is missing then is told as
/// [`Event::Missed`]. An error that a repetition cannot fix ([`Error::is_lasting`]) is the last thing told.
#[derive(Debug)]
pub struct Following {
    frames: Frames,
    /// The queries that are wanted.
    query: Option<String>,
}

impl Following {
    pub(crate) fn new(client: Client, follow: Follow) -> Self {
        let Follow { query, recent, after, request_id, silence } = follow;
        let recent = recent.map(|recent| recent.to_string());
        // Once the stream was open, earlier events would only be repeated.
        let urls = [recent.as_ref(), None].map(|recent| {
            let mut url = route_url(client.url(), "events");
            for (name, value) in [("query", query.as_ref()), ("recent", recent), ("request_id", request_id.as_ref())] {
                if let Some(value) = value {
                    url.query_pairs_mut().append_pair(name, value);
                }
            }
            url
        });
        Self { frames: Frames::new(client, urls, after, silence), query }
    }

    /// The id of the last event, for [`Follow::after`]: another follower that begins there is told what has happened
    /// since, as far as the coordinator remembers it.
    pub fn position(&self) -> Option<&str> {
        self.frames.position()
    }

    /// Waits for the next event; `None` after an error that a repetition cannot fix. Cancel safe: no event is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            let frame = match self.frames.next().await? {
                Ok(Told::Connected) => return Some(Ok(Event::Connected)),
                Ok(Told::Gap) => return Some(Ok(Event::Missed(None))),
                Ok(Told::Frame(frame)) => frame,
                Err(error) => return Some(Err(error)),
            };
            match Event::of(frame) {
                Ok(Some(event)) if self.query.as_deref().is_none_or(|query| is_wanted(&event, query)) => {
                    return Some(Ok(event));
                }
                Ok(_) => {}
                Err(error) => return Some(Err(self.frames.refuse(&error))),
            }
        }
    }

    /// The events as a stream, with the errors between them.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin {
        Box::pin(stream::unfold(self, |mut following| async move {
            let told = following.next().await?;
            Some((told, following))
        }))
    }
}
