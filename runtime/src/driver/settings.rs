//! The settings of a coordinator's driver: its names, its seed and its bounds.

use std::{fmt, io};

use super::identity::{draw_instance, draw_token};
use crate::bus::SUBSCRIPTION_CAPACITY;
use crate::wire::{MAX_MESSAGE_BYTES, Subjects};

/// The default of the most messages taken from one subscription in one pass.
pub(super) const BATCH: usize = 256;

/// The settings of a [`CoordinatorDriver`](super::CoordinatorDriver).
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// The name of this process: one token of a NATS subject that no other process uses. It is public.
    pub instance: String,
    /// Where results arrive. Secret.
    pub inbox: Inbox,
    /// The subjects of the deployment. [`with_subjects`](Self::with_subjects) changes them and the inbox together.
    pub subjects: Subjects,
    /// Determines, together with `instance`, the ids that the coordinator draws, so that processes that share a seed
    /// draw different ids.
    pub seed: u64,
    /// The most messages taken from one subscription, or commands from the callers, before the machine's outputs are
    /// carried out; at least 1.
    pub batch: usize,
    /// The most messages that can wait in one subscription of the bus. An announcement is held until this many have
    /// been taken from each other subscription, at the latest.
    pub queue: usize,
    /// The most bytes of a pack of tasks, unless it has only one; at most [`MAX_MESSAGE_BYTES`].
    pub pack_bytes: usize,
}

impl DriverSettings {
    /// A process with newly drawn names, which draws its ids from `seed`.
    ///
    /// # Errors
    /// The operating system gives no random numbers, which the names are made of.
    pub fn new(seed: u64) -> io::Result<Self> {
        Ok(Self::named(draw_instance()?, Inbox::draw()?, seed))
    }

    /// A process with the given names.
    pub fn named(instance: impl Into<String>, inbox: Inbox, seed: u64) -> Self {
        let subjects = Subjects::default();
        let (batch, queue, pack_bytes) = (BATCH, SUBSCRIPTION_CAPACITY, MAX_MESSAGE_BYTES);
        Self { instance: instance.into(), inbox, subjects, seed, batch, queue, pack_bytes }
    }

    /// The same settings in another deployment.
    pub fn with_subjects(self, subjects: Subjects) -> Self {
        Self { inbox: self.inbox.under(subjects.inbox()), subjects, ..self }
    }
}

/// The prefix of the reply subjects of one coordinator process: `_INBOX.<secret>.`, below the prefix of the deployment.
/// Only programs that receive its tasks learn it, so no other program can answer there. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbox(Box<str>);

impl Inbox {
    /// An inbox that cannot be guessed: 128 random bits from the operating system.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn draw() -> io::Result<Self> {
        draw_token().map(|secret| Self::of(&secret))
    }

    /// The inbox with this secret: one token of a NATS subject that no other process uses.
    pub fn of(secret: &str) -> Self {
        Self(format!("{}.{secret}.", Subjects::default().inbox()).into())
    }

    /// The inbox with the same secret below another root.
    fn under(&self, root: &str) -> Self {
        let secret = self.0.split('.').rev().nth(1).expect("an inbox ends with its secret and a dot");
        Self(format!("{root}.{secret}.").into())
    }

    pub(super) fn prefix(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inbox_lies_below_the_prefix_of_the_deployment() {
        let settings = DriverSettings::named("c1", Inbox::of("s3cret"), 7);
        assert_eq!(settings.inbox.prefix(), "_INBOX.s3cret.");
        let settings = settings.with_subjects("eu.staging".parse().expect("a prefix"));
        assert_eq!(settings.inbox.prefix(), "eu.staging._INBOX.s3cret.");
        assert_eq!(settings.with_subjects(Subjects::default()).inbox.prefix(), "_INBOX.s3cret.");
    }

    #[test]
    fn the_inbox_does_not_contain_the_public_name_and_is_not_printed() {
        let settings = DriverSettings::new(7).expect("random numbers");
        let other = DriverSettings::named(settings.instance.clone(), Inbox::draw().expect("random numbers"), 7);
        assert!(!settings.inbox.prefix().contains(&settings.instance));
        assert_ne!(settings.inbox, other.inbox);
        let secret = settings.inbox.prefix().split('.').nth(1).expect("a token");
        assert_eq!(secret.len(), settings.instance.len(), "a reply subject is no longer than one with the name was");
        assert!(!format!("{settings:?}").contains(secret));
    }
}
