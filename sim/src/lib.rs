//! Quorate on a simulated network. One seed makes a cluster, a workload and a schedule of faults, and every run of a
//! seed is the same to the byte, on any machine.
//!
//! A [`Scenario`] is played on a *stage*: [`network`] runs the drivers, the HTTP API and the workers of production over
//! turmoil's TCP; [`machines`] wires the state machines to a heap of timed events. Both tell what happens as
//! [`Event`](event::Event)s, which the [`checkers`] judge, the [`coverage`] counts and the [`trace`] hashes.
//!
//! * [`scenario`] is what is played; [`random`] draws it, one stream per purpose and host
//! * `observe.rs`, `mischief.rs`, `adversary.rs`, `retry.rs` are what sources, bad workers, the adversary and clients
//!   do on both stages
//! * [`edge`] is what can be seen of a program besides its machine and its messages, on the network only
//! * [`shrink`] makes a failing scenario small; [`explain`] shows a run as a timeline
//! * [`baseline`] has bare simulations of the same size, to compare the speed with
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
mod timing;
pub mod trace;
mod watch;

use serde::{Deserialize, Serialize};

pub use scenario::Scenario;
pub use watch::{Listener, Report};

use watch::Watch;

/// How much of the real thing a run goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Drivers, HTTP and TCP, on turmoil.
    Network,
    /// The state machines alone, some hundred times faster.
    Machines,
}

/// Plays a scenario. `listener` sees every event.
pub fn run(scenario: &Scenario, depth: Depth, listener: Option<Listener>) -> Report {
    let watch = Watch::new(scenario, depth, listener);
    match depth {
        Depth::Network => network::play(scenario, watch),
        Depth::Machines => machines::play(scenario, watch),
    }
}
