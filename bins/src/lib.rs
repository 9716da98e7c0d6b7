//! The programs of Quorate: their command lines, the client of the HTTP API, and what they show.

pub mod api;
pub mod args;
pub mod client;
pub mod commands;
pub mod demo;
mod descriptors;
pub mod exit;
pub mod load;
pub mod otlp;
pub mod render;
pub mod serve;
mod signals;
pub mod telemetry;

/// Each request is many small allocations, and what one thread has allocated another one often frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
