//! The stage with a network: the drivers, the HTTP API and the workers of production, each on a host of turmoil.

mod adversary;
pub mod broker;
pub mod bus;
mod client;
mod condition;
mod coordinator;
mod decode;
mod encode;
mod http;
mod life;
mod links;
mod mischief;
mod panics;
mod play;
mod schedule;
mod stage;
mod teller;
mod visit;
mod worker;

use crate::scenario::Scenario;
use crate::watch::{Report, Watch};

/// Plays a scenario.
pub(crate) fn play(scenario: &Scenario, watch: Watch) -> Report {
    let teller = teller::Teller::new(watch);
    play::Play::new(scenario, teller.clone()).run();
    teller.report()
}
