//! What a worker's driver takes from the bus: tasks that come alone, and packs of tasks.

use super::identity::WorkerIdentity;
use crate::bus::{Bus, BusError, Message, Subscription};
use crate::wire::Subjects;

/// A message with tasks.
#[derive(Debug)]
pub(super) enum Arrived {
    Task(Message),
    Pack(Message),
}

/// The subscriptions of a worker to tasks. Dropping them tells the bus that it takes no further ones.
#[derive(Debug)]
pub(super) struct Tasks<S> {
    alone: S,
    /// `None` if the worker takes no packs.
    packed: Option<S>,
}

impl<S: Subscription> Tasks<S> {
    /// Makes the subscriptions.
    pub(super) async fn new<B: Bus<Subscription = S>>(
        bus: &B,
        identity: &WorkerIdentity,
        subjects: &Subjects,
        takes_packs: bool,
    ) -> Result<Self, BusError> {
        let group = identity.queue_group();
        let alone = bus.subscribe(subjects.tasks(), group.as_deref()).await?;
        let packed = if takes_packs { Some(bus.subscribe(subjects.packs(), group.as_deref()).await?) } else { None };
        Ok(Self { alone, packed })
    }

    /// The next message. Cancel safe.
    pub(super) async fn recv(&mut self) -> Option<Arrived> {
        let Some(packed) = &mut self.packed else { return self.alone.recv().await.map(Arrived::Task) };
        tokio::select! {
            biased;
            message = self.alone.recv() => message.map(Arrived::Task),
            message = packed.recv() => message.map(Arrived::Pack),
        }
    }

    /// The messages that wait, up to `batch` of each kind.
    pub(super) fn ready(&mut self, batch: usize) -> Vec<Arrived> {
        let alone = super::ready(&mut self.alone, batch).into_iter().map(Arrived::Task);
        let packed = self.packed.as_mut().map(|packed| super::ready(packed, batch));
        alone.chain(packed.into_iter().flatten().map(Arrived::Pack)).collect()
    }

    /// How many messages the bus has dropped, as far as it knows.
    pub(super) fn dropped(&self) -> u64 {
        self.alone.dropped() + self.packed.as_ref().map_or(0, Subscription::dropped)
    }
}
