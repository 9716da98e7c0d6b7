//! The HTTP API of a coordinator.
//!
//! Every error is JSON with a stable word for programs, the status code, and what to do about it for people.

mod client_address;
mod dashboard;
mod docs;
mod error;
mod events;
mod files;
mod metrics;
mod openapi;
mod rate_limit;
mod request;
mod serve;
mod status;
mod trace;

pub use error::ApiError;
pub use events::{Events, EventsTap};
pub use rate_limit::{LimiterCounts, RateLimit, RateLimiter};
pub use request::{MAX_BODY_BYTES, Question, RequestBody};
pub use serve::{Peer, ServeLimits, serve};

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use ipnet::IpNet;
use tower::ServiceExt as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::Clock;
use crate::driver::CoordinatorHandle;
use crate::metrics::{Metrics, Responses};
use crate::spans::Tracer;

/// How the API is set up.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The port that `GET /health` names.
    pub port: u16,
    /// How often one client may ask; `None` does not limit.
    pub rate_limit: Option<RateLimit>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How many clients may read `GET /events` at a time.
    pub max_subscribers: usize,
    /// Records the spans of requests; without one, traces are passed on as they come.
    pub tracer: Option<Tracer>,
}

impl ApiSettings {
    /// An API on `port` that limits no rate, believes no proxy, has room for 256 readers of events, and records no traces.
    pub fn new(port: u16) -> Self {
        Self { port, rate_limit: None, trusted_proxies: Vec::new(), max_subscribers: 256, tracer: None }
    }
}

/// What the handlers share.
#[derive(Debug)]
struct Api {
    coordinator: CoordinatorHandle,
    settings: ApiSettings,
    limiter: Option<RateLimiter>,
    events: Events,
    metrics: Arc<Metrics>,
    responses: Arc<Responses>,
    clock: Clock,
}

/// Answers all requests, for [`serve`]. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Service {
    router: Router,
    responses: Arc<Responses>,
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
        let limiter = settings.rate_limit.map(|limit| RateLimiter::new(limit, clock));
        let files = [&dashboard::FILES[..], &docs::FILES[..]].concat();
        let (described, document) = described().split_for_parts();
        let paths = document.paths.paths.keys().map(String::as_str).chain(files.iter().map(|file| file.path));
        let responses = Arc::new(Responses::new(paths));
        let api = Api { coordinator, settings, limiter, events, metrics, responses: Arc::clone(&responses), clock };
        let router = described
            .merge(files::routes(&files))
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .with_state(Arc::new(api));
        Self { router, responses }
    }

    /// Answers one request, and counts the answer.
    ///
    /// Not a layer of the router, which would cost each request several allocations.
    async fn answer(&self, request: Request) -> Response {
        let statuses = self.responses.of(request.uri().path());
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        statuses.count(response.status());
        response
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
