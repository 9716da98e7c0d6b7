//! The HTTP API of a coordinator.
//!
//! Every error is JSON with a stable word for programs, the status code, and what to do about it for people.

mod client;
mod client_address;
mod dashboard;
mod docs;
mod error;
mod events;
mod files;
mod first_byte;
mod looks;
mod metrics;
mod openapi;
mod places;
mod question;
mod rate_limit;
mod refuse;
mod request;
mod serve;
mod status;
mod trace;

pub use error::ApiError;
pub use events::{EventLimits, Events, EventsTap};
pub use question::{Question, RequestBody};
pub use rate_limit::{ClientTable, RateLimit, RateLimiter};
pub use request::MAX_BODY_BYTES;
pub use serve::{Peer, ServeLimits, serve};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method};
use ipnet::IpNet;
use tower::ServiceExt as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::driver::CoordinatorHandle;
use crate::metrics::{Edge, Metrics, Responses};
use crate::spans::Tracer;
use looks::Looks;
use places::{NoPlace, Place, Places};

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
struct Api {
    coordinator: CoordinatorHandle,
    settings: ApiSettings,
    limiter: Option<RateLimiter>,
    read_limiter: Option<RateLimiter>,
    places: Places,
    looks: Looks,
    events: Events,
    metrics: Arc<Metrics>,
    responses: Arc<Responses>,
    clock: Clock,
}

/// Answers all requests, for [`serve`]. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Service {
    router: Router,
    api: Arc<Api>,
}

impl Service {
    /// Asks `coordinator`. `events` and `metrics` are what its driver's taps tell of.
    pub fn new(
        coordinator: CoordinatorHandle,
        events: Events,
        metrics: Arc<Metrics>,
        clock: Clock,
        settings: ApiSettings,
    ) -> Self {
        let limiter = |limit: Option<RateLimit>| limit.map(|limit| RateLimiter::new(limit, settings.clients, clock));
        let (limiter, read_limiter) = (limiter(settings.rate_limit), limiter(settings.read_limit));
        let files = [&dashboard::FILES[..], &docs::FILES[..]].concat();
        let (described, document) = described().split_for_parts();
        let paths = document.paths.paths.keys().map(String::as_str).chain(files.iter().map(|file| file.path));
        let responses = Arc::new(Responses::new(paths));
        let (places, looks) = (Places::default(), Looks::default());
        let api = Arc::new(Api {
            coordinator,
            settings,
            limiter,
            read_limiter,
            places,
            looks,
            events,
            metrics,
            responses,
            clock,
        });
        let router = described
            .merge(files::routes(&files))
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .with_state(Arc::clone(&api));
        Self { router, api }
    }

    /// Answers one request, and counts the answer.
    ///
    /// Not a layer of the router, which would cost each request several allocations.
    async fn answer(&self, peer: Peer, request: Request) -> Response {
        let statuses = self.api.responses.of(request.uri().path());
        let response = match self.api.allow_read(peer, &request) {
            Ok(()) => self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            Err(refused) => refused.into_response(),
        };
        statuses.count(response.status());
        response
    }

    /// A place for a connection of `peer`, if there may be one more.
    fn place(&self, peer: IpAddr, limits: &ServeLimits) -> Result<Place, NoPlace> {
        self.api.places.take(peer, limits, &self.api.settings.trusted_proxies)
    }
}

impl Api {
    /// Counts a request against its client's allowance for reads. Questions have an allowance of their own. Probes have
    /// none: they cost little and must get through.
    fn allow_read(&self, peer: Peer, request: &Request) -> Result<(), ApiError> {
        let Some(limiter) = &self.read_limiter else { return Ok(()) };
        let is_question = request.method() == Method::POST && request.uri().path() == request::PATH;
        if is_question || status::PROBES.contains(&request.uri().path()) {
            return Ok(());
        }
        limiter.check(self.client(peer, request.headers())).map_err(ApiError::reads_limited)
    }

    /// The client that sent a request.
    fn client(&self, Peer(peer): Peer, headers: &HeaderMap) -> IpAddr {
        client_address::client_address(peer.ip(), headers, &self.settings.trusted_proxies)
    }

    /// What happened at the edge, before the coordinator.
    fn edge(&self) -> Edge {
        let counts = |limiter: &Option<RateLimiter>| limiter.as_ref().map(RateLimiter::counts).unwrap_or_default();
        Edge {
            limiter: counts(&self.limiter),
            read_limiter: counts(&self.read_limiter),
            connections: self.places.counts(),
            subscribers: self.events.subscribers(),
        }
    }
}

/// The routes with their description, so that there is none without the other.
fn described() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(openapi::Frame::openapi())
        .routes(routes!(request::ask))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::workers))
        .routes(routes!(events::route::events))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
        .routes(routes!(docs::page))
        .routes(routes!(dashboard::page))
}
