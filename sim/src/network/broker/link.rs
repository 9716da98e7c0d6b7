//! One end of a connection between the broker and a client: its outgoing queue, and the bytes in both directions.
//!
//! A segment that the simulated network loses is not retransmitted, and nothing behind it arrives: silence is the only
//! sign that a connection is dead. So each end sends something at least every third of the keepalive, and gives up the
//! connection when it has heard nothing for one keepalive.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;
use turmoil::net::TcpStream;
use turmoil::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::frame::{Frame, Malformed};

/// The size at which a write is full, in bytes. One write is one segment, and the network holds a limited number of
/// segments.
const SEGMENT_BYTES: usize = 64 * 1024;

/// The number of pings that are only signs of life.
pub(crate) const IDLE_PING: u64 = 0;

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the other end closed the connection")]
    Closed,
    #[error("the other end gave no sign of life")]
    Silent,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the other end said what it must not say")]
    Misbehaved,
    #[error("this end closed the connection")]
    Dropped,
}

/// The outgoing queue of one connection, which is lost with the connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The maximum number of queued messages; other frames are always accepted.
    limit: usize,
    waiting: Mutex<Waiting>,
    /// Only the connection's task waits, so one permit is enough.
    ready: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    messages: usize,
}

impl Outgoing {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default(), ready: Notify::new() }
    }

    /// Queues a frame, unless it is a message and the queue is full. Returns whether it was queued.
    #[must_use]
    pub(crate) fn offer(&self, frame: Frame) -> bool {
        let mut waiting = self.lock();
        if frame.is_message() {
            if waiting.messages >= self.limit {
                return false;
            }
            waiting.messages += 1;
        }
        waiting.frames.push_back(frame);
        self.ready.notify_one();
        true
    }

    /// Like [`offer`](Self::offer), but refuses a message if the queue is half full.
    #[must_use]
    pub(crate) fn offer_expendable(&self, frame: Frame) -> bool {
        let taken = self.lock().messages;
        2 * taken < self.limit && self.offer(frame)
    }

    /// Queues a frame that is not a message.
    pub(crate) fn push(&self, frame: Frame) {
        let taken = self.offer(frame);
        assert!(taken, "only messages are refused");
    }

    /// The number of queued frames.
    pub(crate) fn len(&self) -> usize {
        self.lock().frames.len()
    }

    /// Moves about a segment's worth of frames into `segment`.
    fn take(&self, segment: &mut BytesMut) {
        let mut waiting = self.lock();
        while segment.len() < SEGMENT_BYTES
            && let Some(frame) = waiting.frames.pop_front()
        {
            waiting.messages -= usize::from(frame.is_message());
            frame.encode(segment);
        }
        if !waiting.frames.is_empty() {
            self.ready.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries frames in both directions until the connection ends. Answers pings itself, and passes the rest to `heard`.
pub(crate) async fn carry(
    stream: TcpStream,
    keepalive: Duration,
    outgoing: &Outgoing,
    heard: impl FnMut(Frame) -> Result<(), Ended>,
) -> Ended {
    let (read, write) = stream.into_split();
    let over = tokio::select! {
        biased;
        over = receive(read, keepalive, outgoing, heard) => over,
        over = send(write, keepalive, outgoing) => over.map_err(Ended::from),
    };
    match over {
        Ok(never) => match never {},
        Err(ended) => ended,
    }
}

async fn receive(
    mut read: OwnedReadHalf,
    keepalive: Duration,
    outgoing: &Outgoing,
    mut heard: impl FnMut(Frame) -> Result<(), Ended>,
) -> Result<std::convert::Infallible, Ended> {
    let mut buffer = BytesMut::new();
    loop {
        while let Some(frame) = Frame::decode(&mut buffer)? {
            match frame {
                Frame::Ping(number) => outgoing.push(Frame::Pong(number)),
                frame => heard(frame)?,
            }
        }
        buffer.reserve(SEGMENT_BYTES);
        match timeout(keepalive, read.read_buf(&mut buffer)).await {
            Ok(Ok(0)) => return Err(Ended::Closed),
            Ok(read) => read.map(drop)?,
            Err(_) => return Err(Ended::Silent),
        }
    }
}

async fn send(
    mut write: OwnedWriteHalf,
    keepalive: Duration,
    outgoing: &Outgoing,
) -> io::Result<std::convert::Infallible> {
    let mut segment = BytesMut::new();
    loop {
        if timeout(keepalive / 3, outgoing.ready.notified()).await.is_err() {
            outgoing.push(Frame::Ping(IDLE_PING));
        }
        outgoing.take(&mut segment);
        if !segment.is_empty() {
            write.write_all(&segment).await?;
            segment.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quorate_runtime::bus::Headers;

    use super::*;

    #[test]
    fn only_messages_are_refused_and_order_is_kept() {
        let outgoing = Outgoing::new(2);
        let message = || {
            let (subject, headers) = ("a".to_owned(), Headers::default());
            Frame::Publish { subject, reply: None, headers, payload: Bytes::new() }
        };
        assert!(outgoing.offer(message()));
        outgoing.push(Frame::Ping(1));
        assert!(outgoing.offer(message()));
        assert!(!outgoing.offer(message()));
        outgoing.push(Frame::Ping(2));
        let mut segment = BytesMut::new();
        outgoing.take(&mut segment);
        let frames: Vec<_> = std::iter::from_fn(|| Frame::decode(&mut segment).expect("it is well formed")).collect();
        assert_eq!(frames, [message(), Frame::Ping(1), message(), Frame::Ping(2)]);
        assert!(outgoing.offer(message()), "there is room again");
    }
}
