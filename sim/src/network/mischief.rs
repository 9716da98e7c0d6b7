//! A worker's bus, which may tamper with results, state ages as third-party workers do, and lose announcements.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use quorate_runtime::bus::{Bus, BusError, BusStatus, Headers, PublishError};
use quorate_runtime::clock::Clock;
use quorate_runtime::wire;
use tokio::sync::watch;
use tokio::time::sleep;

use super::bus::{SimBus, SimSubscription};
use super::condition::Condition;
use super::{decode, encode};
use crate::event::{Age, Body, Message};
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

    /// The message before any tampering, with ages stated as the scenario wants them.
    fn meant(&self, subject: &str, reply: Option<&str>, payload: Bytes) -> (Message, Bytes) {
        let mut message = decode::message(subject, reply, &payload);
        let (worker, clock) = &self.worker;
        if worker.observed_at
            && let Body::Result(result) = &mut message.body
            && let Some(Age::Stated(age)) = result.age
        {
            result.age = Some(worker.says_age(age, clock.now()));
            let payload = encode::payload(&message);
            return (message, payload);
        }
        (message, payload)
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
        let (meant, payload) = self.meant(subject, reply, payload);
        let tampered = {
            let mut mischiefs = self.mischiefs.lock().unwrap_or_else(PoisonError::into_inner);
            mischiefs.set(mischief);
            mischiefs.tamper(meant.clone())
        };
        let mut taken = Ok(());
        for (after, sent) in tampered {
            if after.is_zero() {
                taken = taken.and(self.send(sent, &meant, headers, &payload));
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
