//! Durable requests, and the history of outcomes: what a coordinator does with the logs
//! [`Open`](crate::store::Log::Open) and [`Outcomes`](crate::store::Log::Outcomes) of a store.
//!
//! * `driver.rs`: the task that owns the machine of [`quorate_core::durable`], and carries out its outputs
//! * `handle.rs`, `waiters.rs`: what the HTTP API asks of it, and who waits for the end of a request
//! * `ledger.rs`: the two logs, with typed entries: `open.rs` writes the open requests, `stored.rs` the outcomes
//! * `recorder.rs`: stores the outcomes of plain requests without delaying their answers

mod driver;
mod handle;
mod ledger;
mod open;
mod recorder;
mod stored;
#[cfg(test)]
mod tests;
mod waiters;

use quorate_core::durable::Config;
use quorate_core::policy::Limits;

pub use driver::DurableDriver;
pub use handle::{DurableHandle, Stand, Standing};
pub(crate) use handle::{Earlier, WAIT_LIMIT};
pub(crate) use ledger::Wanted;
pub use stored::StoredOutcome;

/// The settings of durable requests and of the history of outcomes.
#[derive(Clone, Debug)]
pub struct DurableSettings {
    /// The machine's name, bounds and waits.
    pub machine: Config,
    /// The limits of a request's own policy, as the coordinator has them.
    pub limits: Limits,
    /// Whether the outcomes of plain requests are part of the history.
    pub keep_outcomes: bool,
}

impl DurableSettings {
    /// The default settings, for the coordinator with this name.
    pub fn of(instance: &str) -> Self {
        Self { machine: Config::of(instance), limits: Limits::default(), keep_outcomes: false }
    }
}
