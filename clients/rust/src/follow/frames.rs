//! A stream of server-sent events that is opened again whenever it breaks, and goes on where it was.

use std::time::Duration;

use reqwest::{Response, StatusCode, Url};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::parser::{Frame, Parser};
use super::pause::pause;
use crate::client::Client;
use crate::error::Error;
use crate::transport::lost;

/// The type of a stream of events.
const EVENT_STREAM: &str = "text/event-stream";

/// The events as they were sent.
#[derive(Debug)]
pub(super) struct Frames {
    client: Client,
    /// The address of the first connection.
    first: Url,
    /// The address of every other one.
    again: Url,
    /// How long the coordinator may be silent.
    silence: Duration,
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

/// What a stream tells, besides errors.
#[derive(Debug)]
pub(super) enum Told {
    /// The stream is open, for the first time or again.
    Connected,
    /// Events are missing here, and nobody knows how many.
    Gap,
    /// An event with data.
    Frame(Frame),
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

impl Frames {
    /// A stream at `first`, which is at `again` once it has been open. Begins after the event with the id `position`.
    pub(super) fn new(client: Client, [first, again]: [Url; 2], position: Option<String>, silence: Duration) -> Self {
        let state = State::Due(Instant::now());
        let (was_open, is_gap, failures, retry) = (false, false, 0, None);
        Self { client, first, again, silence, state, position, was_open, is_gap, failures, retry }
    }

    /// The id of the last event.
    pub(super) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// Waits for the next event; `None` after an error that a repetition cannot fix. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Result<Told, Error>> {
        loop {
            let told = match &mut self.state {
                State::Over => return None,
                State::Due(at) => {
                    sleep_until(*at).await;
                    self.connect().await.map(|()| Some(Told::Connected))
                }
                State::Open(_) if std::mem::take(&mut self.is_gap) => Ok(Some(Told::Gap)),
                State::Open(_) => self.read().await.map(|frame| frame.map(Told::Frame)),
            };
            match told {
                Ok(Some(told)) => return Some(Ok(told)),
                Ok(None) => {}
                Err(error) => {
                    self.failed(&error);
                    return Some(Err(error));
                }
            }
        }
    }

    /// The error of an event that was not understood, with which the stream ends.
    pub(super) fn refuse(&mut self, reason: &impl ToString) -> Error {
        let status = match &self.state {
            State::Open(open) => open.response.status(),
            State::Due(_) | State::Over => StatusCode::OK,
        };
        let error = self.client.foreign(status, reason);
        self.failed(&error);
        error
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let url = if self.was_open { &self.again } else { &self.first };
        let headers: Vec<_> = self.position.iter().map(|id| ("last-event-id", id.as_str())).collect();
        let response = self.client.open(url.clone(), EVENT_STREAM, &headers).await?;
        let parser = Parser::new(self.client.max_bytes());
        let open = Box::new(Open { response, parser, silent_at: Instant::now() + self.silence });
        // Without an id, the coordinator cannot know what happened while there was no connection.
        self.is_gap = self.was_open && self.position.is_none();
        self.state = State::Open(open);
        self.was_open = true;
        Ok(())
    }

    /// Reads until an event has come; `None` if it has no data.
    async fn read(&mut self) -> Result<Option<Frame>, Error> {
        let State::Open(open) = &mut self.state else { return Ok(None) };
        let frame = loop {
            match open.parser.next() {
                Ok(Some(frame)) => break frame,
                Ok(None) => {}
                Err(unreadable) => return Err(self.client.foreign(open.response.status(), &unreadable)),
            }
            let url = self.client.url();
            let silence = self.silence;
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
        if let Some(id) = &frame.id {
            self.position = Some(id.clone());
        }
        Ok(Some(frame).filter(|frame| !frame.data.is_empty()))
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
