//! A coordinator process on the stage with a store: the drivers of production, which can be killed, paused and drained.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::join;
use quorate_core::time::Timestamp;
use quorate_runtime::clock::Clock;
use quorate_runtime::durable::{DurableDriver, DurableHandle, DurableSettings};
use quorate_runtime::feeds::{FeedsDriver, FeedsHandle, Told};
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::event::{Shown, StoreEvent};
use super::rounds::Rounds;
use super::simulated::SimulatedStore;
use super::stage::Stage;
use crate::host::Host;
use crate::instance;
use crate::scenario::Keeper;

/// The time of day at which the clock of the store begins a run, in milliseconds.
pub(super) const BEGAN_MS: u64 = 1_790_000_000_000;

/// A process.
pub(super) struct Process {
    pub(super) feeds: FeedsHandle,
    pub(super) durable: DurableHandle,
    /// Is cancelled when the process is killed.
    pub(super) dead: CancellationToken,
    pub(super) store: SimulatedStore,
    task: JoinHandle<()>,
    follower: JoinHandle<()>,
}

impl Process {
    pub(super) fn start(stage: &Arc<Stage>, spec: &Keeper, incarnation: u32) -> Self {
        let host = Host::Coordinator(spec.number);
        let store = stage.store.of(host);
        let shown = Timestamp::from_millis(BEGAN_MS.saturating_add_signed(spec.ahead_ms)).after(stage.now());
        let clock = Clock::starting_at(shown);
        let rounds = Rounds::new(Arc::clone(stage), spec.number, incarnation, clock);
        let definitions = stage.definitions();
        stage.tell(host, &StoreEvent::Defined(definitions.clone()));
        let instance = instance::coordinator(spec.number, incarnation);
        let settings = DurableSettings::of(&instance);
        let (keeping, durable) = DurableDriver::new(store.clone(), rounds.clone(), clock, settings);
        let (driver, feeds) = FeedsDriver::new(store.clone(), clock, rounds, instance, definitions);
        let follower = tokio::spawn(follow(Arc::clone(stage), host, feeds.clone()));
        let both = async {
            join(driver.run(), keeping.run()).await;
        };
        let task = tokio::spawn(Pausable::new(store.clone(), both));
        Self { feeds, durable, dead: CancellationToken::new(), store, task, follower }
    }

    /// Kills it: nothing that it was about to do is done.
    pub(super) fn kill(&self) {
        self.store.kill();
        self.dead.cancel();
        self.task.abort();
        self.follower.abort();
    }

    /// Tells it to stop.
    pub(super) fn stop(&self) {
        let (feeds, durable) = (self.feeds.clone(), self.durable.clone());
        tokio::spawn(async move {
            join(feeds.drain(), durable.drain()).await;
            durable.stop().await;
        });
    }

    /// Whether it has stopped.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Why it panicked; `None` if it stopped as it should. Waits until it has stopped.
    pub(super) async fn panic(self) -> Option<String> {
        let panic = self.task.await.err()?.try_into_panic().ok()?;
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Some(text.unwrap_or("a panic without a message").to_owned())
    }
}

/// Tells of every record that the process tells its followers of.
async fn follow(stage: Arc<Stage>, host: Host, feeds: FeedsHandle) {
    let (mut records, _) = feeds.board().follow();
    drop(feeds);
    while let Ok(told) = records.recv().await {
        let Told { feed, record, .. } = told.as_ref();
        let shown = Shown { sequence: record.head.link.sequence, round: record.head.round, body: record.body.clone() };
        stage.tell(host, &StoreEvent::Published(feed.clone(), shown));
    }
}

/// Runs a process, and nothing of it while it is paused.
struct Pausable<F> {
    store: SimulatedStore,
    inner: Pin<Box<F>>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<F> Pausable<F> {
    fn new(store: SimulatedStore, inner: F) -> Self {
        Self { store, inner: Box::pin(inner), pause: None }
    }
}

impl<F: Future<Output = ()>> Future for Pausable<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while let Some(until) = this.store.paused() {
            let pause = this.pause.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.pause = None;
        }
        this.inner.as_mut().poll(context)
    }
}
