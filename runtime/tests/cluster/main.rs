//! A coordinator and workers as they run in production: drivers, HTTP and sources, on a bus within the process and on
//! a real NATS server.

mod answers;
mod connections;
mod cors;
mod durable;
mod events;
mod feeds;
mod followers;
mod hostile;
mod lifecycle;
mod metrics;
mod nats;
mod notices;
mod packs;
mod snapshots;
mod support;
mod trust;
