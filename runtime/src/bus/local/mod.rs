//! The bus within one process.
//!
//! It is deterministic: the same calls in the same order deliver the same messages to the same subscribers. No choice
//! depends on a random number or on the order of a hash table.

mod broker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::{Bus, BusError, BusStatus, Headers, Message, PublishError, SUBSCRIPTION_CAPACITY, Subscription, subject};
use broker::{Broker, Link};

/// The largest message that is accepted, headers included, in bytes: the default of a NATS server.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// One connection to a broker in this process.
///
/// Clones share the connection; [`connection`](Self::connection) opens another one to the same broker, with a status
/// and outages of its own. Dropping the last clone of a connection ends its subscriptions.
#[derive(Clone, Debug)]
pub struct LocalBus {
    connection: Arc<Connection>,
}

/// What the clones of one connection share.
#[derive(Debug)]
struct Connection {
    broker: Arc<Broker>,
    link: Arc<Link>,
    status: watch::Sender<BusStatus>,
}

impl LocalBus {
    /// Starts a broker and opens a first connection to it.
    pub fn new() -> Self {
        Self::with_capacity(SUBSCRIPTION_CAPACITY)
    }

    /// Like [`new`](Self::new), with room for `capacity` waiting messages per subscription.
    ///
    /// # Panics
    /// If `capacity` is zero.
    pub fn with_capacity(capacity: usize) -> Self {
        assert!(capacity > 0, "a subscription without room for a message receives none");
        Self::open(Arc::new(Broker::new(capacity)))
    }

    /// Opens another connection to the same broker.
    #[must_use = "a connection ends when it is dropped"]
    pub fn connection(&self) -> Self {
        Self::open(Arc::clone(&self.connection.broker))
    }

    /// Simulates an outage of this connection (`false`) and its end (`true`).
    ///
    /// During an outage publishes are refused, and this connection's subscriptions miss what others publish. They
    /// resume when it ends. Messages that arrived before the outage can still be received.
    pub fn set_connected(&self, connected: bool) {
        let Connection { broker, link, status } = &*self.connection;
        // Under the broker's lock, so that no message accepted by the new connection is seen with the old count.
        broker.set_connected(link, connected, || {
            status.send_if_modified(|status| {
                let changed = status.connected != connected;
                status.connected = connected;
                status.connections += u64::from(changed && connected);
                changed
            });
        });
    }

    fn open(broker: Arc<Broker>) -> Self {
        let link = broker.link();
        let status = watch::Sender::new(BusStatus { connected: true, connections: 1 });
        Self { connection: Arc::new(Connection { broker, link, status }) }
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.broker.unlink(&self.link);
    }
}

impl Bus for LocalBus {
    type Subscription = LocalSubscription;

    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let valid = subject::is_publishable(subject) && reply.is_none_or(subject::is_publishable);
        if !valid || headers.wire_bytes() + payload.len() > MAX_PAYLOAD_BYTES {
            return Err(PublishError::Refused);
        }
        let message = Message {
            subject: subject.to_owned(),
            reply: reply.map(str::to_owned),
            headers: headers.clone(),
            payload,
            no_responders: false,
        };
        self.connection.broker.publish(&self.connection.link, &message)
    }

    /// There is no outgoing queue that could be full.
    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        self.publish(subject, None, payload)
    }

    async fn subscribe(&self, subject: &str, queue_group: Option<&str>) -> Result<LocalSubscription, BusError> {
        super::check_subscription(subject, queue_group)?;
        let Connection { broker, link, .. } = &*self.connection;
        let subscribed = broker.subscribe(link, subject, queue_group);
        Ok(LocalSubscription {
            broker: Arc::clone(broker),
            id: subscribed.id,
            pattern: subject.to_owned(),
            messages: subscribed.messages,
            dropped: subscribed.dropped,
        })
    }

    async fn flush(&self) {
        // `publish` has delivered the message by the time it returns.
    }

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.connection.status.subscribe()
    }
}

/// The receiving end of one subscription to a [`LocalBus`].
#[derive(Debug)]
pub struct LocalSubscription {
    broker: Arc<Broker>,
    id: u64,
    pattern: String,
    messages: mpsc::Receiver<Message>,
    dropped: Arc<AtomicU64>,
}

impl Subscription for LocalSubscription {
    async fn recv(&mut self) -> Option<Message> {
        self.messages.recv().await
    }

    fn try_recv(&mut self) -> Option<Message> {
        self.messages.try_recv().ok()
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for LocalSubscription {
    fn drop(&mut self) {
        self.broker.unsubscribe(self.id, &self.pattern);
    }
}
