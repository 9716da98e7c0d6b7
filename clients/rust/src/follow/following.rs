//! A stream of events that is opened again whenever it breaks, and goes on where it was.

use std::time::Duration;

use futures_util::{Stream, stream};
use reqwest::{Response, Url};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::filter::is_wanted;
use super::parser::Parser;
use super::pause::pause;
use super::{Event, Follow};
use crate::client::Client;
use crate::error::Error;
use crate::transport::{lost, route_url};

/// The type of a stream of events.
const EVENT_STREAM: &str = "text/event-stream";

/// Follows what happens in a coordinator.
///
/// Each loss of the connection, and each attempt that does not make one, is told as an error. Then the next event is
/// awaited again: after a pause, the stream goes on behind the last event. What is missing then is told as
/// [`Event::Missed`]. An error that a repetition cannot fix ([`Error::is_lasting`]) is the last thing told.
#[derive(Debug)]
pub struct Following {
    client: Client,
    follow: Follow,
    state: State,
    /// The id of the last event.
    position: Option<String>,
    /// Whether the stream has been open.
    was_open: bool,
    /// Whether events are missing here, and nobody knows how many.
    is_gap: bool,
    /// Attempts in a row that led to no event and no sign of life.
    failures: u32,
    /// What the coordinator wants for the first pause.
    retry: Option<Duration>,
}

#[derive(Debug)]
enum State {
    /// Connect, but not before this.
    Due(Instant),
    Open(Box<Open>),
    /// The last error was told.
    Over,
}

/// An open stream.
#[derive(Debug)]
struct Open {
    response: Response,
    parser: Parser,
    /// When the coordinator will have been silent for too long.
    silent_at: Instant,
}

impl Following {
    pub(crate) fn new(client: Client, follow: Follow) -> Self {
        let position = follow.after.clone();
        let state = State::Due(Instant::now());
        Self { client, follow, state, position, was_open: false, is_gap: false, failures: 0, retry: None }
    }

    /// The id of the last event, for [`Follow::after`]: another follower that begins there is told what has happened
    /// since, as far as the coordinator remembers it.
    pub fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// Waits for the next event; `None` after an error that a repetition cannot fix. Cancel safe: no event is lost when
    /// the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            let told = match &mut self.state {
                State::Over => return None,
                State::Due(at) => {
                    sleep_until(*at).await;
                    self.connect().await.map(|()| Some(Event::Connected))
                }
                State::Open(_) if std::mem::take(&mut self.is_gap) => Ok(Some(Event::Missed(None))),
                State::Open(_) => self.read().await,
            };
            match told {
                Ok(Some(event)) => return Some(Ok(event)),
                Ok(None) => {}
                Err(error) => {
                    self.failed(&error);
                    return Some(Err(error));
                }
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

    async fn connect(&mut self) -> Result<(), Error> {
        let url = self.url();
        let headers: Vec<_> = self.position.iter().map(|id| ("last-event-id", id.as_str())).collect();
        let response = self.client.open(url, EVENT_STREAM, &headers).await?;
        let parser = Parser::new(self.client.max_bytes());
        let open = Box::new(Open { response, parser, silent_at: Instant::now() + self.follow.silence });
        // Without an id, the coordinator cannot know what happened while there was no connection.
        self.is_gap = self.was_open && self.position.is_none();
        self.state = State::Open(open);
        self.was_open = true;
        Ok(())
    }

    fn url(&self) -> Url {
        let mut url = route_url(self.client.url(), "events");
        let recent = self.follow.recent.filter(|_| !self.was_open).map(|recent| recent.to_string());
        let parameters = [("query", &self.follow.query), ("recent", &recent), ("request_id", &self.follow.request_id)];
        for (name, value) in parameters {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }

    /// Reads until an event has come; `None` if it is of an unknown kind, or not wanted.
    async fn read(&mut self) -> Result<Option<Event>, Error> {
        let State::Open(open) = &mut self.state else { return Ok(None) };
        let frame = loop {
            match open.parser.next() {
                Ok(Some(frame)) => break frame,
                Ok(None) => {}
                Err(unreadable) => return Err(self.client.foreign(open.response.status(), &unreadable)),
            }
            let url = self.client.url();
            let silence = self.follow.silence;
            let late = |_| Error::Timeout { url: url.clone(), after: silence };
            let piece = timeout_at(open.silent_at, open.response.chunk()).await.map_err(late)?;
            let Some(piece) = piece.map_err(|error| lost(&error, url, silence))? else {
                let reason = "the coordinator ended the stream".to_owned();
                return Err(Error::Broken { url: url.clone(), reason });
            };
            open.parser.push(&piece);
            open.silent_at = Instant::now() + silence;
            self.failures = 0;
        };
        self.retry = open.parser.retry().or(self.retry);
        let status = open.response.status();
        if let Some(id) = &frame.id {
            self.position = Some(id.clone());
        }
        if frame.data.is_empty() {
            return Ok(None);
        }
        let event = Event::of(frame).map_err(|error| self.client.foreign(status, &error))?;
        Ok(event.filter(|event| self.follow.query.as_deref().is_none_or(|query| is_wanted(event, query))))
    }

    /// Decides what happens after an error.
    fn failed(&mut self, error: &Error) {
        if error.is_lasting() {
            self.state = State::Over;
            return;
        }
        if let State::Open(open) = &self.state {
            self.retry = open.parser.retry().or(self.retry);
        }
        self.failures = self.failures.saturating_add(1);
        let at_least = error.refusal().and_then(|refusal| refusal.retry_after).map(Duration::from_secs);
        self.state = State::Due(Instant::now() + pause(self.failures, self.retry, at_least));
    }
}
