//! The bus over the simulated network.
//!
//! It keeps the contract in the same way as the bus over NATS: one session per connection, nothing stale after a
//! reconnect, and subscriptions restored before the bus reports that it is connected. Its timing depends only on
//! simulated time, [`SimBusSettings::random`] and the calls of the program. At most one receiver of
//! [`status`](Bus::status) may wait at a time, because tokio wakes several in a random order.

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

/// The longest that [`Bus::flush`] waits.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Observes what a program does on its bus.
pub trait BusTap: Send + Sync {
    /// The bus accepted a message for sending.
    fn sent(&self, subject: &str, reply: Option<&str>, headers: &Headers, payload: &Bytes);

    /// The bus refused a message.
    fn unsent(&self, subject: &str, reply: Option<&str>, payload: &Bytes, error: PublishError);

    /// The program took a message out of a subscription. `number` counts all messages that have arrived at the bus.
    fn received(&self, number: u64, message: &Message);

    /// The bus has connected or disconnected.
    fn status(&self, status: BusStatus) {
        let _ = status;
    }
}

/// The settings of a bus.
#[derive(Clone)]
pub struct SimBusSettings {
    /// How long the broker may be silent before the connection is given up, and how long connecting may take.
    pub keepalive: Duration,
    /// The pause before the next attempt to connect, at least and at most.
    pub reconnect: (Duration, Duration),
    /// The source of these pauses.
    pub random: Random,
    /// The maximum number of messages that wait to be sent.
    pub publish_capacity: usize,
    /// The maximum number of messages that wait in one subscription.
    pub subscription_capacity: usize,
    /// An observer of what goes over the bus.
    pub tap: Option<Arc<dyn BusTap>>,
}

/// A connection to the simulated broker, which reconnects for as long as it exists. Dropping the last clone closes it.
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
    /// Begins to connect in the background and returns at once; [`Bus::status`] tells when it is connected.
    ///
    /// # Panics
    /// Outside a host of a simulation, or if a capacity is zero.
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

    /// Offers a message, and reports the result to the tap.
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
            // Whether it was answered, lost or late: there is nothing more to wait for.
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
