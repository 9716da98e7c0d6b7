//! The stage with a network: the production drivers, HTTP API and workers, each on a turmoil host.
//!
//! * `play/` is the run; `stage.rs` is what all hosts share
//! * `broker/` and `bus/` simulate NATS
//! * `coordinator.rs`, `worker.rs`, `client.rs`, `adversary.rs` are the hosts; `life.rs` starts, stops and kills their
//!   processes
//! * `schedule.rs`, `links.rs`, `condition.rs`, `mischief.rs` and `visit.rs` carry out faults and visits
//! * `sink.rs`, `decode.rs` and `panics.rs` report what happens as events; `encode.rs` writes the messages of malicious
//!   workers and the adversary

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
