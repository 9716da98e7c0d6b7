//! `GET /events`: what happens in a coordinator, as server-sent events.
//!
//! The driver's tap puts events into a ring of bounded size. A subscriber is merely a cursor into that ring: events
//! that it is too slow for are overwritten, and it is told how many it missed. So neither the driver nor the memory
//! depends on how many clients read, or how slowly. An event is encoded once, by the first subscriber that needs it.

mod event;
mod history;
mod resume;
mod ring;
pub(super) mod route;
mod subscriber;
mod tap;
mod wait;
mod watch;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::id::{RequestId, WorkerId};
use quorate_core::pattern::Pattern;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::shares::Shares;
use crate::clock::Clock;

use event::Event;
use history::Histories;
pub(super) use history::{Blamed, History, WorkerFailure};
use resume::Resume;
use ring::Ring;
use subscriber::Subscriber;
pub use tap::EventsTap;
use watch::Watches;

/// The events of one coordinator, and their subscribers. Clones share them.
#[derive(Clone, Debug)]
pub struct Events(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The first part of every event's id, which tells the events of this process from those of others.
    process: String,
    ring: Mutex<Ring>,
    /// Notified when events have been added to the ring.
    arrived: Notify,
    watches: Arc<Watches>,
    histories: Histories,
    subscribers: Mutex<Shares>,
    limits: EventLimits,
    /// Cancelled when no further events will be sent.
    closed: CancellationToken,
}

/// The limits of events and their subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimits {
    /// How many streams may be open at a time.
    pub max_subscribers: usize,
    /// How many of them may belong to one client.
    pub max_subscribers_per_client: usize,
    /// The most events that are kept; at least 1.
    pub kept: usize,
    /// The most events that a subscriber receives in one batch; at least 1.
    pub batch: u32,
    /// The shortest time from the beginning of one batch to the beginning of the next.
    pub batch_every: Duration,
    /// How long a stream is silent before a sign of life is sent. It keeps proxies from cutting the connection, and
    /// shows whether the client is gone.
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

/// A subscriber's place, which is released when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    client: Client,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.subscribers().release(self.client);
    }
}

/// Why a client cannot subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubscribeError {
    /// There are as many subscribers as are allowed.
    Full { max_subscribers: usize },
    /// The client has as many subscribers as one client may have.
    FullForClient { max_subscribers: usize },
    /// The coordinator is about to stop.
    Closed,
}

impl Events {
    /// Events of the process named `instance`.
    pub fn new(instance: &str, limits: EventLimits) -> Self {
        let limits = EventLimits { batch: limits.batch.max(1), ..limits };
        Self(Arc::new(Shared {
            process: instance.to_owned(),
            ring: Mutex::new(Ring::new(limits.kept)),
            arrived: Notify::new(),
            watches: Arc::default(),
            histories: Histories::default(),
            subscribers: Mutex::default(),
            limits,
            closed: CancellationToken::new(),
        }))
    }

    /// Starts to read where `resume` says, only events of `queries` if they are given. If `watched` is given, also
    /// reports each worker's result for that request.
    fn subscribe(
        &self,
        client: IpAddr,
        clock: Clock,
        resume: &Resume,
        queries: Option<Pattern>,
        watched: Option<RequestId>,
    ) -> Result<Subscriber, SubscribeError> {
        let seat = self.seat(client.into())?;
        let watching = watched.map(|request| Watches::watch(&self.0.watches, request));
        Ok(Subscriber::new(Arc::clone(&self.0), clock, resume, queries, watching, seat))
    }

    /// A place among the subscribers, for as long as it is kept.
    pub(super) fn seat(&self, client: Client) -> Result<Seat, SubscribeError> {
        if self.0.closed.is_cancelled() {
            return Err(SubscribeError::Closed);
        }
        let EventLimits { max_subscribers, max_subscribers_per_client, .. } = self.0.limits;
        let mut subscribers = self.0.subscribers();
        let of_client = subscribers.of(client);
        if of_client >= max_subscribers_per_client {
            return Err(SubscribeError::FullForClient { max_subscribers: max_subscribers_per_client });
        }
        if subscribers.all() >= max_subscribers {
            return Err(SubscribeError::Full { max_subscribers });
        }
        subscribers.take(client);
        Ok(Seat { shared: Arc::clone(&self.0), client })
    }

    /// The outcome of a request that has ended, as long as its event is kept.
    pub(super) fn outcome(&self, request: &RequestId) -> Option<Bytes> {
        self.0.ring().newest(|event| event.outcome_of(request).cloned())
    }

    /// What has lowered a worker's score lately, and its last failure.
    pub(super) fn history(&self, worker: &WorkerId) -> History {
        self.0.histories.of(worker)
    }

    /// The number of open streams.
    pub(super) fn subscribers(&self) -> usize {
        self.0.subscribers().all()
    }

    /// Cancelled when streams are to end.
    pub(super) fn closed(&self) -> CancellationToken {
        self.0.closed.clone()
    }

    /// Ends all streams, and accepts no further subscribers.
    fn close(&self) {
        self.0.closed.cancel();
    }
}

impl Shared {
    /// Adds events to the ring and wakes the subscribers.
    fn tell(&self, happened: impl Iterator<Item = Event>) {
        wait::tell(&self.arrived, || {
            let mut ring = self.ring();
            happened.for_each(|event| ring.push(event));
        });
    }

    fn subscribers(&self) -> MutexGuard<'_, Shares> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A poisoned lock is ignored: a subscriber that panicked has not changed the ring.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
