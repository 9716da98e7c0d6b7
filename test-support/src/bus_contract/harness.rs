//! What an implementation provides to be held to the contract, and helpers that wait for something to happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, Message, PublishError, Subscription};
use tokio::task::JoinHandle;

/// How long to wait for something that should happen at once.
const SOON: Duration = Duration::from_secs(20);

/// How many messages a subscription holds unless the check says otherwise: more than any check sends at once.
pub const DEFAULT_CAPACITY: usize = 32_768;

/// One broker that can break, and connections to it.
pub trait Harness: Sized {
    /// The implementation that is checked.
    type Bus: Bus;

    /// Whether every loss is counted. Otherwise some may not be.
    const COUNTS_EVERY_LOSS: bool;

    /// Connections hold `capacity` messages per subscription. Called before the first connection is opened.
    fn with_capacity(self, capacity: usize) -> Self;

    /// A new connection, which may not be connected yet.
    fn open(&self) -> Self::Bus;

    /// Cuts all connections.
    fn outage(&mut self);

    /// Lets all connections come back.
    fn heal(&mut self);

    /// Repeats a step concurrently with the check, as fast as the bus can bear, until it returns [`Next::Stop`].
    fn beside(mut step: impl FnMut() -> Next + Send + 'static) -> JoinHandle<()> {
        tokio::task::spawn_blocking(move || {
            loop {
                match step() {
                    Next::Again => {}
                    Next::Pause => std::thread::yield_now(),
                    Next::Stop => return,
                }
            }
        })
    }

    /// A new connection that is connected.
    fn connection(&self) -> impl Future<Output = Self::Bus> {
        async {
            let bus = self.open();
            connected(&bus, true).await;
            bus
        }
    }

    /// The harness, which must be kept, and a connection that is connected.
    fn into_connection(self) -> impl Future<Output = (Self, Self::Bus)> {
        async {
            let bus = self.connection().await;
            (self, bus)
        }
    }
}

/// When a step is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once.
    Again,
    /// After other threads have had their turn.
    Pause,
    /// Never.
    Stop,
}

/// Stops a concurrent step as soon as any of the clones is dropped, even by a check that fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(super) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for something that should happen at once.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Waits until `bus` is connected, or disconnected.
pub async fn connected(bus: &impl Bus, connected: bool) {
    let mut status = bus.status();
    let changed = status.wait_for(|status| status.connected == connected);
    soon("the change of the connection", changed).await.expect("the bus is open");
}

/// Subscribes, and waits until the broker knows.
pub async fn subscribe<B: Bus>(bus: &B, subject: &str) -> B::Subscription {
    let subscription = bus.subscribe(subject, None).await.expect("the subscription is valid");
    bus.flush().await;
    subscription
}

/// The next message.
pub async fn receive(subscription: &mut impl Subscription) -> Message {
    soon("a message", subscription.recv()).await.expect("the bus is open")
}

/// The next message that the bus has not sent to itself, for a subscription to everything.
pub async fn receive_own(subscription: &mut impl Subscription) -> Message {
    loop {
        let message = receive(subscription).await;
        if !message.subject.starts_with("_INBOX.") {
            return message;
        }
    }
}

/// Asserts that `subscription` has received nothing. What was published through `bus` before has reached the
/// subscriptions of `bus` once it has received a message to itself.
pub async fn receives_nothing(bus: &impl Bus, subscription: &mut impl Subscription) {
    let mut probe = subscribe(bus, "probe.of.the.harness").await;
    publish(bus, "probe.of.the.harness", "");
    receive(&mut probe).await;
    assert_eq!(subscription.try_recv(), None);
}

/// Publishes without a reply subject.
pub fn publish(bus: &impl Bus, subject: &str, payload: &str) {
    bus.publish(subject, None, Bytes::copy_from_slice(payload.as_bytes())).expect("the bus is connected");
}

/// Publishes as soon as the outgoing queue has room.
pub async fn publish_patiently(bus: &impl Bus, subject: &str, payload: Bytes) {
    while let Err(error) = bus.publish(subject, None, payload.clone()) {
        assert_eq!(error, PublishError::Full);
        bus.flush().await;
    }
}

/// The payload as text.
pub fn text(message: &Message) -> &str {
    std::str::from_utf8(&message.payload).expect("tests publish text")
}
