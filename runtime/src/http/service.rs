//! The service: every request passes through it to its route.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

use super::api::{Api, ApiSettings};
use super::client_address::Peer;
use super::connection_limit::{ConnectionLimiter, ConnectionPermit, ConnectionRefused};
use super::error::{self, ApiError};
use super::events::Events;
use super::feeds::FeedsReader;
use super::limits::ServeLimits;
use super::rate_limit::{RateLimit, RateLimiter};
use super::snapshot_cache::SnapshotCache;
use super::{cors, dashboard, docs, files, openapi, request, status, submit};
use crate::clock::Clock;
use crate::driver::CoordinatorHandle;
use crate::durable::DurableHandle;
use crate::metrics::{Metrics, Responses};

/// Answers all requests, for [`serve`](super::serve::serve). Clones share one service.
#[derive(Clone, Debug)]
pub struct Service {
    router: Router,
    cors: Option<CorsLayer>,
    api: Arc<Api>,
}

impl Service {
    /// A service for `coordinator` and its feeds, with durable requests if it has a store. The taps of its driver fill
    /// `events` and `metrics`.
    pub fn new(
        coordinator: CoordinatorHandle,
        feeds: FeedsReader,
        events: Events,
        metrics: Arc<Metrics>,
        clock: Clock,
        settings: ApiSettings,
        durable: Option<DurableHandle>,
    ) -> Self {
        let limiter = |limit: Option<RateLimit>| limit.map(|limit| RateLimiter::new(limit, settings.clients, clock));
        let (limiter, read_limiter) = (limiter(settings.rate_limit), limiter(settings.read_limit));
        let files = [&dashboard::FILES[..], &docs::FILES[..]].concat();
        let (described, document) = openapi::described().split_for_parts();
        let paths = document.paths.paths.keys().map(String::as_str).chain(files.iter().map(|file| file.path));
        let responses = Arc::new(Responses::new(paths));
        let cors = cors::layer(&settings.cors);
        let (connections, snapshots) = (ConnectionLimiter::default(), SnapshotCache::default());
        let api = Arc::new(Api {
            coordinator,
            settings,
            limiter,
            read_limiter,
            connections,
            snapshots,
            events,
            feeds,
            metrics,
            responses,
            clock,
            durable,
        });
        let router = described
            .merge(files::routes(&files))
            .fallback(error::not_found)
            .method_not_allowed_fallback(error::method_not_allowed)
            .with_state(Arc::clone(&api));
        Self { router, cors, api }
    }

    /// Answers one request, and counts the response.
    ///
    /// This is not a layer of the router, because a layer would cost each request several allocations.
    pub(super) async fn answer(&self, peer: Peer, request: Request) -> Response {
        let statuses = self.api.responses.of(request.uri().path());
        let response = match &self.cors {
            None => self.respond(peer, request).await,
            // Around the rate limit, so that pages can read the refusal.
            Some(cors) => {
                let respond = |request| async move { Ok::<_, Infallible>(self.respond(peer, request).await) };
                cors.layer(service_fn(respond)).oneshot(request).await.unwrap_or_else(|never| match never {})
            }
        };
        statuses.count(response.status());
        response
    }

    async fn respond(&self, peer: Peer, request: Request) -> Response {
        match self.allow_read(peer, &request) {
            Ok(()) => self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            Err(refused) => refused.into_response(),
        }
    }

    /// Takes a permit for a connection of `peer`, if there is one.
    pub(super) fn permit(&self, peer: IpAddr, limits: &ServeLimits) -> Result<ConnectionPermit, ConnectionRefused> {
        self.api.connections.take(peer, limits, &self.api.settings.trusted_proxies)
    }

    /// Counts a request against its client's allowance for reads. `POST /request` and `POST /requests` share an allowance
    /// of their own. Probes have none: they cost little and must get through.
    fn allow_read(&self, peer: Peer, request: &Request) -> Result<(), ApiError> {
        let Some(limiter) = &self.api.read_limiter else { return Ok(()) };
        let is_question =
            request.method() == Method::POST && [request::PATH, submit::PATH].contains(&request.uri().path());
        if is_question || status::PROBES.contains(&request.uri().path()) {
            return Ok(());
        }
        limiter.check(self.api.client(peer, request.headers())).map_err(ApiError::reads_limited)
    }
}
