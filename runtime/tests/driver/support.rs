//! What the tests of both drivers share.

use std::time::Duration;

use quorate_core::Machine;
use quorate_core::id::WorkerId;
use quorate_runtime::bus::local::{LocalBus, LocalSubscription};
use quorate_runtime::bus::{Bus, Message, Subscription};
use quorate_runtime::driver::{Step, Tap};
use serde_json::Value as Json;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tap that passes on every input of a machine.
pub(crate) struct Inputs<F>(pub(crate) F);

impl<M: Machine, F: FnMut(&M::Input) + Send + 'static> Tap<M> for Inputs<F> {
    fn step(&mut self, step: &Step<'_, M>) {
        if let Some(input) = step.input {
            self.0(input);
        }
    }
}

pub(crate) fn id(name: &str) -> WorkerId {
    WorkerId::new(name).expect("an id")
}

pub(crate) async fn subscribe(bus: &LocalBus, subject: &str) -> LocalSubscription {
    bus.subscribe(subject, None).await.expect("a subscription")
}

pub(crate) fn publish(bus: &LocalBus, subject: &str, body: impl Into<String>) {
    bus.publish(subject, None, body.into().into()).expect("it is connected");
}

/// The next message of a subscription.
pub(crate) async fn next(subscription: &mut LocalSubscription) -> Message {
    soon("a message", subscription.recv()).await.expect("the bus is open")
}

pub(crate) fn json(message: &Message) -> Json {
    serde_json::from_slice(&message.payload).expect("JSON")
}

/// Waits for something that must happen in time.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} does not come"))
}
