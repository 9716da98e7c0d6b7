//! The host of a coordinator: its driver and its HTTP API, as `quorate serve` runs them.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::serve;
use quorate_runtime::driver::{DriverSettings, Inbox};
use quorate_runtime::http::{ApiSettings, RateLimit, ServeLimits};
use quorate_runtime::node::{CoordinatorSettings, NodeError, run_coordinator};
use turmoil::net::{TcpListener, TcpStream};

use super::life::Life;
use super::stage::{HTTP_PORT, Surroundings, clock};
use super::teller::MachineTap;
use crate::event::What;
use crate::host::Host;
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario::{Coordinator, Settings};

/// Runs the host for as long as its process lives, and then does nothing.
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
    let lane = (u32::from(coordinator.number) << 8) | (incarnation.number & 0xff);
    let mut random = Random::new(surroundings.seed, Stream::Coordinator, lane);
    let seed = random.number();
    let name = instance::coordinator(coordinator.number, incarnation.number);
    let mut driver = DriverSettings::named(name, Inbox::of(&instance::secret(&mut random)), seed);
    driver.batch = settings.knobs.batch.unwrap_or(driver.batch);
    let settings = CoordinatorSettings {
        machine: settings.config(),
        api: ApiSettings { rate_limit: settings.rate_limit.and_then(rate_limit), ..ApiSettings::new(HTTP_PORT) },
        limits: ServeLimits::default(),
        driver,
    };
    let tap = MachineTap { host, teller: surroundings.teller.clone() };
    let clock = clock(coordinator.clock_ms);
    match run_coordinator(bus, clock, listener, settings, tap, incarnation.stop()).await {
        Ok(()) => {
            life.has_stopped();
            surroundings.teller.tell(host, What::Stopped);
        }
        // Noted where it happened.
        Err(NodeError::Panicked(_)) => {}
        Err(NodeError::Bus(error)) => panic!("the coordinator ended: {error}"),
    }
    pending().await
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
