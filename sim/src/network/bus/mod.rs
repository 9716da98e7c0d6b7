//! The bus over the simulated network.
//!
//! It keeps the contract the way the bus over NATS does: one session per connection, nothing stale after a reconnect,
//! subscriptions made again before the bus says that it is connected. When it does what is decided by simulated time,
//! the seed of [`SimBusSettings::random`] and the calls of the program alone; of the receivers of one
//! [`status`](Bus::status) only one may wait at a time, since tokio wakes several in an order of its own.

mod session;
mod state;
mod subscription;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::local::MAX_PAYLOAD_BYTES;
use quorate_runtime::bus::{self, Bus, BusError, BusStatus, Headers, Message, PublishError, subject};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::broker::frame::{Frame, MAX_SUBJECT_BYTES};
use crate::random::Random;
use state::State;
use subscription::Registration;

pub use subscription::SimSubscription;

/// How long [`Bus::flush`] waits at most.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Sees what a program does on its bus.
pub trait BusTap: Send + Sync {
    /// The bus took a message for sending.
    fn sent(&self, subject: &str, reply: Option<&str>, headers: &Headers, payload: &Bytes);

    /// The bus refused a message.
    fn unsent(&self, subject: &str, reply: Option<&str>, payload: &Bytes, error: PublishError);

    /// The program took a message out of a subscription: the one with this number of all that arrived.
    fn received(&self, number: u64, message: &Message);

    /// The bus has become connected, or is so no longer.
    fn status(&self, status: BusStatus) {
        let _ = status;
    }
}

/// How a bus is set up.
#[derive(Clone)]
pub struct SimBusSettings {
    /// How long the broker may be silent before the connection is given up, and how long connecting may take.
    pub keepalive: Duration,
    /// The pause before the next attempt to connect, at least and at most.
    pub reconnect: (Duration, Duration),
    /// Decides the pauses.
    pub random: Random,
    /// How many messages may wait to be sent.
    pub publish_capacity: usize,
    /// How many messages may wait in one subscription.
    pub subscription_capacity: usize,
    /// Who else wants to see what goes over the bus.
    pub tap: Option<Arc<dyn BusTap>>,
}

/// A connection to the simulated broker that is restored for ever. Dropping the last clone closes it.
#[derive(Clone, Debug)]
pub struct SimBus {
    handle: Arc<Handle>,
}

/// What the clones of a bus share. Dropping it stops the task.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    subscription_capacity: usize,
    tap: Option<Arc<dyn BusTap>>,
    stop: CancellationToken,
}

/// What a bus and its task share.
#[derive(Debug)]
struct Shared(Mutex<State>);

impl SimBus {
    /// Begins to connect in the background, and returns at once; [`Bus::status`] tells when it is connected.
    ///
    /// # Panics
    /// Outside a host of a simulation, or if a queue has no room for a message.
    pub fn connect(settings: SimBusSettings) -> Self {
        assert!(
            settings.publish_capacity > 0 && settings.subscription_capacity > 0,
            "a queue must have room for a message"
        );
        let shared = Arc::new(Shared(Mutex::new(State::new(settings.tap.clone()))));
        let handle = Handle {
            shared: Arc::clone(&shared),
            subscription_capacity: settings.subscription_capacity,
            tap: settings.tap.clone(),
            stop: CancellationToken::new(),
        };
        tokio::spawn(session::supervise(shared, settings, handle.stop.clone()));
        Self { handle: Arc::new(handle) }
    }

    fn offer(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: &Bytes,
        expendable: bool,
    ) -> Result<(), PublishError> {
        let valid = subject::is_publishable(subject) && reply.is_none_or(subject::is_publishable);
        let short = subject.len() + reply.map_or(0, str::len) <= MAX_SUBJECT_BYTES;
        if !valid || !short || headers.wire_bytes() + payload.len() > MAX_PAYLOAD_BYTES {
            return Err(PublishError::Refused);
        }
        let (subject, reply) = (subject.to_owned(), reply.map(str::to_owned));
        let frame = Frame::Publish { subject, reply, headers: headers.clone(), payload: payload.clone() };
        self.handle.shared.lock().publish(frame, expendable)
    }

    /// Offers a message, and tells who looks.
    fn send(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: &Bytes,
        expendable: bool,
    ) -> Result<(), PublishError> {
        let taken = self.offer(subject, reply, headers, payload, expendable);
        if let Some(tap) = &self.handle.tap {
            match taken {
                Ok(()) => tap.sent(subject, reply, headers, payload),
                Err(error) => tap.unsent(subject, reply, payload, error),
            }
        }
        taken
    }
}

impl Bus for SimBus {
    type Subscription = SimSubscription;

    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.send(subject, reply, headers, &payload, false)
    }

    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        self.send(subject, None, &Headers::default(), &payload, true)
    }

    async fn subscribe(&self, subject: &str, queue_group: Option<&str>) -> Result<SimSubscription, BusError> {
        bus::check_subscription(subject, queue_group)?;
        if subject.len() + queue_group.map_or(0, str::len) > MAX_SUBJECT_BYTES {
            return Err(BusError::Configuration("the subject is too long".to_owned()));
        }
        let Handle { shared, subscription_capacity, tap, .. } = &*self.handle;
        let (registration, messages, dropped) = Registration::new(subject, queue_group, *subscription_capacity);
        let id = shared.lock().subscribe(registration)?;
        Ok(SimSubscription { id, shared: Arc::downgrade(shared), messages, dropped, tap: tap.clone() })
    }

    async fn flush(&self) {
        let flush = self.handle.shared.lock().flush();
        if let Some(answered) = flush {
            // Answered, lost, or too late: there is nothing more to wait for.
            let _ = timeout(FLUSH_TIMEOUT, answered).await;
        }
    }

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.handle.shared.lock().status()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for SimBusSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBusSettings")
            .field("keepalive", &self.keepalive)
            .field("reconnect", &self.reconnect)
            .field("publish_capacity", &self.publish_capacity)
            .field("subscription_capacity", &self.subscription_capacity)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for dyn BusTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BusTap")
    }
}
