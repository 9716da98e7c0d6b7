//! The frames that the broker and its clients exchange: a length, a kind and a body.
//!
//! Frames from the network are not trusted: one that is too long, truncated or malformed is an error and ends the
//! connection.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use quorate_runtime::bus::local::MAX_PAYLOAD_BYTES;
use quorate_runtime::bus::{Headers, MAX_HEADERS, Message};

/// The maximum length of a subject, a reply subject and a queue group together, in bytes: the default of NATS.
pub(crate) const MAX_SUBJECT_BYTES: usize = 4096;

/// The maximum length of a frame's body, in bytes: the largest payload, and room for the rest.
const MAX_BODY_BYTES: usize = MAX_PAYLOAD_BYTES + MAX_SUBJECT_BYTES + 64;

/// The size of a frame's head, in bytes: the length of the body and the kind of the frame.
const HEAD_BYTES: usize = 5;

/// One message between the broker and a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The broker accepts the connection; the first frame that it sends.
    Info,
    /// A client publishes a message.
    Publish { subject: String, reply: Option<String>, headers: Headers, payload: Bytes },
    /// A client subscribes under a number of its choice.
    Subscribe { id: u64, pattern: String, group: Option<String> },
    /// A client ends a subscription.
    Unsubscribe { id: u64 },
    /// The broker delivers a message to one subscription. All frames that deliver a message share it.
    Deliver { id: u64, message: Arc<Message> },
    /// Asks for a [`Pong`](Self::Pong) with the same number, which follows the effects of all earlier frames.
    Ping(u64),
    /// Answers a [`Ping`](Self::Ping).
    Pong(u64),
}

/// The bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame of this protocol")]
pub(crate) struct Malformed;

impl Frame {
    /// Whether it carries a message, which counts against the limit of a queue.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Self::Publish { .. } | Self::Deliver { .. })
    }

    /// Appends the frame to a buffer.
    pub(crate) fn encode(&self, to: &mut BytesMut) {
        let start = to.len();
        to.put_bytes(0, HEAD_BYTES);
        let kind = match self {
            Self::Info => 0,
            Self::Publish { subject, reply, headers, payload } => {
                put_text(to, subject);
                put_text(to, reply.as_deref().unwrap_or_default());
                put_headers(to, headers);
                to.put_slice(payload);
                if headers.is_empty() { 1 } else { 7 }
            }
            Self::Subscribe { id, pattern, group } => {
                to.put_u64(*id);
                put_text(to, pattern);
                put_text(to, group.as_deref().unwrap_or_default());
                2
            }
            Self::Unsubscribe { id } => {
                to.put_u64(*id);
                3
            }
            Self::Deliver { id, message } => {
                to.put_u64(*id);
                to.put_u8(message.no_responders.into());
                put_text(to, &message.subject);
                put_text(to, message.reply.as_deref().unwrap_or_default());
                put_headers(to, &message.headers);
                to.put_slice(&message.payload);
                if message.headers.is_empty() { 4 } else { 8 }
            }
            Self::Ping(number) => {
                to.put_u64(*number);
                5
            }
            Self::Pong(number) => {
                to.put_u64(*number);
                6
            }
        };
        let length = to.len() - start - HEAD_BYTES;
        assert!(length <= MAX_BODY_BYTES, "the length of a message is checked before it is sent: {length}");
        let mut head = &mut to[start..];
        head.put_u32(length as u32);
        head.put_u8(kind);
    }

    /// Takes the first frame from a buffer, if it is complete.
    ///
    /// # Errors
    /// If the bytes are not a frame. The rest of the stream cannot be decoded then.
    pub(crate) fn decode(from: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let Some(mut head) = from.get(..HEAD_BYTES) else { return Ok(None) };
        let (length, kind) = (head.get_u32() as usize, head.get_u8());
        if length > MAX_BODY_BYTES {
            return Err(Malformed);
        }
        if from.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        from.advance(HEAD_BYTES);
        let mut body = from.split_to(length).freeze();
        let frame = match kind {
            0 => Self::Info,
            1 | 7 => {
                let (subject, reply) = (take_text(&mut body)?, take_optional(&mut body)?);
                let headers = if kind == 7 { take_headers(&mut body)? } else { Headers::default() };
                Self::Publish { subject, reply, headers, payload: take_payload(&mut body)? }
            }
            2 => Self::Subscribe {
                id: take_number(&mut body)?,
                pattern: take_text(&mut body)?,
                group: take_optional(&mut body)?,
            },
            3 => Self::Unsubscribe { id: take_number(&mut body)? },
            4 | 8 => {
                let id = take_number(&mut body)?;
                let no_responders = match body.try_get_u8() {
                    Ok(0) => false,
                    Ok(1) => true,
                    _ => return Err(Malformed),
                };
                let (subject, reply) = (take_text(&mut body)?, take_optional(&mut body)?);
                let headers = if kind == 8 { take_headers(&mut body)? } else { Headers::default() };
                let message = Message { subject, reply, headers, payload: take_payload(&mut body)?, no_responders };
                Self::Deliver { id, message: Arc::new(message) }
            }
            5 => Self::Ping(take_number(&mut body)?),
            6 => Self::Pong(take_number(&mut body)?),
            _ => return Err(Malformed),
        };
        if body.is_empty() { Ok(Some(frame)) } else { Err(Malformed) }
    }
}

