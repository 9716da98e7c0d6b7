//! A worker's bus, which may tamper with results, state ages as third-party workers do, and lose announcements.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, BusError, BusStatus, Headers, PublishError};
use quorate_runtime::clock::Clock;
use quorate_runtime::wire;
use tokio::sync::watch;
use tokio::time::sleep;

use super::bus::{SimBus, SimSubscription};
use super::condition::Condition;
use super::{decode, encode};
use crate::event::{Age, Body, Message, is_of_a_pack};
use crate::mischief::{Mischiefs, Tampered};
use crate::scenario::Worker;

/// A bus that tampers with the results published on it.
#[derive(Clone)]
pub(super) struct MischievousBus {
    bus: SimBus,
    mischiefs: Arc<Mutex<Mischiefs>>,
    condition: Arc<Condition>,
    /// The worker, which decides how ages are stated, and its clock.
    worker: (Arc<Worker>, Clock),
}

impl MischievousBus {
    pub(super) fn new(
        bus: SimBus,
        mischiefs: Mischiefs,
        condition: Arc<Condition>,
        (worker, clock): (Worker, Clock),
    ) -> Self {
        Self { bus, mischiefs: Arc::new(Mutex::new(mischiefs)), condition, worker: (Arc::new(worker), clock) }
    }

    /// The message before any tampering, or each element of a pack as a pack of its own, with ages stated as the scenario
    /// wants them.
    fn meant(&self, subject: &str, reply: Option<&str>, payload: &Bytes) -> Vec<(Message, Bytes)> {
        let (worker, clock) = &self.worker;
        let elements = decode::elements(subject, reply, payload);
        let is_pack = is_of_a_pack(subject);
        let stated = |(mut message, trace): (Message, Option<String>)| {
            let mut is_same = !is_pack;
            if worker.observed_at
                && let Body::Result(result) = &mut message.body
                && let Some(Age::Stated(age)) = result.age
            {
                result.age = Some(worker.says_age(age, clock.now()));
                is_same = false;
            }
            let payload = if is_same { payload.clone() } else { encode::traced(&message, trace.as_deref()) };
            (message, payload)
        };
        elements.into_iter().map(stated).collect()
    }

    /// Sends one message, or one element of a pack, in the way that the active faults say.
    fn tamper(
        &self,
        (meant, payload): &(Message, Bytes),
        headers: &Headers,
        tampered: Vec<(Duration, Tampered)>,
    ) -> Result<(), PublishError> {
        let mut taken = Ok(());
        for (after, sent) in tampered {
            if after.is_zero() {
                taken = taken.and(self.send(sent, meant, headers, payload));
                continue;
            }
            let (bus, meant) = (self.clone(), meant.clone());
            let (headers, payload) = (headers.clone(), payload.clone());
            tokio::spawn(async move {
                sleep(after).await;
                // A delayed result that cannot be sent is lost, like one that was sent on a broken connection.
                let _ = bus.send(sent, &meant, &headers, &payload);
            });
        }
        taken
    }

    /// Sends the tampered version of the message `meant`, whose bytes are `payload`.
    fn send(&self, sent: Tampered, meant: &Message, headers: &Headers, payload: &Bytes) -> Result<(), PublishError> {
        match sent {
            Tampered::Message(message) => {
                let payload = if message.body == meant.body { payload.clone() } else { encode::payload(&message) };
                self.bus.publish_with(&message.subject, message.reply.as_deref(), headers, payload)
            }
            Tampered::Garbage { subject, len } => self.bus.publish(&subject, None, encode::garbage(len)),
        }
    }
}

impl Bus for MischievousBus {
    type Subscription = SimSubscription;

    /// A message that is dropped, held back or delayed counts as accepted: the program must not notice.
    fn publish_with(
        &self,
        subject: &str,
        reply: Option<&str>,
        headers: &Headers,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let mischief = {
            let wrong = self.condition.lock();
            if wrong.presence_lost && subject == wire::PRESENCE {
                return Ok(());
            }
            wrong.mischief.clone()
        };
        let meant = self.meant(subject, reply, &payload);
        let tampered: Vec<_> = {
            let mut mischiefs = self.mischiefs.lock().unwrap_or_else(PoisonError::into_inner);
            mischiefs.set(mischief);
            meant.iter().map(|(message, _)| mischiefs.tamper(message.clone())).collect()
        };
        // Nobody tampers with a whole pack, which goes out as it is unless something happens to one of its elements.
        let is_restated = self.worker.0.observed_at;
        let is_untouched = meant.iter().zip(&tampered).all(|((meant, _), tampered)| is_untouched(meant, tampered));
        if meant.len() != 1 && !is_restated && is_untouched {
            return self.bus.publish_with(subject, reply, headers, payload);
        }
        let sent = meant.iter().zip(tampered).map(|(meant, tampered)| self.tamper(meant, headers, tampered));
        sent.fold(Ok(()), Result::and)
    }

    fn publish_expendable(&self, subject: &str, payload: Bytes) -> Result<(), PublishError> {
        self.bus.publish_expendable(subject, payload)
    }

    async fn subscribe(&self, subject: &str, queue_group: Option<&str>) -> Result<SimSubscription, BusError> {
        self.bus.subscribe(subject, queue_group).await
    }

    async fn flush(&self) {
        self.bus.flush().await;
    }

    fn status(&self) -> watch::Receiver<BusStatus> {
        self.bus.status()
    }
}

/// Whether nothing happens to a message.
fn is_untouched(meant: &Message, tampered: &[(Duration, Tampered)]) -> bool {
    matches!(tampered, [(Duration::ZERO, Tampered::Message(sent))] if sent == meant)
}
