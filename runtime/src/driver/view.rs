//! Views: what readers see of a driver's machine.
//!
//! Readers do not queue behind requests: a reader raises a flag, and the driver takes a snapshot at the end of a pass,
//! at most one per interval. So the driver does the same work however many readers there are, and a full queue of
//! requests does not hide the machine.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::coordinator::Staffing;
use quorate_core::time::{Timestamp, saturating_nanos};
use tokio::sync::Notify;

use super::snapshot::{Readiness, Snapshot};
use crate::clock::Clock;

/// The default of the shortest time between two snapshots.
pub(crate) const SNAPSHOT_EVERY: Duration = Duration::from_millis(250);
/// How long a reader waits for a driver that does not end its pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Why a coordinator's state cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The coordinator has stopped.
    #[error("the coordinator has stopped")]
    Stopped,
    /// The coordinator's driver has not ended a pass for two seconds; retry.
    #[error("the coordinator has made no progress for {} s", PATIENCE.as_secs())]
    Stuck,
}

/// What readers see. The driver and all readers share it.
#[derive(Debug)]
pub(super) struct View {
    clock: Clock,
    /// The shortest time between two snapshots, in nanoseconds.
    every: AtomicU64,
    /// How many passes have ended.
    passes: AtomicU64,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    bus_connected: AtomicBool,
    /// Whether the driver is gone, so that nothing changes any more.
    gone: AtomicBool,
    /// The number of live workers, and who is there for each policy.
    staffing: OnDemand<(usize, Arc<[Staffing]>)>,
    snapshot: OnDemand<Arc<Snapshot>>,
    /// Wakes the driver when a reader wants something.
    wanted: Notify,
    /// Wakes the readers when it is there.
    shown: Notify,
}

/// Something taken from the machine only when a reader wants it, because it costs more than a few loads.
#[derive(Debug)]
struct OnDemand<T> {
    wanted: AtomicBool,
    taken: Mutex<Option<Captured<T>>>,
}

#[derive(Debug)]
struct Captured<T> {
    what: T,
    /// The number of the pass that it was taken after.
    pass: u64,
    at: Timestamp,
}

impl<T> Default for OnDemand<T> {
    fn default() -> Self {
        Self { wanted: AtomicBool::new(false), taken: Mutex::new(None) }
    }
}

impl<T: Clone> OnDemand<T> {
    /// What was taken after a pass later than `asked`, or less than `every` ago.
    fn recent(&self, asked: u64, now: Timestamp, every: Duration) -> Option<T> {
        let taken = self.taken();
        let taken = taken.as_ref().filter(|taken| taken.pass > asked || now.since(taken.at) < every)?;
        Some(taken.what.clone())
    }

    /// Takes a new one if a reader wants it and there is no recent one. Returns whether a reader wanted it.
    fn take(&self, pass: u64, now: Timestamp, every: Duration, take: impl FnOnce() -> T) -> bool {
        let is_wanted = self.wanted.load(Ordering::Relaxed) && self.wanted.swap(false, Ordering::AcqRel);
        if is_wanted && self.recent(pass, now, every).is_none() {
            *self.taken() = Some(Captured { what: take(), pass, at: now });
        }
        is_wanted
    }

    fn taken(&self) -> MutexGuard<'_, Option<Captured<T>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            every: AtomicU64::new(saturating_nanos(SNAPSHOT_EVERY)),
            passes: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            bus_connected: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            staffing: OnDemand::default(),
            snapshot: OnDemand::default(),
            wanted: Notify::new(),
            shown: Notify::new(),
        }
    }

    /// Whether the coordinator can serve. What is said of workers may be as old as a snapshot; the rest is the state after
    /// the last pass.
    pub(super) async fn readiness(&self) -> Result<Readiness, SnapshotError> {
        let (live_workers, staffing) = self.see(&self.staffing).await?;
        Ok(Readiness {
            live_workers,
            staffing,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            draining: self.draining.load(Ordering::Relaxed),
            bus_connected: self.bus_connected.load(Ordering::Relaxed),
        })
    }

    /// The latest snapshot, or a new one if that one is too old.
    pub(super) async fn snapshot(&self) -> Result<Arc<Snapshot>, SnapshotError> {
        self.see(&self.snapshot).await
    }

    async fn see<T: Clone>(&self, value: &OnDemand<T>) -> Result<T, SnapshotError> {
        let asked = self.passes.load(Ordering::Acquire);
        let give_up = self.clock.instant(self.clock.now().after(PATIENCE));
        loop {
            // A notification is not missed from here on.
            let shown = self.shown.notified();
            if self.gone.load(Ordering::Acquire) {
                return Err(SnapshotError::Stopped);
            }
            if let Some(seen) = value.recent(asked, self.clock.now(), self.every()) {
                return Ok(seen);
            }
            if !value.wanted.swap(true, Ordering::AcqRel) {
                self.wanted.notify_one();
            }
            tokio::select! {
                biased;
                () = shown => {}
                () = tokio::time::sleep_until(give_up) => return Err(SnapshotError::Stuck),
            }
        }
    }

    fn every(&self) -> Duration {
        Duration::from_nanos(self.every.load(Ordering::Relaxed))
    }
}

/// The driver's end of a view. Dropping it tells readers that the coordinator has stopped.
#[derive(Debug)]
pub(super) struct Shows(pub(super) Arc<View>);

/// State that is cheap enough to be shown after every pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtOnce {
    pub(super) in_flight: usize,
    pub(super) draining: bool,
    pub(super) bus_connected: bool,
}

impl Shows {
    /// Sets the shortest time between two snapshots.
    pub(super) fn every(&self, every: Duration) {
        self.0.every.store(saturating_nanos(every), Ordering::Relaxed);
    }

    /// Waits until a reader wants to see something. Cancel safe.
    pub(super) async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    /// Shows the state at the end of a pass.
    pub(super) fn pass_ended(
        &self,
        at_once: AtOnce,
        staffing: impl FnOnce() -> (usize, Arc<[Staffing]>),
        snapshot: impl FnOnce() -> Snapshot,
    ) {
        let view = &*self.0;
        let AtOnce { in_flight, draining, bus_connected } = at_once;
        view.in_flight.store(in_flight, Ordering::Relaxed);
        view.draining.store(draining, Ordering::Relaxed);
        view.bus_connected.store(bus_connected, Ordering::Relaxed);
        let pass = view.passes.fetch_add(1, Ordering::AcqRel) + 1;
        let (now, every) = (view.clock.now(), view.every());
        let counted = view.staffing.take(pass, now, every, staffing);
        let taken = view.snapshot.take(pass, now, every, || Arc::new(snapshot()));
        if counted || taken {
            view.shown.notify_waiters();
        }
    }
}

impl Drop for Shows {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
        self.0.shown.notify_waiters();
    }
}
