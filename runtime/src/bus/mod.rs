//! The bus: how tasks, results and presence announcements travel between processes.
//!
//! Three implementations share one contract, and one test suite checks each of them against it:
//! [`NatsBus`](nats::NatsBus) in production, [`LocalBus`](local::LocalBus) within one process, and the simulated one.
//!
//! The contract promises what core NATS does and no more:
//! * at most once: a message arrives once or not at all;
//! * order is kept per publisher and subject;
//! * nothing is buffered without bound: a subscriber that falls behind loses messages and can see that it did;
//! * a publish while disconnected is refused, and never delivered after a reconnect;
//! * expendable messages take no more than half of the outgoing queue, if there is one;
//! * a message with a reply subject and without a subscriber is answered on that reply subject with a [`Message`] that
//!   has `no_responders` set; as in NATS, only a subscription of the publishing connection gets it;
//! * of the subscribers in one queue group, one receives a message;
//! * a message arrives with its [`Headers`], unless the server does not support headers: then it arrives without them.

mod headers;
pub mod local;
pub mod nats;
pub mod subject;

use std::future::Future;

use bytes::Bytes;
use tokio::sync::watch;

pub use headers::{Headers, MAX_HEADER_BYTES, MAX_HEADERS};

/// The default number of messages that may wait in one subscription.
pub(crate) const SUBSCRIPTION_CAPACITY: usize = 32_768;

/// A message as a subscriber receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The subject it was published on.
    pub subject: String,
    /// Where to send an answer, if the publisher wants one.
    pub reply: Option<String>,
    /// The headers that its publisher gave it.
    pub headers: Headers,
    /// The body.
    pub payload: Bytes,
    /// Set on the bus's own notice that a message published with this subject as its reply subject had no subscriber.
    pub no_responders: bool,
}

/// Why the bus did not accept a message. The message is dropped: the bus never keeps it for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no connection; publish again after the next reconnect if it still matters then.
    #[error("the bus is disconnected")]
    Disconnected,
    /// The outgoing queue is full; publish less, or later.
    #[error("the outgoing queue of the bus is full")]
    Full,
    /// The bus will never accept this message: it is too large, or a subject is invalid.
    #[error("the bus refuses the message: too large or an invalid subject")]
    Refused,
}

/// Why a bus cannot be opened or subscribed to.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// An address, the credentials or a subject is unusable: correct the configuration.
    #[error("{0}")]
    Configuration(String),
    /// The bus is closed for good.
    #[error("the bus is closed")]
    Closed,
}

/// Whether the bus is connected, and the number of connections so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStatus {
    /// Whether messages can be published and received now.
    pub connected: bool,
    /// The number of connections so far. It grows even after an outage too short to be seen as `connected == false`.
    pub connections: u64,
}

/// A connection to publish and subscribe with. Clones share it.
pub trait Bus: Clone + Send + Sync + 'static {
    /// The receiving end of one subscription.
    type Subscription: Subscription;

    /// Hands a message over for sending and returns at once, without waiting for the network.
    ///
    /// # Errors
    /// [`PublishError`]; the message is then dropped.
    fn publish(&self, subject: &str, reply: Option<&str>, payload: Bytes) -> Result<(), PublishError> {
        self.publish_with(subject, reply, &Headers::default(), payload)
    }

    /// Like [`publish`](Self::publish), with headers. They count towards the size of the message.
    ///
    /// # Errors
    /// [`PublishError`]; the message is then dropped.
    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError>;

    /// Like [`publish`](Self::publish), for messages that matter less than others: they are also refused as full when
    /// half of the outgoing queue is taken, so that they cannot crowd the others out.
    ///
    /// # Errors
    /// [`PublishError`]; the message is then dropped.
    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError>;

    /// Subscribes to `subject`, in which `*` matches one token and a final `>` one or more. The subscription survives
    /// reconnects and ends when it is dropped.
    ///
    /// # Errors
    /// [`BusError`]. Being disconnected is not an error: the subscription then starts with the next connection.
    fn subscribe(
        &self,
        subject: &str,
        queue_group: Option<&str>,
    ) -> impl Future<Output = Result<Self::Subscription, BusError>> + Send;

    /// Waits until everything published and subscribed so far has reached the bus, the connection is lost, or the flush
    /// timeout of the bus has passed.
    fn flush(&self) -> impl Future<Output = ()> + Send;

    /// Whether the bus has said, in this connection, that it does not let this program publish on a subject or subscribe
    /// to it. A bus without permissions forbids nothing.
    fn forbids(&self, subject: &str) -> bool {
        let _ = subject;
        false
    }

    /// The state of the connection, now and as it changes.
    fn status(&self) -> watch::Receiver<BusStatus>;
}

/// The receiving end of one subscription. Dropping it unsubscribes.
pub trait Subscription: Send + 'static {
    /// The next message; `None` once the bus is closed for good. Cancel safe: no message is lost when the future is
    /// dropped.
    fn recv(&mut self) -> impl Future<Output = Option<Message>> + Send;

    /// The next message, if one has already arrived.
    fn try_recv(&mut self) -> Option<Message>;

    /// The number of messages this subscription has lost because it was not emptied fast enough. It may be too low, but
    /// is never zero after a loss.
    fn dropped(&self) -> u64;
}

/// Checks what every bus demands of a subscription: a valid subject, and a valid queue group if there is one.
///
/// # Errors
/// [`BusError::Configuration`] if either is invalid.
pub fn check_subscription(subject: &str, queue_group: Option<&str>) -> Result<(), BusError> {
    if !subject::is_subscribable(subject) {
        return Err(BusError::Configuration(format!("{subject:?} is not a valid subject for a subscription")));
    }
    match queue_group {
        Some(name) if !subject::is_queue_group(name) => {
            Err(BusError::Configuration(format!("{name:?} is not a valid name for a queue group")))
        }
        _ => Ok(()),
    }
}
