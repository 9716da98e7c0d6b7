//! The life of the process on one host: it runs, it is told to stop, it is dead, it begins again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Shared between a host, which lives it, and the stage, which decides on it.
///
/// A dead process is a host whose program does nothing: its connections are gone and nobody listens, but the host
/// itself still answers that this is so.
#[derive(Debug)]
pub(super) struct Life(Mutex<State>);

#[derive(Debug)]
struct State {
    incarnation: u32,
    phase: Phase,
    stop: Arc<Notify>,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It runs.
    Running,
    /// It was told to stop and has not ended yet.
    Stopping,
    /// It has ended as it was told to; what is left of it is to be removed.
    Stopped,
    /// There is none.
    Dead,
}

/// One run of the process.
#[derive(Debug)]
pub(super) struct Incarnation {
    /// 1 for the first.
    pub(super) number: u32,
    stop: Arc<Notify>,
}

impl Incarnation {
    /// Completes when the process is told to stop.
    pub(super) async fn stop(self) {
        self.stop.notified().await;
    }
}

impl Life {
    /// The life of a process that begins when its host first runs.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { incarnation: 1, phase: Phase::Running, stop: Arc::default() }))
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// What the host's program is to be now; `None` is nothing.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        let state = self.state();
        let alive = state.phase == Phase::Running;
        alive.then(|| Incarnation { number: state.incarnation, stop: Arc::clone(&state.stop) })
    }

    /// The program has ended as it was told to.
    pub(super) fn has_stopped(&self) {
        self.state().phase = Phase::Stopped;
    }

    /// Tells a process that runs to stop.
    pub(super) fn ask_to_stop(&self) {
        let mut state = self.state();
        state.phase = Phase::Stopping;
        state.stop.notify_one();
    }

    /// The process is gone.
    pub(super) fn end(&self) {
        self.state().phase = Phase::Dead;
    }

    /// Another process begins as soon as the host runs again.
    pub(super) fn begin_again(&self) {
        let mut state = self.state();
        *state = State { incarnation: state.incarnation + 1, phase: Phase::Running, stop: Arc::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
