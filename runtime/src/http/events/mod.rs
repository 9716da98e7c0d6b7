//! `GET /events`: what happens in a coordinator, as server-sent events.
//!
//! The driver's tap puts what happens into a ring of bounded size. A subscriber is a cursor into that ring and no more:
//! events that it is too slow for are overwritten, and it is told how many. So neither the driver nor the memory
//! depends on how many clients read, or how slowly. An event is encoded once, by the first subscriber that needs it.

mod event;
mod resume;
mod ring;
pub(super) mod route;
mod subscriber;
mod tap;
mod wait;
mod watch;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::id::RequestId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use crate::clock::Clock;

use event::Event;
use resume::Resume;
use ring::Ring;
use subscriber::Subscriber;
pub use tap::EventsTap;
use watch::Watches;

/// The events of one coordinator, and who reads them; clones share them.
#[derive(Clone, Debug)]
pub struct Events(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The first part of every event's id: it tells this process's from another's.
    process: String,
    ring: Mutex<Ring>,
    /// Something came into the ring.
    arrived: Notify,
    watches: Arc<Watches>,
    subscribers: Mutex<Subscribers>,
    limits: EventLimits,
    /// Cancelled when nothing more is told.
    closed: CancellationToken,
}

/// What bounds the events and their readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// How many clients may read at a time.
    pub max_subscribers: usize,
    /// How many of these may belong to one client.
    pub max_subscribers_per_client: usize,
    /// The most events that are kept; at least 1.
    pub kept: usize,
    /// The most events that a reader is told in one batch; at least 1.
    pub batch: u32,
    /// From the beginning of one batch to the next.
    pub batch_every: Duration,
    /// After how long a silence a sign of life is sent: proxies cut silent connections, and a client that is gone is
    /// noticed.
    pub heartbeat: Duration,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self {
            max_subscribers: 256,
            max_subscribers_per_client: 32,
            kept: 1024,
            batch: 32,
            batch_every: Duration::from_millis(100),
            heartbeat: Duration::from_secs(15),
        }
    }
}

/// Who reads now.
#[derive(Debug, Default)]
struct Subscribers {
    count: usize,
    by_client: HashMap<Client, usize>,
}

/// A reader's place; it is given back when this is dropped.
#[derive(Debug)]
struct Seat {
    shared: Arc<Shared>,
    client: Client,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut subscribers = self.shared.subscribers();
        subscribers.count -= 1;
        if let Some(of_client) = subscribers.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                subscribers.by_client.remove(&self.client);
            }
        }
    }
}

/// Why somebody cannot subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubscribeError {
    /// There are as many subscribers as are allowed.
    Full { max_subscribers: usize },
    /// The client has as many readers as one client may have.
    FullForClient { max_subscribers: usize },
    /// The coordinator is about to stop.
    Closed,
}

impl Events {
    /// Events of the process that is called `instance`.
    pub fn new(instance: &str, limits: EventLimits) -> Self {
        let limits = EventLimits { batch: limits.batch.max(1), ..limits };
        Self(Arc::new(Shared {
            process: instance.to_owned(),
            ring: Mutex::new(Ring::new(limits.kept)),
            arrived: Notify::new(),
            watches: Arc::default(),
            subscribers: Mutex::default(),
            limits,
            closed: CancellationToken::new(),
        }))
    }

    /// Begins to read where `resume` says; also what each worker says to the request `watched`.
    fn subscribe(
        &self,
        client: IpAddr,
        clock: Clock,
        resume: &Resume,
        watched: Option<RequestId>,
    ) -> Result<Subscriber, SubscribeError> {
        if self.0.closed.is_cancelled() {
            return Err(SubscribeError::Closed);
        }
        let seat = self.seat(client.into())?;
        let watching = watched.map(|request| Watches::watch(&self.0.watches, request));
        Ok(Subscriber::new(Arc::clone(&self.0), clock, resume, watching, seat))
    }

    fn seat(&self, client: Client) -> Result<Seat, SubscribeError> {
        let EventLimits { max_subscribers, max_subscribers_per_client, .. } = self.0.limits;
        let mut subscribers = self.0.subscribers();
        let of_client = subscribers.by_client.get(&client).copied().unwrap_or_default();
        if of_client >= max_subscribers_per_client {
            return Err(SubscribeError::FullForClient { max_subscribers: max_subscribers_per_client });
        }
        if subscribers.count >= max_subscribers {
            return Err(SubscribeError::Full { max_subscribers });
        }
        subscribers.count += 1;
        subscribers.by_client.insert(client, of_client + 1);
        Ok(Seat { shared: Arc::clone(&self.0), client })
    }

    /// How many clients read now.
    pub(super) fn subscribers(&self) -> usize {
        self.0.subscribers().count
    }

    /// Ends all streams, and lets nobody subscribe any more.
    fn close(&self) {
        self.0.closed.cancel();
    }
}

impl Shared {
    /// Tells everybody what happened.
    fn tell(&self, happened: impl Iterator<Item = Event>) {
        wait::tell(&self.arrived, || {
            let mut ring = self.ring();
            happened.for_each(|event| ring.push(event));
        });
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader that panicked has not changed the ring.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
