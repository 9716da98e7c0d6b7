//! What can come from outside, for tests and fuzzers: the likely, the unlikely and the absurd.

pub mod aggregation;
pub mod bytes;
mod clock;
mod durable;
mod feeds;
mod run;
mod steps;
mod worker;

pub use durable::{DurableRun, TimedDurableStep, durable_config, durable_steps};
pub use feeds::{FeedsRun, feed_steps};
pub use run::Run;
pub use steps::{TimedStep, config, steps};
pub use worker::{TimedWorkerStep, WorkerRun, worker_config, worker_steps};
