//! What can come from outside, for tests and fuzzers: the likely, the unlikely and the absurd.

pub mod aggregation;
pub mod bytes;
mod run;
mod steps;

pub use run::Run;
pub use steps::{TimedStep, config, steps};
