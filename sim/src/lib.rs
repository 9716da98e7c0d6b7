//! Quorate on a simulated network. One seed determines a cluster, a workload and a schedule of faults, and every run of
//! a seed is identical to the byte, on any machine.
//!
//! A [`Scenario`] is played on a *stage*: [`network`] runs the production drivers, HTTP API and workers over turmoil's
//! TCP; [`machines`] drives the state machines from a heap of timed events. Both report what happens as
//! [`Event`](event::Event)s, which [`checkers`] judge, [`coverage`] counts and [`trace`] hashes.
//!
//! * [`scenario`] defines what is played and draws it from a seed; [`random`] has one stream per purpose and host
//! * `observe.rs`, `mischief.rs` and `adversary.rs` say what sources, malicious workers and the adversary do on both
//!   stages
//! * `retry.rs` and `timing.rs` say when clients retry and probe, and when a run ends, on the machines stage
//! * [`edge`] is what can be observed of a program besides its machine and its messages; the machines stage reports
//!   only the end of a driver's pass
//! * [`shrink`] makes a failing scenario small; [`explain`] shows a run as a timeline
//! * [`baseline`] has bare simulations of the same size, as a reference for speed
#![warn(missing_docs)]

mod adversary;
mod age;
pub mod baseline;
pub mod checkers;
pub mod coverage;
pub mod edge;
pub mod event;
pub mod explain;
pub mod host;
mod instance;
pub mod machines;
mod mischief;
pub mod network;
mod observe;
pub mod random;
mod retry;
pub mod scenario;
pub mod shrink;
pub mod store;
mod timing;
pub mod trace;
mod watch;

use serde::{Deserialize, Serialize};

pub use scenario::Scenario;
pub use watch::{Listener, Report};

use watch::Watch;

/// How much of the production code a run exercises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Drivers, HTTP and TCP, on turmoil.
    Network,
    /// The state machines alone, tens of times faster.
    Machines,
    /// Feeds and durable requests: their drivers over a simulated store.
    Store,
}

/// Plays a scenario. `listener` sees every event.
pub fn run(scenario: &Scenario, depth: Depth, listener: Option<Listener>) -> Report {
    let watch = Watch::new(scenario, depth, listener);
    match depth {
        Depth::Network => network::play(scenario, watch),
        Depth::Machines => machines::play(scenario, watch),
        Depth::Store => store::play(scenario, watch),
    }
}
