//! A coordinator's host: its driver and HTTP API, as `quorate serve` runs them.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::serve;
use quorate_core::coordinator::{Config, Policies};
use quorate_runtime::driver::{DriverSettings, Inbox};
use quorate_runtime::http::{ApiSettings, ClientTable, EventLimits, RateLimit, ServeLimits};
use quorate_runtime::node::{CoordinatorSettings, NOTHING_STORED, NodeError, run_coordinator};
use quorate_runtime::policies;
use turmoil::net::{TcpListener, TcpStream};

use super::life::Life;
use super::sink::MachineTap;
use super::stage::{HTTP_PORT, Surroundings, clock};
use crate::event::What;
use crate::host::Host;
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario::{Coordinator, Proxy, Settings};

/// The address range of turmoil's hosts: the trusted proxies, where a scenario has any.
const NETWORK: &str = "192.168.0.0/16";

/// Runs the host's process until it ends, and then does nothing.
pub(super) async fn run(
    surroundings: &Surroundings,
    coordinator: Coordinator,
    settings: &Settings,
    life: &Life,
) -> turmoil::Result {
    let Some(incarnation) = life.begin() else { return pending().await };
    let host = Host::Coordinator(coordinator.number);
    surroundings.begins(host, incarnation.number);
    let bus = surroundings.connect(host, incarnation.number);
    let listener = Listener(TcpListener::bind((Ipv4Addr::UNSPECIFIED, HTTP_PORT)).await?);
    let lane = instance::stream(coordinator.number, incarnation.number);
    let mut random = Random::new(surroundings.seed, Stream::Coordinator, lane);
    let seed = random.number();
    let name = instance::coordinator(coordinator.number, incarnation.number);
    let mut driver = DriverSettings::named(name, Inbox::of(&instance::secret(&mut random)), seed);
    driver.batch = settings.knobs.batch.unwrap_or(driver.batch);
    driver.pack_bytes = settings.knobs.pack_bytes.unwrap_or(driver.pack_bytes);
    let settings = CoordinatorSettings {
        machine: machine(settings),
        api: ApiSettings {
            rate_limit: settings.rate_limit.and_then(rate_limit),
            clients: ClientTable {
                max_clients: surroundings.clients.unwrap_or(ClientTable::default().max_clients),
                ..ClientTable::default()
            },
            trusted_proxies: match surroundings.proxy {
                Some(Proxy::Trusted) => vec![NETWORK.parse().expect("a network")],
                Some(Proxy::Untrusted) | None => Vec::new(),
            },
            events: EventLimits {
                kept: surroundings.kept.unwrap_or(EventLimits::default().kept),
                max_subscribers_per_client: surroundings
                    .readers
                    .unwrap_or(EventLimits::default().max_subscribers_per_client),
                ..EventLimits::default()
            },
            ..ApiSettings::new(HTTP_PORT)
        },
        limits: ServeLimits {
            stop_timeout: surroundings.stop.unwrap_or(ServeLimits::default().stop_timeout),
            max_connections_per_peer: surroundings
                .connections_per_peer
                .unwrap_or(ServeLimits::default().max_connections_per_peer),
            ..ServeLimits::default()
        },
        driver,
    };
    let tap = MachineTap { host, sink: surroundings.sink.clone() };
    let clock = clock(coordinator.clock_ms, coordinator.jump);
    match Box::pin(run_coordinator(
        bus,
        clock,
        listener,
        settings,
        tap,
        futures_util::stream::pending(),
        NOTHING_STORED,
        incarnation.stop(),
    ))
    .await
    {
        Ok(()) => {
            life.has_stopped();
            surroundings.sink.tell(host, What::Stopped);
        }
        // The panic hook has recorded it.
        Err(NodeError::Panicked(_)) => {}
        Err(NodeError::Bus(error)) => panic!("the coordinator ended: {error}"),
    }
    pending().await
}

/// The machine's configuration. Policies and weights are parsed from a policy file, as in `quorate serve`.
fn machine(settings: &Settings) -> Config {
    let config = settings.config();
    let read = policies::parse("the scenario's", &settings.policy_file(), &config);
    let Policies { policies, weights } = read.unwrap_or_else(|error| panic!("a policy file is not read: {error}"));
    Config { policies, weights, ..config }
}

fn rate_limit((per_second, burst): (u32, u32)) -> Option<RateLimit> {
    Some(RateLimit { per_second: NonZeroU32::new(per_second)?, burst: NonZeroU32::new(burst)? })
}

/// A listener on the simulated network.
struct Listener(TcpListener);

impl serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.0.accept().await {
            Ok(accepted) => accepted,
            Err(_) => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
