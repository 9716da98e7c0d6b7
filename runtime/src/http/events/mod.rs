//! `GET /events`: what happens in a coordinator, as server-sent events.
//!
//! The driver's tap puts what happens into a ring of bounded size. A subscriber is a cursor into that ring and no more:
//! what it is too slow for is overwritten, and it is told how much that was. So neither the driver nor the memory
//! depends on how many clients read, or how slowly. An event is encoded once, by the first subscriber that needs it.

mod event;
mod resume;
mod ring;
pub(super) mod route;
mod subscriber;
mod tap;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quorate_core::id::RequestId;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

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
    /// For subscribers.
    places: Arc<Semaphore>,
    max_subscribers: usize,
    /// Cancelled when nothing more is told.
    closed: CancellationToken,
}

/// Why somebody cannot subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubscribeError {
    /// There are as many subscribers as are allowed.
    Full { max_subscribers: usize },
    /// The coordinator is about to stop.
    Closed,
}

impl Events {
    /// Events of the process that is called `instance`, for at most `max_subscribers` at a time.
    pub fn new(instance: &str, max_subscribers: usize) -> Self {
        let max_subscribers = max_subscribers.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            process: instance.to_owned(),
            ring: Mutex::default(),
            arrived: Notify::new(),
            watches: Arc::default(),
            places: Arc::new(Semaphore::new(max_subscribers)),
            max_subscribers,
            closed: CancellationToken::new(),
        }))
    }

    /// Begins to read where `resume` says; also what each worker says to the request `watched`.
    fn subscribe(
        &self,
        clock: Clock,
        resume: &Resume,
        watched: Option<RequestId>,
    ) -> Result<Subscriber, SubscribeError> {
        if self.0.closed.is_cancelled() {
            return Err(SubscribeError::Closed);
        }
        let full = SubscribeError::Full { max_subscribers: self.0.max_subscribers };
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| full)?;
        let watching = watched.map(|request| Watches::watch(&self.0.watches, request));
        Ok(Subscriber::new(Arc::clone(&self.0), clock, resume, watching, place))
    }

    /// Ends all streams, and lets nobody subscribe any more.
    fn close(&self) {
        self.0.closed.cancel();
    }
}

impl Shared {
    /// Tells everybody what happened.
    fn tell(&self, happened: impl Iterator<Item = Event>) {
        let mut ring = self.ring();
        happened.for_each(|event| ring.push(event));
        drop(ring);
        self.arrived.notify_waiters();
    }

    /// A reader that panicked has not changed the ring.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
