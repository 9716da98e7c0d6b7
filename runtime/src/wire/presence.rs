//! The body of a presence announcement.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::{MAX_ID_BYTES, WorkerId};
use serde::{Deserialize, Serialize};

use super::{WireError, parse};

/// A presence announcement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PresenceMessage<'a> {
    /// The name of the worker.
    #[serde(borrow)]
    pub worker_id: Cow<'a, str>,
    /// `live`, `draining` or `left`.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Whether replicas share the name.
    #[serde(default)]
    pub replicated: bool,
    /// The process that announces itself.
    #[serde(borrow, default)]
    pub instance: Cow<'a, str>,
    /// The version of that process.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
}

/// A worker's reply to `$SRV.PING`, of which the coordinator needs only this.
#[derive(Deserialize)]
struct PingReply<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    metadata: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// The name of a state on the wire.
pub(crate) fn state_name(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Live => "live",
        PresenceState::Draining => "draining",
        PresenceState::Left => "left",
    }
}

/// Reads a state. An unknown one comes from a later version: whatever it means, the worker is there.
fn state(name: &str) -> PresenceState {
    match name {
        "draining" => PresenceState::Draining,
        "left" => PresenceState::Left,
        _ => PresenceState::Live,
    }
}

/// The name of a process, cut to the longest that an identifier may be.
fn instance(text: &str) -> Arc<str> {
    text[..text.floor_char_boundary(MAX_ID_BYTES)].into()
}

fn worker_id(text: &str) -> Result<WorkerId, WireError> {
    WorkerId::new(text).map_err(|error| WireError::Id { field: "worker_id", error })
}

impl PresenceMessage<'_> {
    /// Encodes the announcement.
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts are serializable").into()
    }

    /// Reads an announcement.
    ///
    /// # Errors
    /// [`WireError`] if it does not name a worker and a state.
    pub fn decode(payload: &[u8]) -> Result<Presence, WireError> {
        let message: PresenceMessage = parse(payload)?;
        let worker = worker_id(&message.worker_id)?;
        let presence = Presence::new(worker, instance(&message.instance), state(&message.state));
        Ok(Presence { replicated: message.replicated, ..presence })
    }

    /// Reads a worker's reply to `$SRV.PING`.
    ///
    /// # Errors
    /// [`WireError`] if its metadata does not name a worker.
    pub fn decode_ping(payload: &[u8]) -> Result<Presence, WireError> {
        let ping: PingReply = parse(payload)?;
        let metadata = |name: &str| ping.metadata.get(name).map_or("", Cow::as_ref);
        let worker = worker_id(metadata("worker_id"))?;
        let presence = Presence::new(worker, instance(&ping.id), state(metadata("state")));
        Ok(Presence { replicated: metadata("replicated") == "true", ..presence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_needs_a_name_and_a_state() {
        let read = PresenceMessage::decode(br#"{"worker_id":"w","state":"draining"}"#).expect("an announcement");
        assert_eq!((read.state, read.replicated), (PresenceState::Draining, false));
        for body in ["{}", r#"{"worker_id":"w"}"#, r#"{"worker_id":"","state":"live"}"#, "\u{0}"] {
            assert!(PresenceMessage::decode(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_ping_reply_of_a_service_that_is_not_a_worker_is_refused() {
        let ping = br#"{"type":"io.nats.micro.v1.ping_response","metadata":{"worker_id":"w","replicated":"true"}}"#;
        let read = PresenceMessage::decode_ping(ping).expect("a worker");
        assert_eq!((read.worker.as_str(), read.state, read.replicated), ("w", PresenceState::Live, true));
        assert!(PresenceMessage::decode_ping(br#"{"metadata":{}}"#).is_err());
        assert!(PresenceMessage::decode_ping(br#"{"name":"x"}"#).is_err());
    }
}
