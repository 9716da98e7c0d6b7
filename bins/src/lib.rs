//! The programs of Quorate: their command lines, and what they print.
//!
//! * `src/bin/` has the three thin `main`s; [`args`] has their flags, variables, units and defaults
//! * [`config`] has the contexts and defaults of the user
//! * [`serve`] runs the programs that serve, with [`telemetry`] for logs and [`otlp`] for spans; `check.rs` only checks
//!   their settings
//! * [`commands`], [`demo`] and [`load`] are the subcommands of `quorate`, which ask through `quorate-client`; [`render`]
//!   prints
//! * [`exchange`] stands in for public exchanges
//! * [`exit`] has the exit codes, and errors as a sentence or as JSON; [`advice`] says what to do about them

pub mod advice;
pub mod args;
mod check;
pub mod commands;
pub mod config;
pub mod demo;
mod descriptors;
pub mod exchange;
pub mod exit;
mod listener;
pub mod load;
pub mod otlp;
mod reload;
pub mod render;
pub mod serve;
mod signals;
mod store;
pub mod telemetry;
pub mod threads;

/// A request makes many small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
