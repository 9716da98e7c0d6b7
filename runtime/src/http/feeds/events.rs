//! `GET /feeds/events`: the records of feeds as they are stored, as server-sent events.
//!
//! A reader that is too slow, or comes back, is served from the store until it has caught up, so it misses nothing that
//! the store still keeps.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Uri};
use quorate_core::feed::FeedName;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use utoipa::IntoResponses;

use super::FeedsReader;
use crate::feeds::{Board, History, Mark, Start, Told};
use crate::http::answers::{Answers, FEEDS, answers, success, text};
use crate::http::api::Api;
use crate::http::client_address::Peer;
use crate::http::error::ApiError;
use crate::http::events::Seat;
use crate::http::sse::{self, SIGN_OF_LIFE, errors, last_event_id, streamed};
use crate::store::Unavailable;
use crate::wire::StoredRecord;
use crate::wire::schema::FeedNameText;

/// How many records are read from the store at a time.
const PAGE: usize = 64;
/// The pause before the store is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// The pause before a reading that is older than what is known is repeated.
const AGAIN: Duration = Duration::from_millis(50);
/// How often it is repeated at most.
const MAX_WAITS: u32 = 100;

/// The place of a reader in the records of all feeds.
struct Reader {
    feeds: FeedsReader,
    live: Receiver<Arc<Told>>,
    /// Only this feed; `None` for all.
    feed: Option<FeedName>,
    /// The sequence of the last record that was sent, or passed over.
    sent: u64,
    /// The epoch of that sequence.
    epoch: u64,
    is_behind: bool,
    /// How often the store has had nothing although it should have.
    waited: u32,
    greeting: Option<Bytes>,
    heartbeat: Duration,
    closed: CancellationToken,
    _seat: Seat,
}

/// What a client subscribes to: one feed or all, and the last record that it has.
#[derive(Debug, PartialEq, Eq)]
struct Subscription {
    feed: Option<FeedName>,
    after: Option<(FeedName, u64)>,
}

impl Subscription {
    fn parse(uri: &Uri, headers: &HeaderMap) -> Result<Self, ApiError> {
        let (mut feed, mut after) = (None, None);
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "feed" => {
                    feed = Some(FeedName::new(&value).map_err(|error| ApiError::invalid(format!("feed: {error}")))?);
                }
                "last_event_id" => after = Some(value.into_owned()),
                _ => {}
            }
        }
        let place = |id: String| {
            let (feed, round) = id.rsplit_once('-')?;
            Some((FeedName::new(feed).ok()?, round.parse().ok()?))
        };
        let after = last_event_id(headers, after).map(|id| {
            place(id)
                .ok_or_else(|| ApiError::invalid("the last event id must be a feed and a round, such as BTC-USD-17"))
        });
        Ok(Self { feed, after: after.transpose()? })
    }
}

