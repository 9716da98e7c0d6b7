//! Runs a whole coordinator, with its driver and its HTTP API started and stopped together, or a whole worker.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use futures_util::stream::{BoxStream, Stream, StreamExt as _};
use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Policies};
use quorate_core::feed::Definition;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{Bus, BusError};
use crate::clock::Clock;
use crate::driver::{CoordinatorDriver, CoordinatorHandle, DriverSettings, Tap, WorkerDriver, WorkerSettings};
use crate::durable::{DurableDriver, DurableSettings};
use crate::feeds::{FeedsDriver, FeedsHandle, StoredHistory};
use crate::http::{ApiSettings, Events, FeedsReader, ServeLimits, Service, serve};
use crate::metrics::Metrics;
use crate::source::Source;
use crate::spans::Tracer;
use crate::store::Store;
use crate::store::memory::MemoryStore;

/// How long a coordinator that stops hands its durable requests over, once nothing is in flight.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(10);

/// The settings of a coordinator.
#[derive(Clone, Debug)]
pub struct CoordinatorSettings {
    /// The machine's limits, times and default policy.
    pub machine: Config,
    /// The settings of the API.
    pub api: ApiSettings,
    /// The limits of client connections.
    pub limits: ServeLimits,
    /// The driver's names, seed and bounds.
    pub driver: DriverSettings,
}

/// What a coordinator keeps beyond its own life.
pub struct Stored<S> {
    /// Where.
    pub store: S,
    /// The feeds that it keeps fresh.
    pub feeds: Vec<Arc<Definition>>,
    /// Whenever it yields, the feeds become those.
    pub reloads: BoxStream<'static, Vec<Arc<Definition>>>,
}

/// No store: what a coordinator knows ends with it.
pub const NOTHING_STORED: Option<Stored<MemoryStore>> = None;

impl<S: std::fmt::Debug> std::fmt::Debug for Stored<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("store", &self.store).field("feeds", &self.feeds).finish_non_exhaustive()
    }
}

/// Why a coordinator ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The bus cannot be used, or has been closed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The driver panicked: a fault of this program.
    #[error("the coordinator's driver panicked: {0}")]
    Panicked(tokio::task::JoinError),
}

