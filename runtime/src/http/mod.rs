//! The HTTP API of a coordinator.
//!
//! Every error is JSON: a stable word for programs, the status code, and advice for people.
//!
//! * `request.rs` with `question.rs`, `submit.rs`, `ended.rs`, `outcomes.rs`, `status.rs`, `workers.rs`, `queries.rs`,
//!   `policies.rs`, `metrics.rs`, `events/`, `feeds/`: the routes for programs; `error.rs`: errors
//! * `dashboard/`, `docs/`: the pages for people, which `files.rs` serves
//! * `openapi/` generates the API's document; `answers.rs` describes responses, `example.rs` has an example
//! * `service.rs` assembles the routes; `api.rs` has the settings, and what the handlers share
//! * `serve.rs` accepts connections, and finishes responses before it stops; `limits.rs` and `connection_limit.rs` limit
//!   connections, `refuse.rs` answers those beyond a limit, `first_byte.rs` ends silent ones
//! * `rate_limit.rs` limits clients; `client.rs` and `client_address.rs` decide which addresses are one client, and
//!   `shares.rs` counts what each of them holds
//! * `sse.rs` writes and streams events, and `page.rs` reads the parameters of lists
//! * `nearest.rs` finds the name that a wrong one may mean
//! * `cors.rs` says which pages of other origins may use the API
//! * `snapshot_cache.rs` encodes a snapshot once for all its readers; `trace.rs` records the span of a request

mod answers;
mod api;
mod client;
mod client_address;
mod connection_limit;
mod cors;
mod dashboard;
mod docs;
mod ended;
mod error;
mod events;
pub(crate) mod example;
mod feeds;
mod files;
mod first_byte;
mod limits;
mod metrics;
mod nearest;
mod openapi;
mod outcomes;
mod page;
mod policies;
mod queries;
mod question;
mod rate_limit;
mod refuse;
mod request;
mod serve;
mod service;
mod shares;
mod snapshot_cache;
mod sse;
mod status;
mod submit;
mod trace;
mod workers;

pub use api::ApiSettings;
pub use client_address::Peer;
pub use cors::{AllowedOrigin, OriginError};
pub use error::ApiError;
pub use events::{EventLimits, Events, EventsTap};
pub use feeds::FeedsReader;
pub use limits::ServeLimits;
pub use openapi::routes;
pub use question::{Question, RequestBody};
pub use rate_limit::{ClientTable, RateLimit, RateLimiter};
pub use request::MAX_BODY_BYTES;
pub use serve::serve;
pub use service::Service;
