//! The settings of a coordinator's driver: its names, its seed and its bounds.

use std::{fmt, io};

use super::identity::{draw_instance, draw_token};

/// How many messages are taken from one subscription in one pass, unless set otherwise.
pub(super) const BATCH: usize = 256;

/// How many messages wait in one subscription of a bus, unless set otherwise.
const QUEUE: usize = 32_768;

/// How a [`CoordinatorDriver`](super::CoordinatorDriver) is set up.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// The name of this process: one token of a NATS subject that no other process uses. It is public.
    pub instance: String,
    /// Where results arrive; secret.
    pub inbox: Inbox,
    /// Decides, together with `instance`, the ids that the coordinator draws. Processes that share a seed draw
    /// different ids.
    pub seed: u64,
    /// The most messages taken from one subscription, or commands from the callers, before the machine's outputs are
    /// carried out; at least 1.
    pub batch: usize,
    /// The most messages that can wait in one subscription of the bus. Announcements are held for no longer than it
    /// takes to take this many.
    pub queue: usize,
}

impl DriverSettings {
    /// A process with names of its own, that draws its ids from `seed`.
    ///
    /// # Errors
    /// The operating system gives no random numbers, of which the names are made.
    pub fn new(seed: u64) -> io::Result<Self> {
        Ok(Self::named(draw_instance()?, Inbox::draw()?, seed))
    }

    /// A process with given names.
    pub fn named(instance: impl Into<String>, inbox: Inbox, seed: u64) -> Self {
        Self { instance: instance.into(), inbox, seed, batch: BATCH, queue: QUEUE }
    }
}

/// The beginning of the reply subjects of one coordinator process: `_INBOX.<secret>.`. Only programs that get its tasks
/// learn it, so that no other program can answer there. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbox(Box<str>);

impl Inbox {
    /// One that cannot be guessed: 128 bits from the operating system.
    ///
    /// # Errors
    /// The operating system gives no random numbers.
    pub fn draw() -> io::Result<Self> {
        draw_token().map(|secret| Self::of(&secret))
    }

    /// The inbox with this secret: one token of a NATS subject that no other process uses.
    pub fn of(secret: &str) -> Self {
        Self(format!("_INBOX.{secret}.").into())
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
    fn the_inbox_is_not_made_of_the_name_that_everybody_sees_and_is_not_shown() {
        let settings = DriverSettings::new(7).expect("random numbers");
        let other = DriverSettings::named(settings.instance.clone(), Inbox::draw().expect("random numbers"), 7);
        assert!(!settings.inbox.prefix().contains(&settings.instance));
        assert_ne!(settings.inbox, other.inbox);
        let secret = settings.inbox.prefix().split('.').nth(1).expect("a token");
        assert_eq!(secret.len(), settings.instance.len(), "a reply subject is no longer than one with the name was");
        assert!(!format!("{settings:?}").contains(secret));
    }
}
