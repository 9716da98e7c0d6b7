//! The HTTP API of a coordinator.
//!
//! Every error is JSON with a stable word for programs, the status code, and what to do about it for people.

mod answers;
mod api;
mod client;
mod client_address;
mod dashboard;
mod docs;
mod error;
mod events;
mod example;
mod files;
mod first_byte;
mod limits;
mod looks;
mod metrics;
mod openapi;
mod places;
mod question;
mod rate_limit;
mod refuse;
mod request;
mod serve;
mod service;
mod status;
mod trace;

pub use api::ApiSettings;
pub use client_address::Peer;
pub use error::ApiError;
pub use events::{EventLimits, Events, EventsTap};
pub use limits::ServeLimits;
pub use question::{Question, RequestBody};
pub use rate_limit::{ClientTable, RateLimit, RateLimiter};
pub use request::MAX_BODY_BYTES;
pub use serve::serve;
pub use service::Service;