fn put_text(to: &mut BytesMut, text: &str) {
    to.put_u16(u16::try_from(text.len()).expect("the length of a text is checked before it is sent"));
    to.put_slice(text.as_bytes());
}

/// Appends the count, then each name and value. A message without headers is a frame of another kind, without a count.
fn put_headers(to: &mut BytesMut, headers: &Headers) {
    if !headers.is_empty() {
        to.put_u8(u8::try_from(headers.iter().len()).expect("a message has few headers"));
    }
    for (name, value) in headers.iter() {
        put_text(to, name);
        put_text(to, value);
    }
}

fn take_headers(from: &mut Bytes) -> Result<Headers, Malformed> {
    let count = usize::from(from.try_get_u8().map_err(|_| Malformed)?);
    if !(1..=MAX_HEADERS).contains(&count) {
        return Err(Malformed);
    }
    let pairs = (0..count).map(|_| Ok((take_text(from)?, take_text(from)?)));
    let pairs = pairs.collect::<Result<Vec<_>, Malformed>>()?;
    let headers = Headers::new(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if headers.iter().len() == count { Ok(headers) } else { Err(Malformed) }
}

fn take_number(from: &mut Bytes) -> Result<u64, Malformed> {
    from.try_get_u64().map_err(|_| Malformed)
}

fn take_text(from: &mut Bytes) -> Result<String, Malformed> {
    let length = usize::from(from.try_get_u16().map_err(|_| Malformed)?);
    if length > from.len() || length > MAX_SUBJECT_BYTES {
        return Err(Malformed);
    }
    std::str::from_utf8(&from.split_to(length)).map(str::to_owned).map_err(|_| Malformed)
}

/// Takes an optional text: an empty one means that there is none.
fn take_optional(from: &mut Bytes) -> Result<Option<String>, Malformed> {
    take_text(from).map(|text| (!text.is_empty()).then_some(text))
}

fn take_payload(from: &mut Bytes) -> Result<Bytes, Malformed> {
    if from.len() > MAX_PAYLOAD_BYTES {
        return Err(Malformed);
    }
    Ok(std::mem::take(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let text = |text: &str| text.to_owned();
        let message = |reply: Option<&str>, payload: &'static [u8], no_responders| {
            let reply = reply.map(str::to_owned);
            let (headers, payload) = (Headers::default(), Bytes::from_static(payload));
            Message { subject: text("a.b"), reply, headers, payload, no_responders }
        };
        let headers = Headers::new([("a", "1"), ("b", "")]);
        let with_headers = Message { headers: headers.clone(), ..message(Some("r"), b"payload", false) };
        let message = |reply, payload, no_responders| Arc::new(message(reply, payload, no_responders));
        vec![
            Frame::Info,
            Frame::Publish { subject: text("a.b"), reply: None, headers: Headers::default(), payload: Bytes::new() },
            Frame::Publish {
                subject: text("ü"),
                reply: Some(text("r")),
                headers: Headers::default(),
                payload: Bytes::from_static(b"\0\xff"),
            },
            Frame::Publish {
                subject: text("a"),
                reply: None,
                headers: headers.clone(),
                payload: Bytes::from_static(b"p"),
            },
            Frame::Subscribe { id: 7, pattern: text("a.>"), group: None },
            Frame::Subscribe { id: u64::MAX, pattern: text("a"), group: Some(text("group")) },
            Frame::Unsubscribe { id: 1 },
            Frame::Deliver { id: 2, message: message(Some("r"), b"payload", false) },
            Frame::Deliver { id: 3, message: message(None, b"", true) },
            Frame::Deliver { id: 4, message: Arc::new(with_headers) },
            Frame::Ping(4),
            Frame::Pong(5),
        ]
    }

    #[test]
    fn frames_decode_to_the_same_however_they_are_split() {
        let mut bytes = BytesMut::new();
        for frame in frames() {
            frame.encode(&mut bytes);
        }
        for step in [1, 2, 7, bytes.len()] {
            let (mut buffer, mut read) = (BytesMut::new(), Vec::new());
            for chunk in bytes.chunks(step) {
                buffer.put_slice(chunk);
                while let Some(frame) = Frame::decode(&mut buffer).expect("it is well formed") {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames());
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        for frame in frames() {
            let mut bytes = BytesMut::new();
            frame.encode(&mut bytes);
            for place in 0..bytes.len() {
                for value in 0..=u8::MAX {
                    let mut strange = bytes.clone();
                    strange[place] = value;
                    // Another frame, an incomplete one or an error are all fine, as long as nothing panics.
                    let _answer = Frame::decode(&mut strange);
                }
            }
        }
    }

    #[test]
    fn malformed_frames_are_errors() {
        for lie in [
            // Longer than any frame.
            &[0xff, 0xff, 0xff, 0xff, 1][..],
            // An unknown kind.
            &[0, 0, 0, 0, 9],
            // A truncated number.
            &[0, 0, 0, 1, 5, 0],
            // A text longer than the body.
            &[0, 0, 0, 3, 1, 0, 2, b'a'],
            // No headers in a frame that must have some, and an invalid name.
            &[0, 0, 0, 6, 7, 0, 1, b'a', 0, 0, 0],
            &[0, 0, 0, 11, 7, 0, 1, b'a', 0, 0, 1, 0, 1, b' ', 0, 0],
            // Trailing bytes.
            &[0, 0, 0, 9, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(Frame::decode(&mut BytesMut::from(lie)), Err(Malformed), "{lie:?}");
        }
    }
}
