//! Messages of a stream, as JetStream hands them out: answers of direct gets, and deliveries of a consumer.

use async_nats::header::{NATS_SEQUENCE, NATS_SUBJECT, NATS_TIME_STAMP};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use quorate_core::time::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::place::Place;
use crate::store::Entry;

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StreamMessage {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) stored_at: UnixTime,
    pub(super) body: Bytes,
}

impl StreamMessage {
    /// Reads the answer of a direct get. `None` if it is none, but a status. The author of a message cannot pass for the
    /// server, which puts its headers after those of the author.
    pub(super) fn from_direct_get(message: &Message) -> Option<Self> {
        let headers = message.headers.as_ref()?;
        let last = |name| headers.get_last(name).map(async_nats::HeaderValue::as_str);
        Some(Self {
            subject: last(NATS_SUBJECT)?.to_owned(),
            sequence: last(NATS_SEQUENCE)?.parse().ok()?,
            stored_at: unix_time(last(NATS_TIME_STAMP)?)?,
            body: message.payload.clone(),
        })
    }

    /// The entry of a log that the message is, if its subject has a key.
    pub(super) fn into_entry(self, place: &Place) -> Option<Entry> {
        let Self { subject, sequence, stored_at, body } = self;
        Some(Entry { key: place.key(&subject)?, sequence, stored_at, body })
    }
}

/// A number in the headers of the server.
pub(super) fn number(headers: Option<&HeaderMap>, name: impl async_nats::header::IntoHeaderName) -> Option<u64> {
    headers?.get_last(name)?.as_str().parse().ok()
}

/// The time that a text says as RFC 3339 writes it.
pub(super) fn unix_time(text: &str) -> Option<UnixTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos()).ok().map(UnixTime::from_nanos)
}

/// What a consumer says of a message that it delivers, in the subject that an acknowledgement would go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The sequence in the stream.
    pub(super) sequence: u64,
    /// The number of the delivery, from 1.
    pub(super) number: u64,
    pub(super) stored_at: UnixTime,
    /// How many messages are still to be delivered.
    pub(super) pending: u64,
}

impl Delivery {
    /// Reads `$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.number.time.pending[.…]`.
    pub(super) fn read(reply: &str) -> Option<Self> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let tokens: Vec<&str> = rest.split('.').collect();
        let start = match tokens.len() {
            7 => 3,
            9.. => 5,
            _ => return None,
        };
        let mut numbers = tokens[start..].iter().map(|token| token.parse::<u64>().ok());
        let mut number = || numbers.next().flatten();
        Some(Self {
            sequence: number()?,
            number: number()?,
            stored_at: UnixTime::from_nanos(number()?),
            pending: number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_delivery_is_read_from_its_reply_subject() {
        let delivery = Delivery {
            sequence: 12,
            number: 3,
            stored_at: UnixTime::from_nanos(1_790_000_000_000_000_000),
            pending: 4,
        };
        for reply in [
            "$JS.ACK.oracle-feeds.c.1.12.3.1790000000000000000.4",
            "$JS.ACK.hub.ACC.oracle-feeds.c.1.12.3.1790000000000000000.4",
            "$JS.ACK._.ACC.oracle-feeds.c.1.12.3.1790000000000000000.4.random",
        ] {
            assert_eq!(Delivery::read(reply), Some(delivery), "{reply}");
        }
        for reply in ["", "_INBOX.a", "$JS.ACK.", "$JS.ACK.s.c.1.12.3.1.-4", "$JS.ACK.s.c.1.12.3.1", "$JS.FC.s.c.1"] {
            assert_eq!(Delivery::read(reply), None, "{reply}");
        }
    }

    #[test]
    fn a_time_keeps_its_nanoseconds() {
        for (text, nanos) in [
            ("2026-11-30T07:29:11.163847591Z", Some(1_796_023_751_163_847_591)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
        ] {
            assert_eq!(unix_time(text), nanos.map(UnixTime::from_nanos), "{text}");
        }
    }
}
