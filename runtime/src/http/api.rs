//! What the handlers share, and the settings of the API.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use ipnet::IpNet;

use super::client_address::{Peer, client_address};
use super::connection_limit::ConnectionLimiter;
use super::cors::AllowedOrigin;
use super::events::{EventLimits, Events};
use super::feeds::FeedsReader;
use super::rate_limit::{ClientTable, RateLimit, RateLimiter};
use super::snapshot_cache::SnapshotCache;
use crate::clock::Clock;
use crate::driver::{CoordinatorHandle, SNAPSHOT_EVERY};
use crate::durable::DurableHandle;
use crate::metrics::{Edge, Metrics, Responses};
use crate::spans::Tracer;

/// The settings of the API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The port that `GET /health` reports.
    pub port: u16,
    /// How often one client may submit a request; `None` is no limit.
    pub rate_limit: Option<RateLimit>,
    /// How often one client may use all other routes together; `None` is no limit. `GET /health` and `GET /ready` are
    /// never limited.
    pub read_limit: Option<RateLimit>,
    /// How many clients each limit distinguishes.
    pub clients: ClientTable,
    /// The proxies that are trusted to set `X-Forwarded-For`.
    pub trusted_proxies: Vec<IpNet>,
    /// The other origins whose pages may use the API from a browser; none by default.
    pub cors: Vec<AllowedOrigin>,
    /// The limits of `GET /events`.
    pub events: EventLimits,
    /// The shortest time between two snapshots of the coordinator. Within it, all readers of `GET /workers` and `GET
    /// /metrics` share one.
    pub snapshot_every: Duration,
    /// Whether the outcomes of plain requests are part of the history, if the coordinator has a store.
    pub keep_outcomes: bool,
    /// Records the spans of requests. Without a tracer, trace contexts are passed on unchanged.
    pub tracer: Option<Tracer>,
}

impl ApiSettings {
    /// An API on `port` without rate limits, trusted proxies or traces, with a snapshot at most every 250 ms and the
    /// default bounds.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            rate_limit: None,
            read_limit: None,
            clients: ClientTable::default(),
            trusted_proxies: Vec::new(),
            cors: Vec::new(),
            events: EventLimits::default(),
            snapshot_every: SNAPSHOT_EVERY,
            keep_outcomes: false,
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
    pub(super) connections: ConnectionLimiter,
    pub(super) snapshots: SnapshotCache,
    pub(super) events: Events,
    pub(super) feeds: FeedsReader,
    pub(super) metrics: Arc<Metrics>,
    pub(super) responses: Arc<Responses>,
    pub(super) clock: Clock,
    /// Durable requests and stored outcomes, if the coordinator has a store.
    pub(super) durable: Option<DurableHandle>,
}

impl Api {
    /// The client that sent a request.
    pub(super) fn client(&self, Peer(peer): Peer, headers: &HeaderMap) -> IpAddr {
        client_address(peer.ip(), headers, &self.settings.trusted_proxies)
    }

    /// The counts of what happened at the edge, before the coordinator.
    pub(super) fn edge(&self) -> Edge {
        let counts = |limiter: &Option<RateLimiter>| limiter.as_ref().map(RateLimiter::counts).unwrap_or_default();
        Edge {
            limiter: counts(&self.limiter),
            read_limiter: counts(&self.read_limiter),
            connections: self.connections.counts(),
            subscribers: self.events.subscribers(),
        }
    }
}
