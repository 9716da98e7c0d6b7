//! The store on JetStream, the persistence of NATS.
//!
//! * `config.rs` says what the streams are like, and `setup.rs` finds or makes them
//! * `place.rs` says which stream and subjects a log has
//! * `link.rs` asks over the connection to NATS, and `message.rs` reads what comes back
//! * `append.rs`, `read.rs` and `watch.rs` are the operations of a store
//! * `single.rs` reads what `read.rs` and `watch.rs` cannot: messages with malformed headers
//!
//! `docs/durability.md` lists the streams, and what JetStream promises about them.

mod append;
mod config;
mod link;
mod message;
mod place;
mod read;
mod setup;
mod single;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable};
use crate::bus::nats::NatsConfig;
use link::{Link, Silence};
use place::Place;
use read::Barriers;

pub use config::{Limits, Settings, Storage};
pub use setup::OpenError;
pub use watch::JetStreamWatch;

/// A store on JetStream.
#[derive(Clone, Debug)]
pub struct JetStream(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    link: Link,
    /// The place of each log, and the barriers in it if it is in a cluster.
    places: [(Place, Option<Barriers>); Log::ALL.len()],
    /// How many messages were no entries.
    skipped: AtomicU64,
}

impl JetStream {
    /// Connects to NATS, and finds or makes the streams. A stream that exists is never altered.
    ///
    /// # Errors
    /// [`OpenError`].
    ///
    /// # Panics
    /// Outside a Tokio runtime.
    pub async fn open(config: NatsConfig, settings: Settings) -> Result<Self, OpenError> {
        let (link, streams) = setup::open(config, &settings).await?;
        let places = Log::ALL.map(|log| {
            let place = Place::of(log, &settings.subjects);
            let clustered = streams.iter().any(|(name, clustered)| *name == place.stream && *clustered);
            (place, clustered.then(Barriers::default))
        });
        Ok(Self(Arc::new(Shared { link, places, skipped: AtomicU64::new(0) })))
    }

    /// The number of messages seen in the streams that are no entries: no key is written like their subject.
    pub fn skipped(&self) -> u64 {
        self.0.skipped.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn place(&self, log: Log) -> &Place {
        &self.places[log as usize].0
    }

    /// Counts a message that is no entry, and logs the first one.
    fn note_skipped(&self, subject: &str) {
        if self.skipped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(subject, "a message in the store is no entry; it is skipped, as later ones are");
        }
    }
}

impl std::convert::From<Silence> for Unavailable {
    fn from(silence: Silence) -> Self {
        Self(silence.to_string())
    }
}

impl Store for JetStream {
    type Watch = JetStreamWatch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        append::append(&self.0.link, self.0.place(log), log, key, append).await
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        let (place, barriers) = &self.0.places[log as usize];
        Ok(read::last(&self.0.link, place, key, barriers.as_ref()).await?)
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        Ok(read::get(&self.0.link, self.0.place(log), sequence).await?)
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        Ok(read::read(&self.0.link, self.0.place(log), key, from, limit).await?)
    }

    async fn watch(&self, log: Log) -> Result<JetStreamWatch, Unavailable> {
        Ok(JetStreamWatch::start(Arc::clone(&self.0), log))
    }
}
