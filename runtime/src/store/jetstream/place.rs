//! Where the logs lie: their streams and subjects.

use crate::store::{Key, Log};
use crate::wire::Subjects;

/// Where one log lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The name of its stream, which may hold another log, too.
    pub(super) stream: String,
    /// What the subjects of its entries begin with, with the dot before the token of the key.
    under: String,
}

impl Place {
    pub(super) fn of(log: Log, subjects: &Subjects) -> Self {
        match log {
            Log::Feeds => Self { stream: subjects.stream("feeds"), under: subjects.feeds().to_owned() },
            Log::Leases => {
                let bucket = subjects.stream("leases");
                Self { stream: format!("KV_{bucket}"), under: format!("$KV.{bucket}.") }
            }
            Log::Open => Self { stream: subjects.stream("requests"), under: format!("{}open.", subjects.requests()) },
            Log::Outcomes => {
                Self { stream: subjects.stream("requests"), under: format!("{}done.", subjects.requests()) }
            }
        }
    }

    /// The subject of the entries under a key.
    pub(super) fn subject(&self, key: &Key) -> String {
        format!("{}{}", self.under, key.token())
    }

    /// The pattern of the subjects of all entries.
    pub(super) fn all(&self) -> String {
        format!("{}*", self.under)
    }

    /// A subject of the same stream that is not one of an entry.
    pub(super) fn barrier(&self) -> String {
        format!("{}-.barrier", self.under)
    }

    /// The key under which a message with this subject is an entry of the log.
    pub(super) fn key(&self, subject: &str) -> Option<Key> {
        subject.strip_prefix(&self.under).filter(|token| !token.contains('.')).and_then(Key::from_token)
    }
}