impl Reader {
    /// The next bytes to send; `None` when the stream ends.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let (closed, heartbeat) = (self.closed.clone(), self.heartbeat);
        tokio::select! {
            biased;
            () = closed.cancelled() => None,
            text = self.records() => Some(text),
            () = tokio::time::sleep(heartbeat) => Some(SIGN_OF_LIFE),
        }
    }

    /// The next records. Cancel safe: nothing is passed over before it is returned.
    async fn records(&mut self) -> Bytes {
        loop {
            if self.is_behind {
                if let Some(text) = self.stored().await {
                    return text;
                }
                continue;
            }
            match self.live.recv().await {
                Ok(told) => {
                    let Told { feed, record, epoch } = told.as_ref();
                    let sequence = record.head.link.sequence;
                    if *epoch == self.epoch && sequence <= self.sent {
                        continue;
                    }
                    (self.epoch, self.sent) = (*epoch, sequence);
                    if self.feed.as_ref().is_none_or(|only| only == feed) {
                        return written(feed, record);
                    }
                }
                Err(RecvError::Lagged(_)) => self.is_behind = true,
                // The board holds a sender as long as this reader exists.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// The next records that the store has; `None` if there are none now.
    async fn stored(&mut self) -> Option<Bytes> {
        let Some(history) = &self.feeds.history else {
            self.is_behind = false;
            return None;
        };
        let mark = self.feeds.board.mark();
        if mark.epoch != self.epoch {
            (self.epoch, self.sent) = (mark.epoch, self.sent.min(mark.after));
        }
        let Ok(page) = history.after(self.feed.as_ref(), self.sent, PAGE).await else {
            tokio::time::sleep(RETRY).await;
            return None;
        };
        let Some((_, last)) = page.last() else {
            // What is read may be older than what is known. What is known may be of a stream that is gone.
            self.is_behind = newest(&self.feeds.board, self.feed.as_ref()) > self.sent && self.waited < MAX_WAITS;
            if self.is_behind {
                self.waited += 1;
                tokio::time::sleep(AGAIN).await;
            } else {
                self.waited = 0;
            }
            return None;
        };
        self.waited = 0;
        self.sent = last.head.link.sequence;
        Some(page.iter().map(|(feed, record)| written(feed, record)).collect::<Vec<_>>().concat().into())
    }
}

/// A record as an event, whose id is its feed and its round.
fn written(feed: &FeedName, record: &StoredRecord) -> Bytes {
    // JSON in one line: a stranger's may have line breaks, which are white space there.
    let data: Vec<u8> =
        record.body.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect();
    sse::event(Some(&format!("{feed}-{}", record.head.round)), "record", &data)
}

/// The record of a round, or the first one after it that is kept; none if there is no such round yet.
async fn resumed(
    board: &Board,
    history: &dyn History,
    feed: &FeedName,
    round: u64,
) -> Result<Vec<StoredRecord>, Unavailable> {
    for _ in 0..MAX_WAITS {
        let page = history.page(feed, Start::Round(round), 1).await?;
        // What is read may be older than what is known.
        let known = board.feed(feed.as_str()).and_then(|latest| Some(latest.newest.as_ref()?.head.round));
        if !page.is_empty() || known.is_none_or(|known| known < round) {
            return Ok(page);
        }
        tokio::time::sleep(AGAIN).await;
    }
    Err(Unavailable("its readings are older than what it has told".to_owned()))
}

/// The sequence of the newest record of one feed, or of all.
fn newest(board: &Board, feed: Option<&FeedName>) -> u64 {
    let feeds = match feed {
        Some(feed) => board.feed(feed.as_str()).into_iter().collect(),
        None => board.feeds(),
    };
    let newest = feeds.iter().filter_map(|feed| feed.newest.as_ref()).map(|newest| newest.head.link.sequence);
    newest.max().unwrap_or(0)
}

/// The responses of `GET /feeds/events`.
struct AnsweringFeedEvents;

impl IntoResponses for AnsweringFeedEvents {
    fn responses() -> Answers {
        let events =
            text("retry: 1000\n\nid: BTC-USD-4711\nevent: record\ndata: {\"feed\":\"BTC-USD\",\"round\":4711}\n\n");
        answers(success("The records.", "text/event-stream", events), errors("feed: the name of a feed has letters"))
    }
}

/// A stream of the records of feeds
///
/// Server-sent events, until the client goes away or the coordinator stops. Each is a `record`; its id is its feed and its
/// round. A client that reconnects with the last id receives every record after it that the store keeps.
#[utoipa::path(
    get,
    path = "/feeds/events",
    tag = FEEDS,
    params(
        ("feed" = Option<FeedNameText>, Query, description = "Send only the records of this feed."),
        ("Last-Event-ID" = Option<String>, Header,
         description = "Continue after the record with this id. Browsers send it when they reconnect."),
        ("last_event_id" = Option<String>, Query,
         description = "The same for clients that cannot set headers. The header takes precedence."),
    ),
    responses(AnsweringFeedEvents)
)]
pub(in crate::http) async fn feed_events(
    State(api): State<Arc<Api>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Subscription { feed, after } = Subscription::parse(&uri, &headers)?;
    let place = api.events.seat(api.client(peer, &headers).into())?;
    let feeds = api.feeds.clone();
    let (live, Mark { epoch, sequence: now, .. }) = feeds.board.follow();
    let (sent, is_behind) = match (after, &feeds.history) {
        (Some((name, round)), Some(history)) => {
            let page = resumed(&feeds.board, history.as_ref(), &name, round).await?;
            let sequence = |record: &StoredRecord| {
                let is_later = record.head.round > round;
                record.head.link.sequence - u64::from(is_later)
            };
            (page.first().map_or(now, sequence), true)
        }
        _ => (now, false),
    };
    let reader = Reader {
        feeds,
        live,
        feed,
        sent,
        epoch,
        is_behind,
        waited: 0,
        greeting: Some(sse::RETRY.into()),
        heartbeat: api.settings.events.heartbeat,
        closed: api.events.closed(),
        _seat: place,
    };
    Ok(streamed(stream::unfold(reader, |mut reader| async {
        reader.next().await.map(|text| (Ok::<_, Infallible>(text), reader))
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::sse::LAST_EVENT_ID;

    #[test]
    fn a_subscription_names_one_feed_or_none_and_the_last_record() {
        let parse =
            |query: &str| Subscription::parse(&format!("/feeds/events{query}").parse().expect("it"), &HeaderMap::new());
        let name = |text: &str| FeedName::new(text).expect("a name");
        for (query, feed, after) in [
            ("", None, None),
            ("?feed=a&x=1", Some(name("a")), None),
            ("?last_event_id=BTC-USD-17", None, Some((name("BTC-USD"), 17))),
        ] {
            assert_eq!(parse(query).expect(query), Subscription { feed, after });
        }
        for query in ["?feed=a.b", "?last_event_id=17", "?last_event_id=a-b", "?last_event_id="] {
            assert!(parse(query).is_err(), "{query}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(LAST_EVENT_ID, http::HeaderValue::from_static("b-2"));
        let uri = "/feeds/events?last_event_id=a-1".parse().expect("it");
        let after = Subscription::parse(&uri, &headers).expect("it is understood").after;
        assert_eq!(after, Some((name("b"), 2)), "the header is newer");
    }
}
