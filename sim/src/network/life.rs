//! The life cycle of the process on a host: it runs, is told to stop, dies and is started again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Shared between a host, which runs the process, and the stage, which starts and ends it.
///
/// The host of a dead process stays up and runs a program that does nothing: its connections are closed, and new ones
/// are refused rather than unanswered.
#[derive(Debug)]
pub(super) struct Life(Mutex<State>);

#[derive(Debug)]
struct State {
    incarnation: u32,
    phase: Phase,
    stop: Arc<Notify>,
}

/// The phase of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It starts as soon as its host runs.
    Beginning,
    /// It runs.
    Running,
    /// It was told to stop and has not stopped yet.
    Stopping,
    /// It has stopped after it was told to; the stage has yet to close what it left open.
    Stopped,
    /// There is no process.
    Dead,
}

/// One process in the life of a host.
#[derive(Debug)]
pub(super) struct Incarnation {
    /// 1 for the first process of its host.
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
    /// A first process, which starts when its host first runs.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { incarnation: 1, phase: Phase::Beginning, stop: Arc::default() }))
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Begins the next process; `None` if the host's program is to do nothing.
    pub(super) fn begin(&self) -> Option<Incarnation> {
        let mut state = self.state();
        if state.phase != Phase::Beginning {
            return None;
        }
        state.phase = Phase::Running;
        Some(Incarnation { number: state.incarnation, stop: Arc::clone(&state.stop) })
    }

    /// Notes that the process has stopped after it was told to.
    pub(super) fn has_stopped(&self) {
        self.state().phase = Phase::Stopped;
    }

    /// Tells a running process to stop.
    pub(super) fn ask_to_stop(&self) {
        let mut state = self.state();
        state.phase = Phase::Stopping;
        state.stop.notify_one();
    }

    /// Notes that the process is dead.
    pub(super) fn end(&self) {
        self.state().phase = Phase::Dead;
    }

    /// Lets another process start as soon as the host runs again.
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
    fn a_process_begins_once_and_never_after_it_has_ended() {
        let life = Life::new();
        assert_eq!(life.begin().map(|incarnation| incarnation.number), Some(1));
        assert_eq!(life.phase(), Phase::Running);
        assert!(life.begin().is_none());
        life.begin_again();
        life.end();
        assert!(life.begin().is_none());
    }
}
