//! Counts what clients hold, in all and each: connections, or streams of events.

use std::collections::HashMap;

use super::client::Client;

/// What clients hold.
#[derive(Debug, Default)]
pub(super) struct Shares {
    all: usize,
    /// Only clients that hold something.
    by_client: HashMap<Client, usize>,
}

impl Shares {
    /// The number that all clients hold.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// The number that a client holds.
    pub(super) fn of(&self, client: Client) -> usize {
        self.by_client.get(&client).copied().unwrap_or_default()
    }

    /// A client holds one more.
    pub(super) fn take(&mut self, client: Client) {
        self.all += 1;
        *self.by_client.entry(client).or_default() += 1;
    }

    /// A client holds one less.
    pub(super) fn release(&mut self, client: Client) {
        self.all -= 1;
        if let Some(held) = self.by_client.get_mut(&client) {
            *held -= 1;
            if *held == 0 {
                self.by_client.remove(&client);
            }
        }
    }

    /// The number of clients that hold something.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.by_client.len()
    }
}
