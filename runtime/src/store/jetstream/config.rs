//! What the streams must be like, and whether those that exist are.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, PersistenceMode, Republish, RetentionPolicy, StorageType};

use crate::store::BODY_BYTES;
use crate::wire::Subjects;

/// How the streams are made if they do not exist. Those that exist are used as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The subjects of the deployment, from which the names of the streams follow.
    pub subjects: Subjects,
    /// The number of servers that keep each stream: 1, 3 or 5.
    pub replicas: usize,
    /// How much of the history of feeds is kept.
    pub feeds: Limits,
    /// How long durable requests and outcomes are kept.
    pub requests: Limits,
    /// Where servers keep them.
    pub storage: Storage,
}

/// How much a stream keeps. What is oldest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long an entry is kept; `None` is for ever.
    pub age: Option<Duration>,
    /// The most bytes that the stream takes on each server, which are then reserved for it; `None` is as much as there
    /// is room for.
    pub bytes: Option<u64>,
}

/// Where servers keep streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// On disk.
    File,
    /// In memory: a server that ends loses its copy.
    Memory,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            subjects: Subjects::default(),
            replicas: 1,
            feeds: Limits { age: None, bytes: None },
            requests: Limits { age: Some(Duration::from_hours(7 * 24)), bytes: None },
            storage: Storage::File,
        }
    }
}

/// The window in which JetStream remembers message ids, which nothing here uses. It may not be longer than the age of a
/// stream.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// The most bytes of a message: an entry and its headers. Servers take as much unless they are told otherwise.
pub(super) const MESSAGE_BYTES: usize = 1 << 20;
const _: () = assert!(BODY_BYTES + 1024 <= MESSAGE_BYTES, "there is room for the headers");

/// The streams, as they are made.
pub(super) fn streams(settings: &Settings) -> [Config; 3] {
    let Settings { subjects, replicas, feeds, requests, storage } = settings;
    let common = Config {
        retention: RetentionPolicy::Limits,
        storage: match storage {
            Storage::File => StorageType::File,
            Storage::Memory => StorageType::Memory,
        },
        num_replicas: (*replicas).max(1),
        max_messages: -1,
        max_messages_per_subject: -1,
        allow_direct: true,
        allow_message_ttl: true,
        deny_delete: true,
        ..Config::default()
    };
    let limited = |limits: &Limits| Config {
        max_age: limits.age.unwrap_or_default(),
        max_bytes: limits.bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        duplicate_window: limits.age.map_or(DUPLICATE_WINDOW, |age| age.min(DUPLICATE_WINDOW)),
        discard: DiscardPolicy::Old,
        ..common.clone()
    };
    let bucket = subjects.stream("leases");
    [
        Config {
            name: subjects.stream("feeds"),
            description: Some("The history of feeds.".to_owned()),
            subjects: vec![format!("{}>", subjects.feeds())],
            deny_purge: true,
            // Only what is stored: a subscriber to the subjects of the stream also hears what the stream refuses.
            republish: Some(Republish {
                source: format!("{}*", subjects.feeds()),
                destination: format!("{}{{{{wildcard(1)}}}}", subjects.reports()),
                headers_only: false,
            }),
            ..limited(feeds)
        },
        Config {
            name: subjects.stream("requests"),
            description: Some("Durable requests, and the outcomes of requests.".to_owned()),
            subjects: vec![format!("{}>", subjects.requests())],
            allow_rollup: true,
            ..limited(requests)
        },
        // A bucket as clients of the key-value store make it, without markers: a marker for what has expired would be
        // an entry.
        Config {
            name: format!("KV_{bucket}"),
            description: Some("Which coordinator drives which feed.".to_owned()),
            subjects: vec![format!("$KV.{bucket}.>")],
            max_messages_per_subject: 1,
            max_bytes: -1,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            ..common
        },
    ]
}

/// Why a stream cannot be used, and what to do.
pub(super) fn fault(found: &Config, wanted: &Config) -> Option<String> {
    if found.subjects != wanted.subjects {
        return Some(format!(
            "it has the subjects {} instead of {}: choose another prefix of subjects, or remove or rename that stream",
            found.subjects.join(", "),
            wanted.subjects.join(", ")
        ));
    }
    let has = |wanted: bool, found: bool| !wanted || found;
    let edit = match () {
        () if !has(wanted.allow_direct, found.allow_direct) => "allow direct gets (allow_direct)",
        () if !has(wanted.allow_message_ttl, found.allow_message_ttl) => {
            "allow times to live per message (allow_msg_ttl)"
        }
        () if !has(wanted.allow_rollup, found.allow_rollup) => "allow roll-ups (allow_rollup_hdrs)",
        () if wanted.max_messages_per_subject == 1 && found.max_messages_per_subject != 1 => {
            "keep one message per subject (max_msgs_per_subject)"
        }
        () if wanted.max_messages_per_subject < 1 && found.max_messages_per_subject >= 1 => {
            "keep every message of a subject (max_msgs_per_subject)"
        }
        () if wanted.discard == DiscardPolicy::Old && found.discard != DiscardPolicy::Old => {
            "discard old messages when it is full (discard)"
        }
        // -1 is as long as the server takes.
        () if usize::try_from(found.max_message_size).is_ok_and(|most| (1..MESSAGE_BYTES).contains(&most)) => {
            "take messages of 1 MiB (max_msg_size)"
        }
        () if found.sealed || found.no_ack => "let messages be stored and acknowledged (sealed, no_ack)",
        () if found.persist_mode == Some(PersistenceMode::Async) => {
            "acknowledge messages after they are stored (persist_mode)"
        }
        () if !has(wanted.deny_delete, found.deny_delete) => "deny deletes (deny_delete)",
        () if !has(wanted.deny_purge, found.deny_purge) => "deny purges (deny_purge)",
        () if found.retention != RetentionPolicy::Limits => "keep messages by limits (retention)",
        () if found.mirror.is_some() || found.sources.as_ref().is_some_and(|sources| !sources.is_empty()) => {
            "have neither a mirror nor sources"
        }
        () if wanted.republish.is_some() && found.republish != wanted.republish => {
            "republish the records that it stores (republish)"
        }
        () if found.subject_transform.is_some() => "leave subjects as they are (subject_transform)",
        () => return None,
    };
    Some(format!("it must {edit}: change the stream, or remove it, and it is made as it must be"))
}

/// In what a stream that can be used differs from one that would be made, for a warning.
pub(super) fn differences(found: &Config, wanted: &Config) -> Vec<String> {
    let positive = |limit: i64| limit.max(-1);
    let of =
        |what: &str, found: String, wanted: String| (found != wanted).then(|| format!("{what} {found}, not {wanted}"));
    let age = |age: Duration| if age.is_zero() { "unlimited".to_owned() } else { format!("{age:?}") };
    let bytes = |bytes: i64| if bytes <= 0 { "unlimited".to_owned() } else { bytes.to_string() };
    [
        of("replicas", found.num_replicas.to_string(), wanted.num_replicas.to_string()),
        of("storage", format!("{:?}", found.storage), format!("{:?}", wanted.storage)),
        of("greatest age", age(found.max_age), age(wanted.max_age)),
        of("most bytes", bytes(found.max_bytes), bytes(wanted.max_bytes)),
        of("most messages", bytes(positive(found.max_messages)), bytes(positive(wanted.max_messages))),
    ]
    .into_iter()
    .flatten()
    .collect()
}
