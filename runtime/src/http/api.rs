//! What the handlers share, and how it is set up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use ipnet::IpNet;

use super::client_address::{Peer, client_address};
use super::events::{EventLimits, Events};
use super::looks::Looks;
use super::places::Places;
use super::rate_limit::{ClientTable, RateLimit, RateLimiter};
use crate::clock::Clock;
use crate::driver::CoordinatorHandle;
use crate::metrics::{Edge, Metrics, Responses};
use crate::spans::Tracer;

/// How the API is set up.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The port that `GET /health` names.
    pub port: u16,
    /// How often one client may ask; `None` does not limit.
    pub rate_limit: Option<RateLimit>,
    /// How often one client may use all other routes together, except `GET /health` and `GET /ready`, which are never
    /// limited; `None` does not limit.
    pub read_limit: Option<RateLimit>,
    /// How many clients each limit tells apart.
    pub clients: ClientTable,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// What bounds `GET /events`.
    pub events: EventLimits,
    /// The shortest time from one snapshot of the coordinator to the next. All readers of `GET /workers` and `GET
    /// /metrics` share one meanwhile.
    pub snapshot_every: Duration,
    /// Records the spans of requests; without one, traces are passed on as they come.
    pub tracer: Option<Tracer>,
}

impl ApiSettings {
    /// An API on `port` that limits no rate, believes no proxy, makes a snapshot at most every 250 ms, has the default
    /// bounds, and records no traces.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            rate_limit: None,
            read_limit: None,
            clients: ClientTable::default(),
            trusted_proxies: Vec::new(),
            events: EventLimits::default(),
            snapshot_every: Duration::from_millis(250),
            tracer: None,
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) coordinator: CoordinatorHandle,
    pub(super) settings: ApiSettings,
    pub(super) limiter: Option<RateLimiter>,
    pub(super) read_limiter: Option<RateLimiter>,
    pub(super) places: Places,
    pub(super) looks: Looks,
    pub(super) events: Events,
    pub(super) metrics: Arc<Metrics>,
    pub(super) responses: Arc<Responses>,
    pub(super) clock: Clock,
}

impl Api {
    /// The client that sent a request.
    pub(super) fn client(&self, Peer(peer): Peer, headers: &HeaderMap) -> IpAddr {
        client_address(peer.ip(), headers, &self.settings.trusted_proxies)
    }

    /// What happened at the edge, before the coordinator.
    pub(super) fn edge(&self) -> Edge {
        let counts = |limiter: &Option<RateLimiter>| limiter.as_ref().map(RateLimiter::counts).unwrap_or_default();
        Edge {
            limiter: counts(&self.limiter),
            read_limiter: counts(&self.read_limiter),
            connections: self.places.counts(),
            subscribers: self.events.subscribers(),
        }
    }
}
