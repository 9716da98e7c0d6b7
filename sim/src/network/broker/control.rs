//! What a fault does to the broker's connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Closes and refuses connections of a broker. Clones control the same one, also after it was restarted.
#[derive(Clone, Debug, Default)]
pub struct BrokerControl {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    refusing: bool,
    last: u64,
    open: BTreeMap<u64, CancellationToken>,
}

/// A connection that was let in; it is open until this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    control: BrokerControl,
    number: u64,
    /// Cancelled when the connection is to be closed.
    pub(super) closed: CancellationToken,
}

impl BrokerControl {
    /// Controls the broker it is given to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes all connections. Clients may come back at once.
    pub fn kick_all(&self) {
        self.lock().close_all();
    }

    /// Closes all connections and refuses further ones (`true`), or takes them again (`false`).
    pub fn refuse(&self, refuse: bool) {
        let mut state = self.lock();
        state.refusing = refuse;
        if refuse {
            state.close_all();
        }
    }

    /// Lets a connection in, unless all are refused.
    pub(super) fn admit(&self) -> Option<Admission> {
        let mut state = self.lock();
        if state.refusing {
            return None;
        }
        state.last += 1;
        let (number, closed) = (state.last, CancellationToken::new());
        state.open.insert(number, closed.clone());
        Some(Admission { control: self.clone(), number, closed })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn close_all(&self) {
        self.open.values().for_each(CancellationToken::cancel);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.control.lock().open.remove(&self.number);
    }
}
