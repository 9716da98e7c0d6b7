//! The format of server-sent events, read piece by piece. Lines end with LF or CR LF.

use std::time::Duration;

/// Reads events from pieces of a stream. It never keeps more than one event and one piece.
#[derive(Debug)]
pub(super) struct Parser {
    /// The most bytes of one event.
    limit: usize,
    /// What has come and was not read yet.
    bytes: Vec<u8>,
    /// The first of them that was not searched for the end of a line.
    searched: usize,
    /// The event that is being read.
    frame: Frame,
    /// After how long the server wants clients to reconnect, if it has said so.
    retry: Option<Duration>,
}

/// One event as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) data: String,
}

/// What makes a stream unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("an event is longer than {0} bytes")]
    TooLong(usize),
    #[error("an event is not UTF-8")]
    NotText,
}

impl Parser {
    /// A parser that refuses events longer than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), searched: 0, frame: Frame::default(), retry: None }
    }

    /// Adds a piece of the stream.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// After how long the server wants clients to reconnect, if it has said so.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// The next event that has come whole.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Unreadable> {
        let mut read = 0;
        let found = loop {
            let unsearched = &self.bytes[self.searched..];
            let Some(length) = unsearched.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.bytes.len();
                break None;
            };
            let end = self.searched + length;
            let line = self.bytes[read..end].strip_suffix(b"\r").unwrap_or(&self.bytes[read..end]);
            let line = str::from_utf8(line).map_err(|_| Unreadable::NotText)?;
            (read, self.searched) = (end + 1, end + 1);
            if line.is_empty() {
                let frame = std::mem::take(&mut self.frame);
                // A frame without data may say how far the stream has come.
                if !frame.data.is_empty() || frame.id.is_some() {
                    break Some(frame);
                }
                continue;
            }
            self.frame.take(line, &mut self.retry);
            if self.frame.data.len() > self.limit {
                return Err(Unreadable::TooLong(self.limit));
            }
        };
        self.bytes.drain(..read);
        self.searched -= read;
        // A line without an end. What follows the event that was found is read with the next one.
        if found.is_none() && self.bytes.len() > self.limit {
            return Err(Unreadable::TooLong(self.limit));
        }
        Ok(found)
    }
}

impl Frame {
    /// Reads one field. Comments and unknown fields are ignored.
    fn take(&mut self, line: &str, retry: &mut Option<Duration>) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => *retry = value.parse().ok().map(Duration::from_millis).or(*retry),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: Option<&str>, name: &str, data: &str) -> Frame {
        Frame { id: id.map(str::to_owned), name: name.to_owned(), data: data.to_owned() }
    }

    const STREAM: &str = "retry: 1500\n\n:\n\nid: c1-7\nevent: outcome\ndata: {\"a\":\"ü\"}\n\n:\n\r\nid:c1-8\r\n\
                          event:missed\r\ndata:one\r\ndata: two\r\nodd\r\n\r\nevent: nothing\n\ndata: last\n\nid: c1-9\n\ndata: cut";

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        let expected = [
            frame(Some("c1-7"), "outcome", "{\"a\":\"ü\"}"),
            frame(Some("c1-8"), "missed", "one\ntwo"),
            frame(None, "", "last"),
            frame(Some("c1-9"), "", ""),
        ];
        for size in 1..=STREAM.len() {
            let mut parser = Parser::new(64);
            let mut seen = Vec::new();
            for piece in STREAM.as_bytes().chunks(size) {
                parser.push(piece);
                while let Some(frame) = parser.next().expect("it is readable") {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, expected, "in pieces of {size} bytes");
            assert_eq!(parser.retry(), Some(Duration::from_millis(1500)));
        }
    }

    #[test]
    fn an_event_is_bounded_with_and_without_line_ends() {
        let endless = "data: ".to_owned() + &"x".repeat(200);
        let many = "data: 0123456789\n".repeat(20);
        for stream in [endless, many] {
            for size in [7, stream.len()] {
                let mut parser = Parser::new(100);
                let read = stream.as_bytes().chunks(size).find_map(|piece| {
                    parser.push(piece);
                    parser.next().err()
                });
                assert_eq!(read, Some(Unreadable::TooLong(100)));
                assert!(parser.bytes.capacity() < 1000);
            }
        }
        let mut parser = Parser::new(100);
        parser.push("data: 0123456789\n\n".repeat(100).as_bytes());
        let read = std::iter::from_fn(|| parser.next().expect("each is short")).count();
        assert_eq!((read, parser.bytes.len()), (100, 0), "many short events in one piece are not one long one");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut parser = Parser::new(100);
        parser.push(b"data: \xff\n\n");
        assert_eq!(parser.next(), Err(Unreadable::NotText));
    }
}