/// Runs a coordinator on `bus` and `listener` until `stop` completes. Then it is not ready and refuses further
/// requests, finishes those in flight, flushes the bus, and returns. It takes until the last deadline in flight at
/// most, plus a few seconds to write responses. `tap` sees all inputs and outputs of the machine; pass `()` for no tap.
/// Whenever `policies` yields, the policies of queries and the weights of workers become those. With a
/// store, feeds are driven, and durable requests served; pass [`NOTHING_STORED`] otherwise.
///
/// # Errors
/// [`NodeError`] if the bus cannot subscribe, or is closed before `stop` completes.
#[expect(clippy::too_many_arguments, reason = "each is a part of its own, and all but the last are moved")]
pub async fn run_coordinator<B: Bus, L: Listener<Addr = SocketAddr>, S: Store>(
    bus: B,
    clock: Clock,
    listener: L,
    settings: CoordinatorSettings,
    tap: impl Tap<Coordinator>,
    policies: impl Stream<Item = Policies>,
    stored: Option<Stored<S>>,
    stop: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let CoordinatorSettings { machine, api, limits, driver } = settings;
    let events = Events::new(&driver.instance, api.events);
    let instance = driver.instance.clone();
    let durable = DurableSettings {
        limits: machine.limits,
        keep_outcomes: api.keep_outcomes,
        ..DurableSettings::of(&driver.instance)
    };
    let (driver, coordinator) = CoordinatorDriver::new(bus, clock, machine, driver).await?;
    let metrics = Arc::new(Metrics::new(&clock));
    let driver = driver.with_tracer(api.tracer.clone()).with_snapshot_every(api.snapshot_every);
    let driver = driver.with_tap((tap, (events.tap(), metrics.tap())));
    let (mut feeds, mut feeding, mut serving_durably) = (FeedsReader::default(), None, None);
    if let Some(Stored { store, feeds: definitions, reloads }) = stored {
        let history = Arc::new(StoredHistory::new(store.clone()));
        serving_durably = Some(DurableDriver::new(store.clone(), coordinator.clone(), clock, durable));
        let (driver, handle) = FeedsDriver::new(store, clock, coordinator.clone(), instance, definitions);
        feeds = FeedsReader { board: handle.board().clone(), history: Some(history) };
        feeding = Some(Feeding { feeds: handle, driver, reloads });
    }
    let (durable, requests) = serving_durably.unzip();
    let service = Service::new(coordinator.clone(), feeds, events, metrics, clock, api, requests.clone());
    let (drained, is_drained) = oneshot::channel::<()>();
    let serving = async {
        // The sender is dropped when there is nothing more to answer.
        serve(listener, service, limits, async { drop(is_drained.await) }).await;
    };
    let stopping = CancellationToken::new();
    let driving = async {
        let mut running = pin!(tokio::spawn(driver.run()));
        let durable = durable.map(|durable| AbortOnDropHandle::new(tokio::spawn(durable.run())));
        let result = tokio::select! {
            biased;
            () = stop => {
                stopping.cancel();
                if let Some(requests) = &requests {
                    requests.drain().await;
                }
                coordinator.drain().await;
                running.await.map_err(NodeError::Panicked)
            }
            ended = &mut running => ended.map_err(NodeError::Panicked).and(Err(BusError::Closed.into())),
        };
        stopping.cancel();
        if let (Some(requests), Some(durable)) = (requests, durable) {
            requests.drain().await;
            requests.stop().await;
            // What it cannot hand over in time, other coordinators take over when their patience ends.
            if let Ok(Err(panicked)) = timeout(HAND_OVER_WITHIN, durable).await {
                return Err(NodeError::Panicked(panicked));
            }
        }
        drop(drained);
        result
    };
    let keeping_fresh = keep_fresh(feeding, stopping.cancelled());
    let reloading = async {
        policies.for_each(|policies| coordinator.replace_policies(policies)).await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        ((), result, ()) = async { tokio::join!(serving, driving, keeping_fresh) } => result,
        never = reloading => match never {},
    }
}

/// The feeds of a coordinator.
struct Feeding<S: Store> {
    feeds: FeedsHandle,
    driver: FeedsDriver<S, CoordinatorHandle>,
    reloads: BoxStream<'static, Vec<Arc<Definition>>>,
}

/// Drives feeds until `stop` completes, and then until their rounds have ended and their leases are released.
async fn keep_fresh<S: Store>(feeding: Option<Feeding<S>>, stop: impl Future<Output = ()>) {
    let Some(Feeding { feeds, driver, reloads }) = feeding else { return };
    let reloading = async {
        reloads.for_each(|definitions| feeds.define(definitions)).await;
        pending::<Infallible>().await
    };
    let stopping = async {
        stop.await;
        feeds.drain().await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        () = driver.run() => {}
        never = stopping => match never {},
        never = reloading => match never {},
    }
}

/// Runs a worker that queries `source`, on `bus`, until `stop` completes. Then it announces that it is draining,
/// accepts no further tasks, answers those it has, flushes the bus, and returns: at the latest when its last task has
/// expired. It also returns if the bus is closed. While the bus is disconnected it waits, without a limit.
///
/// # Errors
/// [`BusError`] if the bus cannot subscribe.
pub async fn run_worker<B: Bus>(
    bus: B,
    settings: WorkerSettings,
    source: impl Source,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), BusError> {
    let clock = settings.tracer.as_ref().map_or_else(Clock::new, Tracer::clock);
    WorkerDriver::new(bus, clock, settings, source).await?.run(stop).await;
    Ok(())
}
