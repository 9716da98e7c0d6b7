//! What a coordinator's driver takes from the bus in a pass: a bounded share of each subscription, and each presence
//! announcement only after the results that arrived before it.
//!
//! Announcements are taken first and held. What arrived before them is at that moment still in the other queues. So
//! they are handed over once each of these queues has been seen empty, or as many messages have been taken from it as
//! it can hold. However much arrives meanwhile, that takes a bounded number of passes.

use std::future::{pending, ready};

use super::settings::DriverSettings;
use crate::bus::{Bus, BusError, Message, Subscription};

/// The last token of the reply subject of `$SRV.PING`.
const PING_TOKEN: &str = "ping";

/// The messages that one pass takes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Received on the reply subjects of tasks.
    pub(super) replies: Vec<Message>,
    /// Received on the subject that all coordinators share.
    pub(super) results: Vec<Message>,
    /// Workers' replies to a ping.
    pub(super) pongs: Vec<Message>,
    /// Announcements, once all that arrived before them has been taken.
    pub(super) announcements: Vec<Message>,
}

/// The first message of a pass.
#[derive(Debug)]
pub(super) enum First {
    Reply(Message),
    Result(Message),
    Pong(Message),
    /// An announcement is held, and what arrived before it must be taken first.
    Held,
}

/// The subscriptions of one coordinator.
#[derive(Debug)]
pub(super) struct Intake<S> {
    replies: Ahead<S>,
    results: Ahead<S>,
    pongs: Ahead<S>,
    presence: S,
    /// Announcements that wait until all that arrived before them is taken; at most a batch.
    held: Vec<Message>,
    batch: usize,
    queue: usize,
}

/// A subscription from which messages are taken ahead of the announcements.
#[derive(Debug)]
struct Ahead<S> {
    subscription: S,
    /// How many of its waiting messages may have arrived before the held announcements.
    before: usize,
}

/// The subject on which workers reply to a ping from this coordinator process.
pub(super) fn ping_subject(settings: &DriverSettings) -> String {
    format!("{}.{}.{PING_TOKEN}", settings.subjects.inbox(), settings.instance)
}

impl<S: Subscription> Intake<S> {
    /// Makes the subscriptions.
    pub(super) async fn new<B: Bus<Subscription = S>>(bus: &B, settings: &DriverSettings) -> Result<Self, BusError> {
        let replies = format!("{}>", settings.inbox.prefix());
        let subjects = &settings.subjects;
        Ok(Self {
            replies: Ahead::new(bus.subscribe(&replies, None).await?),
            results: Ahead::new(bus.subscribe(subjects.results(), None).await?),
            pongs: Ahead::new(bus.subscribe(&ping_subject(settings), None).await?),
            presence: bus.subscribe(subjects.presence(), None).await?,
            held: Vec::new(),
            batch: settings.batch.max(1),
            queue: settings.queue,
        })
    }

    /// Waits for a first message. Never returns once the bus is closed. Cancel safe.
    pub(super) async fn first(&mut self) -> First {
        let Self { replies, results, pongs, presence, held, .. } = self;
        tokio::select! {
            biased;
            Some(message) = replies.recv() => First::Reply(message),
            Some(message) = results.recv() => First::Result(message),
            Some(message) = pongs.recv() => First::Pong(message),
            Some(message) = presence.recv(), if held.is_empty() => {
                self.hold(message);
                First::Held
            }
            () = ready(()), if !held.is_empty() => First::Held,
            else => pending().await,
        }
    }

    /// Takes what else is ready, up to a batch from each subscription.
    pub(super) fn take(&mut self, into: &mut Batch) {
        if self.held.is_empty() {
            for _ in 0..self.batch {
                let Some(message) = self.presence.try_recv() else { break };
                self.hold(message);
            }
        }
        self.replies.take(self.batch, &mut into.replies);
        self.results.take(self.batch, &mut into.results);
        self.pongs.take(self.batch, &mut into.pongs);
        if self.replies.before == 0 && self.results.before == 0 && self.pongs.before == 0 {
            into.announcements.append(&mut self.held);
        }
    }

    /// How many messages the bus has dropped, as far as it knows.
    pub(super) fn dropped(&self) -> u64 {
        let ahead = [&self.replies, &self.results, &self.pongs];
        ahead.iter().map(|ahead| ahead.subscription.dropped()).sum::<u64>() + self.presence.dropped()
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, message: Message) {
        self.held.push(message);
        for before in [&mut self.replies.before, &mut self.results.before, &mut self.pongs.before] {
            *before = self.queue;
        }
    }
}

impl<S: Subscription> Ahead<S> {
    fn new(subscription: S) -> Self {
        Self { subscription, before: 0 }
    }

    async fn recv(&mut self) -> Option<Message> {
        let message = self.subscription.recv().await;
        self.before = self.before.saturating_sub(1);
        message
    }

    fn take(&mut self, batch: usize, taken: &mut Vec<Message>) {
        for _ in 0..batch {
            let Some(message) = self.subscription.try_recv() else {
                self.before = 0;
                return;
            };
            self.before = self.before.saturating_sub(1);
            taken.push(message);
        }
    }
}
