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
    /// It runs as soon as its host does.
    Beginning,
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
        Self(Mutex::new(State { incarnation: 1, phase: Phase::Beginning, stop: Arc::default() }))
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Takes what the host's program is to be from now on; `None` is nothing.
    pub(super) fn begin(&self) -> Option<Incarnation> {
        let mut state = self.state();
        if state.phase != Phase::Beginning {
            return None;
        }
        state.phase = Phase::Running;
        Some(Incarnation { number: state.incarnation, stop: Arc::clone(&state.stop) })
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
        *state = State { incarnation: state.incarnation + 1, phase: Phase::Beginning, stop: Arc::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_begins_once_and_not_when_it_ended_before_that() {
        let life = Life::new();
        assert_eq!(life.begin().map(|incarnation| incarnation.number), Some(1));
        assert_eq!(life.phase(), Phase::Running);
        assert!(life.begin().is_none());
        life.begin_again();
        life.end();
        assert!(life.begin().is_none());
    }
}
