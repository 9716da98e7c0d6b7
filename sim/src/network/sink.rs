//! Reports events to the watchers, with their times.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::time::saturating_nanos;
use quorate_core::{Coordinator, Worker};
use quorate_runtime::driver::{Held, Step, Tap};

use crate::edge::Edge;
use crate::event::{self, Event, What};
use crate::host::Host;
use crate::watch::{Report, Watch};

/// A handle to the watchers of a run; clones share them.
#[derive(Clone)]
pub(super) struct EventSink(Arc<Shared>);

struct Shared {
    watch: Mutex<Option<Watch>>,
    ended: AtomicBool,
    /// Nanoseconds of simulated time since the run began.
    now: AtomicU64,
}

impl EventSink {
    pub(super) fn new(watch: Watch) -> Self {
        let watch = Mutex::new(Some(watch));
        Self(Arc::new(Shared { watch, ended: AtomicBool::new(false), now: AtomicU64::new(0) }))
    }

    /// Sets the time of the events reported from now on.
    pub(super) fn set_now(&self, now: Duration) {
        self.0.now.store(saturating_nanos(now), Ordering::Relaxed);
    }

    pub(super) fn tell(&self, host: Host, what: What<'_>) {
        let at = self.0.now.load(Ordering::Relaxed);
        if let Some(watch) = &mut *self.watch() {
            watch.event(&Event { at, host, what });
        }
    }

    /// Counts a message of `bytes` bytes that the network carried.
    pub(super) fn message(&self, bytes: usize) {
        if let Some(watch) = &mut *self.watch() {
            watch.message(bytes);
        }
    }

    /// Counts a tick of the network's clock.
    pub(super) fn step(&self) {
        if let Some(watch) = &mut *self.watch() {
            watch.step();
        }
    }

    /// Whether the run has ended or an invariant is broken.
    pub(super) fn is_over(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed) || self.watch().as_ref().is_none_or(Watch::is_over)
    }

    /// Ends the run, because it cannot continue.
    pub(super) fn end(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// The report of the run. Events after this are ignored.
    pub(super) fn report(&self) -> Report {
        self.watch().take().expect("a run is reported on once").report()
    }

    /// Ignores a poisoned lock: a checker's panic is recorded as such, and must not hide the report.
    fn watch(&self) -> MutexGuard<'_, Option<Watch>> {
        self.0.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports each step of a machine.
pub(super) struct MachineTap {
    pub(super) host: Host,
    pub(super) sink: EventSink,
}

impl Tap<Coordinator> for MachineTap {
    fn step(&mut self, step: &Step<'_, Coordinator>) {
        event::coordinator_step(step, |what| self.sink.tell(self.host, what));
    }

    fn pass_ended(&mut self, held: Held) {
        self.sink.tell(self.host, What::Edge(Edge::PassEnded(held)));
    }
}

impl Tap<Worker> for MachineTap {
    fn step(&mut self, step: &Step<'_, Worker>) {
        event::worker_step(step, |what| self.sink.tell(self.host, what));
    }

    fn pass_ended(&mut self, held: Held) {
        self.sink.tell(self.host, What::Edge(Edge::PassEnded(held)));
    }
}
