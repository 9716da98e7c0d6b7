//! Subscriptions that outlive sessions.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use quorate_runtime::bus::{Message, Subscription};
use tokio::sync::mpsc;

use super::{BusTap, Shared};

/// The sending end of a subscription, which sessions deliver to.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) pattern: String,
    pub(super) group: Option<String>,
    messages: mpsc::Sender<(u64, Message)>,
    dropped: Arc<AtomicU64>,
}

impl Registration {
    /// A registration, with the receiver of its messages and the count of those that were dropped.
    pub(super) fn new(
        pattern: &str,
        group: Option<&str>,
        capacity: usize,
    ) -> (Self, mpsc::Receiver<(u64, Message)>, Arc<AtomicU64>) {
        let (sender, messages) = mpsc::channel(capacity);
        let dropped = Arc::new(AtomicU64::new(0));
        let registration = Self {
            pattern: pattern.to_owned(),
            group: group.map(str::to_owned),
            messages: sender,
            dropped: Arc::clone(&dropped),
        };
        (registration, messages, dropped)
    }

    /// Queues the message with this number, or counts it as dropped if the queue is full.
    pub(super) fn deliver(&self, number: u64, message: Message) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.messages.try_send((number, message)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The receiving end of one subscription to a [`SimBus`](super::SimBus).
#[derive(Debug)]
pub struct SimSubscription {
    pub(super) id: u64,
    pub(super) shared: Weak<Shared>,
    pub(super) messages: mpsc::Receiver<(u64, Message)>,
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) tap: Option<Arc<dyn BusTap>>,
}

impl SimSubscription {
    fn taken(&self, (number, message): (u64, Message)) -> Message {
        if let Some(tap) = &self.tap {
            tap.received(number, &message);
        }
        message
    }
}

impl Subscription for SimSubscription {
    async fn recv(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        Some(self.taken(message))
    }

    fn try_recv(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        Some(self.taken(message))
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for SimSubscription {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.lock().unsubscribe(self.id);
        }
    }
}
