//! How faults control the broker: they close and refuse its connections, and repeat messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_runtime::wire;
use tokio_util::sync::CancellationToken;

use crate::random::Random;

/// Controls a broker. Clones control the same one, even after a restart.
#[derive(Clone, Debug, Default)]
pub struct BrokerControl {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    refusing: bool,
    last: u64,
    bridge: Option<Bridge>,
    open: BTreeMap<u64, CancellationToken>,
}

/// A bridge to another cluster, which delivers some messages a second time.
#[derive(Debug)]
struct Bridge {
    random: Random,
    /// The share of messages it repeats, in thousandths.
    again_permille: u32,
    latest: Duration,
}

/// An admitted connection, which is open until this is dropped.
#[derive(Debug)]
pub(super) struct Admission {
    control: BrokerControl,
    number: u64,
    /// Cancelled when the connection is to be closed.
    pub(super) closed: CancellationToken,
}

impl BrokerControl {
    /// A control for the broker that it is passed to.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes all connections. Clients may reconnect at once.
    pub fn kick_all(&self) {
        self.lock().close_all();
    }

    /// Closes all connections and refuses new ones (`true`), or accepts them again (`false`).
    pub fn refuse(&self, refuse: bool) {
        let mut state = self.lock();
        state.refusing = refuse;
        if refuse {
            state.close_all();
        }
    }

    /// Repeats this many of a thousand tasks and announcements from now on, each up to `latest` later. `random` gives
    /// the random numbers of the bridge, and is called only the first time.
    pub fn repeat(&self, random: impl FnOnce() -> Random, again_permille: u32, latest: Duration) {
        let mut state = self.lock();
        let bridge = state.bridge.get_or_insert_with(|| Bridge { random: random(), again_permille, latest });
        (bridge.again_permille, bridge.latest) = (again_permille, latest);
    }

    /// Admits a connection, unless connections are refused.
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

impl Admission {
    /// The delay after which a message published on this subject is repeated; `None` if it is not.
    pub(super) fn comes_again(&self, subject: &str) -> Option<Duration> {
        let crosses = subject == wire::TASKS || subject == wire::PRESENCE;
        let mut state = self.control.lock();
        let bridge = state.bridge.as_mut().filter(|bridge| crosses && bridge.again_permille > 0)?;
        let latest = bridge.latest.as_millis() as u64;
        bridge.random.chance(bridge.again_permille).then(|| Duration::from_millis(bridge.random.below(latest.max(1))))
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.control.lock().open.remove(&self.number);
    }
}
