//! Runs a whole coordinator, with its driver and its HTTP API started and stopped together, or a whole worker.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use futures_util::stream::{Stream, StreamExt as _};
use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Policies};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{Bus, BusError};
use crate::clock::Clock;
use crate::driver::{CoordinatorDriver, DriverSettings, Tap, WorkerDriver, WorkerSettings};
use crate::durable::{DurableDriver, DurableSettings};
use crate::http::{ApiSettings, Events, ServeLimits, Service, serve};
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
/// Whenever `policies` yields, the policies of queries and the weights of workers become those.
///
/// # Errors
/// [`NodeError`] if the bus cannot subscribe, or is closed before `stop` completes.
pub async fn run_coordinator<B: Bus, L: Listener<Addr = SocketAddr>>(
    bus: B,
    clock: Clock,
    listener: L,
    settings: CoordinatorSettings,
    tap: impl Tap<Coordinator>,
    policies: impl Stream<Item = Policies>,
    stop: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    run_coordinator_with_store(bus, clock, listener, settings, None::<MemoryStore>, tap, policies, stop).await
}

/// Like [`run_coordinator`], with a store if there is one: for durable requests and the history of outcomes.
///
/// # Errors
/// [`NodeError`] if the bus cannot subscribe, or is closed before `stop` completes.
#[expect(clippy::too_many_arguments, reason = "each is of another kind, and none has a default")]
pub async fn run_coordinator_with_store<B: Bus, L: Listener<Addr = SocketAddr>>(
    bus: B,
    clock: Clock,
    listener: L,
    settings: CoordinatorSettings,
    store: Option<impl Store>,
    tap: impl Tap<Coordinator>,
    policies: impl Stream<Item = Policies>,
    stop: impl Future<Output = ()>,
) -> Result<(), NodeError> {
    let CoordinatorSettings { machine, api, limits, driver } = settings;
    let events = Events::new(&driver.instance, api.events);
    let durable = DurableSettings {
        limits: machine.limits,
        keep_outcomes: api.keep_outcomes,
        ..DurableSettings::of(&driver.instance)
    };
    let (driver, coordinator) = CoordinatorDriver::new(bus, clock, machine, driver).await?;
    let metrics = Arc::new(Metrics::new(&clock));
    let driver = driver.with_tracer(api.tracer.clone()).with_snapshot_every(api.snapshot_every);
    let driver = driver.with_tap((tap, (events.tap(), metrics.tap())));
    let durable = store.map(|store| DurableDriver::new(store, coordinator.clone(), clock, durable));
    let (durable, requests) = durable.unzip();
    let service = Service::new(coordinator.clone(), events, metrics, clock, api, requests.clone());
    let (drained, is_drained) = oneshot::channel::<()>();
    let serving = async {
        // The sender is dropped when there is nothing more to answer.
        serve(listener, service, limits, async { drop(is_drained.await) }).await;
    };
    let driving = async {
        let mut running = pin!(tokio::spawn(driver.run()));
        let durable = durable.map(|durable| AbortOnDropHandle::new(tokio::spawn(durable.run())));
        let result = tokio::select! {
            biased;
            () = stop => {
                if let Some(requests) = &requests {
                    requests.drain().await;
                }
                coordinator.drain().await;
                running.await.map_err(NodeError::Panicked)
            }
            ended = &mut running => ended.map_err(NodeError::Panicked).and(Err(BusError::Closed.into())),
        };
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
    let reloading = async {
        policies.for_each(|policies| coordinator.replace_policies(policies)).await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        ((), result) = async { tokio::join!(serving, driving) } => result,
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
