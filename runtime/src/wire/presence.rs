//! The body of a presence announcement.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Not;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::id::{MAX_ID_BYTES, WorkerId};
use quorate_core::offer::Offer;
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
    /// Whether it takes packs of tasks.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub packs: bool,
    /// The patterns of the queries that it offers to answer; empty if it offers all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<Cow<'a, str>>,
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

/// The patterns of an offer as they are announced; none if it covers every query.
pub(crate) fn queries(offer: &Offer) -> Vec<Cow<'_, str>> {
    offer.patterns().iter().map(|pattern| pattern.as_str().into()).collect()
}

/// The patterns as the value of a service's metadata, which must be a text; `None` if the offer covers every query.
pub(crate) fn queries_text(offer: &Offer) -> Option<String> {
    let queries = queries(offer);
    (!queries.is_empty()).then(|| serde_json::to_string(&queries).expect("texts are serializable"))
}

fn offer(queries: &[Cow<'_, str>]) -> Result<Offer, WireError> {
    Ok(Offer::new(queries.iter().map(AsRef::as_ref))?)
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
    /// [`WireError`] if it does not name a worker and a state, or offers invalid patterns.
    pub fn decode(payload: &[u8]) -> Result<Presence, WireError> {
        let message: PresenceMessage = parse(payload)?;
        let worker = worker_id(&message.worker_id)?;
        let presence = Presence::new(worker, instance(&message.instance), state(&message.state));
        let (replicated, packs) = (message.replicated, message.packs);
        Ok(Presence { replicated, packs, offer: offer(&message.queries)?, ..presence })
    }

    /// Reads a worker's reply to `$SRV.PING`.
    ///
    /// # Errors
    /// [`WireError`] if its metadata does not name a worker, or offers invalid patterns.
    pub fn decode_ping(payload: &[u8]) -> Result<Presence, WireError> {
        let ping: PingReply = parse(payload)?;
        let metadata = |name: &str| ping.metadata.get(name).map_or("", Cow::as_ref);
        let worker = worker_id(metadata("worker_id"))?;
        let presence = Presence::new(worker, instance(&ping.id), state(metadata("state")));
        let queries: Vec<Cow<'_, str>> = match ping.metadata.get("queries") {
            Some(text) => serde_json::from_str(text)?,
            None => Vec::new(),
        };
        let (replicated, packs) = (metadata("replicated") == "true", metadata("packs") == "true");
        Ok(Presence { replicated, packs, offer: offer(&queries)?, ..presence })
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

    fn announced(queries: &[&str]) -> Bytes {
        let message = PresenceMessage {
            worker_id: "w".into(),
            state: "live".into(),
            replicated: false,
            instance: "i".into(),
            version: "1.0.0".into(),
            packs: false,
            queries: queries.iter().map(|query| (*query).into()).collect(),
        };
        message.encode()
    }

    fn pinged(queries: &str) -> Vec<u8> {
        let metadata = serde_json::json!({"worker_id": "w", "queries": queries});
        serde_json::json!({"metadata": metadata}).to_string().into_bytes()
    }

    #[test]
    fn an_announcement_says_what_is_offered_and_is_unchanged_if_that_is_everything() {
        let patterns = ["BTC/*", "a \"text\" é"];
        let body = announced(&patterns);
        assert!(body.ends_with(r#","queries":["BTC/*","a \"text\" é"]}"#.as_bytes()), "{body:?}");
        let expected = Offer::new(patterns).expect("an offer");
        assert_eq!(PresenceMessage::decode(&body).expect("an announcement").offer, expected);
        assert_eq!(queries(&expected), patterns);
        let text = queries_text(&expected).expect("it does not cover everything");
        assert_eq!(PresenceMessage::decode_ping(&pinged(&text)).expect("a reply").offer, expected);

        let all = announced(&[]);
        assert_eq!(all, r#"{"worker_id":"w","state":"live","replicated":false,"instance":"i","version":"1.0.0"}"#);
        for offer in [
            PresenceMessage::decode(&all).expect("an announcement").offer,
            PresenceMessage::decode(br#"{"worker_id":"w","state":"live","queries":[]}"#).expect("one").offer,
            PresenceMessage::decode_ping(&pinged("[]")).expect("a reply").offer,
        ] {
            assert_eq!(offer, Offer::default());
        }
        assert_eq!(queries_text(&Offer::default()), None);
    }

    #[test]
    fn an_offer_beyond_its_bounds_makes_the_announcement_invalid() {
        let long = "x".repeat(257);
        for (queries, why) in [
            (vec!["x"; 257], "queries: a worker offers at most 256 queries, of 16384 bytes together"),
            (vec![&long[1..]; 65], "queries: a worker offers at most 256 queries, of 16384 bytes together"),
            (vec![&long], "queries: an offered query must have 1 to 256 characters, none of them a control character"),
            (vec![""], "queries: an offered query must have 1 to 256 characters, none of them a control character"),
            (vec!["\n"], "queries: an offered query must have 1 to 256 characters, none of them a control character"),
        ] {
            let error = PresenceMessage::decode(&announced(&queries)).expect_err("it is invalid");
            assert_eq!(error.to_string(), why);
            let text = serde_json::to_string(&queries).expect("texts");
            let error = PresenceMessage::decode_ping(&pinged(&text)).expect_err("it is invalid");
            assert_eq!(error.to_string(), why);
        }
        for queries in ["\"BTC/USD\"", "[1]", "{}", "null", "BTC/USD", ""] {
            assert!(matches!(PresenceMessage::decode_ping(&pinged(queries)), Err(WireError::Json(_))), "{queries}");
            let body = format!(r#"{{"worker_id":"w","state":"live","queries":{queries}}}"#);
            assert!(matches!(PresenceMessage::decode(body.as_bytes()), Err(WireError::Json(_))), "{queries}");
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
