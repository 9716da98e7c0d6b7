//! The stage with a network: the drivers, the HTTP API and the workers of production, each on a host of turmoil.
//!
//! * `play/` is the run; `stage.rs` is what all hosts share
//! * `broker/` and `bus/` simulate NATS
//! * `coordinator.rs`, `worker.rs`, `client.rs`, `adversary.rs` are the hosts; `life.rs` starts, stops and kills their
//!   processes
//! * `schedule.rs`, `links.rs`, `mischief.rs`, `visit.rs` turn faults and visits into action
//! * `sink.rs` and `decode.rs` tell what happens as events; `encode.rs` writes messages that no program of ours would
//!   write

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
mod sink;
mod stage;
mod visit;
mod worker;

use crate::scenario::Scenario;
use crate::watch::{Report, Watch};

/// Plays a scenario.
pub(crate) fn play(scenario: &Scenario, watch: Watch) -> Report {
    let sink = sink::EventSink::new(watch);
    play::Play::new(scenario, sink.clone()).run();
    sink.report()
}
