//! What a bus must offer to be held to the contract, and helpers to wait for things.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus, Message, PublishError, Subscription};
use quorate_testing::NatsServer;

/// How long a thing may take that has no reason to take long.
const SOON: Duration = Duration::from_secs(20);

/// One broker that can break, and connections to it.
pub(crate) trait Harness: Sized {
    type Bus: Bus;

    /// Whether every loss is counted, or possibly fewer.
    const COUNTS_EVERY_LOSS: bool;

    /// A broker whose connections hold `capacity` messages per subscription.
    fn with_capacity(capacity: usize) -> Self;

    fn start() -> Self {
        Self::with_capacity(32_768)
    }

    /// A new connection, which may still be on its way.
    fn open(&self) -> Self::Bus;

    /// Cuts all connections.
    fn outage(&mut self);

    /// Lets all connections come back.
    fn heal(&mut self);

    /// A new connection that is connected.
    async fn connection(&self) -> Self::Bus {
        let bus = self.open();
        connected(&bus, true).await;
        bus
    }

    /// The harness, to be kept, and a connection that is connected.
    async fn into_connection(self) -> (Self, Self::Bus) {
        let bus = self.connection().await;
        (self, bus)
    }
}

pub(crate) struct LocalHarness {
    broker: LocalBus,
    connections: Mutex<Vec<LocalBus>>,
}

impl Harness for LocalHarness {
    type Bus = LocalBus;
    const COUNTS_EVERY_LOSS: bool = true;

    fn with_capacity(capacity: usize) -> Self {
        Self { broker: LocalBus::with_capacity(capacity), connections: Mutex::default() }
    }

    fn open(&self) -> LocalBus {
        let bus = self.broker.connection();
        self.connections.lock().expect("no test panics in here").push(bus.clone());
        bus
    }

    fn outage(&mut self) {
        for bus in self.connections.get_mut().expect("no test panics in here") {
            bus.set_connected(false);
        }
    }

    fn heal(&mut self) {
        for bus in self.connections.get_mut().expect("no test panics in here") {
            bus.set_connected(true);
        }
    }
}

pub(crate) struct NatsHarness {
    pub(crate) server: NatsServer,
    capacity: usize,
}

impl Harness for NatsHarness {
    type Bus = NatsBus;
    const COUNTS_EVERY_LOSS: bool = false;

    fn with_capacity(capacity: usize) -> Self {
        Self { server: NatsServer::start(), capacity }
    }

    fn open(&self) -> NatsBus {
        let config = NatsConfig { subscription_capacity: self.capacity, ..NatsConfig::new(self.server.url()) };
        NatsBus::connect(config).expect("the configuration is valid")
    }

    fn outage(&mut self) {
        self.server.kill();
    }

    fn heal(&mut self) {
        self.server.restart();
    }
}

/// Waits for something that is about to happen.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.unwrap_or_else(|_| panic!("{what} did not happen in time"))
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Waits until `bus` is connected, or disconnected.
pub(crate) async fn connected(bus: &impl Bus, connected: bool) {
    let mut status = bus.status();
    let changed = status.wait_for(|status| status.connected == connected);
    soon("the change of the connection", changed).await.expect("the bus is open");
}

/// Subscribes, and waits until the broker knows.
pub(crate) async fn subscribe<B: Bus>(bus: &B, subject: &str) -> B::Subscription {
    let subscription = bus.subscribe(subject, None).await.expect("the subscription is valid");
    bus.flush().await;
    subscription
}

/// The next message.
pub(crate) async fn receive(subscription: &mut impl Subscription) -> Message {
    soon("a message", subscription.recv()).await.expect("the bus is open")
}

/// The next message that is not one a bus sends for itself, as a subscription to everything receives them.
pub(crate) async fn receive_own(subscription: &mut impl Subscription) -> Message {
    loop {
        let message = receive(subscription).await;
        if !message.subject.starts_with("_INBOX.") {
            return message;
        }
    }
}

/// Asserts that `subscription` has received nothing. What was published through `bus` has reached the subscriptions of
/// `bus` when a message to itself has made its round.
pub(crate) async fn receives_nothing(bus: &impl Bus, subscription: &mut impl Subscription) {
    let mut probe = subscribe(bus, "probe.of.the.harness").await;
    publish(bus, "probe.of.the.harness", "");
    receive(&mut probe).await;
    assert_eq!(subscription.try_recv(), None);
}

/// Publishes without a reply subject.
pub(crate) fn publish(bus: &impl Bus, subject: &str, payload: &str) {
    bus.publish(subject, None, Bytes::copy_from_slice(payload.as_bytes())).expect("the bus is connected");
}

/// Publishes as soon as the outgoing queue has room.
pub(crate) async fn publish_patiently(bus: &impl Bus, subject: &str, payload: Bytes) {
    while let Err(error) = bus.publish(subject, None, payload.clone()) {
        assert_eq!(error, PublishError::Full);
        bus.flush().await;
    }
}

/// The payload as text.
pub(crate) fn text(message: &Message) -> &str {
    std::str::from_utf8(&message.payload).expect("tests publish text")
}
